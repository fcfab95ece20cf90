"""The PostgreSQL edge: connections whose errors say what to do, and the few questions that several stages ask."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import psycopg
from psycopg import sql

from headwater.errors import PostgresError
from headwater.model import PostgresAddress

APPLICATION_NAME = "headwater"

EXACT_TEXT = {
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "extra_float_digits": "3",
    "bytea_output": "hex",
    "client_encoding": "UTF8",
}
"""Settings under which a value's text says all of it, and says the same on every server."""


def describe(address: PostgresAddress) -> str:
    """``user@host:port/database``, for messages; never the password."""
    return f"{address.user}@{address.host}:{address.port}/{address.database}"


@contextmanager
def connect(address: PostgresAddress, *, autocommit: bool = False) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """A connection that commits at the end, or rolls back on an error. Raises PostgresError, never psycopg's errors."""
    try:
        connection = psycopg.connect(
            host=address.host,
            port=address.port,
            user=address.user,
            password=address.password,
            dbname=address.database,
            autocommit=autocommit,
            connect_timeout=10,
            application_name=APPLICATION_NAME,
            client_encoding="utf-8",  # of an SQL_ASCII database, psycopg would hand out bytes for every text
        )
    except psycopg.OperationalError as error:
        raise _cannot_connect(address, error) from error
    with translated(address), connection:
        yield connection


@contextmanager
def translated(address: PostgresAddress) -> Iterator[None]:
    """Raise PostgresError for whatever psycopg raises inside."""
    try:
        yield
    except psycopg.Error as error:
        # Class 08 and 57P are the connection's end; without a code, libpq found out by itself.
        lost = isinstance(error, psycopg.OperationalError) and (error.sqlstate or "08").startswith(("08", "57P"))
        if lost:
            message, hint = f"lost {describe(address)}: {_first_line(error)}", "is the server still up?"
            raise PostgresError(message, hint=hint) from error
        raise PostgresError(f"{describe(address)}: {_first_line(error)}") from error


def _cannot_connect(address: PostgresAddress, error: psycopg.OperationalError) -> PostgresError:
    text = str(error)
    if "password authentication failed" in text or "no password supplied" in text:
        hint = "check DB_USER and DB_PASSWORD in config.py (or HEADWATER_DB_PASSWORD)"
    elif "does not exist" in text and "database" in text:
        hint = "run `headwater setup` to create it"
    elif "no pg_hba.conf entry" in text:
        hint = "allow this host and user in the server's pg_hba.conf"
    else:
        hint = "is the server running, and are DB_HOST and DB_PORT right?"
    return PostgresError(f"cannot connect to {describe(address)}: {_first_line(error)}", hint=hint)


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def server_version(connection: psycopg.Connection[Any]) -> int:
    """The server's version number as libpq gives it, for example 180001."""
    return connection.info.server_version


def server_major(connection: psycopg.Connection[Any]) -> int:
    """The server's major version, for example 18."""
    return server_version(connection) // 10_000


def server_version_text(connection: psycopg.Connection[Any]) -> str:
    """The server's version for people, for example ``18.1``."""
    version = server_version(connection)
    return f"{version // 10_000}.{version % 10_000}"


def database_size(connection: psycopg.Connection[Any]) -> int:
    """Bytes that the connection's own database takes on the server's disk."""
    row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    return int(row[0]) if row else 0


def database_exists(connection: psycopg.Connection[Any], name: str) -> bool:
    """Whether the cluster has this database."""
    return connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone() is not None


def databases_called(maintenance: PostgresAddress, beginning: str) -> list[str]:
    """The databases whose names begin so. Raises PostgresError."""
    with connect(maintenance) as connection:
        query = "SELECT datname FROM pg_database WHERE left(datname::text, %s) = %s"
        rows = connection.execute(query, (len(beginning), beginning))
        return [str(row[0]) for row in rows]


def create_database(maintenance: PostgresAddress, name: str) -> bool:
    """Create a database unless it exists; True if it was created. ``maintenance`` is an address of another database."""
    with connect(maintenance, autocommit=True) as connection:
        if database_exists(connection, name):
            return False
        try:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        except psycopg.errors.DuplicateDatabase:
            return False  # a second copy of this command was faster
        except psycopg.errors.UniqueViolation:
            return False  # the same race, seen by the catalog's index instead
        return True


def column_types(connection: psycopg.Connection[Any], schema: str, table: str) -> dict[str, str]:
    """``{column: type}`` in the table's order, types as PostgreSQL writes them; empty if there is no such table."""
    rows = connection.execute(
        """
        SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod)
        FROM pg_catalog.pg_attribute AS a
        JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid
        JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname = %s AND c.relname = %s AND a.attnum > 0 AND NOT a.attisdropped
        ORDER BY a.attnum
        """,
        (schema, table),
    )
    return {str(name): str(kind) for name, kind in rows}


def count_rows(connection: psycopg.Connection[Any], schema: str, table: str) -> int:
    """The exact number of rows; reads the whole table or one of its indexes."""
    query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(schema, table))
    row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0


def set_exact_text(connection: psycopg.Connection[Any]) -> None:
    """Make values' text exact and the same on every server, until the transaction ends."""
    for setting, value in EXACT_TEXT.items():
        connection.execute("SELECT set_config(%s, %s, true)", (setting, value))


@dataclass(frozen=True)
class UserTable:
    """A table whose rows pg_dump dumps. ``whole``: with all of its partitions, otherwise only rows of its own."""

    schema: str
    name: str
    whole: bool

    @property
    def label(self) -> str:
        """Its full name, see ``table_label``."""
        return table_label(self.schema, self.name)

    @property
    def reference(self) -> sql.Composable:
        """What to read it by. ONLY: a parent of the old inheritance kind counts its own rows, its children theirs."""
        name = sql.Identifier(self.schema, self.name)
        return name if self.whole else sql.SQL("ONLY {}").format(name)


# An enum's values hash to other numbers in another database: pg_dump has their rows go through the topmost parent, and
# they end up in other partitions. Only of the tree as a whole can be said what is in it.
_ROWS_MOVE = """
    WITH RECURSIVE up AS (
        SELECT p.partrelid AS member FROM pg_catalog.pg_partitioned_table AS p
        WHERE p.partstrat = 'h' AND EXISTS (
            SELECT FROM pg_catalog.pg_opclass AS o
            WHERE o.oid = ANY (p.partclass::oid[]) AND o.opcname = 'enum_ops'
                AND o.opcnamespace = 'pg_catalog'::regnamespace
        )
        UNION SELECT i.inhparent FROM up JOIN pg_catalog.pg_inherits AS i ON i.inhrelid = up.member
    ), tops AS (
        SELECT member FROM up WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_inherits AS i WHERE i.inhrelid = member)
    ), below AS (
        SELECT member FROM tops
        UNION SELECT i.inhrelid FROM below JOIN pg_catalog.pg_inherits AS i ON i.inhparent = below.member
    )
"""
_NO_ROWS_MOVE = "WITH tops AS (SELECT 0::oid AS member WHERE false), below AS (SELECT member FROM tops)"


def user_tables(connection: psycopg.Connection[Any]) -> list[UserTable]:
    """Every table with rows of its own that pg_dump dumps, sorted.

    Partitions count, their parents do not, unless a restore may put the rows into other partitions; neither do an
    extension's tables, which CREATE EXTENSION makes again.
    """
    try:
        with connection.transaction():
            return _user_tables(connection)
    except psycopg.errors.CharacterNotInRepertoire:
        # An SQL_ASCII database with names that are no UTF-8. Which encoding they are in, nobody knows: LATIN1 takes any
        # byte and gives it back, so that a name is at least the same everywhere.
        connection.execute("SET client_encoding = 'LATIN1'")
        return _user_tables(connection)


def _user_tables(connection: psycopg.Connection[Any]) -> list[UserTable]:
    moving = _ROWS_MOVE if server_major(connection) >= 11 else _NO_ROWS_MOVE  # hash partitions are new in 11
    rows = connection.execute(
        f"""
        {moving}
        SELECT n.nspname, c.relname, c.relkind = 'p'
        FROM pg_catalog.pg_class AS c
        JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        WHERE (c.relkind = 'r' AND c.oid NOT IN (SELECT member FROM below) OR c.oid IN (SELECT member FROM tops))
            AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
            AND NOT EXISTS (
                SELECT FROM pg_catalog.pg_depend AS d
                WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
            )
        ORDER BY 1, 2
        """.encode()  # noqa: S608 - constants from just above
    )
    return [UserTable(str(schema), str(table), bool(whole)) for schema, table, whole in rows]


def table_label(schema: str, table: str) -> str:
    """A table's full name, quoted where it has to be, so that two tables never look the same.

    >>> table_label("public", "orders"), table_label("public", "Odd.Name")
    ('public.orders', 'public."Odd.Name"')
    """
    return ".".join(
        name if re.fullmatch(r"[a-z_][a-z0-9_]*", name) else '"' + name.replace('"', '""') + '"'
        for name in (schema, table)
    )


def count_all_tables(connection: psycopg.Connection[Any]) -> dict[str, int]:
    """The exact row count of every user table by its label. Reads them all. Raises psycopg's errors."""
    query = sql.SQL("SELECT count(*) FROM {}")
    counts = {}
    for table in user_tables(connection):
        row = connection.execute(query.format(table.reference)).fetchone()
        counts[table.label] = int(row[0]) if row else 0
    return counts


@dataclass(frozen=True)
class DatabaseLocale:
    """What a database's text is encoded in and sorted by; fixed when it is created."""

    encoding: str
    collate: str
    ctype: str
    provider: str
    locale: str | None


def create_empty_database(maintenance: PostgresAddress, name: str, locale: DatabaseLocale) -> None:
    """Create a database with nothing in it, not even what template1 has. Raises PostgresError if it exists."""
    statement = sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING {} LC_COLLATE {} LC_CTYPE {}").format(
        sql.Identifier(name), locale.encoding, locale.collate, locale.ctype
    )
    with connect(maintenance, autocommit=True) as connection:
        if server_major(connection) >= 15:  # said of libc, too: template0's may be another one
            statement += sql.SQL(" LOCALE_PROVIDER {}").format(sql.SQL(locale.provider))
        if locale.provider != "libc":
            option = sql.SQL("ICU_LOCALE" if locale.provider == "icu" else "BUILTIN_LOCALE")
            statement += sql.SQL(" {} {}").format(option, sql.Literal(locale.locale))
        connection.execute(statement)


def rename_database(maintenance: PostgresAddress, old: str, new: str) -> None:
    """Rename a database that nobody is connected to. Raises PostgresError, also if there is a ``new`` one by now."""
    with connect(maintenance, autocommit=True) as connection:
        connection.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(old), sql.Identifier(new)))


def create_schema(address: PostgresAddress, name: str) -> None:
    """Create a schema unless it exists. Raises PostgresError."""
    with connect(address) as connection:
        connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(name)))


def database_comment(maintenance: PostgresAddress, name: str) -> str | None:
    """A database's comment; None if there is none, or no such database. Raises PostgresError."""
    with connect(maintenance) as connection:
        query = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s"
        row = connection.execute(query, (name,)).fetchone()
    return None if row is None or row[0] is None else str(row[0])


def comment_on_database(maintenance: PostgresAddress, name: str, comment: str | None) -> None:
    """Set or, with None, remove a database's comment. Raises PostgresError."""
    with connect(maintenance, autocommit=True) as connection:
        statement = sql.SQL("COMMENT ON DATABASE {} IS {}")
        connection.execute(statement.format(sql.Identifier(name), sql.Literal(comment)))


def drop_idle_database(maintenance: PostgresAddress, name: str) -> None:
    """Drop a database unless somebody is connected to it; one that is not there is fine. Raises PostgresError."""
    _forget_subscriptions(maintenance, name)
    with connect(maintenance, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))


def drop_database(maintenance: PostgresAddress, name: str) -> None:
    """Drop a database and end the sessions in it; one that is already gone is fine. Raises PostgresError."""
    _forget_subscriptions(maintenance, name)
    with connect(maintenance, autocommit=True) as connection:
        # FORCE is new in 13; before, sessions have to be ended first, which only then cannot be raced against.
        force = " WITH (FORCE)" if server_major(connection) >= 13 else ""
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}" + force).format(sql.Identifier(name)))


def _forget_subscriptions(maintenance: PostgresAddress, name: str) -> None:
    """PostgreSQL drops no database with a subscription; its publisher, who may have another one, is told nothing."""
    query = "SELECT subname FROM pg_subscription JOIN pg_database AS d ON d.oid = subdbid WHERE datname = %s"
    with connect(maintenance) as connection:
        found = connection.execute(query, (name,)).fetchall() if server_major(connection) >= 10 else []
    if not found:
        return
    with connect(replace(maintenance, database=name), autocommit=True) as connection:
        for (subscription,) in found:
            for action in ("ALTER SUBSCRIPTION {} DISABLE", "ALTER SUBSCRIPTION {} SET (slot_name = NONE)"):
                connection.execute(sql.SQL(action).format(sql.Identifier(subscription)))
            connection.execute(sql.SQL("DROP SUBSCRIPTION {}").format(sql.Identifier(subscription)))


def analyze(address: PostgresAddress) -> str:
    """Collect the planner's statistics; why they are incomplete, or nothing.

    Of partitioned tables, ANALYZE asks foreign servers, too: one that does not answer leaves the others' tables to do.
    Raises PostgresError if nobody can connect.
    """
    with connect(address, autocommit=True) as connection:
        try:
            connection.execute("ANALYZE")
        except psycopg.Error as error:
            problem = f"the planner's statistics are incomplete, ANALYZE failed: {_first_line(error)}"
        else:
            return ""
    query = (
        "SELECT n.nspname, c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace"
        " WHERE c.relkind IN ('r', 'm') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'"
    )
    with connect(address, autocommit=True) as connection:
        own = [sql.Identifier(str(schema), str(name)) for schema, name in connection.execute(query)]
        try:
            connection.execute(sql.SQL("ANALYZE {}").format(sql.SQL(", ").join(own))) if own else None
        except psycopg.Error as error:
            return f"{problem}; {_first_line(error)}"
    return problem


@dataclass(frozen=True)
class TableContent:
    """How many rows a table has, and the sum of their 64-bit hashes: equal for equal rows in any order."""

    rows: int
    hash: int


def read_contents(address: PostgresAddress) -> dict[str, TableContent]:
    """Every user table's content by its label, all in one snapshot. Reads every row. Raises PostgresError."""
    with connect(address) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        return all_contents(connection)


def all_contents(connection: psycopg.Connection[Any]) -> dict[str, TableContent]:
    """Every user table's content by its label, inside the connection's transaction. Raises psycopg's errors."""
    # The row as text is exact for every type, once both sides agree on how text is written.
    query = sql.SQL(
        "SELECT count(*), coalesce(sum(hashtextextended(headwater_row::text, 0)::numeric), 0) FROM {} AS headwater_row"
    )
    contents = {}
    set_exact_text(connection)
    for table in user_tables(connection):
        row = connection.execute(query.format(table.reference)).fetchone()
        if row:
            contents[table.label] = TableContent(int(row[0]), int(row[1]))
    return contents

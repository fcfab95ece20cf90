"""Hive DDL text to statements; what is a query or another engine's statement is left to others."""

from __future__ import annotations

from collections.abc import Callable

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.hive import ast
from headwater.stack.lakehouse.hive.alter import alter
from headwater.stack.lakehouse.hive.create import create
from headwater.stack.lakehouse.hive.cursor import CATALOG, Cursor

_REFUSED = (
    *("grant", "revoke", "truncate", "load", "import", "export", "lock", "unlock", "use", "analyze", "set", "reset"),
    *("start", "commit", "rollback", "comment", "refresh", "abort", "reload", "dfs", "add", "list"),
)


def parse(sql: str) -> ast.Statement | None:
    """Read one statement. ``None`` if it is no Hive DDL (SELECT, WITH, INSERT, EXPLAIN, CREATE TABLE AS …).

    Raises ``DdlSyntaxError``, and ``Unsupported`` for DDL that this engine refuses.

    >>> parse("DROP TABLE IF EXISTS lake.Orders")
    DropTable(table=TableName(name='orders', database='lake'), if_exists=True, view=False)
    >>> parse("SELECT 1") is None
    True
    """
    cursor = Cursor(sql)
    first = cursor.token.text.lower() if cursor.token.kind == "word" else ""
    if first in _REFUSED:
        raise Unsupported(first.upper())
    read = _readers().get(first)
    if read is None:
        return None
    cursor.advance()
    return read(cursor)


def _readers() -> dict[str, Callable[[Cursor], ast.Statement | None]]:
    return {
        "create": create,
        "drop": _drop,
        "alter": alter,
        "msck": _msck,
        "show": _show,
        "describe": _describe,
        "desc": _describe,
    }


def _drop(cursor: Cursor) -> ast.Statement:
    if cursor.accept("database") or cursor.accept("schema"):
        if_exists = cursor.accept("if", "exists")
        name = cursor.name()
        cascade = cursor.accept("cascade")
        if not cascade:
            cursor.accept("restrict")
        cursor.end()
        return ast.DropDatabase(name, if_exists, cascade)
    view = cursor.accept("view")
    if not view and not cursor.accept("table"):
        for refused in ("function", "index", "role", "macro"):
            if cursor.at(refused):
                raise Unsupported(f"DROP {refused.upper()}")
        raise cursor.mismatch("'DATABASE'", "'SCHEMA'", "'TABLE'", "'VIEW'")
    if_exists = cursor.accept("if", "exists")
    table = cursor.table()
    cursor.accept("purge")
    cursor.end()
    return ast.DropTable(table, if_exists, view)


def _msck(cursor: Cursor) -> ast.Statement:
    cursor.expect("repair", "table")
    table = cursor.table()
    for refused in ("add", "drop", "sync"):
        if cursor.at(refused):
            raise Unsupported(f"MSCK REPAIR TABLE … {refused.upper()} PARTITIONS")
    cursor.end()
    return ast.RepairTable(table)


def _show(cursor: Cursor) -> ast.Statement | None:
    statement = _shown(cursor)
    if statement is not None:
        cursor.end()
    return statement


def _shown(cursor: Cursor) -> ast.Statement | None:
    if cursor.accept("databases") or cursor.accept("schemas"):
        return ast.ShowDatabases(_pattern(cursor))
    if cursor.accept("tables"):
        return _tables(cursor, views=False)
    if cursor.accept("views"):
        return _tables(cursor, views=True)
    if cursor.accept("partitions"):
        table = cursor.table()
        return ast.ShowPartitions(table, cursor.partition() if cursor.at("partition") else None)
    if cursor.accept("create"):
        view = cursor.accept("view")
        if not view:
            cursor.expect("table")
        return ast.ShowCreateTable(cursor.table(), view)
    if cursor.accept("columns"):
        if not (cursor.accept("in") or cursor.accept("from")):
            raise cursor.mismatch("'FROM'", "'IN'")
        table = cursor.table()
        database = _database(cursor)
        return ast.ShowColumns(
            table if database is None else ast.TableName(table.name, database.name, database.catalog)
        )
    if cursor.accept("tblproperties"):
        table = cursor.table()
        name: str | None = None
        if cursor.accept("("):
            name = cursor.string()
            cursor.expect(")")
        return ast.ShowProperties(table, name)
    for refused in ("functions", "catalogs", "session", "stats", "grants", "grant", "roles", "table", "locks", "conf"):
        if cursor.at(refused):
            raise Unsupported(f"SHOW {refused.upper()}")
    known = ("COLUMNS", "CREATE", "DATABASES", "PARTITIONS", "SCHEMAS", "TABLES", "TBLPROPERTIES", "VIEWS")
    raise cursor.mismatch(*(f"'{word}'" for word in known))


def _tables(cursor: Cursor, *, views: bool) -> ast.ShowTables:
    database = _database(cursor)
    pattern = _pattern(cursor)
    if database is None:
        return ast.ShowTables(None, pattern, views)
    return ast.ShowTables(database.name, pattern, views, database.catalog)


def _database(cursor: Cursor) -> ast.TableName | None:
    """A database as the ``name``, with its catalog."""
    if cursor.accept("in") or cursor.accept("from"):
        found = cursor.table()  # catalog.database reads like a table of two parts
        catalog = found.database if found.database != CATALOG else None
        return ast.TableName(found.name, None, catalog)
    return None


def _pattern(cursor: Cursor) -> str | None:
    if cursor.accept("like") or cursor.token.kind == "string":
        return cursor.string()
    return None


def _describe(cursor: Cursor) -> ast.Statement | None:
    if cursor.at("input") or cursor.at("output"):
        return None  # prepared statements
    for refused in ("database", "schema", "function"):
        if cursor.at(refused) and cursor.token.kind == "word" and not _names_a_table(cursor):
            raise Unsupported(f"DESCRIBE {refused.upper()}")
    style = next((word for word in ("extended", "formatted") if cursor.accept(word)), "plain")
    if cursor.at("table"):  # Hive takes it for the name of the table
        return ast.Describe(ast.TableName("table"), style)
    if cursor.at("view") and not _names_a_table(cursor):
        cursor.advance()
    table = cursor.table()
    partition = cursor.partition() if cursor.at("partition") else None
    column: str | None = None
    if cursor.token.kind in ("word", "quoted"):
        column = cursor.name()
        while cursor.accept("."):
            column += f".{cursor.string() if cursor.token.kind == 'string' else cursor.name()}"
    cursor.end()
    return ast.Describe(table, style, column, partition)


def _names_a_table(cursor: Cursor) -> bool:
    """Whether the word to come is the last one, and so a table that is called like a keyword."""
    return not cursor.sql[cursor.token.end :].strip().rstrip(";").strip()

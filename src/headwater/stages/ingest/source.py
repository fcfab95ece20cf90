"""The PostgreSQL end of an ingest: describes and measures a table, and streams it in the order of its days."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

import psycopg
from psycopg import sql

from headwater.errors import Refused, SettingsError
from headwater.model import PostgresAddress
from headwater.services import postgres
from headwater.stages.ingest.types import LakeType, PostgresType

BATCH_BYTES = 4 * 1024 * 1024

# Tables, partitioned tables, views, materialized views, foreign tables: all that SELECT can read.
_READABLE = """
    SELECT n.nspname, c.relname
    FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
"""
_FIND_VISIBLE = _READABLE + " AND c.relname = %(table)s AND pg_catalog.pg_table_is_visible(c.oid)"
_FIND_IN_SCHEMA = _READABLE + " AND c.relname = %(table)s AND n.nspname = %(schema)s"


@dataclass(frozen=True)
class SourceColumn:
    """A column and its type, domains resolved."""

    name: str
    type: PostgresType


@dataclass(frozen=True)
class Extent:
    """How many rows there are, how many without a day, and their first and last day (UTC)."""

    rows: int
    nulls: int
    first: date | None
    last: date | None


def find(connection: psycopg.Connection[Any], schema: str | None, table: str) -> tuple[str, str] | None:
    """``(schema, table)`` as the catalog has it; without a schema, the one that the search path finds."""
    query = _FIND_VISIBLE if schema is None else _FIND_IN_SCHEMA
    row = connection.execute(query, {"schema": schema, "table": table}).fetchone()
    return (str(row[0]), str(row[1])) if row else None


def readable_tables(connection: psycopg.Connection[Any]) -> list[str]:
    """The names of all tables and views, with their schema where it is not ``public``."""
    rows = connection.execute(_READABLE)
    return [table if schema == "public" else f"{schema}.{table}" for schema, table in rows]


def describe(connection: psycopg.Connection[Any], schema: str, table: str) -> tuple[SourceColumn, ...]:
    """The table's columns in their order, each domain followed down to the type that it restricts."""
    rows = connection.execute(
        """
        WITH RECURSIVE resolved AS (
            SELECT a.attnum, a.attname, a.atttypid AS type, a.atttypmod AS modifier,
                pg_catalog.format_type(a.atttypid, a.atttypmod) AS declared
            FROM pg_catalog.pg_attribute AS a
            JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid
            JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
            WHERE n.nspname = %s AND c.relname = %s AND a.attnum > 0 AND NOT a.attisdropped
            UNION ALL
            SELECT r.attnum, r.attname, t.typbasetype, t.typtypmod, r.declared
            FROM resolved AS r JOIN pg_catalog.pg_type AS t ON t.oid = r.type
            WHERE t.typtype = 'd'
        )
        SELECT r.attname, t.typname, t.typtype, t.typcategory, r.modifier, r.declared
        FROM resolved AS r JOIN pg_catalog.pg_type AS t ON t.oid = r.type
        WHERE t.typtype <> 'd'
        ORDER BY r.attnum
        """,
        (schema, table),
    ).fetchall()
    return tuple(SourceColumn(row[0], PostgresType(*row[1:])) for row in rows)


def measure(connection: psycopg.Connection[Any], schema: str, table: str, by: str) -> Extent:
    """Count the rows and find their days; reads the table. Raises SettingsError for days that no calendar has."""
    postgres.set_exact_text(connection)
    query = sql.SQL(
        "SELECT count(*), count(*) - count({by}),"
        " min({by})::date::text, max({by})::date::text,"
        " count(*) FILTER (WHERE NOT isfinite({by}) OR {by} < '0001-01-01' OR {by} >= '10000-01-01')"
        " FROM {table}"
    ).format(by=sql.Identifier(by), table=sql.Identifier(schema, table))
    row = connection.execute(query).fetchone()
    assert row is not None  # noqa: S101 - an aggregate has one row
    rows, nulls, first, last, outside = row
    if outside:
        raise SettingsError(
            f"column {by} has {outside:,} values that are infinite or outside the years 1 to 9999",
            hint="correct them, or make a view without those rows, and ingest the view",
        )
    return Extent(rows, nulls, *(None if day is None else date.fromisoformat(day) for day in (first, last)))


@contextmanager
def only_ingest(address: PostgresAddress, label: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection that marks the only ingest of this table. Raises Refused if there is another one."""
    with postgres.connect(address, autocommit=True) as connection:
        row = connection.execute(
            "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", (f"headwater ingest {label}",)
        ).fetchone()
        if not (row and row[0]):
            raise Refused(f"another ingest of {label} is under way", hint="wait for it to end")
        yield connection


@contextmanager
def snapshot(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """A read-only transaction that sees one moment, however long it is read."""
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        connection.execute("SET LOCAL statement_timeout = 0")
        # Sorting by day is the one thing that needs memory on the server.
        connection.execute("SET LOCAL work_mem = '128MB'")
        postgres.set_exact_text(connection)
        yield


def batches(
    connection: psycopg.Connection[Any], table: tuple[str, str], columns: Sequence[tuple[str, LakeType]], by: str
) -> Iterator[bytes]:
    """The rows as CSV in blocks of about 4 MiB, each ending with a row; ordered by ``by``, rows without it last."""
    selected = sql.SQL(", ").join(sql.SQL(kind.select).format(sql.Identifier(name)) for name, kind in columns)
    query = sql.SQL("COPY (SELECT {} FROM {} ORDER BY {} NULLS LAST) TO STDOUT (FORMAT csv)").format(
        selected, sql.Identifier(*table), sql.Identifier(by)
    )
    block = bytearray()
    with connection.cursor() as cursor, cursor.copy(query) as copy:
        for row in copy:
            block += row
            if len(block) >= BATCH_BYTES:
                yield bytes(block)
                block.clear()
    if block:
        yield bytes(block)

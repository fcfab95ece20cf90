"""information_schema: what the catalog holds, as tables that a query can read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from headwater.stack.lakehouse.errors import ApiError, QueryFailed
from headwater.stack.lakehouse.hive.views import decode_view
from headwater.stack.lakehouse.model import GlueJson, Scope, Table
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.expression import null_of, quote_text
from headwater.stack.lakehouse.sql.query import OutputColumn, Query
from headwater.stack.lakehouse.sql.scans import column_type

SCHEMA = "information_schema"
_CATALOG = "awsdatacatalog"
_VIEW = "VIRTUAL_VIEW"
Value = str | int | None
Row = tuple[Value, ...]


class Databases(Protocol):
    """What information_schema shows of the Glue catalog."""

    def databases(self, scope: Scope) -> list[GlueJson]:
        """All databases."""
        ...

    def tables(self, scope: Scope, database: str) -> list[GlueJson]:
        """All tables of a database."""
        ...


@dataclass(frozen=True)
class Source:
    """Whose catalog is shown."""

    catalog: Databases
    scope: Scope

    def tables(self) -> Iterator[Table]:
        """All tables and views."""
        for database in self.catalog.databases(self.scope):
            try:
                found = self.catalog.tables(self.scope, database["Name"])
            except ApiError:  # dropped since it was listed
                continue
            yield from map(Table.from_glue, found)


def _schemata(source: Source) -> Iterator[Row]:
    names = [str(database["Name"]) for database in source.catalog.databases(source.scope)]
    for name in [SCHEMA, *names]:
        yield _CATALOG, name


def _tables(source: Source) -> Iterator[Row]:
    for table in source.tables():
        yield _CATALOG, table.database, table.name, "VIEW" if table.table_type == _VIEW else "BASE TABLE"


def _views(source: Source) -> Iterator[Row]:
    for table in source.tables():
        if table.table_type == _VIEW:
            try:
                text: str | None = decode_view(str(table.glue.get("ViewOriginalText") or "")).sql
            except QueryFailed:
                text = None
            yield _CATALOG, table.database, table.name, text


def _columns(source: Source) -> Iterator[Row]:
    for table in source.tables():
        keys = {key.name for key in table.partition_keys}
        for place, column in enumerate((*table.columns, *table.partition_keys), 1):
            try:
                kind = str(column_type(column))
            except QueryFailed:
                kind = column.type
            extra = "partition key" if column.name in keys else None
            head = (_CATALOG, table.database, table.name, column.name.lower(), place)
            yield (*head, None, "YES", kind, column.comment, extra)


@dataclass(frozen=True)
class _Shape:
    """One table: its columns (those of type bigint are named in ``numbers``) and where its rows come from."""

    columns: tuple[str, ...]
    rows: Callable[[Source], Iterator[Row]]
    numbers: tuple[str, ...] = ()


_PLACE = ("table_catalog", "table_schema", "table_name")
TABLES: Mapping[str, _Shape] = MappingProxyType(
    {
        "schemata": _Shape(("catalog_name", "schema_name"), _schemata),
        "tables": _Shape((*_PLACE, "table_type"), _tables),
        "views": _Shape((*_PLACE, "view_definition"), _views),
        "columns": _Shape(
            (
                *(*_PLACE, "column_name", "ordinal_position", "column_default", "is_nullable", "data_type"),
                *("comment", "extra_info"),
            ),
            _columns,
            ("ordinal_position",),
        ),
    }
)


def information_query(name: str, source: Source) -> Query | None:
    """The rows of one table of information_schema, or ``None`` if there is none of that name."""
    shape = TABLES.get(name)
    if shape is None:
        return None
    kinds = [t.BIGINT if column in shape.numbers else t.VARCHAR for column in shape.columns]
    columns = tuple(OutputColumn(name, kind) for name, kind in zip(shape.columns, kinds, strict=True))
    return inline_query(columns, list(shape.rows(source)))


def inline_query(columns: Sequence[OutputColumn], rows: Sequence[Row]) -> Query:
    """Values that are known before the query runs, as a query."""
    names = [f"c{i}" for i in range(len(columns))]
    if not rows:
        nulls = ", ".join(f"{null_of(column.type).sql} AS c{i}" for i, column in enumerate(columns))
        return Query(f"SELECT {nulls} WHERE false", tuple(columns))
    lines = ", ".join(f"({', '.join(map(_literal, row))})" for row in rows)
    casts = ", ".join(f"{_typed(f'c{i}', column.type)} AS c{i}" for i, column in enumerate(columns))
    return Query(f"SELECT {casts} FROM (VALUES {lines}) AS v({', '.join(names)})", tuple(columns))  # noqa: S608 - quoted


def _typed(sql: str, kind: t.Type) -> str:
    text = f"CAST({sql} AS JSON)" if kind.items else sql  # nested values are written as JSON
    return f"CAST({text} AS {t.to_duckdb(kind)})"


def _literal(value: Value) -> str:
    if value is None:
        return "NULL"
    return str(value) if isinstance(value, int) else quote_text(value)

"""Decide what an ingest would do: which columns become what, how many rows in which days, and whose table it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from difflib import get_close_matches
from typing import Any

import psycopg

from headwater.connections import Connections
from headwater.domain import LAKE_TABLES
from headwater.errors import Refused, SettingsError
from headwater.model import LakeColumn
from headwater.services import buckets, glue, postgres
from headwater.stages.ingest import source
from headwater.stages.ingest.names import day_keys, lake_name, lake_names, parse_table
from headwater.stages.ingest.types import LakeType, lake_type

SOURCE_PARAMETER = "headwater.ingest.source"
RUN_PARAMETER = "headwater.ingest.run"
PARTITIONABLE = ("date", "timestamp", "timestamptz")


@dataclass(frozen=True)
class IngestOptions:
    """``table`` or ``schema.table``; ``partition_by``: a date or timestamp column; ``name``: in the lake."""

    table: str
    partition_by: str
    name: str | None = None


@dataclass(frozen=True)
class IngestColumn:
    """One column: its name and type in PostgreSQL, and in the lake."""

    source: str
    source_type: str
    name: str
    type: LakeType


@dataclass(frozen=True)
class IngestPlan:
    """What will be read and where it will go. Rows and days are those at the time of planning.

    ``replaces`` is the run whose files the new ones take the place of, None if the lake does not have the table.
    """

    database: str
    schema: str
    table: str
    partition_by: str
    columns: tuple[IngestColumn, ...]
    partition_keys: tuple[str, ...]
    rows: int
    first_day: date | None
    last_day: date | None
    partitions_at_most: int
    athena_database: str
    lake_table: str
    location: str
    replaces: str | None

    @property
    def source_label(self) -> str:
        """The table's full name, for messages and the catalog."""
        return f"{self.database}.{postgres.table_label(self.schema, self.table)}"

    @property
    def lake_columns(self) -> tuple[LakeColumn, ...]:
        """The columns as the catalog has them."""
        return tuple(LakeColumn(column.name, column.type.name) for column in self.columns)


def plan(connections: Connections, options: IngestOptions) -> IngestPlan:
    """Look at the table, the bucket and the catalog; change nothing. Reads the table once, to count it.

    Raises SettingsError (no such table or column, a type without an exact form), Refused (the lake's table is not from
    this one), BucketError, PostgresError, AwsError.
    """
    settings = connections.settings
    buckets.require(connections.s3, connections.sts, settings.bucket_name)
    with postgres.connect(connections.postgres()) as connection:
        schema, table = _find_table(connection, options.table)
        described = source.describe(connection, schema, table)
        _check_partition_column(described, options)
        columns = _columns(described)
        extent = source.measure(connection, schema, table, options.partition_by)
    lake_table = lake_name(options.name or default_name(table))
    days = (extent.last - extent.first).days + 1 if extent.first and extent.last else 0
    draft = IngestPlan(
        database=settings.db_name,
        schema=schema,
        table=table,
        partition_by=options.partition_by,
        columns=columns,
        partition_keys=day_keys(lake_name(options.partition_by), (column.name for column in columns)),
        rows=extent.rows,
        first_day=extent.first,
        last_day=extent.last,
        partitions_at_most=min(days, extent.rows - extent.nulls) + bool(extent.nulls),
        athena_database=settings.athena_database,
        lake_table=lake_table,
        location=settings.layout.table_location(lake_table),
        replaces=None,
    )
    return replace(draft, replaces=_replaced_run(connections, draft))


def default_name(table: str) -> str:
    """The table's own name; ``orders_live`` and ``events_live`` beside the lake's generated orders and events.

    >>> default_name("flights"), default_name("orders")
    ('flights', 'orders_live')
    """
    return f"{table}_live" if table.lower() in {generated.name for generated in LAKE_TABLES} else table


def _find_table(connection: psycopg.Connection[Any], text: str) -> tuple[str, str]:
    schema, table = parse_table(text)
    found = source.find(connection, schema, table)
    if found is None:
        near = get_close_matches(text, source.readable_tables(connection), n=3)
        hint = f"did you mean {', '.join(near)}?" if near else "see what there is with psql's \\d"
        raise SettingsError(f"there is no table {text} in this database", hint=hint)
    return found


def _check_partition_column(described: Sequence[source.SourceColumn], options: IngestOptions) -> None:
    types = {column.name: column.type for column in described}
    if options.partition_by not in types:
        near = get_close_matches(options.partition_by, types, n=1)
        days = [name for name, kind in types.items() if kind.name in PARTITIONABLE]
        hint = f"did you mean {near[0]}?" if near else f"its dates and timestamps are {', '.join(days) or 'none'}"
        raise SettingsError(f"table {options.table} has no column {options.partition_by}", hint=hint)
    kind = types[options.partition_by]
    if kind.name not in PARTITIONABLE:
        raise SettingsError(
            f"column {options.partition_by} is {kind.declared}: there are no days to partition by",
            hint="choose a date, timestamp or timestamptz column",
        )


def _columns(described: Sequence[source.SourceColumn]) -> tuple[IngestColumn, ...]:
    names = lake_names(column.name for column in described)
    return tuple(
        IngestColumn(column.name, column.type.declared, names[column.name], lake_type(column.name, column.type))
        for column in described
    )


def _replaced_run(connections: Connections, draft: IngestPlan) -> str | None:
    """The run that the lake's table shows now. Raises Refused if that table came from elsewhere."""
    name = draft.lake_table
    choose = f"choose another name in the lake: --as {name}_live"
    if name in {table.name for table in LAKE_TABLES}:
        raise Refused(f"{name} is the lake's table of generated {name}", hint=choose)
    there = glue.get_table(connections.glue, draft.athena_database, name)
    if there is None:
        return None
    origin = there.parameters.get(SOURCE_PARAMETER)
    if origin != draft.source_label:
        what = f"holds {origin}" if origin else "was not made by ingest"
        raise Refused(f"table {draft.athena_database}.{name} {what}; it is left as it is", hint=choose)
    return there.parameters.get(RUN_PARAMETER)

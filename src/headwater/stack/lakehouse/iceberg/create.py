"""CREATE TABLE, CREATE TABLE AS and INSERT INTO for Iceberg tables."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyiceberg import transforms as tr
from pyiceberg import types as i
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.partitioning import PARTITION_FIELD_ID_START, PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Table

from headwater.stack.lakehouse.errors import ApiError, QueryFailed, Unsupported
from headwater.stack.lakehouse.hive.ast import CreateTable
from headwater.stack.lakehouse.hive.types import parse_type
from headwater.stack.lakehouse.iceberg.files import write_files
from headwater.stack.lakehouse.iceberg.scan import read_current
from headwater.stack.lakehouse.iceberg.tables import COMMIT_ATTEMPTS, IcebergTables, commit_error
from headwater.stack.lakehouse.iceberg.types import Ids, from_hive, from_trino
from headwater.stack.lakehouse.model import GlueJson
from headwater.stack.lakehouse.sql.query import OutputColumn
from headwater.stack.lakehouse.writes.ast import CreateTableAs, Insert
from headwater.stack.lakehouse.writes.context import Prepared, WriteContext, WriteResult, check_columns
from headwater.stack.lakehouse.writes.insert import fit_types
from headwater.stack.lakehouse.writes.partitioned import MAX_PARTITIONS
from headwater.stack.lakehouse.writes.values import stored

# https://docs.aws.amazon.com/athena/latest/ug/querying-iceberg-creating-tables.html#querying-iceberg-table-properties
PROPERTIES = (
    *("table_type", "format", "write_compression", "compression_level", "optimize_rewrite_data_file_threshold"),
    *("optimize_rewrite_delete_file_threshold", "optimize_rewrite_min_data_file_size_bytes"),
    *("optimize_rewrite_max_data_file_size_bytes", "vacuum_min_snapshots_to_keep", "vacuum_max_snapshot_age_seconds"),
    *("vacuum_max_metadata_files_to_keep", "write_target_data_file_size_bytes", "format_version", "classification"),
)
_CODECS = {"zstd": "zstd", "snappy": "snappy", "gzip": "gzip", "none": "uncompressed", "uncompressed": "uncompressed"}
_TRANSFORM = re.compile(r"(\w+)\s*\((.*)\)", re.DOTALL)
_TIMES = {"year": tr.YearTransform, "month": tr.MonthTransform, "day": tr.DayTransform, "hour": tr.HourTransform}


def create_iceberg_table(statement: CreateTable, tables: IcebergTables, database: str) -> None:
    """``CREATE TABLE … TBLPROPERTIES ('table_type'='ICEBERG')``. Raises ``ApiError`` if it exists."""
    ids = Ids()
    fields = [
        i.NestedField(ids.next(), c.name, from_hive(parse_type(c.type), ids), False, doc=c.comment)
        for c in (*statement.columns, *statement.partition_keys)
    ]
    partitioning = (*statement.transforms, *(key.name for key in statement.partition_keys))
    properties = {"comment": statement.comment} if statement.comment is not None else {}
    glue = _glue(statement.table.name, str(statement.location))
    schema = Schema(*fields)
    tables.create(
        database, glue, schema, spec_of(schema, partitioning), **properties, **_settings(statement.properties)
    )


def spec_of(schema: Schema, partitioning: Sequence[str]) -> PartitionSpec:
    """The partitioning that texts such as ``day(ts)`` and ``bucket(16, id)`` mean. Raises ``QueryFailed``."""
    fields = []
    for place, text in enumerate(partitioning):
        name, transform, column = _transform(text)
        try:
            source = schema.find_field(column, case_sensitive=False)
        except ValueError as error:
            raise QueryFailed(f"COLUMN_NOT_FOUND: Column not found: {column}") from error
        if not transform.can_transform(source.field_type):
            raise QueryFailed(f"NOT_SUPPORTED: Cannot partition {source.field_type} by {text}")
        fields.append(PartitionField(source.field_id, PARTITION_FIELD_ID_START + place, transform, name))
    return PartitionSpec(*fields)


def _transform(text: str) -> tuple[str, tr.Transform[Any, Any], str]:
    found = _TRANSFORM.fullmatch(text.strip())
    if found is None:
        column = _plain(text)
        return column, tr.IdentityTransform(), column
    name, arguments = found[1].lower().rstrip("s"), [part.strip() for part in found[2].split(",")]
    if name in _TIMES and len(arguments) == 1:
        column = _plain(arguments[0])
        return f"{column}_{name}", _TIMES[name](), column
    if name in ("bucket", "truncate") and len(arguments) == 2:
        # Both orders are in use: Athena's DDL has the number first, Trino's properties have it last.
        number, column = sorted(arguments, key=lambda part: not part.isdigit())
        if number.isdigit():
            if name == "bucket":
                return f"{_plain(column)}_bucket", tr.BucketTransform(int(number)), _plain(column)
            return f"{_plain(column)}_trunc", tr.TruncateTransform(int(number)), _plain(column)
    raise QueryFailed(f"NOT_SUPPORTED: Unsupported partition transform: {text}")


def _plain(text: str) -> str:
    return text.strip().strip('`"').lower()


def _settings(properties: Mapping[str, object]) -> dict[str, str]:
    """TBLPROPERTIES as the table keeps them. Raises ``QueryFailed`` for what Athena does not know."""
    kept: dict[str, str] = {}
    for name, value in properties.items():
        if name not in PROPERTIES:
            raise QueryFailed(f"Unsupported table property key: {name}")
        text = str(value).lower()
        if name == "format" and text != "parquet":
            raise Unsupported(f"an Iceberg table with format {str(value).upper()}")
        if name == "format_version" and text != "2":
            raise Unsupported(f"Iceberg format version {value}")
        if name == "write_compression":
            if text not in _CODECS:
                raise Unsupported(f"an Iceberg table compressed as {value}")
            kept["write.parquet.compression-codec"] = _CODECS[text]
        elif name not in ("table_type", "format", "format_version", "classification"):
            kept[name] = str(value)
    return kept


def _glue(name: str, location: str) -> GlueJson:
    return {"Name": name, "PartitionKeys": [], "StorageDescriptor": {"Location": location.rstrip("/"), "SerdeInfo": {}}}


@dataclass(frozen=True)
class IcebergTableAs:
    """What CREATE TABLE AS would make: the query's rows, and the table that takes them."""

    prepared: Prepared
    location: str
    schema: Schema
    spec: PartitionSpec
    settings: Mapping[str, str]


def plan_iceberg_table_as(statement: CreateTableAs, context: WriteContext) -> IcebergTableAs:
    """The table that a statement would make. Nothing runs, nothing is written."""
    properties = dict(statement.properties)
    location = properties.pop("location", None) or properties.pop("external_location", None)
    if properties.pop("is_external", True) is not False:
        raise QueryFailed("INVALID_TABLE_PROPERTY: is_external must be false for Iceberg tables")
    partitioning = properties.pop("partitioning", ())
    if location is None:
        raise QueryFailed("INVALID_TABLE_PROPERTY: location is required for Iceberg tables")
    settings = _settings(properties)
    prepared = context.engine.prepare(statement.query)
    check_columns(prepared.columns)
    ids = Ids()
    names = [(column.name or "").lower() for column in prepared.columns]
    fields = [
        i.NestedField(ids.next(), name, from_trino(column.type, ids, name), False)
        for name, column in zip(names, prepared.columns, strict=True)
    ]
    schema = Schema(*fields)
    spec = spec_of(schema, partitioning if isinstance(partitioning, tuple) else ())
    return IcebergTableAs(prepared, str(location), schema, spec, settings)


def create_iceberg_table_as(statement: CreateTableAs, context: WriteContext) -> WriteResult:
    """``CREATE TABLE … WITH (table_type = 'ICEBERG') AS query``."""
    plan = plan_iceberg_table_as(statement, context)
    database = context.database_of(statement.table)
    context.check_empty(plan.location, f"table '{database}.{statement.table.name}'")
    tables = IcebergTables(context.catalog, context.storage, context.scope)
    glue = _glue(statement.table.name, plan.location)
    table = tables.stage(database, glue, plan.schema, plan.spec, **plan.settings)
    try:
        rows = append(table, plan.prepared, context) if statement.with_data else 0
        if not rows:
            tables.publish(database, glue, table.metadata)
    except ApiError as error:
        raise QueryFailed(f"TABLE_ALREADY_EXISTS: {error.message}") from error
    return WriteResult(rows)


def insert_into_iceberg(statement: Insert, glue: GlueJson, context: WriteContext) -> WriteResult:
    """``INSERT INTO``: one new snapshot."""
    fitted, table = plan_iceberg_insert(statement, glue, context)
    return WriteResult(append(table, fitted, context))


def plan_iceberg_insert(statement: Insert, glue: GlueJson, context: WriteContext) -> tuple[Prepared, Table]:
    """The rows in the table's types, and the table. Nothing runs, nothing is written."""
    table = IcebergTables(context.catalog, context.storage, context.scope).open(glue)
    read = read_current(table)
    columns = tuple(OutputColumn(n, k) for n, k in zip(read.names, read.types, strict=True))
    return fit_types(statement.columns, context.engine.prepare(statement.query), columns), table


def append(table: Table, prepared: Prepared, context: WriteContext) -> int:
    """Add the rows of a query in one snapshot, and return how many they were. Others may write at the same time."""
    files, rows = write_files(table, context.engine.batches(select_stored(prepared)), MAX_PARTITIONS)
    for _ in range(COMMIT_ATTEMPTS if files else 0):
        try:
            with table.transaction() as transaction, transaction.update_snapshot().fast_append() as snapshot:
                for file in files:
                    snapshot.append_data_file(file)
            return rows
        except CommitFailedException:  # noqa: PERF203 - after as many attempts as the table's properties say
            table.refresh()
    if files:
        raise commit_error(table.name()[-1])
    return rows


def select_stored(prepared: Prepared) -> str:
    """The query with its rows' fields under their own names."""
    parts = (f"{stored(f'q.{column.stored(n)}', column.type)} AS d{n}" for n, column in enumerate(prepared.columns))
    return f"SELECT {', '.join(parts)} FROM ({prepared.sql}) AS q"  # noqa: S608 - built from translated expressions

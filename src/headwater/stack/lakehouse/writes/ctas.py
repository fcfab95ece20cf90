"""CREATE TABLE AS: a query's rows as a new table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from headwater.stack.lakehouse.catalog.paths import below, partition_path
from headwater.stack.lakehouse.errors import ApiError, QueryFailed, Unsupported
from headwater.stack.lakehouse.hive.buckets import HASHED, Bucketing
from headwater.stack.lakehouse.model import Column, GlueJson
from headwater.stack.lakehouse.sql.failures import SqlError
from headwater.stack.lakehouse.sql.query import OutputColumn
from headwater.stack.lakehouse.sql.scans import column_type
from headwater.stack.lakehouse.writes.ast import CreateTableAs
from headwater.stack.lakehouse.writes.context import Prepared, WriteContext, WriteResult, check_columns
from headwater.stack.lakehouse.writes.formats import FileFormat, format_of, hive_type, serde_info
from headwater.stack.lakehouse.writes.partitioned import Key, Target, Written, select_for, write
from headwater.stack.lakehouse.writes.tokens import Value

_PROPERTIES = (
    *("format", "write_compression", "compression_level", "parquet_compression", "orc_compression", "field_delimiter"),
    *("external_location", "partitioned_by", "bucketed_by", "bucket_count", "is_external", "table_type"),
)


def create_table_as(statement: CreateTableAs, context: WriteContext) -> WriteResult:
    """Write the files, register the table and its partitions. A failed statement leaves no table."""
    database = context.database_of(statement.table)
    location = _location(statement, context)
    prepared, target = plan_table_as(statement, context)
    if "external_location" in statement.properties:
        context.check_empty(location, f"table '{database}.{statement.table.name}'")
    written = Written(0, ())
    if statement.with_data:
        batches = context.engine.batches(select_for(target, prepared.sql, prepared.columns))
        written = write(batches, target, context.place())
    _register(context, database, _table(statement, target, location, context.clock()), written.partitions)
    return WriteResult(written.rows, written.files)


def plan_table_as(statement: CreateTableAs, context: WriteContext) -> tuple[Prepared, Target]:
    """What would be written: the query, and the files it becomes. Nothing runs, nothing is written."""
    _check_properties(statement.properties)
    form = format_of(statement.properties, "CREATE TABLE AS")
    location = _location(statement, context)
    prepared = context.engine.prepare(statement.query)
    check_columns(prepared.columns)
    keys = _partition_keys(statement.properties, prepared.columns)
    columns = _hive_columns(prepared.columns)
    data, key_columns = columns[: len(columns) - len(keys)], columns[len(columns) - len(keys) :]
    buckets = _bucketing(statement.properties, data)
    return prepared, Target(form, data, key_columns, lambda key: directory(location, keys, key), buckets)


def check_new(statement: CreateTableAs, context: WriteContext) -> bool:
    """Whether there is nothing to do, as the table exists and may. Raises ``SqlError`` when it must not."""
    database, name = context.database_of(statement.table), statement.table.name
    found = _exists(context, database, name)
    if found and not statement.if_not_exists:
        message = f"Destination table 'awsdatacatalog.{database}.{name}' already exists"
        raise SqlError("TABLE_ALREADY_EXISTS", message, (1, 1))
    return found


def directory(location: str, keys: Sequence[str], key: Key) -> str:
    """The directory of a partition, or the location itself of a table that has none."""
    return below(location, partition_path(keys, key)) if keys else location


def _exists(context: WriteContext, database: str, name: str) -> bool:
    try:
        context.catalog.get_table(context.scope, database, name)
    except ApiError as error:
        if error.message.startswith("Database"):
            raise SqlError("SCHEMA_NOT_FOUND", f"Schema '{database}' does not exist", (1, 1)) from error
        return False
    return True


def _check_properties(properties: Mapping[str, Value]) -> None:
    for name in properties:
        if name not in _PROPERTIES:
            message = f"Catalog 'awsdatacatalog' table property '{name}' does not exist"
            raise SqlError("INVALID_TABLE_PROPERTY", message, (1, 1))
    if bool(properties.get("bucketed_by")) != ("bucket_count" in properties):
        given, missing = sorted(("bucketed_by", "bucket_count"), key=lambda name: name not in properties)
        message = f"Must specify '{missing}' along with '{given}'"
        raise SqlError("INVALID_TABLE_PROPERTY", message, (1, 1))


def _bucketing(properties: Mapping[str, Value], columns: Sequence[Column]) -> Bucketing | None:
    given, count = properties.get("bucketed_by") or (), str(properties.get("bucket_count", 0))
    if not given:
        return None
    if not isinstance(given, tuple) or not count.isdigit() or int(count) == 0:
        message = "bucketed_by must be an array of column names, bucket_count a number above 0"
        raise SqlError("INVALID_TABLE_PROPERTY", message, (1, 1))
    names = tuple(name.lower() for name in given)
    kinds = {column.name: column_type(column).name for column in columns}
    for name in names:
        if name not in kinds:
            raise SqlError("INVALID_TABLE_PROPERTY", f"Bucketing columns {list(names)} not present in schema", (1, 1))
        if kinds[name] not in HASHED:
            raise Unsupported(f"bucketed_by a column of type {kinds[name]}")
    return Bucketing(names, int(count))


def _location(statement: CreateTableAs, context: WriteContext) -> str:
    given = statement.properties.get("external_location")
    if given is None and not context.output:
        raise QueryFailed(
            "INVALID_TABLE_PROPERTY: the work group has Athena keep the results of queries, which is no place for a"
            " table: give the table an 'external_location'"
        )
    if given is None:
        return f"{context.output}/"
    location = str(given)
    if not location.startswith("s3://") or len(location) <= len("s3://"):
        raise QueryFailed(f"INVALID_TABLE_PROPERTY: external_location is not a valid S3 path: {location}")
    return location


def _partition_keys(properties: Mapping[str, Value], columns: Sequence[OutputColumn]) -> tuple[str, ...]:
    given = properties.get("partitioned_by") or ()
    if not isinstance(given, tuple):
        raise SqlError("INVALID_TABLE_PROPERTY", "partitioned_by must be an array of column names", (1, 1))
    keys = tuple(key.lower() for key in given)
    names = tuple((column.name or "").lower() for column in columns)
    for key in keys:
        if key not in names:
            raise QueryFailed(f"INVALID_TABLE_PROPERTY: Partition columns {list(keys)} not present in schema")
    if keys and len(keys) == len(names):
        raise QueryFailed("INVALID_TABLE_PROPERTY: Table contains only partition columns")
    if keys and names[-len(keys) :] != keys:
        message = "Partition keys must be the last columns in the table and in the same order as the table properties"
        raise QueryFailed(f"HIVE_COLUMN_ORDER_MISMATCH: {message}: [{', '.join(keys)}]")
    return keys


def _hive_columns(columns: Sequence[OutputColumn]) -> tuple[Column, ...]:
    names = [(column.name or "").lower() for column in columns]
    return tuple(Column(name, hive_type(column.type, name)) for name, column in zip(names, columns, strict=True))


def _table(statement: CreateTableAs, target: Target, location: str, now: float) -> GlueJson:
    hive = target.form.hive()
    parameters = {
        "EXTERNAL": "TRUE",
        "classification": _classification(target.form),
        "has_encrypted_data": "false",
        "transient_lastDdlTime": str(int(now)),
        f"{target.form.name}.compression": target.form.compression.upper(),
    }
    if statement.comment is not None:
        parameters["comment"] = statement.comment
    return {
        "Name": statement.table.name,
        "Owner": "hadoop",
        "TableType": "EXTERNAL_TABLE",
        "Parameters": parameters,
        "PartitionKeys": [{"Name": key.name, "Type": key.type} for key in target.keys],
        "StorageDescriptor": {
            "Columns": [{"Name": column.name, "Type": column.type} for column in target.columns],
            "Location": location.rstrip("/"),
            "InputFormat": hive.input_format,
            "OutputFormat": hive.output_format,
            "Compressed": False,
            "NumberOfBuckets": target.buckets.count if target.buckets else 0,
            "BucketColumns": list(target.buckets.columns) if target.buckets else [],
            "SerdeInfo": serde_info(hive),
            "SortColumns": [],
            "StoredAsSubDirectories": False,
        },
    }


def _classification(form: FileFormat) -> str:
    return "csv" if form.name == "textfile" else form.name


def _register(context: WriteContext, database: str, table: GlueJson, partitions: Mapping[Key, str]) -> None:
    try:
        context.catalog.create_table(context.scope, database, table)
        add_partitions(context, database, table, partitions)
    except ApiError as error:  # somebody else made the table while the query ran
        raise QueryFailed(f"HIVE_METASTORE_ERROR: {error.code}: {error.message}") from error


def add_partitions(context: WriteContext, database: str, table: GlueJson, partitions: Mapping[Key, str]) -> None:
    """Register partitions that the catalog does not know yet."""
    descriptor = table["StorageDescriptor"]
    inputs = ({"Values": list(k), "StorageDescriptor": {**descriptor, "Location": v}} for k, v in partitions.items())
    if partitions:
        context.catalog.add_partitions(context.scope, database, table["Name"], inputs, ignore_existing=True)

"""Carries out CREATE TABLE, DROP TABLE and the ALTER TABLE statements that change a table's definition."""

from __future__ import annotations

from collections.abc import Sequence

from headwater.stack.lakehouse.catalog.tables import table_input
from headwater.stack.lakehouse.errors import ApiError, QueryFailed, Unsupported
from headwater.stack.lakehouse.hive import ast
from headwater.stack.lakehouse.hive.context import (
    DdlContext,
    DdlResult,
    database_not_found,
    spec_values,
    table_not_found,
    task_failed,
)
from headwater.stack.lakehouse.model import Column, GlueJson, split_s3_uri


def create_table(statement: ast.CreateTable, context: DdlContext) -> DdlResult:
    """``CREATE EXTERNAL TABLE``."""
    database = context.database_of(statement.table)
    context.prepare(database)
    _check_new_table(statement)
    try:
        context.catalog.create_table(context.scope, database, _new_table(statement, context.clock()))
    except ApiError as error:
        if error.code != "AlreadyExistsException":
            raise database_not_found(database) from error
        if not statement.if_not_exists:
            message = f"AlreadyExistsException(message:Table {statement.table.name} already exists)"
            raise task_failed(message) from error
    return DdlResult()


def _check_new_table(statement: ast.CreateTable) -> None:
    if statement.iceberg:
        raise Unsupported("CREATE TABLE with 'table_type'='ICEBERG'")
    if not statement.external:
        raise QueryFailed(
            "FAILED: SemanticException Only external table creation is supported: use CREATE EXTERNAL TABLE"
        )
    if statement.transforms:
        raise QueryFailed(
            f"FAILED: SemanticException Partition column {statement.transforms[0]} needs a type: partition transforms"
            " are for Iceberg tables"
        )
    if not statement.location:
        raise QueryFailed(
            "FAILED: SemanticException No location was specified for table. An S3 location must be specified"
        )
    lines = statement.format.serde_properties.get("line.delim", "\n")
    if lines not in ("\n", "\\n", "10"):
        raise QueryFailed(
            "FAILED: SemanticException LINES TERMINATED BY only supports newline '\\n' right now. "
            f"Error encountered near token ''{lines}''"
        )
    check_location(statement.location)
    check_columns((*statement.columns, *statement.partition_keys))
    if not statement.columns and "avro.schema.literal" not in statement.format.serde_properties:
        raise QueryFailed(
            "FAILED: SemanticException [Error 10043]: Either list of columns or a custom serializer should be specified"
        )


def check_location(location: str) -> None:
    """Refuse what is no S3 location."""
    try:
        bucket, _ = split_s3_uri(location)
    except ValueError as error:
        raise task_failed(f"MetaException(message:{location} is not an S3 location: s3://bucket/folder/)") from error
    if not bucket or not location.startswith("s3://"):
        raise task_failed(f"MetaException(message:{location} is not an S3 location: s3://bucket/folder/)")


def check_columns(columns: Sequence[Column]) -> None:
    """Refuse a column name that comes twice."""
    seen: set[str] = set()
    for column in columns:
        if column.name.lower() in seen:
            raise QueryFailed(f"FAILED: SemanticException [Error 10036]: Duplicate column name: {column.name}")
        seen.add(column.name.lower())


def _new_table(statement: ast.CreateTable, now: float) -> GlueJson:
    parameters = {"EXTERNAL": "TRUE", "transient_lastDdlTime": str(int(now)), **statement.properties}
    if statement.comment is not None:
        parameters["comment"] = statement.comment
    return {
        "Name": statement.table.name,
        "Owner": "hadoop",
        "TableType": "EXTERNAL_TABLE",
        "Parameters": parameters,
        "PartitionKeys": glue_columns(statement.partition_keys),
        "StorageDescriptor": {
            "Columns": glue_columns(statement.columns),
            "Location": (statement.location or "").rstrip("/"),
            "InputFormat": statement.format.input_format,
            "OutputFormat": statement.format.output_format,
            "Compressed": False,
            "NumberOfBuckets": -1 if statement.buckets is None else statement.buckets,
            "SerdeInfo": {
                "SerializationLibrary": statement.format.serde,
                "Parameters": {"serialization.format": "1", **statement.format.serde_properties},
            },
            "BucketColumns": list(statement.bucket_columns),
            "SortColumns": [],
            "Parameters": {},
            "StoredAsSubDirectories": False,
        },
    }


def glue_columns(columns: Sequence[Column]) -> list[GlueJson]:
    """Columns in the shape of the Glue API."""
    return [
        {
            "Name": column.name,
            "Type": column.type,
            **({"Comment": column.comment} if column.comment is not None else {}),
        }
        for column in columns
    ]


def drop_table(statement: ast.DropTable, context: DdlContext) -> DdlResult:
    """``DROP TABLE`` and ``DROP VIEW``: the files of an external table stay."""
    database, name = context.database_of(statement.table), statement.table.name
    try:
        table = context.catalog.get_table(context.scope, database, name)
    except ApiError as error:
        if statement.if_exists:
            return DdlResult()
        if statement.view:
            raise QueryFailed(f"line 1:1: View 'awsdatacatalog.{database}.{name}' does not exist") from error
        raise table_not_found(database, name) from error
    is_view = table.get("TableType") == "VIRTUAL_VIEW"
    if is_view and not statement.view:
        raise QueryFailed("FAILED: SemanticException [Error 10112]: Cannot drop a view with DROP TABLE")
    if statement.view and not is_view:
        raise QueryFailed(f"line 1:1: View 'awsdatacatalog.{database}.{name}' does not exist, but a table does")
    if str((table.get("Parameters") or {}).get("table_type", "")).upper() == "ICEBERG":
        raise Unsupported("DROP TABLE of an Iceberg table")
    context.catalog.delete_table(context.scope, database, name)
    return DdlResult()


def set_location(statement: ast.SetLocation, context: DdlContext) -> DdlResult:
    """``ALTER TABLE … SET LOCATION`` of a table or one of its partitions."""
    check_location(statement.location)
    table = context.table(statement.table)
    descriptor = _descriptor(table, statement.partition, context)
    _store(table, statement.partition, {**descriptor, "Location": statement.location}, context)
    return DdlResult()


def set_properties(statement: ast.SetProperties, context: DdlContext) -> DdlResult:
    """``ALTER TABLE … SET TBLPROPERTIES``: adds to those there are."""
    table = context.table(statement.table)
    parameters = {**(table.get("Parameters") or {}), **statement.properties}
    _update(context, table, {"Parameters": parameters})
    return DdlResult()


def unset_properties(statement: ast.UnsetProperties, context: DdlContext) -> DdlResult:
    """``ALTER TABLE … UNSET TBLPROPERTIES``."""
    table = context.table(statement.table)
    parameters = {k: v for k, v in (table.get("Parameters") or {}).items() if k not in statement.names}
    _update(context, table, {"Parameters": parameters})
    return DdlResult()


def add_columns(statement: ast.AddColumns, context: DdlContext) -> DdlResult:
    """``ALTER TABLE … ADD COLUMNS``: after the last column, before the partition keys."""
    table = context.table(statement.table)
    descriptor = _descriptor(table, statement.partition, context)
    columns = [*(descriptor.get("Columns") or []), *glue_columns(statement.columns)]
    _store_columns(table, statement.partition, columns, context)
    return DdlResult()


def replace_columns(statement: ast.ReplaceColumns, context: DdlContext) -> DdlResult:
    """``ALTER TABLE … REPLACE COLUMNS``."""
    table = context.table(statement.table)
    _store_columns(table, statement.partition, glue_columns(statement.columns), context)
    return DdlResult()


def change_column(statement: ast.ChangeColumn, context: DdlContext) -> DdlResult:
    """``ALTER TABLE … CHANGE COLUMN``: another name, type, comment or place."""
    table = context.table(statement.table)
    columns: list[GlueJson] = list((table.get("StorageDescriptor") or {}).get("Columns") or [])
    place = _place(columns, statement.old, table)
    changed = {**columns.pop(place), **glue_columns([statement.column])[0]}
    if statement.after is not None:
        place = _place(columns, statement.after, table) + 1 if statement.after else 0
    columns.insert(place, changed)
    _store_columns(table, None, columns, context)
    return DdlResult()


def _place(columns: Sequence[GlueJson], name: str, table: GlueJson) -> int:
    for place, column in enumerate(columns):
        if str(column["Name"]).lower() == name:
            return place
    raise task_failed(f"Invalid column reference {name} in table {table['Name']}")


def _store_columns(
    table: GlueJson, partition: ast.PartitionSpec | None, columns: list[GlueJson], context: DdlContext
) -> None:
    names = [*columns, *(table.get("PartitionKeys") or [])]
    check_columns([Column(column["Name"], column.get("Type") or "string") for column in names])
    descriptor = _descriptor(table, partition, context)
    _store(table, partition, {**descriptor, "Columns": columns}, context)


def _descriptor(table: GlueJson, partition: ast.PartitionSpec | None, context: DdlContext) -> GlueJson:
    owner = table if partition is None else _partition(table, partition, context)
    descriptor: GlueJson = owner.get("StorageDescriptor") or {}
    return descriptor


def _partition(table: GlueJson, spec: ast.PartitionSpec, context: DdlContext) -> GlueJson:
    values = spec_values(table, spec)
    try:
        return context.catalog.get_partition(context.scope, table["DatabaseName"], table["Name"], values)
    except ApiError as error:
        shown = ", ".join(f"{key} = {value}" for key, value in spec.values.items())
        raise QueryFailed(f"FAILED: SemanticException [Error 10006]: Partition not found ({shown})") from error


def _store(table: GlueJson, partition: ast.PartitionSpec | None, descriptor: GlueJson, context: DdlContext) -> None:
    if partition is None:
        _update(context, table, {"StorageDescriptor": descriptor})
        return
    values = spec_values(table, partition)
    changed = {**_partition(table, partition, context), "StorageDescriptor": descriptor}
    keep = {name: value for name, value in changed.items() if name in ("Parameters", "StorageDescriptor")}
    context.catalog.update_partition(
        context.scope, table["DatabaseName"], table["Name"], values, {**keep, "Values": list(values)}
    )


def _update(context: DdlContext, table: GlueJson, changes: GlueJson) -> None:
    """Store a changed table, unless somebody else changed it since it was read."""
    changed = {**table_input(table), **changes}
    changed["Parameters"] = {**(changed.get("Parameters") or {}), "transient_lastDdlTime": str(int(context.clock()))}
    try:
        context.catalog.update_table(context.scope, table["DatabaseName"], changed, version_id=table["VersionId"])
    except ApiError as error:
        raise task_failed(f"{error.code}(message:{error.message})") from error

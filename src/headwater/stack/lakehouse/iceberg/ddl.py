"""Hive DDL on Iceberg tables: schema evolution, renaming, properties and DROP, each as another version of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from pyiceberg.exceptions import CommitFailedException, ValidationError
from pyiceberg.table import Table

from headwater.stack.lakehouse.errors import ApiError, QueryFailed, Unsupported
from headwater.stack.lakehouse.hive import ast
from headwater.stack.lakehouse.hive.context import DdlContext, DdlResult, task_failed
from headwater.stack.lakehouse.hive.describe import DESCRIBE_COLUMNS
from headwater.stack.lakehouse.hive.types import parse_type
from headwater.stack.lakehouse.iceberg.create import PROPERTIES, create_iceberg_table
from headwater.stack.lakehouse.iceberg.describe import create_statement, description
from headwater.stack.lakehouse.iceberg.tables import COMMIT_ATTEMPTS, IcebergTables, commit_error
from headwater.stack.lakehouse.iceberg.types import Ids, from_hive
from headwater.stack.lakehouse.model import Column, GlueJson, split_s3_uri


def create(statement: ast.CreateTable, context: DdlContext) -> DdlResult:
    """``CREATE TABLE`` with ``'table_type'='ICEBERG'``."""
    if statement.external:
        raise QueryFailed("Unable to create an external Iceberg table: use CREATE TABLE")
    if not statement.location:
        message = "No location was specified for table. An S3 location must be specified"
        raise QueryFailed(f"FAILED: SemanticException {message}")
    database = context.database_of(statement.table)
    context.prepare(database)
    try:
        create_iceberg_table(statement, _tables(context), database)
    except ApiError as error:
        if error.code != "AlreadyExistsException":
            raise
        if not statement.if_not_exists:
            raise task_failed(f"AlreadyExistsException(message:Table {statement.table.name} already exists)") from error
    return DdlResult()


def _drop(statement: ast.DropTable, glue: GlueJson, context: DdlContext) -> DdlResult:
    """The data goes too: Athena manages it."""
    if statement.view:
        name = f"awsdatacatalog.{glue['DatabaseName']}.{glue['Name']}"
        raise QueryFailed(f"line 1:1: View '{name}' does not exist, but a table does")
    location = str((glue.get("StorageDescriptor") or {}).get("Location") or "")
    context.catalog.delete_table(context.scope, glue["DatabaseName"], glue["Name"])
    if location:
        bucket, prefix = split_s3_uri(location)
        keys = [found.key for found in context.storage.objects(context.scope, bucket, prefix.rstrip("/") + "/")]
        context.storage.delete(context.scope, bucket, keys)
    return DdlResult()


def _add_columns(statement: ast.AddColumns, glue: GlueJson, context: DdlContext) -> DdlResult:
    table = _open(glue, context)
    with table.update_schema() as update:
        for column in statement.columns:
            _check_new(table, column.name)
            update.add_column(column.name, from_hive(parse_type(column.type), Ids()), doc=column.comment)
    return DdlResult()


def _change_column(statement: ast.ChangeColumn, glue: GlueJson, context: DdlContext) -> DdlResult:
    table = _open(glue, context)
    field = _field(table, statement.old)
    wanted = from_hive(parse_type(statement.column.type), Ids())
    with table.update_schema(case_sensitive=False) as update:
        if field.field_type != wanted:
            update.update_column(field.name, field_type=_primitive(wanted, statement.column))
        if statement.column.comment is not None:
            update.update_column(field.name, doc=statement.column.comment)
        if statement.after == "":
            update.move_first(field.name)
        elif statement.after is not None:
            update.move_after(field.name, statement.after)
        if statement.column.name.lower() != field.name.lower():
            _check_new(table, statement.column.name)
            update.rename_column(field.name, statement.column.name)
    return DdlResult()


def _drop_column(statement: ast.DropColumn, glue: GlueJson, context: DdlContext) -> DdlResult:
    table = _open(glue, context)
    with table.update_schema() as update:
        update.delete_column(_field(table, statement.column).name)
    return DdlResult()


def _set_properties(statement: ast.SetProperties, glue: GlueJson, context: DdlContext) -> DdlResult:
    for name in statement.properties:
        if name not in PROPERTIES:
            raise QueryFailed(f"Unsupported table property key: {name}")
    with _open(glue, context).transaction() as transaction:
        transaction.set_properties(dict(statement.properties))
    return DdlResult()


def _unset_properties(statement: ast.UnsetProperties, glue: GlueJson, context: DdlContext) -> DdlResult:
    with _open(glue, context).transaction() as transaction:
        transaction.remove_properties(*statement.names)
    return DdlResult()


def _rename(statement: ast.RenameTable, glue: GlueJson, context: DdlContext) -> DdlResult:
    """The files stay where they are; the catalog calls them otherwise."""
    database = statement.name.database or str(glue["DatabaseName"])
    context.catalog.rename_table(context.scope, glue["DatabaseName"], glue["Name"], database, statement.name.name)
    return DdlResult()


def _show_create(statement: ast.ShowCreateTable, glue: GlueJson, context: DdlContext) -> DdlResult:
    if statement.view:
        raise QueryFailed(f"line 1:1: '{glue['DatabaseName']}.{glue['Name']}' is a table, not a view")
    lines = create_statement(_open(glue, context), str(statement.table)).split("\n")
    return DdlResult((Column("createtab_stmt", "string"),), [(x,) for x in lines])


def _describe(statement: ast.Describe, glue: GlueJson, context: DdlContext) -> DdlResult | None:
    """One column is described as that of any table."""
    if statement.column is not None or statement.partition is not None:
        return None
    name = f"iceberg.{glue['DatabaseName']}.{glue['Name']}"
    lines = description(_open(glue, context), name, formatted=statement.style == "formatted")
    return DdlResult(DESCRIBE_COLUMNS, [(line,) for line in lines])


# Any: each function takes the statement of its own key, which a mapping's type cannot say.
STATEMENTS: Mapping[type, Callable[[Any, GlueJson, DdlContext], DdlResult | None]] = MappingProxyType(
    {
        ast.DropTable: _drop,
        ast.AddColumns: _add_columns,
        ast.ChangeColumn: _change_column,
        ast.DropColumn: _drop_column,
        ast.SetProperties: _set_properties,
        ast.UnsetProperties: _unset_properties,
        ast.RenameTable: _rename,
        ast.ShowCreateTable: _show_create,
        ast.Describe: _describe,
    }
)
_REFUSED = (
    *(ast.ReplaceColumns, ast.SetLocation, ast.AddPartitions, ast.DropPartitions, ast.RenamePartition),
    *(ast.RepairTable, ast.ShowPartitions),
)


def execute(statement: ast.Statement, glue: GlueJson, context: DdlContext) -> DdlResult | None:
    """Carry out a statement on an Iceberg table; ``None`` for those that only read the catalog."""
    if isinstance(statement, _REFUSED):
        raise QueryFailed(f"NOT_SUPPORTED: {ast.words(statement)} is not supported for Iceberg tables")
    run = STATEMENTS.get(type(statement))
    if run is None:
        return None
    for _ in range(COMMIT_ATTEMPTS):
        try:
            return run(statement, glue, context)
        except CommitFailedException:  # noqa: PERF203 - somebody was faster: the same change of what the table is now
            glue = context.catalog.get_table(context.scope, glue["DatabaseName"], glue["Name"])
        except (ValueError, ValidationError) as error:  # pyiceberg's words for a change that the schema does not allow
            raise QueryFailed(f"ICEBERG_INVALID_METADATA: {error}") from error
    raise commit_error(glue["Name"])


def _tables(context: DdlContext) -> IcebergTables:
    return IcebergTables(context.catalog, context.storage, context.scope)


def _open(glue: GlueJson, context: DdlContext) -> Table:
    return _tables(context).open(glue)


def _field(table: Table, name: str) -> Any:  # pyiceberg's NestedField
    for field in table.schema().fields:
        if field.name.lower() == name.lower():
            return field
    raise task_failed(f"Invalid column reference {name} in table {table.name()[-1]}")


def _check_new(table: Table, name: str) -> None:
    if any(field.name.lower() == name.lower() for field in table.schema().fields):
        raise QueryFailed(f"FAILED: SemanticException [Error 10036]: Duplicate column name: {name}")


def _primitive(kind: Any, column: Column) -> Any:  # pyiceberg's PrimitiveType
    if not kind.is_primitive:
        raise Unsupported(f"ALTER TABLE … CHANGE COLUMN {column.name} to {column.type}")
    return kind

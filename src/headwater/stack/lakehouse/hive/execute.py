"""Carries out a parsed Hive DDL statement on the catalog."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType, ModuleType
from typing import Any

from headwater.stack.lakehouse.errors import ApiError, QueryFailed, Unsupported
from headwater.stack.lakehouse.hive import ast, databases, describe, partitions, repair, tables, views
from headwater.stack.lakehouse.hive.context import DdlContext, DdlResult, task_failed

__all__ = ["STATEMENTS", "DdlContext", "DdlResult", "execute"]

# Any: each function takes the statement of its own key, which a mapping's type cannot say.
STATEMENTS: Mapping[type, Callable[[Any, DdlContext], DdlResult]] = MappingProxyType(
    {
        ast.CreateDatabase: databases.create_database,
        ast.DropDatabase: databases.drop_database,
        ast.ChangeDatabase: databases.change_database,
        ast.ShowDatabases: databases.show_databases,
        ast.ShowTables: databases.show_tables,
        ast.CreateTable: tables.create_table,
        ast.DropTable: tables.drop_table,
        ast.SetLocation: tables.set_location,
        ast.SetProperties: tables.set_properties,
        ast.UnsetProperties: tables.unset_properties,
        ast.AddColumns: tables.add_columns,
        ast.ReplaceColumns: tables.replace_columns,
        ast.ChangeColumn: tables.change_column,
        ast.AddPartitions: partitions.add_partitions,
        ast.DropPartitions: partitions.drop_partitions,
        ast.RenamePartition: partitions.rename_partition,
        ast.ShowPartitions: partitions.show_partitions,
        ast.RepairTable: repair.repair_table,
        ast.ShowCreateTable: describe.show_create_table,
        ast.ShowColumns: describe.show_columns,
        ast.ShowProperties: describe.show_properties,
        ast.Describe: describe.describe,
        ast.CreateView: views.create_view,
    }
)


_OF_TABLES = (
    *(ast.AddColumns, ast.ReplaceColumns, ast.ChangeColumn, ast.SetLocation),
    *(ast.AddPartitions, ast.DropPartitions, ast.RenamePartition),
)
"""What a view has none of: files, and columns of its own."""


def execute(statement: ast.Statement, context: DdlContext) -> DdlResult:
    """Run one statement. Raises ``QueryFailed`` with the reason as Athena words it."""
    changed = _iceberg(statement, context)
    if changed is not None:
        return changed
    run = STATEMENTS.get(type(statement))
    if run is None:  # only Iceberg tables have it
        if isinstance(statement, ast.DropColumn | ast.RenameTable):
            context.table(statement.table)
        raise Unsupported(f"{ast.words(statement)} of a Hive table")
    try:
        return run(statement, context)
    except ApiError as error:  # the table was changed or dropped while the statement ran
        raise task_failed(f"{error.code}(message:{error.message})") from error


def _iceberg(statement: ast.Statement, context: DdlContext) -> DdlResult | None:
    """The result of a statement that creates or changes an Iceberg table; ``None`` for all others.

    What changes tables only is refused for views.
    """
    if isinstance(statement, ast.CreateTable):
        return _iceberg_ddl().create(statement, context) if statement.iceberg else None
    named = getattr(statement, "table", None)
    if not isinstance(named, ast.TableName):
        return None
    try:
        found = context.catalog.get_table(context.scope, context.database_of(named), named.name)
    except ApiError:
        return None
    if found.get("TableType") == "VIRTUAL_VIEW" and isinstance(statement, _OF_TABLES):
        message = "To alter a view you need to use the ALTER VIEW command."
        raise QueryFailed(f"FAILED: SemanticException [Error 10131]: {message}")
    if str((found.get("Parameters") or {}).get("table_type", "")).upper() != "ICEBERG":
        return None
    try:
        result: DdlResult | None = _iceberg_ddl().execute(statement, found, context)
        return result
    except ApiError as error:
        raise task_failed(f"{error.code}(message:{error.message})") from error


def _iceberg_ddl() -> ModuleType:
    # pyiceberg takes as long to import as the rest of the stack together.
    from headwater.stack.lakehouse.iceberg import ddl

    return ddl

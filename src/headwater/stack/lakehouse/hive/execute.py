"""Carries out a parsed Hive DDL statement on the catalog."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from headwater.stack.lakehouse.errors import ApiError, Unsupported
from headwater.stack.lakehouse.hive import ast, databases, describe, partitions, repair, tables, views
from headwater.stack.lakehouse.hive.context import DdlContext, DdlResult, task_failed

__all__ = ["STATEMENTS", "DdlContext", "DdlResult", "execute"]

# Any: each function takes the statement of its own key, which a mapping's type cannot say.
STATEMENTS: Mapping[type, Callable[[Any, DdlContext], DdlResult]] = MappingProxyType(
    {
        ast.CreateDatabase: databases.create_database,
        ast.DropDatabase: databases.drop_database,
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


def execute(statement: ast.Statement, context: DdlContext) -> DdlResult:
    """Run one statement. Raises ``QueryFailed`` with the reason as Athena words it."""
    run = STATEMENTS.get(type(statement))
    if run is None:  # parsed for Iceberg tables, which nothing here can alter yet
        raise Unsupported(f"{type(statement).__name__} of a Hive table")
    try:
        return run(statement, context)
    except ApiError as error:  # the table was changed or dropped while the statement ran
        raise task_failed(f"{error.code}(message:{error.message})") from error

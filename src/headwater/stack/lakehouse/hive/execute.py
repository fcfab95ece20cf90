"""Carries out a parsed Hive DDL statement on the catalog."""

from __future__ import annotations

from headwater.stack.lakehouse.errors import ApiError, QueryFailed, Unsupported
from headwater.stack.lakehouse.hive import ast, databases, describe, partitions, repair, tables, views
from headwater.stack.lakehouse.hive.context import DdlContext, DdlResult, task_failed

__all__ = ["DdlContext", "DdlResult", "execute"]


def execute(statement: ast.Statement, context: DdlContext) -> DdlResult:
    """Run one statement. Raises ``QueryFailed`` with the reason as Athena words it."""
    try:
        return _dispatch(statement, context)
    except ApiError as error:  # the table was changed or dropped while the statement ran
        raise task_failed(f"{error.code}(message:{error.message})") from error


def _dispatch(statement: ast.Statement, context: DdlContext) -> DdlResult:  # noqa: PLR0912  # one branch per statement
    match statement:
        case ast.CreateDatabase():
            return databases.create_database(statement, context)
        case ast.DropDatabase():
            return databases.drop_database(statement, context)
        case ast.ShowDatabases():
            return databases.show_databases(statement, context)
        case ast.ShowTables():
            return databases.show_tables(statement, context)
        case ast.CreateTable():
            return tables.create_table(statement, context)
        case ast.DropTable():
            return tables.drop_table(statement, context)
        case ast.SetLocation():
            return tables.set_location(statement, context)
        case ast.SetProperties():
            return tables.set_properties(statement, context)
        case ast.UnsetProperties():
            return tables.unset_properties(statement, context)
        case ast.AddColumns():
            return tables.add_columns(statement, context)
        case ast.ReplaceColumns():
            return tables.replace_columns(statement, context)
        case ast.ChangeColumn():
            return tables.change_column(statement, context)
        case ast.DropColumn():
            raise Unsupported("ALTER TABLE … DROP COLUMN")
        case ast.AddPartitions():
            return partitions.add_partitions(statement, context)
        case ast.DropPartitions():
            return partitions.drop_partitions(statement, context)
        case ast.RenamePartition():
            return partitions.rename_partition(statement, context)
        case ast.ShowPartitions():
            return partitions.show_partitions(statement, context)
        case ast.RepairTable():
            return repair.repair_table(statement, context)
        case ast.ShowCreateTable():
            return describe.show_create_table(statement, context)
        case ast.ShowColumns():
            return describe.show_columns(statement, context)
        case ast.ShowProperties():
            return describe.show_properties(statement, context)
        case ast.Describe():
            return describe.describe(statement, context)
        case ast.CreateView():
            return views.create_view(statement, context)
    raise QueryFailed(f"NOT_SUPPORTED: {type(statement).__name__}")

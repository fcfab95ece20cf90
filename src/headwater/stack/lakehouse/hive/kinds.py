"""The StatementType and SubstatementType of Hive DDL, which Athena tells as soon as a statement is accepted."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from headwater.stack.lakehouse.hive import ast

_KINDS: Mapping[type, str] = MappingProxyType(
    {
        ast.CreateDatabase: "CREATE_DATABASE",
        ast.DropDatabase: "DROP_DATABASE",
        ast.ChangeDatabase: "ALTER_DATABASE_SET_DBPROPERTIES",
        ast.CreateTable: "CREATE_TABLE",
        ast.CreateView: "CREATE_VIEW",
        ast.DropTable: "DROP_TABLE",
        ast.RepairTable: "MSCK_REPAIR_TABLE",
        ast.AddPartitions: "ALTER_TABLE_ADD_PARTITION",
        ast.DropPartitions: "ALTER_TABLE_DROP_PARTITION",
        ast.RenamePartition: "ALTER_TABLE_RENAME_PARTITION",
        ast.SetLocation: "ALTER_TABLE_SET_LOCATION",
        ast.SetProperties: "ALTER_TABLE_SET_TBLPROPERTIES",
        ast.UnsetProperties: "ALTER_TABLE_UNSET_TBLPROPERTIES",
        ast.AddColumns: "ALTER_TABLE_ADD_COLUMN",
        ast.ReplaceColumns: "ALTER_TABLE_REPLACE_COLUMNS",
        ast.ChangeColumn: "ALTER_TABLE_CHANGE_COLUMN",
        ast.DropColumn: "ALTER_TABLE_DROP_COLUMN",
        ast.RenameTable: "ALTER_TABLE_RENAME",
        ast.ShowDatabases: "SHOW_DATABASES",
        ast.ShowTables: "SHOW_TABLES",
        ast.ShowPartitions: "SHOW_PARTITIONS",
        ast.ShowCreateTable: "SHOW_CREATE_TABLE",
        ast.ShowColumns: "SHOW_COLUMNS",
        ast.ShowProperties: "SHOW_TBLPROPERTIES",
        ast.Describe: "DESCRIBE_TABLE",
    }
)


def kind_of(statement: ast.Statement) -> tuple[str, str]:
    """The types of a statement; those that only show something are UTILITY.

    >>> kind_of(ast.ShowTables(views=True))
    ('UTILITY', 'SHOW_VIEWS')
    """
    kind = _KINDS[type(statement)]
    if isinstance(statement, ast.DropTable | ast.ShowCreateTable) and statement.view:
        kind = kind.replace("_TABLE", "_VIEW")
    elif isinstance(statement, ast.ShowTables) and statement.views:
        kind = "SHOW_VIEWS"
    return ("UTILITY" if kind.startswith(("SHOW_", "DESCRIBE_")) else "DDL"), kind

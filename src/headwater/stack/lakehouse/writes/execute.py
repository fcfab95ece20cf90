"""Carries out a statement that writes, by its kind and by the kind of its table."""

from __future__ import annotations

from headwater.stack.lakehouse.errors import QueryFailed, Unsupported
from headwater.stack.lakehouse.model import Table
from headwater.stack.lakehouse.sql.failures import SqlError
from headwater.stack.lakehouse.writes.ast import (
    Change,
    CreateTableAs,
    Delete,
    Insert,
    Merge,
    Optimize,
    Unload,
    Update,
    Vacuum,
    Write,
)
from headwater.stack.lakehouse.writes.context import WriteContext, WriteResult
from headwater.stack.lakehouse.writes.ctas import check_new, create_table_as, plan_table_as
from headwater.stack.lakehouse.writes.insert import find_table, insert_into, plan_insert
from headwater.stack.lakehouse.writes.unload import plan_unload, unload


def execute_write(statement: Write, context: WriteContext) -> WriteResult:
    """Write the data, then register it. Raises ``QueryFailed``."""
    if isinstance(statement, Unload):
        return unload(statement, context)
    if isinstance(statement, CreateTableAs):
        if check_new(statement, context):
            return WriteResult()
        if _makes_iceberg(statement):
            from headwater.stack.lakehouse.iceberg.create import create_iceberg_table_as

            return create_iceberg_table_as(statement, context)
        return create_table_as(statement, context)
    table = find_table(statement.table, context)
    if isinstance(statement, Insert):
        if not is_iceberg(table):
            return insert_into(statement, table, context)
        from headwater.stack.lakehouse.iceberg.create import insert_into_iceberg

        return insert_into_iceberg(statement, table.glue, context)
    return _change(statement, table, context)


def plan_write(statement: Insert | CreateTableAs | Unload | Delete | Update | Merge, context: WriteContext) -> str:
    """The query for the rows that a statement would write, checked as far as that goes. Nothing runs or is written."""
    if isinstance(statement, Unload):
        return plan_unload(statement, context)[0].sql
    if isinstance(statement, CreateTableAs):
        if check_new(statement, context):
            raise Unsupported("EXPLAIN of CREATE TABLE IF NOT EXISTS for a table that exists")
        if _makes_iceberg(statement):
            from headwater.stack.lakehouse.iceberg.create import plan_iceberg_table_as

            return plan_iceberg_table_as(statement, context).prepared.sql
        return plan_table_as(statement, context)[0].sql
    table = find_table(statement.table, context)
    if isinstance(statement, Insert):
        if not is_iceberg(table):
            return plan_insert(statement, table, context)[0].sql
        from headwater.stack.lakehouse.iceberg.create import plan_iceberg_insert

        return plan_iceberg_insert(statement, table.glue, context)[0].sql
    _check_changeable(statement, table)
    from headwater.stack.lakehouse.iceberg.change import plan_change

    return plan_change(statement, table.glue, context)[2]


def _makes_iceberg(statement: CreateTableAs) -> bool:
    return str(statement.properties.get("table_type", "")).upper() == "ICEBERG"


def _check_changeable(statement: Change, table: Table) -> None:
    """Refuse to change rows of anything but an Iceberg table."""
    if not is_iceberg(table):
        what = type(statement).__name__.upper()
        if table.table_type == "VIRTUAL_VIEW":
            raise SqlError("NOT_SUPPORTED", f"{what} from view is not supported", (1, 1))
        raise QueryFailed(f"NOT_SUPPORTED: {_refusal(what)}")


def _change(statement: Change, table: Table, context: WriteContext) -> WriteResult:
    _check_changeable(statement, table)
    from headwater.stack.lakehouse.iceberg.change import change_iceberg
    from headwater.stack.lakehouse.iceberg.maintenance import optimize, vacuum

    if isinstance(statement, Optimize):
        return optimize(statement, table.glue, context)
    if isinstance(statement, Vacuum):
        return vacuum(table.glue, context)
    return change_iceberg(statement, table.glue, context)


def _refusal(what: str) -> str:
    known = {
        "DELETE": "Cannot delete from non-managed Hive table",
        "UPDATE": "Hive table updates are not supported",
        "MERGE": "Modifying Hive table rows is only supported for transactional tables",
    }
    return known.get(what, f"{what} is only supported for Iceberg tables")


def is_iceberg(table: Table) -> bool:
    """Whether the catalog says that it is an Iceberg table."""
    return str(table.parameters.get("table_type", "")).upper() == "ICEBERG"

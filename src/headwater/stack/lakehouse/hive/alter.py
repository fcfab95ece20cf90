"""ALTER TABLE statements of Hive DDL."""

from __future__ import annotations

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.hive import ast
from headwater.stack.lakehouse.hive.cursor import Cursor

_COMPARISONS = {"=": "=", "==": "=", "<>": "!=", "!=": "!=", "<=": "<=", ">=": ">=", "<": "<", ">": ">"}


def alter(cursor: Cursor) -> ast.Statement:
    """What follows ALTER."""
    if cursor.accept("database") or cursor.accept("schema"):
        return _database(cursor)
    if cursor.at("view"):
        raise Unsupported("ALTER VIEW")
    cursor.expect("table")
    table = cursor.table()
    statement = _action(cursor, table)
    cursor.end()
    return statement


def _database(cursor: Cursor) -> ast.Statement:
    name = cursor.name()
    cursor.expect("set")
    for refused in ("owner", "location"):
        if cursor.at(refused):
            raise Unsupported(f"ALTER DATABASE … SET {refused.upper()}")
    cursor.expect("dbproperties")
    statement = ast.ChangeDatabase(name, cursor.properties())
    cursor.end()
    return statement


def _action(cursor: Cursor, table: ast.TableName) -> ast.Statement:
    if cursor.accept("add"):
        return _add(cursor, table, None)
    if cursor.accept("drop"):
        return _drop(cursor, table)
    if cursor.accept("set"):
        return _set(cursor, table, None)
    if cursor.accept("unset"):
        return _unset(cursor, table)
    if cursor.accept("replace"):
        cursor.expect("columns")
        return ast.ReplaceColumns(table, cursor.columns())
    if cursor.accept("change"):
        return _change(cursor, table)
    if cursor.at("partition"):
        return _on_partition(cursor, table)
    if cursor.accept("rename"):
        cursor.expect("to")
        if cursor.at("partition"):
            raise cursor.error("mismatched input 'PARTITION'. Expecting: identifier")
        return ast.RenameTable(table, cursor.table())
    for refused in ("recover", "exchange", "archive", "touch", "compact", "execute", "clustered", "not", "enable"):
        if cursor.at(refused):
            raise Unsupported(f"ALTER TABLE … {refused.upper()}")
    raise cursor.mismatch("'ADD'", "'CHANGE'", "'DROP'", "'PARTITION'", "'RENAME'", "'REPLACE'", "'SET'", "'UNSET'")


def _add(cursor: Cursor, table: ast.TableName, partition: ast.PartitionSpec | None) -> ast.Statement:
    if cursor.accept("columns"):
        return ast.AddColumns(table, cursor.columns(), partition)
    if partition is not None:
        raise cursor.mismatch("'COLUMNS'")
    if_not_exists = False
    if cursor.accept("if"):
        cursor.expect("not", "exists")
        if_not_exists = True
    specs: list[ast.PartitionSpec] = []
    while True:
        spec = cursor.partition()
        location = cursor.string() if cursor.accept("location") else None
        specs.append(ast.PartitionSpec(spec.values, location))
        cursor.accept(",")
        if not cursor.at("partition"):
            return ast.AddPartitions(table, tuple(specs), if_not_exists)


def _drop(cursor: Cursor, table: ast.TableName) -> ast.Statement:
    if cursor.accept("column"):
        return ast.DropColumn(table, cursor.name())
    if_exists = cursor.accept("if", "exists")
    specs = [_conditions(cursor)]
    while cursor.accept(","):
        specs.append(_conditions(cursor))
    cursor.accept("purge")
    return ast.DropPartitions(table, tuple(specs), if_exists)


def _conditions(cursor: Cursor) -> tuple[ast.PartitionCondition, ...]:
    cursor.expect("partition")
    cursor.expect("(")
    found: list[ast.PartitionCondition] = []
    while True:
        key = cursor.name()
        op = _COMPARISONS.get(cursor.token.text)
        if op is None or cursor.token.kind != "symbol":
            raise cursor.mismatch(*(f"'{known}'" for known in _COMPARISONS))
        cursor.advance()
        found.append(ast.PartitionCondition(key, op, cursor.literal()))
        if not cursor.accept(","):
            break
    cursor.expect(")")
    return tuple(found)


def _set(cursor: Cursor, table: ast.TableName, partition: ast.PartitionSpec | None) -> ast.Statement:
    if cursor.accept("location"):
        return ast.SetLocation(table, cursor.string(), partition)
    if partition is None and cursor.accept("tblproperties"):
        return ast.SetProperties(table, cursor.properties())
    for refused in ("fileformat", "serde", "serdeproperties", "skewed", "owner"):
        if cursor.at(refused):
            raise Unsupported(f"ALTER TABLE … SET {refused.upper()}")
    raise cursor.mismatch("'LOCATION'", "'TBLPROPERTIES'")


def _unset(cursor: Cursor, table: ast.TableName) -> ast.Statement:
    cursor.expect("tblproperties")
    cursor.accept("if", "exists")
    cursor.expect("(")
    names = [cursor.string()]
    while cursor.accept(","):
        names.append(cursor.string())
    cursor.expect(")")
    return ast.UnsetProperties(table, tuple(names))


def _change(cursor: Cursor, table: ast.TableName) -> ast.Statement:
    cursor.accept("column")
    old = cursor.name()
    column = cursor.column()
    after: str | None = None
    if cursor.accept("first"):
        after = ""
    elif cursor.accept("after"):
        after = cursor.name()
    return ast.ChangeColumn(table, old, column, after)


def _on_partition(cursor: Cursor, table: ast.TableName) -> ast.Statement:
    partition = cursor.partition()
    if cursor.accept("rename"):
        cursor.expect("to")
        return ast.RenamePartition(table, partition, cursor.partition())
    if cursor.accept("set"):
        return _set(cursor, table, partition)
    if cursor.accept("add"):
        return _add(cursor, table, partition)
    if cursor.accept("replace"):
        cursor.expect("columns")
        return ast.ReplaceColumns(table, cursor.columns(), partition)
    raise cursor.mismatch("'ADD'", "'RENAME'", "'REPLACE'", "'SET'")

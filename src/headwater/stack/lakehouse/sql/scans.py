"""A table in FROM: the columns it brings into sight, and the scan whose files are chosen once the query is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlglot import exp

from headwater.stack.lakehouse.hive.buckets import Bucketing
from headwater.stack.lakehouse.hive.types import TypeSyntaxError, parse_type
from headwater.stack.lakehouse.model import Column, Table
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.context import Context, Moment, Scan
from headwater.stack.lakehouse.sql.expression import Expr
from headwater.stack.lakehouse.sql.failures import SqlError
from headwater.stack.lakehouse.sql.query import Relation
from headwater.stack.lakehouse.sql.scope import Field

PSEUDO_COLUMNS = {
    "$path": t.VARCHAR,
    "$file_size": t.BIGINT,
    "$file_modified_time": t.TIMESTAMPTZ,
}
PARTITIONS_SUFFIX = "$partitions"


def column_type(column: Column) -> t.Type:
    """The Trino type of a catalog column. Raises ``SqlError`` HIVE_INVALID_METADATA for a type that is none."""
    try:
        return t.from_hive(parse_type(column.type))
    except TypeSyntaxError as error:
        message = f"Error: type of column '{column.name}' is not valid: {column.type}"
        raise SqlError("HIVE_INVALID_METADATA", message) from error


def named_table(context: Context, parts: Sequence[str], node: exp.Table) -> Table:
    """The catalog's table of a name; ``table$partitions`` is found as ``table``."""
    wanted = [*parts[:-1], parts[-1].removesuffix(PARTITIONS_SUFFIX)]
    return context.tables.table(wanted, context.position(node))


def scan_relation(context: Context, table: Table, parts: Sequence[str], node: exp.Table, at: Moment) -> Relation:
    """A named table as a relation, as it was at a moment."""
    names = [column.name.lower() for column in node.args["alias"].columns] if node.args.get("alias") else []
    partitions_only = parts[-1].endswith(PARTITIONS_SUFFIX)
    keys = {key.name.lower(): column_type(key) for key in table.partition_keys}
    if partitions_only and not keys:
        missing = f"Table 'awsdatacatalog.{table.database.lower()}.{parts[-1]}' does not exist"
        raise SqlError("TABLE_NOT_FOUND", missing, context.position(node))
    snapshot = context.tables.snapshot(table, at, context.position(node))
    scan = Scan(len(context.scans), table, keys, partitions_only=partitions_only, snapshot=snapshot)
    bucketing = Bucketing.of(table)
    if bucketing is not None and snapshot is None:
        hashed = [column for column in table.columns if column.name.lower() in bucketing.columns]
        scan.bucket_types.update((column.name.lower(), column_type(column)) for column in hashed)
    context.scans.append(scan)
    alias = context.relation_name()
    visible = node.args["alias"].name.lower() if node.args.get("alias") else ""
    catalog = parts[0] if len(parts) == 3 else "awsdatacatalog"
    qualifier = (visible,) if visible else (catalog, table.database.lower(), parts[-1])
    fields = [*_columns(table, alias, qualifier, scan), *_keys(table, alias, qualifier, scan)]
    if names:
        if len(names) != len(fields):
            message = (
                f"Column alias list has {len(names)} entries but '{table.name}' has {len(fields)} columns available"
            )
            raise SqlError("MISMATCHED_COLUMN_ALIASES", message, context.position(node))
        fields = [replace(f, name=n) for n, f in zip(names, fields, strict=True)]
    if not partitions_only:
        for i, (name, kind) in enumerate(PSEUDO_COLUMNS.items()):
            fields.append(Field(name, Expr(f"{alias}.p{i}", kind), qualifier, hidden=True))
    return Relation(f"{scan.placeholder} AS {alias}", tuple(fields))


def _columns(table: Table, alias: str, qualifier: tuple[str, ...], scan: Scan) -> list[Field]:
    if scan.partitions_only:
        return []
    if scan.snapshot is not None:
        pairs = zip(scan.snapshot.names, scan.snapshot.types, strict=True)
        return [Field(name, Expr(f"{alias}.c{i}", kind), qualifier) for i, (name, kind) in enumerate(pairs)]
    found = []
    for i, (name, kind) in enumerate((column.name.lower(), column_type(column)) for column in table.columns):
        origins = frozenset({(scan.number, name)} if name in scan.bucket_types else ())
        raw = f"{alias}.raw{i}" if kind == t.TIMESTAMP else ""
        found.append(Field(name, Expr(f"{alias}.c{i}", kind), qualifier, origins, raw=raw))
    return found


def _keys(table: Table, alias: str, qualifier: tuple[str, ...], scan: Scan) -> list[Field]:
    found = []
    for i, key in enumerate(table.partition_keys):
        name = key.name.lower()
        origins = frozenset({(scan.number, name)})
        found.append(Field(name, Expr(f"{alias}.k{i}", scan.key_types[name]), qualifier, origins))
    return found

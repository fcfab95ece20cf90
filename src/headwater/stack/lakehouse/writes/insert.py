"""INSERT INTO: a query's rows as new files of an existing table."""

from __future__ import annotations

from collections.abc import Sequence

from headwater.stack.lakehouse.catalog.paths import below, partition_path
from headwater.stack.lakehouse.catalog.projection import is_projected, projected_location
from headwater.stack.lakehouse.errors import ApiError, QueryFailed
from headwater.stack.lakehouse.hive.ast import TableName
from headwater.stack.lakehouse.model import Column, Table
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.casts import cast
from headwater.stack.lakehouse.sql.coerce import can_coerce, coerce, common_type
from headwater.stack.lakehouse.sql.expression import Expr, fail, null_of
from headwater.stack.lakehouse.sql.failures import SqlError
from headwater.stack.lakehouse.sql.query import OutputColumn
from headwater.stack.lakehouse.sql.scans import column_type
from headwater.stack.lakehouse.writes.ast import Insert
from headwater.stack.lakehouse.writes.context import Prepared, WriteContext, WriteResult
from headwater.stack.lakehouse.writes.ctas import add_partitions
from headwater.stack.lakehouse.writes.formats import format_of_table
from headwater.stack.lakehouse.writes.partitioned import Key, Target, select_for, write


def insert_into(statement: Insert, table: Table, context: WriteContext) -> WriteResult:
    """Write the files and register partitions that are new."""
    fitted, target = plan_insert(statement, table, context)
    written = write(context.engine.batches(select_for(target, fitted.sql, fitted.columns)), target, context.place())
    if not is_projected(table):
        try:
            add_partitions(context, table.database, table.glue, written.partitions)
        except ApiError as error:
            raise QueryFailed(f"HIVE_METASTORE_ERROR: {error.code}: {error.message}") from error
    return WriteResult(written.rows, written.files)


def plan_insert(statement: Insert, table: Table, context: WriteContext) -> tuple[Prepared, Target]:
    """What would be written: the query in the table's types, and the files it becomes. Nothing runs."""
    if table.table_type == "VIRTUAL_VIEW":
        raise SqlError("NOT_SUPPORTED", "Inserting into views is not supported", (1, 1))
    if (table.glue.get("StorageDescriptor") or {}).get("BucketColumns"):
        message = "Inserting into bucketed tables is not supported"
        raise QueryFailed(f"NOT_SUPPORTED: {message}: {table.database}.{table.name}")
    form = format_of_table(table)
    prepared = context.engine.prepare(statement.query)
    columns = (*table.columns, *table.partition_keys)
    fitted = fit(statement, prepared, columns)
    return fitted, Target(form, table.columns, table.partition_keys, lambda key: _directory(context, table, key))


def find_table(named: TableName, context: WriteContext) -> Table:
    """The table to write to. Raises ``SqlError``."""
    database, name = context.database_of(named), named.name
    try:
        return Table.from_glue(context.catalog.get_table(context.scope, database, name))
    except ApiError as error:
        if error.message.startswith("Database"):
            raise SqlError("SCHEMA_NOT_FOUND", f"Schema '{database}' does not exist", (1, 1)) from error
        message = f"Table 'awsdatacatalog.{database}.{name}' does not exist"
        raise SqlError("TABLE_NOT_FOUND", message, (1, 1)) from error


def _directory(context: WriteContext, table: Table, key: Key) -> str:
    if not key:
        return table.location
    if is_projected(table):
        return projected_location(table, key)
    try:
        known = context.catalog.get_partition(context.scope, table.database, table.name, key)
        return str(known["StorageDescriptor"]["Location"])
    except ApiError:
        return below(table.location, partition_path([k.name for k in table.partition_keys], key))


def fit(statement: Insert, prepared: Prepared, columns: Sequence[Column]) -> Prepared:
    """The query's columns in the table's order and types; columns that the statement leaves out are NULL."""
    targets = tuple(OutputColumn(column.name.lower(), column_type(column)) for column in columns)
    return fit_types(statement.columns, prepared, targets)


def fit_types(given: Sequence[str], prepared: Prepared, columns: Sequence[OutputColumn]) -> Prepared:
    """The same for columns whose types are known."""
    names = [str(column.name) for column in columns]
    wanted = list(given) or names
    for name in wanted:
        if name not in names:
            raise SqlError("COLUMN_NOT_FOUND", f"Insert column name does not exist in target table: {name}", (1, 1))
    if len(set(wanted)) != len(wanted):
        raise SqlError("DUPLICATE_COLUMN_NAME", "Insert column name is specified more than once", (1, 1))
    kinds = {name: column.type for name, column in zip(names, columns, strict=True)}
    have = [column.type for column in prepared.columns]
    if len(have) != len(wanted) or not all(accepts(h, kinds[n]) for h, n in zip(have, wanted, strict=True)):
        theirs, ours = ", ".join(str(kinds[name]) for name in wanted), ", ".join(map(str, have))
        message = f"Insert query has mismatched column types: Table: [{theirs}], Query: [{ours}]"
        raise SqlError("TYPE_MISMATCH", message, (1, 1))
    parts = []
    for place, name in enumerate(names):
        value = null_of(kinds[name])
        if name in wanted:
            index = wanted.index(name)
            value = assigned(Expr(f"i.{prepared.columns[index].stored(index)}", have[index]), kinds[name])
        parts.append(f"{value.sql} AS c{place}")
    sql = f"SELECT {', '.join(parts)} FROM ({prepared.sql}) AS i"  # noqa: S608 - built from translated expressions
    return Prepared(sql, tuple(columns))


def accepts(source: t.Type, target: t.Type) -> bool:
    """Whether a column of a type takes a value of another: where both convert to one type, as Trino has it.

    So a decimal is rounded into an integer column. What would be cut inside of arrays, maps and rows is refused.
    """
    if _has_bounded_text(target):
        return can_coerce(source, target)
    return can_coerce(source, target) or common_type(source, target) is not None


def _has_bounded_text(kind: t.Type) -> bool:
    return any((t.is_text(item) and item.params) or _has_bounded_text(item) for item in kind.items)


def assigned(value: Expr, target: t.Type) -> Expr:
    """A value as a column of a type takes it: text that is too long is an error, unless only spaces are lost."""
    if not (t.is_text(value.type) and t.is_text(target) and target.params):
        if not can_coerce(value.type, target):
            return cast(value, target, safe=False, position=(1, 1))
        return coerce(value, target)
    length = target.params[0]
    refused = f"Cannot truncate non-space characters when casting from {value.type} to {target} on INSERT"
    refusal = fail(f"'INVALID_CAST_ARGUMENT: {refused}'", t.VARCHAR, value.sql)
    too_long = f"length(rtrim({value.sql}, ' ')) > {length}"
    return Expr(f"CASE WHEN {too_long} THEN {refusal} ELSE left({value.sql}, {length}) END", target)

"""UNLOAD: a query's rows as files, without a table."""

from __future__ import annotations

from headwater.stack.lakehouse.errors import QueryFailed
from headwater.stack.lakehouse.model import Column
from headwater.stack.lakehouse.sql.failures import SqlError
from headwater.stack.lakehouse.writes.ast import Unload
from headwater.stack.lakehouse.writes.context import Prepared, WriteContext, WriteResult, check_columns
from headwater.stack.lakehouse.writes.ctas import directory
from headwater.stack.lakehouse.writes.formats import format_of, hive_type
from headwater.stack.lakehouse.writes.partitioned import Target, select_for, write

_PROPERTIES = ("format", "compression", "compression_level", "field_delimiter", "partitioned_by")


def unload(statement: Unload, context: WriteContext) -> WriteResult:
    """Write the files below the location, which must be empty."""
    prepared, target = plan_unload(statement, context)
    context.check_empty(statement.location, "UNLOAD")
    batches = context.engine.batches(select_for(target, prepared.sql, prepared.columns))
    written = write(batches, target, context.place())
    return WriteResult(written.rows, written.files)


def plan_unload(statement: Unload, context: WriteContext) -> tuple[Prepared, Target]:
    """What would be written: the query, and the files it becomes. Nothing runs, nothing is written."""
    for name in statement.properties:
        if name not in _PROPERTIES:
            raise SqlError("INVALID_TABLE_PROPERTY", f"UNLOAD property '{name}' does not exist", (1, 1))
    if "format" not in statement.properties:
        raise SqlError("INVALID_TABLE_PROPERTY", "UNLOAD needs the property 'format'", (1, 1))
    form = format_of(statement.properties, "UNLOAD")
    location = statement.location
    if not location.startswith("s3://") or len(location) <= len("s3://"):
        raise QueryFailed(f"INVALID_TABLE_PROPERTY: UNLOAD location is not a valid S3 path: {location}")
    prepared = context.engine.prepare(statement.query)
    check_columns(prepared.columns)
    names = [(column.name or "").lower() for column in prepared.columns]
    columns = [Column(n, hive_type(c.type, n)) for n, c in zip(names, prepared.columns, strict=True)]
    given = statement.properties.get("partitioned_by") or ()
    keys = tuple(key.lower() for key in given) if isinstance(given, tuple) else ()
    if keys and tuple(names[-len(keys) :]) != keys:
        message = "Partition keys must be the last columns in the table and in the same order as the table properties"
        raise QueryFailed(f"HIVE_COLUMN_ORDER_MISMATCH: {message}: [{', '.join(keys)}]")
    split = len(columns) - len(keys)
    if not split:
        raise QueryFailed("INVALID_TABLE_PROPERTY: Table contains only partition columns")
    data, key_columns = tuple(columns[:split]), tuple(columns[split:])
    return prepared, Target(form, data, key_columns, lambda key: directory(location, keys, key))

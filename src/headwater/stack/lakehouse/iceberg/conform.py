"""Rows of a query in an Iceberg table's Arrow types, by place: queries know all names in lower case only."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator

import pyarrow as pa

from headwater.stack.lakehouse.errors import QueryFailed, Unsupported


def relaxed(schema: pa.Schema) -> pa.Schema:
    """The schema in which NULL may stand for a whole row, array or map that has required parts.

    Arrow takes the absent parts of an absent row for NULLs that are not allowed.
    """
    return pa.schema([field.with_type(_relaxed(field.type)) for field in schema])


def conform(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The batch in the types of a ``relaxed`` schema; instants travel through DuckDB without their zone, which is UTC.

    Raises ``QueryFailed`` for a value that the table does not take.
    """
    columns = [_in_type(column, field) for column, field in zip(batch.columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def check_required(rows: pa.RecordBatch, schema: pa.Schema) -> None:
    """Refuse NULL where the table's own schema has none. Raises ``QueryFailed``."""
    for column, field in zip(rows.columns, schema, strict=True):
        if _has_required(field):
            _check(column, field, str(field.name))


def _in_type(column: pa.Array, field: pa.Field) -> pa.Array:
    kind = field.type
    if pa.types.is_timestamp(kind) and kind.tz and not column.type.tz:
        column = column.cast(pa.timestamp("us")).view(pa.int64()).view(kind)
    if kind == pa.uuid():
        values = [None if text is None else uuid.UUID(text).bytes for text in column.to_pylist()]
        return pa.ExtensionArray.from_storage(kind, pa.array(values, pa.binary(16)))
    if pa.types.is_fixed_size_binary(kind):
        wrong = next((v for v in column.to_pylist() if v is not None and len(v) != kind.byte_width), None)
        if wrong is not None:
            message = f"column {field.name} holds values of {kind.byte_width} bytes, not of {len(wrong)}"
            raise QueryFailed(f"INVALID_FUNCTION_ARGUMENT: {message}")
    if pa.types.is_nested(kind):
        column = column.view(_named(column.type, kind, str(field.name)))
    return column.cast(kind)


def _named(have: pa.DataType, want: pa.DataType, column: str) -> pa.DataType:
    """A type of the same values with the names of another."""
    if pa.types.is_struct(want):
        return pa.struct([w.with_type(_named(h.type, w.type, column)) for h, w in zip(have, want, strict=True)])
    if pa.types.is_map(want):
        return pa.map_(_named(have.key_type, want.key_type, column), _named(have.item_type, want.item_type, column))
    if pa.types.is_nested(want):
        return pa.list_(pa.field("element", _named(have.value_type, want.value_type, column)))
    if want == pa.uuid():
        raise Unsupported(f"writing UUIDs inside of column {column} of an Iceberg table")
    return have


def _relaxed(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_struct(kind):
        return pa.struct([_optional(field) for field in kind])
    if pa.types.is_map(kind):
        return pa.map_(kind.key_field.with_type(_relaxed(kind.key_type)), _optional(kind.item_field))
    if pa.types.is_large_list(kind):
        return pa.large_list(_optional(kind.value_field))
    if pa.types.is_list(kind):
        return pa.list_(_optional(kind.value_field))
    return kind


def _optional(field: pa.Field) -> pa.Field:
    return field.with_type(_relaxed(field.type)).with_nullable(True)


def _parts(kind: pa.DataType) -> Iterable[pa.Field]:
    if pa.types.is_map(kind):
        return (kind.key_field, kind.item_field)
    if pa.types.is_struct(kind):
        return tuple(kind)
    return (kind.value_field,) if pa.types.is_nested(kind) else ()


def _has_required(field: pa.Field) -> bool:
    return not field.nullable or any(_has_required(part) for part in _parts(field.type))


def _check(values: pa.Array, field: pa.Field, name: str) -> None:
    if not field.nullable and values.null_count:
        raise QueryFailed(f"CONSTRAINT_VIOLATION: NULL value not allowed for NOT NULL column: {name}")
    for part, inner in zip(_parts(field.type), _inside(values), strict=False):
        if _has_required(part):
            _check(inner, part, f"{name}.{part.name}")


def _inside(values: pa.Array) -> Iterator[pa.Array]:
    """The parts of those values that are there."""
    if pa.types.is_map(values.type):
        pairs = values.view(pa.list_(pa.struct(_parts(values.type)))).flatten()
        yield from (pairs.field(0), pairs.field(1))
    elif pa.types.is_struct(values.type):
        present = values.filter(values.is_valid())
        yield from (present.field(place) for place in range(values.type.num_fields))
    elif pa.types.is_nested(values.type):
        yield values.flatten()

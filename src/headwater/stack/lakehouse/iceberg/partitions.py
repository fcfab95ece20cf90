"""``"table$partitions"`` of an Iceberg table: each partition, its files, and what their statistics say of columns."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta, timezone
from typing import Any

from pyiceberg import types as i
from pyiceberg.conversions import from_bytes
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table
from pyiceberg.transforms import IdentityTransform

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.iceberg.scan import read_current
from headwater.stack.lakehouse.iceberg.types import to_trino
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.information import Row
from headwater.stack.lakehouse.sql.query import OutputColumn

_COUNTS = ("record_count", "file_count", "total_size")
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
# What a narrower column was written as before the schema evolved: its statistics stay as they were.
_BEFORE = {(i.LongType, 4): i.IntegerType(), (i.DoubleType, 4): i.FloatType()}


def partition_table(table: Table) -> tuple[tuple[OutputColumn, ...], list[Row]]:
    """The columns, which depend on the table, and the rows."""
    files = [task.file for task in read_current(table).tasks()]
    if any(file.spec_id != table.spec().spec_id for file in files):
        raise Unsupported('"$partitions" of a table whose partitioning was changed')
    fields = [(field.name, _result(table, field)) for field in table.spec().fields]
    identities = {field.source_id for field in table.spec().fields if isinstance(field.transform, IdentityTransform)}
    measured = [f for f in table.schema().fields if f.field_type.is_primitive and f.field_id not in identities]
    groups: dict[tuple[Any, ...], list[DataFile]] = {}
    for file in files:
        groups.setdefault(tuple(file.partition[place] for place in range(len(fields))), []).append(file)
    columns = [OutputColumn("partition", t.row_of(*((n, to_trino(k)) for n, k in fields)))] if fields else []
    columns += [OutputColumn(name, t.BIGINT) for name in _COUNTS]
    if measured:
        statistics = [(field.name.lower(), _statistics_type(to_trino(field.field_type))) for field in measured]
        columns.append(OutputColumn("data", t.row_of(*statistics)))
    rows: list[Row] = []
    for values, members in groups.items():
        row: list[str | int | None] = []
        if fields:
            row.append(_row(plain(kind, value) for (_, kind), value in zip(fields, values, strict=True)))
        row += [sum(f.record_count for f in members), len(members), sum(f.file_size_in_bytes for f in members)]
        if measured:
            row.append(_row(_statistics(field, members) for field in measured))
        rows.append(tuple(row))
    return tuple(columns), rows


def _result(table: Table, field: Any) -> i.IcebergType:  # pyiceberg's PartitionField
    kind: i.IcebergType = field.transform.result_type(table.schema().find_type(field.source_id))
    return kind


def _statistics_type(kind: t.Type) -> t.Type:
    return t.row_of(("min", kind), ("max", kind), ("null_count", t.BIGINT), ("nan_count", t.BIGINT))


def _statistics(field: i.NestedField, files: Sequence[DataFile]) -> dict[str, object]:
    """The least and greatest value, and how many are NULL and NaN; NULL where a file does not say."""
    number, kind = field.field_id, field.field_type
    nulls = [(file.null_value_counts or {}).get(number) for file in files]
    nans = [(file.nan_value_counts or {}).get(number) for file in files]
    filled = [file for file, count in zip(files, nulls, strict=True) if count != file.record_count]
    lower, upper = (_bounds(kind, number, filled, name) for name in ("lower_bounds", "upper_bounds"))
    return _object(
        plain(kind, min(lower) if lower else None),
        plain(kind, max(upper) if upper else None),
        None if None in nulls else sum(n or 0 for n in nulls),
        None if None in nans else sum(n or 0 for n in nans),
    )


def _bounds(kind: i.IcebergType, number: int, files: Sequence[DataFile], name: str) -> list[Any]:
    found = [(getattr(file, name) or {}).get(number) for file in files]
    return [] if None in found else [bound(kind, value) for value in found if value is not None]


def bound(kind: i.IcebergType, value: bytes) -> Any:
    """A value as the statistics of a file keep it."""
    return from_bytes(_BEFORE.get((type(kind), len(value)), kind), value)  # type: ignore[arg-type]  # primitive types


def _row(values: Iterable[object]) -> str:
    return json.dumps(_object(*values))


def _object(*values: object) -> dict[str, object]:
    return {f"f{place}": value for place, value in enumerate(values)}


def plain(kind: i.IcebergType, value: Any) -> object:
    """A value as JSON holds it; Iceberg counts days and microseconds from 1970."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, bytes):
        raise Unsupported('"$partitions" of a table with binary columns')
    if isinstance(kind, i.DateType):
        return value.isoformat() if isinstance(value, date) else (_EPOCH.date() + timedelta(days=value)).isoformat()
    if isinstance(kind, (i.TimestampType, i.TimestamptzType)):
        return (_EPOCH + timedelta(microseconds=value)).strftime("%Y-%m-%d %H:%M:%S.%f")
    if isinstance(kind, i.TimeType):
        return (_EPOCH + timedelta(microseconds=value)).strftime("%H:%M:%S.%f")
    return value if isinstance(value, int) else str(value)

"""Rows as Avro files, through fastavro: every field may be null, as in what Athena writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow as pa
from fastavro.write import Writer

from headwater.stack.lakehouse.errors import QueryFailed, Unsupported
from headwater.stack.lakehouse.hive import types as hive
from headwater.stack.lakehouse.hive.types import parse_type
from headwater.stack.lakehouse.model import Column

_PLAIN: Mapping[str, Any] = MappingProxyType(
    {
        **{name: name for name in ("int", "boolean", "float", "double", "string")},
        "bigint": "long",
        "binary": "bytes",
        "date": {"type": "int", "logicalType": "date"},
        "timestamp": {"type": "long", "logicalType": "timestamp-millis"},
    }
)
_CODECS = {"none": "null"}


class AvroSink:
    """One Avro file."""

    def __init__(self, path: Path, columns: Sequence[Column], compression: str) -> None:
        self._kinds = [parse_type(column.type) for column in columns]
        fields = [_field(c.name, kind, "root") for c, kind in zip(columns, self._kinds, strict=True)]
        schema = {"type": "record", "name": "root", "fields": fields}
        self._names = [column.name for column in columns]
        self._file = path.open("wb")
        self._writer = Writer(self._file, schema, codec=_CODECS.get(compression, compression))

    def write(self, batch: pa.RecordBatch) -> None:
        """Add rows."""
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            values = zip(self._names, row, self._kinds, strict=True)
            self._writer.write({name: _value(value, kind) for name, value, kind in values})

    def close(self) -> None:
        """Complete the file."""
        self._writer.flush()
        self._file.close()


def _field(name: str, kind: hive.HiveType, path: str) -> dict[str, Any]:
    return {"name": name, "type": ["null", _type(kind, f"{path}_{name}")], "default": None}


def _type(kind: hive.HiveType, path: str) -> Any:
    if isinstance(kind, hive.Decimal):
        return {"type": "bytes", "logicalType": "decimal", "precision": kind.precision, "scale": kind.scale}
    if isinstance(kind, hive.Text):
        return "string"
    if isinstance(kind, hive.Array):
        return {"type": "array", "items": ["null", _type(kind.element, path)]}
    if isinstance(kind, hive.Map):
        if str(kind.key) != "string" and not isinstance(kind.key, hive.Text):
            raise Unsupported(f"type {kind} in an Avro file")
        return {"type": "map", "values": ["null", _type(kind.value, path)]}
    if isinstance(kind, hive.Struct):
        fields = [_field(field.name, field.type, path) for field in kind.fields]
        return {"type": "record", "name": path, "fields": fields}
    if kind.name not in _PLAIN:
        raise QueryFailed(f"NOT_SUPPORTED: Type {kind} is not supported by Avro. Use integer instead.")
    return _PLAIN[kind.name]


def _value(value: Any, kind: hive.HiveType) -> Any:
    """Times are UTC, which fastavro must be told; maps arrive as pairs."""
    if value is None:
        return None
    if isinstance(value, datetime):
        return value.replace(tzinfo=timezone.utc)
    if isinstance(kind, hive.Map):
        return {key: _value(item, kind.value) for key, item in value}
    if isinstance(kind, hive.Array):
        return [_value(item, kind.element) for item in value]
    if isinstance(kind, hive.Struct):
        return {field.name: _value(value[field.name], field.type) for field in kind.fields}
    return value

"""Result columns as ``ResultSetMetadata.ColumnInfo`` describes them."""

from __future__ import annotations

from collections.abc import Sequence

from headwater.stack.lakehouse.model import GlueJson
from headwater.stack.lakehouse.sql import types as t

_PRECISION = {
    "boolean": 0,
    "tinyint": 3,
    "smallint": 5,
    "integer": 10,
    "bigint": 19,
    "real": 17,
    "double": 17,
    "date": 0,
}
_UNBOUNDED = 2147483647
_NAMES = {
    "real": "float",
    "timestamptz": "timestamp with time zone",
    "timetz": "time with time zone",
    "varbinary": "varbinary",
}


def column_info(name: str, kind: t.Type) -> GlueJson:
    """One ``ColumnInfo``.

    >>> column_info("amount", t.decimal(10, 2))["Scale"]
    2
    """
    precision, scale = _PRECISION.get(kind.name, 0), 0
    if kind.name == "decimal":
        precision, scale = kind.params
    elif t.is_text(kind):
        precision = kind.params[0] if kind.params else _UNBOUNDED
    elif kind.name in ("timestamp", "timestamptz", "time", "timetz"):
        precision = 3
    elif kind.name == "varbinary":
        precision = 1073741824
    return _info(name, _NAMES.get(kind.name, kind.name), precision, scale, t.is_text(kind))


def text_column_info(name: str) -> GlueJson:
    """A column of a DDL result."""
    return _info(name, "string", 0, 0, False)


def _info(name: str, kind: str, precision: int, scale: int, case_sensitive: bool) -> GlueJson:
    return {
        "CatalogName": "hive",
        "SchemaName": "",
        "TableName": "",
        "Name": name,
        "Label": name,
        "Type": kind,
        "Precision": precision,
        "Scale": scale,
        "Nullable": "UNKNOWN",
        "CaseSensitive": case_sensitive,
    }


# --- the .metadata object ------------------------------------------------------------------------------------------

_NULLABLE = {"NOT_NULL": 1, "NULLABLE": 2, "UNKNOWN": 3}


def metadata_object(columns: Sequence[GlueJson]) -> bytes:
    """The ``.metadata`` object: a protobuf message with one field 4 for each column.

    The layout is the one that burtcorp/athena-jdbc reads (``AthenaMetaDataParser``): in a column 1 is the catalog, 2
    the schema, 3 the table, 4 the name, 5 the label, 6 the type, 7 the precision, 8 the scale, 9 nullable (1 not null,
    2 nullable, 3 unknown) and 10 case sensitive.
    """
    return b"".join(_bytes(4, _column(column)) for column in columns)


def _column(info: GlueJson) -> bytes:
    texts = ("CatalogName", "SchemaName", "TableName", "Name", "Label", "Type")
    parts = [_bytes(i + 1, str(info[key]).encode()) for i, key in enumerate(texts) if info[key]]
    numbers = (info["Precision"], info["Scale"], _NULLABLE[info["Nullable"]], int(info["CaseSensitive"]))
    parts += [_varint(field << 3) + _varint(value) for field, value in zip(range(7, 11), numbers, strict=True)]
    return b"".join(parts)


def _bytes(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)

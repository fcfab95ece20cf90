"""Iceberg's types and those of Hive DDL and Trino, which name the same columns."""

from __future__ import annotations

from pyiceberg import types as i

from headwater.stack.lakehouse.errors import QueryFailed
from headwater.stack.lakehouse.hive import types as hive
from headwater.stack.lakehouse.sql import types as t

_FROM_HIVE: dict[str, i.IcebergType] = {
    "int": i.IntegerType(),
    "bigint": i.LongType(),
    "boolean": i.BooleanType(),
    "float": i.FloatType(),
    "double": i.DoubleType(),
    "date": i.DateType(),
    "timestamp": i.TimestampType(),
    "string": i.StringType(),
    "binary": i.BinaryType(),
}
_TO_TRINO: dict[type, t.Type] = {
    i.IntegerType: t.INTEGER,
    i.LongType: t.BIGINT,
    i.BooleanType: t.BOOLEAN,
    i.FloatType: t.REAL,
    i.DoubleType: t.DOUBLE,
    i.DateType: t.DATE,
    i.TimeType: t.Type("time", (6,)),
    i.TimestampType: t.Type("timestamp", (6,)),
    i.TimestamptzType: t.Type("timestamptz", (6,), zone="UTC"),
    i.StringType: t.VARCHAR,
    i.BinaryType: t.VARBINARY,
    i.UUIDType: t.UUID,
}
_TO_HIVE: dict[type, str] = {
    **{type(kind): name for name, kind in _FROM_HIVE.items()},
    i.TimestamptzType: "timestamp",
    i.TimeType: "string",
    i.UUIDType: "string",
    i.FixedType: "binary",
}


class Ids:
    """Numbers for fields, in the order in which they are met; Iceberg gives its own when a table is made."""

    def __init__(self, last: int = 0) -> None:
        self.last = last

    def next(self) -> int:
        """A number that was not used yet."""
        self.last += 1
        return self.last


def from_hive(kind: hive.HiveType, ids: Ids) -> i.IcebergType:
    """The Iceberg type of a column in Hive DDL. Raises ``QueryFailed`` for those that Iceberg has not."""
    if isinstance(kind, hive.Decimal):
        return i.DecimalType(kind.precision, kind.scale)
    if isinstance(kind, hive.Array):
        return i.ListType(ids.next(), from_hive(kind.element, ids), element_required=False)
    if isinstance(kind, hive.Map):
        key, value = from_hive(kind.key, ids), from_hive(kind.value, ids)
        return i.MapType(ids.next(), key, ids.next(), value, value_required=False)
    if isinstance(kind, hive.Struct):
        return i.StructType(*(i.NestedField(ids.next(), f.name, from_hive(f.type, ids), False) for f in kind.fields))
    found = None if isinstance(kind, hive.Text) else _FROM_HIVE.get(kind.name)
    if found is None:
        raise QueryFailed(f"Unsupported Iceberg column type: {kind}")
    return found


def to_hive(kind: i.IcebergType) -> str:
    """The Hive type under which the catalog shows an Iceberg column."""
    if isinstance(kind, i.DecimalType):
        return f"decimal({kind.precision},{kind.scale})"
    if isinstance(kind, i.ListType):
        return f"array<{to_hive(kind.element_type)}>"
    if isinstance(kind, i.MapType):
        return f"map<{to_hive(kind.key_type)},{to_hive(kind.value_type)}>"
    if isinstance(kind, i.StructType):
        return f"struct<{','.join(f'{f.name}:{to_hive(f.field_type)}' for f in kind.fields)}>"
    return _TO_HIVE[type(kind)]


def to_trino(kind: i.IcebergType) -> t.Type:
    """The Trino type in which queries see an Iceberg column."""
    if isinstance(kind, i.DecimalType):
        return t.decimal(kind.precision, kind.scale)
    if isinstance(kind, i.ListType):
        return t.array(to_trino(kind.element_type))
    if isinstance(kind, i.MapType):
        return t.map_of(to_trino(kind.key_type), to_trino(kind.value_type))
    if isinstance(kind, i.StructType):
        return t.row_of(*((f.name.lower(), to_trino(f.field_type)) for f in kind.fields))
    if isinstance(kind, i.FixedType):
        return t.VARBINARY
    return _TO_TRINO[type(kind)]


_FROM_TRINO = {"integer": "int", "real": "float", "varbinary": "binary", "varchar": "string", "char": "string"}


def from_trino(kind: t.Type, ids: Ids, column: str) -> i.IcebergType:
    """The Iceberg type that holds a query's column. Raises ``QueryFailed``."""
    if kind.name == "array":
        return i.ListType(ids.next(), from_trino(kind.items[0], ids, column), element_required=False)
    if kind.name == "map":
        key, value = (from_trino(item, ids, column) for item in kind.items)
        return i.MapType(ids.next(), key, ids.next(), value, value_required=False)
    if kind.name == "row":
        if any(name is None for name in kind.names):
            raise QueryFailed(f"NOT_SUPPORTED: Row type field does not have a name: {kind}")
        fields = zip(kind.names, kind.items, strict=True)
        return i.StructType(*(i.NestedField(ids.next(), str(n), from_trino(k, ids, column), False) for n, k in fields))
    if kind.name == "decimal":
        return i.DecimalType(*kind.params)
    if kind.name == "timestamptz":
        return i.TimestamptzType()
    if kind.name in ("tinyint", "smallint"):
        raise QueryFailed(f"NOT_SUPPORTED: Type not supported for Iceberg: {kind}")
    if kind.name == "timestamp" and t.precision_of(kind) != 6:
        message = f'Timestamp precision ({t.precision_of(kind)}) not supported for Iceberg. Use "timestamp(6)" instead.'
        raise QueryFailed(f"NOT_SUPPORTED: {message}")
    found = _FROM_HIVE.get(_FROM_TRINO.get(kind.name, kind.name))
    if found is None:
        raise QueryFailed(f"NOT_SUPPORTED: Type not supported for Iceberg: {kind}")
    return found

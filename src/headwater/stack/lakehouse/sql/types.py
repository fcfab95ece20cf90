"""Trino's types, because a query's meaning (and what it refuses) depends on them and DuckDB's differ."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.hive import types as hive


@dataclass(frozen=True)
class Type:
    """A Trino type.

    ``params`` are a decimal's precision and scale, a varchar's length or a timestamp's precision; ``items`` are the
    element, key and value, or field types; ``names`` a row's field names. ``zone`` is the time zone of all values of a
    ``timestamp with time zone``, or the offset of those of a ``time with time zone`` (``None`` = not known before the
    query runs); it is no part of equality.

    >>> str(Type("array", items=(decimal(10, 2),)))
    'array(decimal(10,2))'
    """

    name: str
    params: tuple[int, ...] = ()
    items: tuple[Type, ...] = ()
    names: tuple[str | None, ...] = ()
    zone: str | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return self.text(lambda name: name)

    def text(self, named: Callable[[str], str]) -> str:
        """The type as SQL writes it, with the names of fields as ``named`` writes them."""
        if self.name == "row":
            pairs = zip(self.names, self.items, strict=True)
            return f"row({', '.join(f'{named(n)} {t.text(named)}' if n else t.text(named) for n, t in pairs)})"
        if self.name in ("timestamptz", "timetz"):
            return f"{self.name[:-2]}({self.params[0] if self.params else 3}) with time zone"
        inner = ", ".join(item.text(named) for item in self.items) or ",".join(map(str, self.params))
        return f"{self.name}({inner})" if inner else self.name

    def stored(self) -> Type:
        """As the catalog can hold it: the names of fields in lower case.

        >>> str(Type("row", items=(INTEGER,), names=("userId",)).stored())
        'row(userid integer)'
        """
        names = tuple(name and name.lower() for name in self.names)
        return replace(self, names=names, items=tuple(item.stored() for item in self.items))


def definition(kind: Type) -> str:
    """A type as a view's definition keeps it, to be read again.

    >>> definition(Type("row", items=(INTEGER,), names=("userId",)))
    'row("userId" integer)'
    """
    return kind.text(lambda name: '"' + name.replace('"', '""') + '"')


BOOLEAN = Type("boolean")
TINYINT = Type("tinyint")
SMALLINT = Type("smallint")
INTEGER = Type("integer")
BIGINT = Type("bigint")
REAL = Type("real")
DOUBLE = Type("double")
VARCHAR = Type("varchar")
VARBINARY = Type("varbinary")
DATE = Type("date")
TIME = Type("time", (3,))
TIMESTAMP = Type("timestamp", (3,))
TIMESTAMPTZ = Type("timestamptz", (3,), zone="UTC")
TIMETZ = Type("timetz", (3,), zone="+00:00")
JSON = Type("json")
UUID = Type("uuid")
IPADDRESS = Type("ipaddress")
UNKNOWN = Type("unknown")
DAY_TO_SECOND = Type("interval day to second")
YEAR_TO_MONTH = Type("interval year to month")

INTEGERS = ("tinyint", "smallint", "integer", "bigint")
INTEGER_DIGITS = {"tinyint": 3, "smallint": 5, "integer": 10, "bigint": 19}
APPROXIMATE = ("real", "double")
MAX_PRECISION = 38


def decimal(precision: int, scale: int) -> Type:
    """``decimal(precision,scale)``."""
    return Type("decimal", (precision, scale))


def varchar(length: int) -> Type:
    """``varchar(length)``."""
    return Type("varchar", (length,))


def bounded(length: int) -> Type:
    """``varchar(length)``, or ``varchar`` if the length is that of any text."""
    return varchar(length) if length < 2**31 - 1 else VARCHAR


def array(element: Type) -> Type:
    """``array(element)``."""
    return Type("array", items=(element,))


def map_of(key: Type, value: Type) -> Type:
    """``map(key, value)``."""
    return Type("map", items=(key, value))


def row_of(*fields: tuple[str | None, Type]) -> Type:
    """``row(name type, …)``."""
    return Type("row", items=tuple(t for _, t in fields), names=tuple(n for n, _ in fields))


def is_numeric(kind: Type) -> bool:
    """Whether arithmetic applies."""
    return kind.name in INTEGERS or kind.name in APPROXIMATE or kind.name == "decimal"


def is_orderable(kind: Type) -> bool:
    """Whether values can be put in order: maps and JSON cannot, neither inside of others."""
    return kind.name not in ("map", "json") and all(is_orderable(item) for item in kind.items)


def is_text(kind: Type) -> bool:
    """Whether it is ``varchar`` or ``char``."""
    return kind.name in ("varchar", "char")


_HIVE = {
    "tinyint": TINYINT,
    "smallint": SMALLINT,
    "int": INTEGER,
    "bigint": BIGINT,
    "boolean": BOOLEAN,
    "float": REAL,
    "double": DOUBLE,
    "date": DATE,
    "timestamp": TIMESTAMP,
    "string": VARCHAR,
    "binary": VARBINARY,
}


def from_hive(kind: hive.HiveType) -> Type:
    """The Trino type in which Athena presents a column of a Hive type.

    >>> str(from_hive(hive.parse_type("struct<a:int,b:array<string>>")))
    'row(a integer, b array(varchar))'
    """
    if isinstance(kind, hive.Primitive):
        return _HIVE[kind.name]
    if isinstance(kind, hive.Decimal):
        return decimal(kind.precision, kind.scale)
    if isinstance(kind, hive.Text):
        return Type(kind.name, (kind.length,))
    if isinstance(kind, hive.Array):
        return array(from_hive(kind.element))
    if isinstance(kind, hive.Map):
        return map_of(from_hive(kind.key), from_hive(kind.value))
    return row_of(*((f.name.lower(), from_hive(f.type)) for f in kind.fields))


_DUCKDB = {
    "boolean": "BOOLEAN",
    "tinyint": "TINYINT",
    "smallint": "SMALLINT",
    "integer": "INTEGER",
    "bigint": "BIGINT",
    "real": "FLOAT",
    "double": "DOUBLE",
    "varchar": "VARCHAR",
    "char": "VARCHAR",
    "varbinary": "BLOB",
    "date": "DATE",
    "time": "TIME",
    "timestamp": "TIMESTAMP",
    # An instant in UTC: the zone is known from the type, so no session setting can change a value's meaning.
    "timestamptz": "TIMESTAMP",
    "timetz": "TIME",
    "json": "JSON",
    "uuid": "UUID",
    "ipaddress": "BLOB",
    "unknown": "INTEGER",
    "interval day to second": "BIGINT",
    "interval year to month": "INTEGER",
}


def to_duckdb(kind: Type) -> str:
    """The DuckDB type that carries the values.

    >>> to_duckdb(map_of(VARCHAR, array(decimal(5, 2))))
    'MAP(VARCHAR, DECIMAL(5,2)[])'
    """
    if kind.name == "decimal":
        return f"DECIMAL({kind.params[0]},{kind.params[1]})"
    if kind.name == "array":
        return f"{to_duckdb(kind.items[0])}[]"
    if kind.name == "map":
        return f"MAP({to_duckdb(kind.items[0])}, {to_duckdb(kind.items[1])})"
    if kind.name == "row":
        fields = (f"{struct_field(kind, i)} {to_duckdb(t)}" for i, t in enumerate(kind.items))
        return f"STRUCT({', '.join(fields)})"
    if kind.name in ("time", "timestamp", "timestamptz") and precision_of(kind) > 6:
        return "TIME_NS" if kind.name == "time" else "TIMESTAMP_NS"
    if kind.name not in _DUCKDB:
        raise Unsupported(f"type {kind}")
    return _DUCKDB[kind.name]


def struct_field(kind: Type, index: int) -> str:
    """The quoted name of a row's field in DuckDB: positional, because Trino allows unnamed and repeated names."""
    del kind
    return f'"f{index}"'


def precision_of(kind: Type) -> int:
    """The fractional digits of a time type."""
    return kind.params[0] if kind.params else 3

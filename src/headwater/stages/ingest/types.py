"""How each PostgreSQL type comes into the lake: exactly, or not at all.

A type has a lake type of its own where that holds every value (integers, numeric(p,s), dates, timestamps …). Others
come as text, if PostgreSQL's text says all of it and says it the same everywhere. What is left is refused by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from headwater.errors import SettingsError

MOST_DIGITS = 38  # of Athena's decimal


@dataclass(frozen=True)
class PostgresType:
    """A column's type with domains resolved: ``name`` in its catalog, ``declared`` as in CREATE TABLE, ``modifier``."""

    name: str
    kind: str
    category: str
    modifier: int
    declared: str


@dataclass(frozen=True)
class LakeType:
    """Athena's name of the type, the SQL that makes its text from a column ``{}``, and what is done to that text."""

    name: str
    select: str = "{}"
    decode: Literal["none", "hex"] = "none"


_STRING = LakeType("string")
# to_json writes arrays as JSON, which Athena reads with json_parse; PostgreSQL's own {1,2} no engine reads.
_JSON_ARRAY = LakeType("string", "array_to_json({})::text")

_EXACT = {
    "bool": LakeType("boolean"),
    "int2": LakeType("smallint"),
    "int4": LakeType("int"),
    "int8": LakeType("bigint"),
    "float4": LakeType("float"),
    "float8": LakeType("double"),
    "date": LakeType("date"),
    "timestamp": LakeType("timestamp"),
    "timestamptz": LakeType("timestamp", "{} AT TIME ZONE 'UTC'"),
    "bytea": LakeType("binary", "encode({}, 'hex')", "hex"),
}
_TEXT = {
    *("text", "varchar", "bpchar", "char", "name", "citext", "uuid", "xml", "hstore", "ltree", "tsvector", "tsquery"),
    *("json", "jsonb", "jsonpath", "inet", "cidr", "macaddr", "macaddr8", "oid", "xid", "xid8", "pg_lsn"),
    *("time", "timetz", "interval", "bit", "varbit"),
    *("point", "line", "lseg", "box", "path", "polygon", "circle"),
}
_ENUM, _RANGE, _MULTIRANGE, _COMPOSITE = "e", "r", "m", "c"


def lake_type(column: str, source: PostgresType) -> LakeType:
    """The lake's type for a column. Raises SettingsError that names column and type if there is no exact one.

    >>> lake_type("amount", PostgresType("numeric", "b", "N", numeric_modifier(10, 2), "numeric(10,2)")).name
    'decimal(10,2)'
    """
    if source.name == "numeric":
        return _numeric(source.modifier)
    if source.name in _EXACT:
        return _EXACT[source.name]
    if source.category == "A":
        return _JSON_ARRAY
    if source.name in _TEXT or source.kind in (_ENUM, _RANGE, _MULTIRANGE, _COMPOSITE):
        return _STRING
    raise SettingsError(
        f"column {column} has type {source.declared}, which has no exact form in the lake",
        hint="make a view that casts or leaves out the column, and ingest the view",
    )


def _numeric(modifier: int) -> LakeType:
    """decimal(p,s) where Athena has it; text, which is exact as well, for numeric without bounds or above 38 digits."""
    if modifier < 4:
        return _STRING
    precision = ((modifier - 4) >> 16) & 0xFFFF
    scale = (((modifier - 4) & 0x7FF) ^ 0x400) - 0x400  # eleven bits, signed
    if scale < 0:
        precision, scale = precision - scale, 0
    precision = max(precision, scale)
    return LakeType(f"decimal({precision},{scale})") if precision <= MOST_DIGITS else _STRING


def numeric_modifier(precision: int, scale: int) -> int:
    """PostgreSQL's type modifier of numeric(precision, scale)."""
    return ((precision << 16) | (scale & 0x7FF)) + 4

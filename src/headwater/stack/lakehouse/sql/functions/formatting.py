"""format(): what each type is as a value of Java."""

from __future__ import annotations

from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.casts import cast
from headwater.stack.lakehouse.sql.datazones import at_instant, wall_clock_of, zone_of
from headwater.stack.lakehouse.sql.expression import Expr
from headwater.stack.lakehouse.sql.failures import SqlError
from headwater.stack.lakehouse.sql.functions.model import Call
from headwater.stack.lakehouse.sql.nanoseconds import refuse_nanos

_AS_THEY_ARE = (
    *("boolean", *t.INTEGERS, "double", "decimal", "varchar", "char", "date", "time", "timestamp", "unknown", "json"),
)
_WITHOUT_TEXT = ("array", "map", "row", "varbinary")


def format_text(call: Call) -> str:
    """Java's ``String.format``; conversions that mean something else in Java are refused when a row has them."""
    if call.arguments[0].type.name not in ("varchar", "unknown"):
        message = f"Type of first argument to format() must be VARCHAR (actual: {call.arguments[0].type})"
        raise SqlError("TYPE_MISMATCH", message, call.position)
    return f"hw_format({', '.join(_argument(a, call) for a in call.arguments)})"


def _argument(value: Expr, call: Call) -> str:
    """Moments and reals are more than their value in Python; other types are formatted as their texts."""
    refuse_nanos("format()", value.type)
    name = value.type.name
    if name in _AS_THEY_ARE:
        return value.sql
    if name == "real":
        return f"CASE WHEN {value} IS NOT NULL THEN {{'real': {value}}} END"
    if name == "timestamptz":
        parts = f"'clock': {wall_clock_of(value)}, 'instant': {at_instant(value)}, 'zone': {zone_of(value)}"
        return f"CASE WHEN {at_instant(value)} IS NOT NULL THEN {{{parts}}} END"
    if name in _WITHOUT_TEXT:
        raise SqlError("NOT_SUPPORTED", f"Type not supported for formatting: {value.type}", call.position)
    return cast(value, t.VARCHAR, safe=False, position=call.position).sql

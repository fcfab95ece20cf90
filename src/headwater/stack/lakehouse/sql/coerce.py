"""Trino's implicit conversions: which type two sides meet in, and what DuckDB must compute to get there."""

from __future__ import annotations

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.clocktimes import rounded_time
from headwater.stack.lakehouse.sql.expression import Expr, null_of

MOST_CHARACTERS = 65536
_INTEGER_ORDER = {name: i for i, name in enumerate(t.INTEGERS)}


def as_decimal(kind: t.Type) -> t.Type | None:
    """The decimal that holds an integer type exactly, or the decimal itself."""
    if kind.name == "decimal":
        return kind
    digits = t.INTEGER_DIGITS.get(kind.name)
    return t.decimal(digits, 0) if digits else None


def common_type(left: t.Type, right: t.Type) -> t.Type | None:
    """The type that both convert to implicitly, or ``None``.

    >>> str(common_type(t.BIGINT, t.decimal(5, 2)))
    'decimal(21,2)'
    >>> common_type(t.VARCHAR, t.BIGINT) is None
    True
    """
    if left == right:
        return _with_zone(left, right)
    if left.name == "unknown":
        return right
    if right.name == "unknown":
        return left
    if t.is_numeric(left) and t.is_numeric(right):
        return _common_number(left, right)
    if t.is_text(left) and t.is_text(right):
        return _common_text(left, right)
    if left.name == right.name and left.items and len(left.items) == len(right.items):
        return _common_nested(left, right)
    return _common_time(left, right)


def _with_zone(left: t.Type, right: t.Type) -> t.Type:
    """The type of both, which may differ in their zones only: inside of nested types too."""
    items = tuple(_with_zone(a, b) for a, b in zip(left.items, right.items, strict=True))
    return t.Type(left.name, left.params, items, left.names, _one_zone(left, right))


def _one_zone(left: t.Type, right: t.Type) -> str | None:
    return left.zone if left.zone == right.zone else None


def _common_number(left: t.Type, right: t.Type) -> t.Type | None:
    names = {left.name, right.name}
    if "double" in names:
        return t.DOUBLE
    if "real" in names:
        return t.REAL
    if "decimal" not in names:
        return left if _INTEGER_ORDER[left.name] >= _INTEGER_ORDER[right.name] else right
    a, b = as_decimal(left), as_decimal(right)
    if a is None or b is None:
        return None
    scale = max(a.params[1], b.params[1])
    whole = max(a.params[0] - a.params[1], b.params[0] - b.params[1])
    return t.decimal(min(t.MAX_PRECISION, whole + scale), scale)


def _common_text(left: t.Type, right: t.Type) -> t.Type:
    if left.name != right.name:
        # varchar converts to char, never the other way.
        longest = max(kind.params[0] if kind.params else MOST_CHARACTERS for kind in (left, right))
        return t.Type("char", (min(longest, MOST_CHARACTERS),))
    if left.params and right.params:
        return t.Type(left.name, (max(left.params[0], right.params[0]),))
    return t.VARCHAR


def _common_nested(left: t.Type, right: t.Type) -> t.Type | None:
    items = [common_type(a, b) for a, b in zip(left.items, right.items, strict=True)]
    if any(item is None for item in items):
        return None
    names = tuple(a if a == b else None for a, b in zip(left.names, right.names, strict=True))
    return t.Type(left.name, items=tuple(item for item in items if item is not None), names=names)


_TIME_ORDER = {"date": 0, "timestamp": 1, "timestamptz": 2}


def _common_time(left: t.Type, right: t.Type) -> t.Type | None:
    if left.name == right.name == "time":
        return max(left, right, key=t.precision_of)
    if left.name == right.name == "timetz":
        return t.Type("timetz", (max(t.precision_of(left), t.precision_of(right)),), zone=_one_zone(left, right))
    if {left.name, right.name} == {"time", "timetz"}:
        zoned = left if left.name == "timetz" else right
        precision = max(t.precision_of(left), t.precision_of(right))
        return t.Type("timetz", (precision,), zone=zoned.zone if zoned.zone == t.TIMETZ.zone else None)
    if left.name not in _TIME_ORDER or right.name not in _TIME_ORDER:
        return None
    if left.name == right.name:
        wider = max(left, right, key=t.precision_of)
        return t.Type(left.name, wider.params, zone=_one_zone(left, right))
    lower, upper = sorted((left, right), key=lambda kind: _TIME_ORDER[kind.name])
    precision = t.precision_of(upper) if lower.name == "date" else max(t.precision_of(lower), t.precision_of(upper))
    return t.Type(upper.name, (precision,), zone=upper.zone if upper.zone == "UTC" else None)


def can_coerce(source: t.Type, target: t.Type) -> bool:
    """Whether a value is accepted where ``target`` is expected. A target without parameters accepts any."""
    if source == target or source.name == "unknown":
        return True
    if target.name == source.name and not target.params and not target.items:
        return True
    if target.name == "decimal" and not target.params:
        return source.name in t.INTEGERS
    if t.is_text(source) and target.name == "varchar":
        return source.name == "varchar" and (not target.params or common_type(source, target) == target)
    if source.name == "varchar" and target == t.Type("char"):
        return bool(source.params)
    if target.name in ("timestamp", "timestamptz") and source.name in _TIME_ORDER:
        return _TIME_ORDER[source.name] <= _TIME_ORDER[target.name]
    if target.name == source.name and target.name in ("time", "timetz"):
        return True
    return common_type(source, target) == target


def coerce(value: Expr, target: t.Type) -> Expr:
    """The value in the target type, by implicit conversion (the caller has asked ``can_coerce``)."""
    source = value.type
    if value.zoned is not None and source == target:
        return value
    if source.name == "unknown":
        return null_of(target) if value.sql == "NULL" else Expr(_cast(value.sql, target), target)
    if target == t.Type("char", (MOST_CHARACTERS,)):
        raise Unsupported(f"an expression that mixes {source} and char")
    if target.name == "char" and source != target:
        return Expr(f"rpad({value.sql}, {target.params[0]}, ' ')", target, value.literal, value.constant)
    if source.name == target.name == "time":
        return Expr(rounded_time(value.sql, source, target), target, value.literal, value.constant)
    if t.to_duckdb(source) == t.to_duckdb(target):
        return Expr(value.sql, _kept_zone(source, target), value.literal, value.constant)
    if target.name == "varchar":
        return Expr(value.sql, target, value.literal, value.constant)
    return Expr(_cast(value.sql, target), _kept_zone(source, target), value.literal, value.constant)


def _kept_zone(source: t.Type, target: t.Type) -> t.Type:
    if target.name == "timetz":
        return t.Type("timetz", target.params, zone=source.zone or t.TIMETZ.zone)
    if target.name != "timestamptz":
        return target
    zone = source.zone if source.name == "timestamptz" else "UTC"
    return t.Type("timestamptz", target.params, zone=zone)


def _cast(sql: str, target: t.Type) -> str:
    return f"CAST({sql} AS {t.to_duckdb(target)})"


def comparable(left: t.Type, right: t.Type) -> t.Type | None:
    """The type in which ``=`` compares the two sides, or ``None`` where Trino says TYPE_MISMATCH."""
    return common_type(left, right)

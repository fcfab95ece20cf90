"""Number and interval literals with the types that Trino gives them."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Sequence
from functools import cache
from itertools import combinations

from sqlglot import exp

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.expression import Expr, quote_text
from headwater.stack.lakehouse.sql.failures import Position, SqlError
from headwater.stack.lakehouse.sql.zones import zone_named

_INTEGER = re.compile(r"-?\d+")
_DECIMAL = re.compile(r"(-?\+?)(?=\.?\d)(\d*)\.(\d*)")
_MAX_INTEGER = 2**31
_MAX_BIGINT = 2**63


def number(text: str, position: Position) -> Expr:
    """``1`` is an integer (or bigint), ``1.50`` a decimal(3,2), ``1e0`` a double.

    >>> str(number("1.50", (1, 1)).type)
    'decimal(3,2)'
    """
    if _INTEGER.fullmatch(text):
        value = int(text)
        if not -_MAX_BIGINT <= value < _MAX_BIGINT:
            raise SqlError("INVALID_LITERAL", f"Invalid numeric literal: {text}", position)
        kind = t.INTEGER if -_MAX_INTEGER <= value < _MAX_INTEGER else t.BIGINT
        return Expr(f"CAST({value} AS {t.to_duckdb(kind)})", kind, literal=value, constant=True)
    found = _DECIMAL.fullmatch(text)
    if found:
        text = text.replace("+", "")
        whole, fraction = found[2].lstrip("0"), found[3]
        kind = t.decimal(max(len(whole) + len(fraction), 1), len(fraction))
        if kind.params[0] > t.MAX_PRECISION:
            raise SqlError("INVALID_LITERAL", f"Invalid decimal literal: {text}", position)
        return Expr(f"CAST({quote_text(text)} AS {t.to_duckdb(kind)})", kind, literal=float(text), constant=True)
    try:
        amount = float(text)
    except ValueError:
        written = text.lstrip("+").removesuffix(".")
        raise SqlError("INVALID_LITERAL", f"'{written}' is not a valid DECIMAL literal", position) from None
    return Expr(f"CAST({quote_text(text)} AS DOUBLE)", t.DOUBLE, literal=amount, constant=True)


_FLOAT = re.compile(r"\s*[+-]?(?:NaN|Infinity|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*")
_DAY = r"([-+]?\d{4,})-(\d{1,2})-(\d{1,2})"
_CLOCK = r"(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.\d+)?)?"
_BITS = {"tinyint": 7, "smallint": 15, "integer": 31, "bigint": 63}


def is_literal_of(kind: t.Type, text: str) -> bool:
    """Whether ``TYPE 'text'`` is a value, as far as its form tells.

    >>> is_literal_of(t.DATE, "2025-02-29"), is_literal_of(t.TINYINT, "-128")
    (False, True)
    """
    if kind.name in _BITS:
        bits = _BITS[kind.name]
        return bool(re.fullmatch(r"[+-]?\d+", text)) and -(2**bits) <= int(text) < 2**bits
    if kind.name in t.APPROXIMATE:
        return _FLOAT.fullmatch(text) is not None
    if kind.name == "boolean":
        return text.lower() in ("t", "true", "1", "f", "false", "0")
    if kind.name == "date":
        return _is_day(re.fullmatch(rf"\s*{_DAY}\s*", text, re.ASCII))
    if kind.name in ("time", "timetz"):
        found = re.fullmatch(rf"{_CLOCK}\s*([+-]\d\d:\d\d)?", text, re.ASCII)
        return found is not None and _is_clock(found.groups()[:3]) and zone_named(found[4] or "UTC") is not None
    if kind.name in ("timestamp", "timestamptz"):
        found = re.fullmatch(rf"{_DAY}(?: (?:{_CLOCK})?\s*(.+)?)?", text, re.ASCII)
        known = found is not None and zone_named(found[7] or "UTC") is not None
        return found is not None and known and _is_day(found) and _is_clock(found.groups()[3:6])
    return True


def _is_clock(parts: Sequence[str | None]) -> bool:
    return all(int(part or 0) < most for part, most in zip(parts, (24, 60, 60), strict=True))


def _is_day(found: re.Match[str] | None) -> bool:
    if found is None or not 1 <= int(found[2]) <= 12:
        return False
    year = int(found[1]) % 400 + 2000
    return 1 <= int(found[3]) <= monthrange(year, int(found[2]))[1]


_FIELDS = ("DAY", "HOUR", "MINUTE", "SECOND")
_PARTS = {"DAY": r"(\d+)", "HOUR": r"(\d+)", "MINUTE": r"(\d+)", "SECOND": r"(\d+(?:\.\d{1,3})?)"}
_BEFORE = {"HOUR": " ", "MINUTE": ":", "SECOND": ":"}


@cache
def _span_pattern(first: str, last: str) -> str:
    """What may be written for ``first TO last``: the fields from the first on, as many as one likes."""
    if first == "YEAR":
        return r"(\d+)(?:-(\d+))?"
    pattern = ""
    for name in reversed(_FIELDS[_FIELDS.index(first) + 1 : _FIELDS.index(last) + 1]):
        pattern = f"(?:{_BEFORE[name]}{_PARTS[name]}{pattern})?"
    return _PARTS[first] + pattern


def _span(node: exp.Interval, unit: exp.IntervalSpan, position: Position) -> Expr:
    """``INTERVAL '1-2' YEAR TO MONTH`` and ``INTERVAL '1 02:03:04.5' DAY TO SECOND``."""
    names = (unit.this.name.upper(), unit.expression.name.upper())
    negative = isinstance(node.this, exp.Neg)
    text = (node.this.this if negative else node.this).name.strip()
    sign = -1 if negative != text.startswith("-") else 1
    known = names == ("YEAR", "MONTH") or names in combinations(_FIELDS, 2)
    found = re.fullmatch(_span_pattern(*names), text.removeprefix("-")) if known else None
    if found is None:
        raise SqlError("INVALID_LITERAL", f"'{text}' is not a valid INTERVAL literal", position)
    if names[0] == "YEAR":
        months = sign * (int(found[1]) * 12 + int(found[2] or 0))
        return Expr(f"CAST({months} AS INTEGER)", t.YEAR_TO_MONTH, literal=months, constant=True)
    first = _FIELDS.index(names[0])
    amounts = zip(_FIELDS[first:], found.groups(), strict=False)
    milliseconds = sign * sum(round(float(value or 0) * _MILLISECONDS[name.lower()]) for name, value in amounts)
    return Expr(f"CAST({milliseconds} AS BIGINT)", t.DAY_TO_SECOND, literal=milliseconds, constant=True)


_MILLISECONDS = {"second": 1000, "minute": 60_000, "hour": 3_600_000, "day": 86_400_000, "week": 604_800_000}
_MONTHS = {"month": 1, "quarter": 3, "year": 12}


def interval(node: exp.Interval, position: Position) -> Expr:
    """``INTERVAL '2' DAY`` in milliseconds, ``INTERVAL '1' YEAR`` in months; the quantity is a literal."""
    quantity, unit = node.this, node.args.get("unit")
    if isinstance(unit, exp.IntervalSpan):
        return _span(node, unit, position)
    negative = isinstance(quantity, exp.Neg)
    if negative:
        quantity = quantity.this
    if not isinstance(quantity, exp.Literal) or not quantity.is_string or not isinstance(unit, exp.Var):
        raise Unsupported(f"the interval {node.sql(dialect='trino')}")
    name, text = unit.name.lower(), quantity.name.strip()
    try:
        amount = float(text) if name == "second" else int(text)
    except ValueError:
        raise SqlError("INVALID_LITERAL", f"'{text}' is not a valid interval literal", position) from None
    amount = -amount if negative else amount
    if name in _MILLISECONDS:
        milliseconds = round(amount * _MILLISECONDS[name])
        return Expr(f"CAST({milliseconds} AS BIGINT)", t.DAY_TO_SECOND, literal=milliseconds, constant=True)
    if name in _MONTHS:
        months = int(amount) * _MONTHS[name]
        return Expr(f"CAST({months} AS INTEGER)", t.YEAR_TO_MONTH, literal=months, constant=True)
    raise Unsupported(f"interval unit {name}")

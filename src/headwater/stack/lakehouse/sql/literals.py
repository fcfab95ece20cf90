"""Number and interval literals with the types that Trino gives them."""

from __future__ import annotations

import re
from calendar import monthrange

from sqlglot import exp

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.expression import Expr, quote_text
from headwater.stack.lakehouse.sql.failures import Position, SqlError

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
_DAY = re.compile(r"\s*([+-]?\d{4,})-(\d{1,2})-(\d{1,2})\s*")
_CLOCK = re.compile(r"\s*\d{1,2}:\d{1,2}")
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
        return _is_day(_DAY.fullmatch(text))
    if kind.name in ("timestamp", "timestamptz"):
        return _is_day(_DAY.match(text))
    return kind.name not in ("time", "timetz") or _CLOCK.match(text) is not None


def _is_day(found: re.Match[str] | None) -> bool:
    if found is None or not 1 <= int(found[2]) <= 12:
        return False
    year = int(found[1]) % 400 + 2000
    return 1 <= int(found[3]) <= monthrange(year, int(found[2]))[1]


_SPANS = {
    ("YEAR", "MONTH"): r"(\d+)-(\d+)",
    ("DAY", "HOUR"): r"(\d+) (\d+)",
    ("DAY", "MINUTE"): r"(\d+) (\d+):(\d+)",
    ("DAY", "SECOND"): r"(\d+) (\d+):(\d+):(\d+(?:\.\d{1,3})?)",
    ("HOUR", "MINUTE"): r"(\d+):(\d+)",
    ("HOUR", "SECOND"): r"(\d+):(\d+):(\d+(?:\.\d{1,3})?)",
    ("MINUTE", "SECOND"): r"(\d+):(\d+(?:\.\d{1,3})?)",
}
_FIELDS = ("DAY", "HOUR", "MINUTE", "SECOND")


def _span(node: exp.Interval, unit: exp.IntervalSpan, position: Position) -> Expr:
    """``INTERVAL '1-2' YEAR TO MONTH`` and ``INTERVAL '1 02:03:04.5' DAY TO SECOND``."""
    names = (unit.this.name.upper(), unit.expression.name.upper())
    negative = isinstance(node.this, exp.Neg)
    text = (node.this.this if negative else node.this).name.strip()
    sign = -1 if negative != text.startswith("-") else 1
    found = re.fullmatch(_SPANS.get(names, ""), text.removeprefix("-"))
    if found is None or not found.groups():
        raise SqlError("INVALID_LITERAL", f"'{text}' is not a valid INTERVAL literal", position)
    if names[0] == "YEAR":
        months = sign * (int(found[1]) * 12 + int(found[2]))
        return Expr(f"CAST({months} AS INTEGER)", t.YEAR_TO_MONTH, literal=months, constant=True)
    first = _FIELDS.index(names[0])
    amounts = zip(_FIELDS[first:], found.groups(), strict=False)
    milliseconds = sign * sum(round(float(value) * _MILLISECONDS[name.lower()]) for name, value in amounts)
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

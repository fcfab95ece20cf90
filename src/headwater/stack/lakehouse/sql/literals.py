"""Number and interval literals with the types that Trino gives them."""

from __future__ import annotations

import re

from sqlglot import exp

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.expression import Expr, quote_text
from headwater.stack.lakehouse.sql.failures import Position, SqlError

_INTEGER = re.compile(r"-?\d+")
_DECIMAL = re.compile(r"(-?)(\d*)\.(\d*)")
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
        whole, fraction = found[2].lstrip("0"), found[3]
        kind = t.decimal(max(len(whole) + len(fraction), 1), len(fraction))
        if kind.params[0] > t.MAX_PRECISION:
            raise SqlError("INVALID_LITERAL", f"Invalid decimal literal: {text}", position)
        return Expr(f"CAST({quote_text(text)} AS {t.to_duckdb(kind)})", kind, literal=float(text), constant=True)
    return Expr(f"CAST({quote_text(text)} AS DOUBLE)", t.DOUBLE, literal=float(text), constant=True)


_MILLISECONDS = {"second": 1000, "minute": 60_000, "hour": 3_600_000, "day": 86_400_000, "week": 604_800_000}
_MONTHS = {"month": 1, "quarter": 3, "year": 12}


def interval(node: exp.Interval, position: Position) -> Expr:
    """``INTERVAL '2' DAY`` in milliseconds, ``INTERVAL '1' YEAR`` in months; the quantity is a literal."""
    quantity, unit = node.this, node.args.get("unit")
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

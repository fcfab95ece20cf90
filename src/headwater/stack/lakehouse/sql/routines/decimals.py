"""Decimals that DuckDB cannot make: with more than 128 bits on the way, or from a text with an exponent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_UP, Context, Decimal

from headwater.stack.lakehouse.sql.routines.model import Routine, RoutineFailed

_CONTEXT = Context(prec=120)
"""More digits than two times 38 and a scale: no quotient is so near to a half that they would not tell the side."""
_MOST = 10**38
_WIDEST = 2**127
_OPERATIONS: Mapping[str, Callable[[Decimal, Decimal], Decimal]] = {
    "+": _CONTEXT.add,
    "-": _CONTEXT.subtract,
    "/": _CONTEXT.divide,
    "%": _CONTEXT.remainder,
}


def exact(operator: str, left: str, right: str, scale: int) -> str:
    """``left operator right`` with so many digits behind the point, rounded half up.

    >>> exact("/", "5.02797279921331664759", "0.71828182845904523537", 20)
    '7.00000000000000000000'
    """
    a, b = Decimal(left), Decimal(right)
    # Before it adds, Trino writes both sides with the same scale, in 128 bits.
    unwritable = operator in "+-" and any(side.scaleb(scale, _CONTEXT).copy_abs() >= _WIDEST for side in (a, b))
    if not unwritable:
        rounded = _OPERATIONS[operator](a, b).quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP, _CONTEXT)
        if rounded.scaleb(scale, _CONTEXT).copy_abs() < _MOST:
            return f"{rounded:f}"
    raise RoutineFailed("Decimal overflow", "NUMERIC_VALUE_OUT_OF_RANGE")


def decimal_of(text: str, precision: int, scale: int) -> str:
    """A number with an exponent, rounded half up to so many digits behind the point.

    >>> decimal_of("9e-06", 10, 4), decimal_of("1.5E+3", 10, 1)
    ('0.0000', '1500.0')
    """
    value = Decimal(text.strip())
    if value.adjusted() < precision:
        rounded = value.quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP, _CONTEXT)
        if rounded.scaleb(scale, _CONTEXT).copy_abs() < 10**precision:
            return f"{rounded:f}"
    raise RoutineFailed(f"Cannot cast VARCHAR '{text}' to DECIMAL({precision}, {scale})", "INVALID_CAST_ARGUMENT")


ROUTINES = (
    Routine("hw_decimal", exact, ["VARCHAR", "VARCHAR", "VARCHAR", "INTEGER"], "VARCHAR"),
    Routine("hw_decimal_of", decimal_of, ["VARCHAR", "INTEGER", "INTEGER"], "VARCHAR"),
)

"""Division of decimals whose digits do not fit into 128 bits on the way: Trino divides in 256."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal

from headwater.stack.lakehouse.sql.routines.model import Routine, RoutineFailed

_CONTEXT = Context(prec=120)
"""More digits than two times 38 and a scale: no quotient is so near to a half that they would not tell the side."""
_MOST = 10**38


def quotient(dividend: str, divisor: str, scale: int) -> str:
    """The quotient with so many digits behind the point, rounded half up.

    >>> quotient("5.02797279921331664759", "0.71828182845904523537", 20)
    '7.00000000000000000000'
    """
    exact = _CONTEXT.divide(Decimal(dividend), Decimal(divisor))
    rounded = exact.quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP, _CONTEXT)
    if abs(rounded.scaleb(scale, _CONTEXT)) >= _MOST:
        raise RoutineFailed("Decimal overflow", "NUMERIC_VALUE_OUT_OF_RANGE")
    return f"{rounded:f}"


ROUTINES = (Routine("hw_quotient", quotient, ["VARCHAR", "VARCHAR", "INTEGER"], "VARCHAR"),)

"""Casts to decimal that go by the digits of a text: DuckDB's own lose digits of doubles, and misread exponents."""

from __future__ import annotations

from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.expression import attempt


def text_to_decimal(sql: str, target: t.Type, *, safe: bool) -> str:
    """A text that is a number. DuckDB reads ``9e-06`` as 0.0001 where four digits are kept."""
    kind = t.to_duckdb(target)
    plain = f"{'TRY_CAST' if safe else 'CAST'}({sql} AS {kind})"
    written = f"CAST(hw_decimal_of({sql}, {target.params[0]}, {target.params[1]}) AS {kind})"
    return f"CASE WHEN contains(lower({sql}), 'e') THEN {attempt(written) if safe else written} ELSE {plain} END"


def real_to_decimal(sql: str, target: t.Type, *, safe: bool) -> str:
    """A real is the number that its text shows."""
    return text_to_decimal(f"hw_real_text({sql})", target, safe=safe)


def double_to_decimal(sql: str, target: t.Type, *, safe: bool) -> str:
    """A double is the number that its text shows: 1.005 becomes 1.01, though it is a little less than 1.005.

    Where the scaled value is small and not near to a half, its exact value rounds to the same, at a tenth of the cost.
    """
    scaled = f"abs({sql} * 1e{target.params[1]})"
    quick = f"{'TRY_CAST' if safe else 'CAST'}({sql} AS {t.to_duckdb(target)})"
    slow = text_to_decimal(f"CAST({sql} AS VARCHAR)", target, safe=safe)
    return f"CASE WHEN {scaled} < 1e12 AND abs({scaled} % 1 - 0.5) > 1e-3 THEN {quick} ELSE {slow} END"

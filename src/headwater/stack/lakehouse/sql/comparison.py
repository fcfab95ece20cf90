"""Comparisons: both sides in their common type, or TYPE_MISMATCH; Trino never compares text with numbers."""

from __future__ import annotations

from collections.abc import Sequence

from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.coerce import coerce, common_type
from headwater.stack.lakehouse.sql.expression import Expr
from headwater.stack.lakehouse.sql.failures import Position, SqlError

_SHOWN = {"IS DISTINCT FROM": "=", "IS NOT DISTINCT FROM": "=", "<>": "="}
_NOT_ORDERED = ("map", "json")


def together(values: Sequence[Expr]) -> list[Expr] | None:
    """The values in the one type that all convert to, or ``None`` if there is none."""
    kind: t.Type | None = t.UNKNOWN
    for value in values:
        kind = common_type(kind, value.type) if kind is not None else None
    if kind is None:
        return None
    return [coerce(value, kind) if kind.name != "unknown" else value for value in values]


def comparison(operator: str, left: Expr, right: Expr, position: Position) -> Expr:
    """``left operator right``.

    >>> comparison("=", Expr("a", t.VARCHAR), Expr("1", t.INTEGER), (1, 8))
    Traceback (most recent call last):
    ...
    headwater.stack.lakehouse.sql.failures.SqlError: TYPE_MISMATCH: line 1:8: Cannot apply operator: varchar = integer
    """
    pair = together([left, right])
    if pair is None or (operator in ("<", "<=", ">", ">=") and pair[0].type.name in _NOT_ORDERED):
        shown = _SHOWN.get(operator, operator)
        raise SqlError("TYPE_MISMATCH", f"Cannot apply operator: {left.type} {shown} {right.type}", position)
    sql = f"({pair[0].sql} {operator} {pair[1].sql})"
    if pair[0].type.name in t.APPROXIMATE:
        sql = _without_nan(sql, operator, pair)
    return Expr(sql, t.BOOLEAN, constant=left.constant and right.constant)


def _without_nan(sql: str, operator: str, pair: Sequence[Expr]) -> str:
    """NaN equals nothing and is greater than nothing in Trino; in DuckDB it equals itself and is the greatest."""
    greater = pair[1] if operator in ("<", "<=") else pair[0]
    if greater.literal is not None or operator.startswith("IS"):
        return sql
    if operator == "<>":
        return f"({sql} OR isnan({greater.sql}))" if pair[1].literal is None else sql
    if operator == "=" and pair[1].literal is not None:
        return sql
    return f"({sql} AND NOT isnan({greater.sql}))"


def one_of(value: Expr, items: Sequence[Expr], position: Position) -> Expr:
    """``value IN (item, …)``."""
    merged = together([value, *items])
    if merged is None:
        kinds = sorted({str(item.type) for item in items})
        shown = ", ".join([str(value.type), *kinds])
        message = f"IN value and list items must be the same type or coercible to a common type: {shown}"
        raise SqlError("TYPE_MISMATCH", message, position)
    return Expr(f"({merged[0].sql} IN ({', '.join(item.sql for item in merged[1:])}))", t.BOOLEAN)

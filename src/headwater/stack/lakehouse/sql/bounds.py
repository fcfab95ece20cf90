"""Conditions on timestamps once more, on the values as the file has them: only such let DuckDB skip row groups.

A Parquet file's microseconds are rounded to Athena's milliseconds, which hides the column from the reader's statistics.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from headwater.stack.lakehouse.sql.expressions import Expressions
from headwater.stack.lakehouse.sql.prune import MIRRORED, OPERATORS, conjuncts
from headwater.stack.lakehouse.sql.scope import Field

# More than rounding can move a value.
_LOW, _HIGH = "- to_milliseconds(1)", "+ to_milliseconds(1)"
_BOUNDS = {"=": (_LOW, _HIGH), "<": ("", _HIGH), "<=": ("", _HIGH), ">": (_LOW, ""), ">=": (_LOW, "")}


def raw_bounds(condition: exp.Expression, rules: Expressions) -> str:
    """``AND r5 <= …`` for each conjunct that compares a timestamp column with a value that no row decides."""
    return "".join(f" AND {bound}" for node in conjuncts(condition) for bound in _bounds(node, rules))


def _bounds(node: exp.Expression, rules: Expressions) -> Iterator[str]:
    operator = OPERATORS.get(type(node))
    if operator is not None:
        left, right = node.this, node.expression
        if isinstance(right, exp.Column):
            left, right, operator = right, left, MIRRORED[operator]
        yield from _compared(left, operator, right, rules)
    elif isinstance(node, exp.Between):
        yield from _compared(node.this, ">=", node.args["low"], rules)
        yield from _compared(node.this, "<=", node.args["high"], rules)


def _compared(column: exp.Expression, operator: str, value: exp.Expression, rules: Expressions) -> Iterator[str]:
    field = _timestamp_field(column, rules)
    if field is None or value.find(exp.Column, exp.Query, exp.Lambda):
        return
    bound = rules.translate(value)
    if bound.type.name not in ("date", "timestamp"):
        return
    low, high = _BOUNDS[operator]
    if low:
        yield f"{field.raw} >= CAST({bound.sql} AS TIMESTAMP) {low}"
    if high:
        yield f"{field.raw} <= CAST({bound.sql} AS TIMESTAMP) {high}"


def _timestamp_field(node: exp.Expression, rules: Expressions) -> Field | None:
    if not isinstance(node, exp.Column):
        return None
    found = rules.scope.find([part.name.lower() for part in node.parts], (1, 1))
    return found[0] if found is not None and not found[1] and found[0].raw else None

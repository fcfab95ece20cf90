"""Comparisons: both sides in their common type, or TYPE_MISMATCH; Trino never compares text with numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.coerce import coerce, common_type
from headwater.stack.lakehouse.sql.expression import Expr, fail
from headwater.stack.lakehouse.sql.failures import Position, SqlError

_SHOWN = {"IS DISTINCT FROM": "=", "IS NOT DISTINCT FROM": "=", "<>": "="}


def together(values: Sequence[Expr]) -> list[Expr] | None:
    """The values in the one type that all convert to, or ``None`` if there is none."""
    kind: t.Type | None = t.UNKNOWN
    for value in values:
        kind = common_type(kind, value.type) if kind is not None else None
    if kind is None:
        return None
    if kind.name == "unknown":
        return list(values)
    # A zone that is not the same in all values is not known in the type of any.
    return [replace(coerce(value, kind), type=kind) for value in values]


def comparison(operator: str, left: Expr, right: Expr, position: Position) -> Expr:
    """``left operator right``.

    >>> comparison("=", Expr("a", t.VARCHAR), Expr("1", t.INTEGER), (1, 8))
    Traceback (most recent call last):
    ...
    headwater.stack.lakehouse.sql.failures.SqlError: TYPE_MISMATCH: line 1:8: Cannot apply operator: varchar = integer
    """
    if "char" in (left.type.name, right.type.name) and t.is_text(left.type) and t.is_text(right.type):
        # Padding makes no difference between values of char.
        texts = (f"rtrim({side.sql}, ' ')" for side in (left, right))
        return Expr(f"({f' {operator} '.join(texts)})", t.BOOLEAN, constant=left.constant and right.constant)
    pair = together([left, right])
    if pair is None or (operator in ("<", "<=", ">", ">=") and not t.is_orderable(pair[0].type)):
        shown = _SHOWN.get(operator, operator)
        raise SqlError("TYPE_MISMATCH", f"Cannot apply operator: {left.type} {shown} {right.type}", position)
    if pair[0].type.items and not operator.startswith("IS"):
        return Expr(_nested(operator, pair), t.BOOLEAN, constant=left.constant and right.constant)
    sql = f"({pair[0].sql} {operator} {pair[1].sql})"
    if pair[0].type.name in t.APPROXIMATE:
        sql = _without_nan(sql, operator, pair)
    return Expr(sql, t.BOOLEAN, constant=left.constant and right.constant)


def _nested(operator: str, pair: Sequence[Expr]) -> str:
    """Of arrays, maps and rows: a NULL inside leaves equality open, and cannot be ordered."""
    a, b, kind = pair[0].sql, pair[1].sql, pair[0].type
    if operator in ("=", "<>"):
        equal = equal_values(a, b, kind)
        return f"(NOT {equal})" if operator == "<>" else equal
    holes = " OR ".join(_holes(sql, kind) for sql in (a, b))
    message = f"'NOT_SUPPORTED: {kind.name.upper()} comparison not supported for values with null elements'"
    refusal = fail(message, t.BOOLEAN, f"coalesce(CAST({a} AS VARCHAR), '')")
    return f"(CASE WHEN {a} IS NULL OR {b} IS NULL THEN NULL WHEN {holes} THEN {refusal} ELSE {a} {operator} {b} END)"


def _holes(sql: str, kind: t.Type) -> str:
    if kind.name == "array":
        return f"list_position({sql}, NULL) IS NOT NULL"
    return " OR ".join(f"struct_extract({sql}, 'f{i}') IS NULL" for i in range(len(kind.items)))


def equal_values(a: str, b: str, kind: t.Type, depth: int = 0) -> str:
    """Whether two values are equal by Trino's rules: one difference decides, else a NULL on either side is unknown."""
    if kind.name == "array":
        z = f"q{depth}"
        inner = equal_values(f"{z}[1]", f"{z}[2]", kind.items[0], depth + 1)
        return _all_of(a, b, f"len({a}) = len({b})", f"list_transform(list_zip({a}, {b}), lambda {z}: {inner})")
    if kind.name == "map":
        k = f"q{depth}"
        inner = equal_values(f"{a}[{k}]", f"{b}[{k}]", kind.items[1], depth + 1)
        found = (
            f"list_transform(map_keys({a}), lambda {k}: CASE WHEN map_contains({b}, {k}) THEN {inner} ELSE false END)"
        )
        return _all_of(a, b, f"cardinality({a}) = cardinality({b})", found)
    if kind.name == "row":
        fields = (
            equal_values(f"struct_extract({a}, 'f{i}')", f"struct_extract({b}, 'f{i}')", item, depth + 1)
            for i, item in enumerate(kind.items)
        )
        return f"(CASE WHEN {a} IS NOT NULL AND {b} IS NOT NULL THEN {' AND '.join(fields)} END)"
    return f"({a} = {b})"


def _all_of(a: str, b: str, sizes: str, results: str) -> str:
    return (
        f"(CASE WHEN {a} IS NULL OR {b} IS NULL THEN NULL WHEN NOT ({sizes}) THEN false "
        f"WHEN list_contains({results}, false) THEN false "
        f"WHEN list_position({results}, NULL) IS NOT NULL THEN NULL ELSE true END)"
    )


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
    if any(side.type.name == "char" for side in (value, *items)):
        return Expr(f"({' OR '.join(comparison('=', value, item, position).sql for item in items)})", t.BOOLEAN)
    merged = together([value, *items])
    if merged is None:
        kinds = sorted({str(item.type) for item in items})
        shown = ", ".join([str(value.type), *kinds])
        message = f"IN value and list items must be the same type or coercible to a common type: {shown}"
        raise SqlError("TYPE_MISMATCH", message, position)
    if merged[0].type.items:
        tests = (equal_values(merged[0].sql, item.sql, item.type) for item in merged[1:])
        return Expr(f"({' OR '.join(tests)})", t.BOOLEAN)
    if merged[0].type.name in t.APPROXIMATE and any(item.literal is None for item in items):
        # NaN is in no list.
        tests = (comparison("=", merged[0], item, position).sql for item in merged[1:])
        return Expr(f"({' OR '.join(tests)})", t.BOOLEAN)
    return Expr(f"({merged[0].sql} IN ({', '.join(item.sql for item in merged[1:])}))", t.BOOLEAN)

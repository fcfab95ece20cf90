"""Comparisons: both sides in their common type, or TYPE_MISMATCH; Trino never compares text with numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.coerce import coerce, common_type
from headwater.stack.lakehouse.sql.datazones import at_instant, with_zone_of
from headwater.stack.lakehouse.sql.expression import Expr, fail, refused
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
    return [with_zone_of(coerce(value, kind), kind) for value in values]


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
    pair = together([at_instant(left), at_instant(right)])
    if pair is None or (operator in ("<", "<=", ">", ">=") and not t.is_orderable(pair[0].type)):
        shown = _SHOWN.get(operator, operator)
        raise SqlError("TYPE_MISMATCH", f"Cannot apply operator: {left.type} {shown} {right.type}", position)
    if pair[0].type.items and not operator.startswith("IS"):
        return Expr(_nested(operator, pair), t.BOOLEAN, constant=left.constant and right.constant)
    a, b = (with_sorted_keys(side.sql, side.type) for side in pair)
    sql = f"({a} {operator} {b})"
    if pair[0].type.name in t.APPROXIMATE:
        sql = _without_nan(sql, operator, pair)
    return Expr(sql, t.BOOLEAN, constant=left.constant and right.constant)


def _nested(operator: str, pair: Sequence[Expr]) -> str:
    """Of arrays, maps and rows: a NULL inside leaves equality open, and cannot be ordered."""
    a, b, kind = pair[0].sql, pair[1].sql, pair[0].type
    if operator in ("=", "<>"):
        equal = equal_values(a, b, kind)
        return f"(NOT {equal})" if operator == "<>" else equal
    sides = (with_no_null_inside(sql, kind) for sql in (a, b))
    return f"(CASE WHEN {a} IS NULL OR {b} IS NULL THEN NULL ELSE {f' {operator} '.join(sides)} END)"


def with_no_null_inside(sql: str, kind: t.Type) -> str:
    """The value to be ordered: one of a nested type that holds a NULL has no place in the order."""
    if not kind.items:
        return sql
    message = f"'NOT_SUPPORTED: {kind.name.upper()} comparison not supported for values with null elements'"
    refusal = fail(message, kind, f"coalesce(CAST({sql} AS VARCHAR), '')")
    return f"CASE WHEN {has_null_inside(sql, kind)} THEN {refusal} ELSE {sql} END"


def has_null_inside(sql: str, kind: t.Type) -> str:
    """Whether a nested value holds a NULL, at any depth; false for NULL itself."""
    return _holds(sql, kind, lambda part, _: f"{part} IS NULL")


def to_take_greatest_of(sql: str, kind: t.Type) -> str:
    """The value where the greatest is asked for: NaN inside of a nested one is the greatest in DuckDB, not in Trino."""
    nan = _holds(sql, kind, lambda part, leaf: f"isnan({part})" if leaf.name in t.APPROXIMATE else "false")
    if not kind.items or "isnan" not in nan:
        return with_no_null_inside(sql, kind)
    message = f"the greatest {kind.name} of some with NaN is not supported by Headwater''s local Athena"
    refusal = refused(f"'{message}' || left(CAST({sql} AS VARCHAR), 0)", kind)
    return f"CASE WHEN {nan} THEN {refusal} ELSE {with_no_null_inside(sql, kind)} END"


def _holds(sql: str, kind: t.Type, test: Callable[[str, t.Type], str], depth: int = 0) -> str:
    if kind.name == "row":
        fields = [(f"struct_extract({sql}, 'f{i}')", item) for i, item in enumerate(kind.items)]
        tests = [test(field, item) for field, item in fields]
        tests += [_holds(field, item, test, depth + 1) for field, item in fields if item.items]
        return f"({sql} IS NOT NULL AND ({' OR '.join(tests)}))"
    if not kind.items:
        return "false"
    values, item = (f"map_values({sql})", kind.items[1]) if kind.name == "map" else (sql, kind.items[0])
    e = f"h{depth}"
    inner = f" OR {_holds(e, item, test, depth + 1)}" if item.items else ""
    return f"coalesce(len(list_filter({values}, lambda {e}: {test(e, item)}{inner})) > 0, false)"


def with_sorted_keys(sql: str, kind: t.Type, depth: int = 0) -> str:
    """The value as it is to be told from others: the order of a map's entries makes no difference in Trino."""
    if not _has_map(kind):
        return sql
    e = f"o{depth}"
    if kind.name == "array":
        return f"list_transform({sql}, lambda {e}: {with_sorted_keys(e, kind.items[0], depth + 1)})"
    if kind.name == "row":
        fields = (with_sorted_keys(f"struct_extract({sql}, 'f{i}')", k, depth + 1) for i, k in enumerate(kind.items))
        packed = ", ".join(f"f{i} := {field}" for i, field in enumerate(fields))
        return f"CASE WHEN {sql} IS NOT NULL THEN struct_pack({packed}) END"
    parts = (
        with_sorted_keys(f"{e}.{name}", k, depth + 1) for name, k in zip(("key", "value"), kind.items, strict=True)
    )
    packed = ", ".join(f"{name} := {part}" for name, part in zip(("k", "v"), parts, strict=True))
    entries = f"list_sort(list_transform(map_entries({sql}), lambda {e}: struct_pack({packed})))"
    return f"CASE WHEN {sql} IS NOT NULL THEN CAST(map_from_entries({entries}) AS {t.to_duckdb(kind)}) END"


def _has_map(kind: t.Type) -> bool:
    return kind.name == "map" or any(_has_map(item) for item in kind.items)


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
    if kind.name in t.APPROXIMATE:
        return f"({a} = {b} AND NOT isnan({a}))"
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
    merged = together([at_instant(side) for side in (value, *items)])
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

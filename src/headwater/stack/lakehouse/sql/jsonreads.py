"""``CAST(json AS array/map/row)``: JSON arrays and objects as SQL values, each element cast by its own rule."""

from __future__ import annotations

from collections.abc import Callable

from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.expression import Expr, fail, quote_text

CastOne = Callable[[Expr, t.Type], Expr]
"""Casts a scalar: a JSON value, or the text of an object's key."""


def nested_value(sql: str, target: t.Type, cast_one: CastOne, depth: int = 0) -> str:
    """The value of a JSON text. JSON null is NULL; a row is read from an object by name, from an array by position."""
    if target.name == "json":
        return sql
    if target.name not in ("array", "map", "row"):
        return cast_one(Expr(sql, t.JSON), target).sql
    kind = f"json_type({sql})"
    message = f"'INVALID_CAST_ARGUMENT: Cannot cast to {target}. Expected a json '"
    wrong = fail(f"{message} || {quote_text(_EXPECTED[target.name])} || ', but got ' || left({sql}, 40)", target)
    cases = {"array": _array, "map": _map, "row": _row}[target.name](sql, target, cast_one, depth)
    return f"CASE WHEN {sql} IS NULL OR {kind} = 'NULL' THEN NULL {cases} ELSE {wrong} END"


_EXPECTED = {"array": "array", "map": "object", "row": "object or array"}


def _array(sql: str, target: t.Type, cast_one: CastOne, depth: int) -> str:
    item = f"n{depth}"
    inner = nested_value(item, target.items[0], cast_one, depth + 1)
    return f"WHEN json_type({sql}) = 'ARRAY' THEN list_transform(CAST({sql} AS JSON[]), lambda {item}: {inner})"


def _map(sql: str, target: t.Type, cast_one: CastOne, depth: int) -> str:
    item = f"n{depth}"
    key = cast_one(Expr(item, t.VARCHAR), target.items[0]).sql
    value = nested_value(item, target.items[1], cast_one, depth + 1)
    keys = f"list_transform(json_keys({sql}), lambda {item}: {key})"
    values = f"list_transform(map_values(CAST({sql} AS MAP(VARCHAR, JSON))), lambda {item}: {value})"
    return f"WHEN json_type({sql}) = 'OBJECT' THEN map({keys}, {values})"


def _row(sql: str, target: t.Type, cast_one: CastOne, depth: int) -> str:
    by_name, by_place = [], []
    for i, (name, kind) in enumerate(zip(target.names, target.items, strict=True)):
        by_name.append(f"f{i} := {nested_value(_member(sql, name or '', depth), kind, cast_one, depth + 1)}")
        by_place.append(f"f{i} := {nested_value(f'json_extract({sql}, {i})', kind, cast_one, depth + 1)}")
    return (
        f"WHEN json_type({sql}) = 'OBJECT' THEN struct_pack({', '.join(by_name)}) "
        f"WHEN json_array_length({sql}) = {len(target.items)} THEN struct_pack({', '.join(by_place)})"
    )


def _member(sql: str, name: str, depth: int) -> str:
    """The value of a key, in any case."""
    key = f"list_filter(json_keys({sql}), lambda m{depth}: lower(m{depth}) = {quote_text(name.lower())})[1]"
    return f"json_extract({sql}, '$.\"' || replace({key}, '\"', '\\\"') || '\"')"

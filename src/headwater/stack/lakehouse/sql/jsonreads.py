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


_ANONYMOUS = "Cannot cast a JSON object to anonymous row type. Input must be a JSON array."
_EXPECTED = {"array": "array", "map": "object", "row": "object or array"}


def _array(sql: str, target: t.Type, cast_one: CastOne, depth: int) -> str:
    item = f"n{depth}"
    inner = nested_value(item, target.items[0], cast_one, depth + 1)
    items = _items(sql, target) or f"CAST({sql} AS JSON[])"
    return f"WHEN json_type({sql}) = 'ARRAY' THEN list_transform({items}, lambda {item}: {inner})"


_MOST_EXACT = 15


def _items(sql: str, target: t.Type) -> str:
    """The elements or values for a type with decimals of more digits than the doubles have that DuckDB reads."""
    wide = target.name == "decimal" and target.params[0] > _MOST_EXACT
    if not wide and not any(_items(sql, item) for item in target.items):
        return ""
    return f"CAST(hw_json_items(CAST({sql} AS VARCHAR)) AS JSON[])"


def _map(sql: str, target: t.Type, cast_one: CastOne, depth: int) -> str:
    item = f"n{depth}"
    key = cast_one(Expr(item, t.VARCHAR), target.items[0]).sql
    value = nested_value(item, target.items[1], cast_one, depth + 1)
    keys = f"list_transform(json_keys({sql}), lambda {item}: {key})"
    items = _items(sql, target) or f"map_values(CAST({sql} AS MAP(VARCHAR, JSON)))"
    values = f"list_transform({items}, lambda {item}: {value})"
    twice = fail(f"'INVALID_CAST_ARGUMENT: Cannot cast to {target}. Duplicate keys are not allowed'", target, sql)
    return (
        f"WHEN json_type({sql}) = 'OBJECT' AND len(list_distinct({keys})) < len({keys}) THEN {twice} "
        f"WHEN json_type({sql}) = 'OBJECT' THEN map({keys}, {values})"
    )


def _row(sql: str, target: t.Type, cast_one: CastOne, depth: int) -> str:
    by_name, by_place = [], []
    for i, (name, kind) in enumerate(zip(target.names, target.items, strict=True)):
        items = _items(sql, kind)
        named = f"{items}[list_position(json_keys({sql}), {_key(sql, name or '', depth)})]" if items else ""
        placed = f"{items}[{i + 1}]" if items else f"json_extract({sql}, {i})"
        member = named or _member(sql, name or "", depth)
        by_name.append(f"f{i} := {nested_value(member, kind, cast_one, depth + 1)}")
        by_place.append(f"f{i} := {nested_value(placed, kind, cast_one, depth + 1)}")
    named = f"struct_pack({', '.join(by_name)})"
    if target.names[0] is None:
        message = f"'INVALID_CAST_ARGUMENT: Cannot cast to {target}. {_ANONYMOUS}'"
        named = fail(message, target, sql)
    return (
        f"WHEN json_type({sql}) = 'OBJECT' THEN {named} "
        f"WHEN json_array_length({sql}) = {len(target.items)} THEN struct_pack({', '.join(by_place)})"
    )


def _member(sql: str, name: str, depth: int) -> str:
    """The value of a key, in any case."""
    return f"json_extract({sql}, '$.\"' || replace({_key(sql, name, depth)}, '\"', '\\\"') || '\"')"


def _key(sql: str, name: str, depth: int) -> str:
    return f"list_filter(json_keys({sql}), lambda m{depth}: lower(m{depth}) = {quote_text(name.lower())})[1]"

"""Map functions (https://trino.io/docs/current/functions/map.html)."""

from __future__ import annotations

from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.comparison import has_null_inside
from headwater.stack.lakehouse.sql.expression import Expr, distinct, fail
from headwater.stack.lakehouse.sql.functions.model import Call, Function, family
from headwater.stack.lakehouse.sql.text import display_text

_f = family("map")


def _subscript(call: Call) -> Expr:
    """``map[key]``: a missing key is an error, where DuckDB gives NULL."""
    value, key = call.arguments
    kind = value.type.items[1]
    message = f"'INVALID_FUNCTION_ARGUMENT: Key not present in map: ' || {display_text(key.sql, key.type)}"
    sql = (
        f"CASE WHEN {value} IS NULL OR {key} IS NULL THEN NULL WHEN NOT map_contains({value}, {key}) "
        f"THEN {fail(message, kind, key.sql)} ELSE {value}[{key}] END"
    )
    return Expr(sql, kind)


def _empty(call: Call) -> Expr:
    del call
    return Expr("CAST(map {} AS MAP(INTEGER, INTEGER))", t.map_of(t.UNKNOWN, t.UNKNOWN))


def _made(keys: str, values: str, kind: t.Type, said: str) -> str:
    """The map of keys and values. A key twice and a NULL inside of a key are errors that name the key."""
    key = kind.items[0]
    twice = f"list_filter({keys}, lambda e, i: list_position({keys}, e) < i)[1]"
    duplicate = f"'INVALID_FUNCTION_ARGUMENT: {said} (' || {display_text(twice, key)} || ') are not allowed'"
    tests = f"WHEN len(list_distinct({keys})) < len({keys}) AND list_position({keys}, NULL) IS NULL "
    tests += f"THEN {fail(duplicate, kind)}"
    if key.items:
        unclear = f"list_filter({keys}, lambda e: {has_null_inside('e', key)})"
        message = (
            f"'INVALID_FUNCTION_ARGUMENT: map key cannot be indeterminate: ' || {display_text(f'{unclear}[1]', key)}"
        )
        tests += f" WHEN len({unclear}) > 0 THEN {fail(message, kind)}"
    return f"CASE {tests} ELSE CAST(map({keys}, {values}) AS {t.to_duckdb(kind)}) END"


def _from_arrays(call: Call) -> Expr:
    keys, values = call.arguments
    kind = t.map_of(keys.type.items[0], values.type.items[0])
    return Expr(_made(keys.sql, values.sql, kind, "Duplicate map keys"), kind)


def _entries(call: Call) -> Expr:
    value = call.arguments[0]
    kind = t.array(t.row_of((None, value.type.items[0]), (None, value.type.items[1])))
    packed = "struct_pack(f0 := e.key, f1 := e.value)"
    return Expr(f"list_transform(map_entries({value}), lambda e: {packed})", kind)


def _concat(call: Call) -> str:
    nulls = " OR ".join(f"{a} IS NULL" for a in call.arguments)
    return f"CASE WHEN {nulls} THEN NULL ELSE map_concat({', '.join(a.sql for a in call.arguments)}) END"


_ENTRY = ((("m#", "m#.key"), ("", "m#.value")),)


def _filter(call: Call) -> str:
    kept = f"list_filter(map_entries({call.arguments[0]}), {call.arguments[1]})"
    return f"CASE WHEN {call.arguments[0]} IS NOT NULL THEN map_from_entries({kept}) END"


def _transform_values(call: Call) -> str:
    value = call.arguments[0]
    values = f"list_transform(map_entries({value}), {call.arguments[1]})"
    return f"CASE WHEN {value} IS NOT NULL THEN map(map_keys({value}), {values}) END"


def _transform_keys(call: Call) -> str:
    value = call.arguments[0]
    keys = f"list_transform(map_entries({value}), {call.arguments[1]})"
    made = _made(keys, f"map_values({value})", call.result, "Duplicate keys")
    return f"CASE WHEN {value} IS NOT NULL THEN {made} END"


def _split_to_map(call: Call) -> str:
    """Each entry has the second delimiter once, and each key stands once."""
    text, entry, pair = call.arguments
    return f"hw_split_to_map({text}, {entry}, {pair})"


def _from_entries(call: Call) -> str:
    """A key twice is an error, in both."""
    entries = call.arguments[0]
    keys = f"list_transform({entries}, lambda e: struct_extract(e, 'f0'))"
    values = f"list_transform({entries}, lambda e: struct_extract(e, 'f1'))"
    made = _made(keys, values, call.result, "Duplicate keys")
    return f"CASE {_no_null_entry(call)} WHEN {entries} IS NOT NULL THEN {made} END"


def _no_null_entry(call: Call) -> str:
    entries = call.arguments[0]
    message = "'INVALID_FUNCTION_ARGUMENT: map entry cannot be null'"
    return f"WHEN list_position({entries}, NULL) IS NOT NULL THEN {fail(message, call.result, f'len({entries})')}"


def _multimap_from_entries(call: Call) -> str:
    entries = call.arguments[0]
    all_keys = f"list_transform({entries}, lambda e: struct_extract(e, 'f0'))"
    keys = distinct(all_keys)
    of_key = f"list_filter({entries}, lambda e: struct_extract(e, 'f0') = k)"
    values = f"list_transform({keys}, lambda k: list_transform({of_key}, lambda e: struct_extract(e, 'f1')))"
    return f"CASE {_no_null_entry(call)} WHEN {entries} IS NOT NULL THEN map({keys}, {values}) END"


_PAIRED = ((("m#", "m#.k"), ("", "m#.v"), ("", "m#.w")),)


def _zip_with(call: Call) -> str:
    """Each key of either map; the side that lacks it gives NULL."""
    a, b, function = call.arguments
    all_keys = f"list_concat(map_keys({a}), map_keys({b}))"
    keys = distinct(all_keys)
    rows = f"list_transform({keys}, lambda q: struct_pack(k := q, v := {a}[q], w := {b}[q]))"
    return f"CASE WHEN {a} IS NOT NULL AND {b} IS NOT NULL THEN map({keys}, list_transform({rows}, {function})) END"


FUNCTIONS: tuple[Function, ...] = (
    _f("$subscript(map(K, V), K) -> V", _subscript),
    _f("map() -> any", _empty),
    _f("map(array(K), array(V)) -> map(K, V)", _from_arrays),
    _f("cardinality(map(K, V)) -> bigint", "CAST(cardinality({0}) AS BIGINT)"),
    _f("element_at(map(K, V), K) -> V", "{0}[{1}]"),
    _f("map_keys(map(K, V)) -> array(K)", "map_keys({0})"),
    _f("map_values(map(K, V)) -> array(V)", "map_values({0})"),
    _f("map_entries(map(K, V)) -> array(any)", _entries),
    _f("map_concat(map(K, V), map(K, V)...) -> map(K, V)", _concat),
    _f("map_filter(map(K, V), (K, V) -> boolean) -> map(K, V)", _filter, *_ENTRY),
    _f("transform_values(map(K, V), (K, V) -> W) -> map(K, W)", _transform_values, *_ENTRY),
    _f("transform_keys(map(K, V), (K, V) -> W) -> map(W, V)", _transform_keys, *_ENTRY),
    _f("map_from_entries(array(row(K, V))) -> map(K, V)", _from_entries),
    _f("multimap_from_entries(array(row(K, V))) -> map(K, array(V))", _multimap_from_entries),
    _f("map_zip_with(map(K, V), map(K, W), (K, V, W) -> R) -> map(K, R)", _zip_with, *_PAIRED),
    _f("split_to_map(varchar, varchar, varchar) -> map(varchar, varchar)", _split_to_map),
)

"""Aggregates that make maps: the rows of a group are sorted by key once, because a search for each key took hours."""

from __future__ import annotations

from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.expression import Expr, bound
from headwater.stack.lakehouse.sql.functions.model import Call, Function, family

_f = family("aggregate", "aggregate")


def entries_of(call: Call, packed: str) -> str:
    """What the rows of a group give, as a list in their order, without NULL."""
    return f"list_filter(list({call.distinct}{packed}{call.order}){call.over}, lambda e: e IS NOT NULL)"


def _by_key(entries: str, values: str) -> str:
    """The map of a list of ``(k, v)``: keys in the order in which they come first, NULL of an empty list.

    ``values`` is what a key gets of the sorted list ``m``, where its entries are from ``z[1]`` to before ``z[2]``.
    """
    numbered = f"list_sort(list_transform({entries}, lambda e, i: struct_pack(k := e.k, i := i, v := e.v)))"
    starts = "list_filter(range(1, len(m) + 1), lambda j: j = 1 OR m[j].k IS DISTINCT FROM m[j - 1].k)"
    spans = "list_zip(p, list_concat(list_slice(p, 2, len(p)), [len(m) + 1]))"
    group = f"struct_pack(i := m[z[1]].i, k := m[z[1]].k, v := {values})"
    groups = bound({"m": numbered, "p": starts}, f"list_sort(list_transform({spans}, lambda z: {group}))")
    made = "map(list_transform(r, lambda e: e.k), list_transform(r, lambda e: e.v))"
    return f"CASE WHEN len({entries}) > 0 THEN {bound({'r': groups}, made)} END"


_FIRST = "m[z[1]].v"
_ALL = "list_transform(range(z[1], z[2]), lambda j: m[j].v)"


def _pairs(call: Call) -> str:
    key, value = call.arguments
    return entries_of(call, f"CASE WHEN {key} IS NOT NULL THEN struct_pack(k := {key}, v := {value}) END")


def _map_agg(call: Call) -> Expr:
    """A key with NULL is left out; of several values for a key one is kept, the first here."""
    return Expr(_by_key(_pairs(call), _FIRST), t.map_of(*(a.type for a in call.arguments)))


def _multimap_agg(call: Call) -> str:
    return _by_key(_pairs(call), _ALL)


def _map_union(call: Call) -> str:
    """Of several values for a key one is kept, the first here."""
    value = call.arguments[0]
    entries = f"flatten({entries_of(call, f'map_entries({value})')})"
    pairs = f"list_transform({entries}, lambda e: struct_pack(k := e.key, v := e.value))"
    empty = f"CAST(map {{}} AS {t.to_duckdb(value.type)})"
    return f"CASE WHEN count({value}){call.over} > 0 THEN coalesce({_by_key(pairs, _FIRST)}, {empty}) END"


FUNCTIONS: tuple[Function, ...] = (
    _f("map_agg(K, V) -> map(K, V)", _map_agg),
    _f("map_union(map(K, V)) -> map(K, V)", _map_union),
    _f("multimap_agg(K, V) -> map(K, array(V))", _multimap_agg),
)

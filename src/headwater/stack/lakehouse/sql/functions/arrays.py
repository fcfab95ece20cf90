"""Array functions (https://trino.io/docs/current/functions/array.html)."""

from __future__ import annotations

import re

from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.casts import cast
from headwater.stack.lakehouse.sql.comparison import (
    equal_values,
    to_take_greatest_of,
    with_no_null_inside,
    with_sorted_keys,
)
from headwater.stack.lakehouse.sql.expression import Expr, bound, can_fail, distinct, fail
from headwater.stack.lakehouse.sql.failures import SqlError
from headwater.stack.lakehouse.sql.functions.model import Builder, Call, Function, family

_f = family("array")


def _subscript(call: Call) -> Expr:
    """``array[i]``: out of bounds is an error, where DuckDB gives NULL."""
    array, index = call.arguments
    negative = "'INVALID_FUNCTION_ARGUMENT: Array subscript is negative: ' || " + index.sql
    zero = "'INVALID_FUNCTION_ARGUMENT: SQL array indices start at 1'"
    beyond = (
        "'INVALID_FUNCTION_ARGUMENT: Array subscript must be less than or equal to array length: ' || "
        f"{index} || ' > ' || len({array})"
    )
    kind = array.type.items[0]
    sql = (
        f"CASE WHEN {index} = 0 THEN {fail(zero, kind, index.sql)} WHEN {index} < 0 THEN {fail(negative, kind)} "
        f"WHEN {index} > len({array}) THEN {fail(beyond, kind)} ELSE list_extract({array}, {index}) END"
    )
    return Expr(sql, kind)


def _element_at(call: Call) -> Expr:
    """Out of bounds is NULL; a negative index counts from the end; 0 is an error."""
    array, index = call.arguments
    kind = array.type.items[0]
    zero = "'INVALID_FUNCTION_ARGUMENT: SQL array indices start at 1'"
    sql = f"CASE WHEN {index} = 0 THEN {fail(zero, kind, index.sql)} ELSE list_extract({array}, {index}) END"
    return Expr(sql, kind)


def _slice(call: Call) -> str:
    """``slice(array, start, length)``: a start before the array or behind it gives the empty array."""
    array, start, length = call.arguments
    message = "'INVALID_FUNCTION_ARGUMENT: SQL array indices start at 1'"
    negative = "'INVALID_FUNCTION_ARGUMENT: length must be greater than or equal to 0'"
    first = f"CASE WHEN {start} < 0 THEN len({array}) + {start} + 1 ELSE {start} END"
    empty = f"CAST([] AS {t.to_duckdb(call.result)})"
    return (
        f"CASE WHEN {array} IS NULL OR {start} IS NULL OR {length} IS NULL THEN NULL "
        f"WHEN {start} = 0 THEN {fail(message, call.result, start.sql)} "
        f"WHEN {length} < 0 THEN {fail(negative, call.result, length.sql)} "
        f"WHEN {first} < 1 OR {first} > len({array}) OR {length} = 0 THEN {empty} "
        f"ELSE list_slice({array}, {first}, {first} + {length} - 1) END"
    )


def _array_distinct(call: Call) -> str:
    return distinct(with_sorted_keys(call.arguments[0].sql, call.result))


def _intersect(call: Call) -> str:
    """In the order of the longer array."""
    a, b = call.arguments
    longer, shorter = (f"CASE WHEN len({a}) < len({b}) THEN {x} ELSE {y} END" for x, y in ((b, a), (a, b)))
    kept = "list_filter(a, lambda e: list_position(b, e) > 0)"
    found = bound({"a": distinct(longer), "b": shorter}, kept)
    return f"CASE WHEN {a} IS NOT NULL AND {b} IS NOT NULL THEN {found} END"


def _union(call: Call) -> str:
    a, b = call.arguments
    return f"CASE WHEN {a} IS NULL OR {b} IS NULL THEN NULL ELSE {distinct(f'list_concat({a}, {b})')} END"


def _except(call: Call) -> str:
    a, b = call.arguments
    kept = "list_filter(a, lambda e: coalesce(list_position(b, e), 0) = 0)"
    found = bound({"a": distinct(a.sql), "b": b.sql}, kept)
    return f"CASE WHEN {a} IS NOT NULL AND {b} IS NOT NULL THEN {found} END"


def _overlap(call: Call) -> str:
    """NULL when nothing matches and one side holds a NULL."""
    a, b = call.arguments
    common = f"len(list_filter({a}, lambda e: e IS NOT NULL AND list_contains({b}, e))) > 0"
    holes = f"list_position({a}, NULL) IS NOT NULL OR list_position({b}, NULL) IS NOT NULL"
    return (
        f"CASE WHEN {a} IS NULL OR {b} IS NULL THEN NULL WHEN len({a}) = 0 OR len({b}) = 0 THEN false "
        f"WHEN {common} THEN true WHEN {holes} THEN NULL ELSE false END"
    )


def _matches(call: Call) -> str:
    """For each element: 1 if it is the value, -1 if not, 0 if it is NULL, 2 if a NULL inside leaves that open."""
    array, element = call.arguments
    equal = equal_values("e", element.sql, element.type)
    codes = f"CASE WHEN e IS NULL THEN 0 WHEN {equal} THEN 1 WHEN NOT {equal} THEN -1 ELSE 2 END"
    return f"list_transform({array}, lambda e: {codes})"


def _open(call: Call, kind: t.Type) -> str:
    message = f"'NOT_SUPPORTED: {call.name} does not support arrays with elements that are null or contain null'"
    return fail(message, kind, f"CAST({call.arguments[1]} AS VARCHAR)")


def _contains(call: Call) -> str:
    """NULL when the element isn't found and the array holds a NULL."""
    array, element = call.arguments
    if element.type.items:
        codes = _matches(call)
        first = f"list_filter({codes}, lambda e: e > 0)[1]"
        return (
            f"CASE WHEN {array} IS NULL OR {element} IS NULL THEN NULL WHEN {first} = 1 THEN true "
            f"WHEN {first} = 2 THEN {_open(call, t.BOOLEAN)} WHEN list_contains({codes}, 0) THEN NULL ELSE false END"
        )
    return (
        f"CASE WHEN {array} IS NULL OR {element} IS NULL THEN NULL "
        f"WHEN list_contains({array}, {element}){_not_nan(element)} THEN true "
        f"WHEN list_position({array}, NULL) IS NOT NULL THEN NULL ELSE false END"
    )


def _not_nan(element: Expr) -> str:
    """NaN equals nothing in Trino; DuckDB finds it in a list."""
    return f" AND NOT isnan({element})" if element.type.name in t.APPROXIMATE else ""


def _position(call: Call) -> str:
    array, element = call.arguments
    found = f"coalesce(list_position({array}, {element}), 0)"
    if element.type.items:
        codes = _matches(call)
        open_first = f"coalesce(list_filter({codes}, lambda e: e > 0)[1] = 2, false)"
        place = f"coalesce(list_position({codes}, 1), 0)"
        found = f"CASE WHEN {open_first} THEN {_open(call, t.BIGINT)} ELSE {place} END"
    elif element.type.name in t.APPROXIMATE:
        found = f"CASE WHEN isnan({element}) THEN 0 ELSE {found} END"
    return f"CASE WHEN {array} IS NULL OR {element} IS NULL THEN NULL ELSE CAST({found} AS BIGINT) END"


def _remove(call: Call) -> str:
    array, element = call.arguments
    differs = f"NOT {equal_values('e', element.sql, element.type)}"
    kept = f"list_filter({array}, lambda e: e IS NULL OR {differs})"
    if element.type.items:
        kept = f"CASE WHEN list_contains({_matches(call)}, 2) THEN {_open(call, call.result)} ELSE {kept} END"
    return f"CASE WHEN {element} IS NULL THEN NULL ELSE {kept} END"


def _extreme(function: str) -> Builder:
    """NULL if the array is empty or holds a NULL; NaN only if there is nothing else."""

    def build(call: Call) -> Expr:
        array, kind = call.arguments[0], call.arguments[0].type.items[0]
        found = f"{function}({_to_order(array.sql, kind)})"
        if function == "list_max" and kind.items:
            found = f"list_max(list_transform({array}, lambda e: {to_take_greatest_of('e', kind)}))"
        if kind.name in t.APPROXIMATE:
            found = f"coalesce({function}(list_filter({array}, lambda e: NOT isnan(e))), {found})"
        return Expr(f"CASE WHEN list_position({array}, NULL) IS NULL THEN {found} END", kind)

    return build


def _to_order(array: str, kind: t.Type) -> str:
    """The array, with no element that cannot be ordered."""
    return f"list_transform({array}, lambda e: {with_no_null_inside('e', kind)})" if kind.items else array


def _array_sort(call: Call) -> str:
    array = call.arguments[0]
    return f"list_sort({_to_order(array.sql, array.type.items[0])}, 'ASC', 'NULLS LAST')"


def _join(call: Call) -> str:
    array, delimiter = call.arguments[0], call.arguments[1]
    kind = array.type.items[0]
    if kind.name in ("array", "map", "row"):
        raise SqlError("FUNCTION_NOT_FOUND", f"Input type {array.type} not supported for array_join", call.position)
    text = cast(Expr("e", kind), t.VARCHAR, safe=False, position=call.position).sql
    missing = ""
    if len(call.arguments) > 2:
        text = f"coalesce({text}, {call.arguments[2]})"
        missing = f" OR {call.arguments[2]} IS NULL"
    joined = f"coalesce(array_to_string(list_transform({array}, lambda e: {text}), {delimiter}), '')"
    return f"CASE WHEN {array} IS NULL OR {delimiter} IS NULL{missing} THEN NULL ELSE {joined} END"


def _concat(call: Call) -> str:
    nulls = " OR ".join(f"{a} IS NULL" for a in call.arguments)
    joined = call.arguments[0].sql
    for argument in call.arguments[1:]:
        joined = f"list_concat({joined}, {argument})"
    return f"CASE WHEN {nulls} THEN NULL ELSE {joined} END"


def _with_element(function: str) -> Builder:
    """``array || element``: NULL if either is NULL."""

    def build(call: Call) -> str:
        first, second = call.arguments
        added = f"{function}({first}, {second})"
        return f"CASE WHEN {first} IS NOT NULL AND {second} IS NOT NULL THEN {added} END"

    return build


_REDUCE = ((("a#", "a#.s"), ("b#", "b#.e")),)


def _reduce(call: Call) -> Expr:
    """``reduce(array, start, (state, element) -> state, state -> result)``.

    DuckDB folds elements of one type, so that each is put into a struct beside the state.
    """
    array, start, step, finish = call.arguments
    state, element = t.to_duckdb(start.type), t.to_duckdb(array.type.items[0])
    variables, body = step.sql.removeprefix("lambda ").split(": ", 1)
    first = f"struct_pack(s := CAST({start} AS {state}), e := CAST(NULL AS {element}))"
    rest = f"list_transform({array}, lambda x: struct_pack(s := CAST(NULL AS {state}), e := x))"
    fold = f"lambda {variables}: struct_pack(s := CAST({body} AS {state}), e := CAST(NULL AS {element}))"
    folded = f"list_reduce(list_concat([{first}], {rest}), {fold}).s"
    result = f"list_extract(list_transform([{folded}], {finish}), 1)"
    return Expr(f"CASE WHEN {array} IS NOT NULL THEN {result} END", call.result)


def _match(any_of: bool) -> Builder:
    """``any_match`` and ``all_match``: NULL if a NULL leaves it open. Trino stops at the element that decides."""

    def build(call: Call) -> str:
        if can_fail(call.arguments[1].sql):
            return _matched_in_turn(call, any_of=any_of)
        results = f"list_transform({call.arguments[0]}, {call.arguments[1]})"
        deciding, otherwise = ("true", "false") if any_of else ("false", "true")
        return (
            f"CASE WHEN {call.arguments[0]} IS NULL THEN NULL "
            f"WHEN list_contains({results}, {deciding}) THEN {deciding} "
            f"WHEN list_position({results}, NULL) IS NOT NULL THEN NULL ELSE {otherwise} END"
        )

    return build


def _matched_in_turn(call: Call, *, any_of: bool) -> str:
    array, test = call.arguments
    element = t.to_duckdb(array.type.items[0])
    decided, start, word = ("a.s", "false", "OR") if any_of else ("NOT a.s", "true", "AND")
    first = f"struct_pack(s := {start}, e := CAST(NULL AS {element}))"
    rest = f"list_transform({array}, lambda x: struct_pack(s := CAST(NULL AS BOOLEAN), e := x))"
    result = f"list_extract(list_transform([b.e], {test}), 1)"
    fold = f"CASE WHEN {decided} THEN a.s ELSE a.s {word} {result} END"
    packed = f"lambda a, b: struct_pack(s := {fold}, e := CAST(NULL AS {element}))"
    return f"CASE WHEN {array} IS NOT NULL THEN list_reduce(list_concat([{first}], {rest}), {packed}).s END"


def _none_match(call: Call) -> str:
    return f"(NOT {_match(True)(call)})"


def _zip(call: Call) -> Expr:
    lists = ", ".join(a.sql for a in call.arguments)
    fields = ", ".join(f"f{i} := z[{i + 1}]" for i in range(len(call.arguments)))
    kind = t.array(t.row_of(*((None, a.type.items[0]) for a in call.arguments)))
    missing = " OR ".join(f"{a} IS NULL" for a in call.arguments)
    zipped = f"list_transform(list_zip({lists}), lambda z: struct_pack({fields}))"
    return Expr(f"CASE WHEN {missing} THEN NULL ELSE {zipped} END", kind)


_ZIP_WITH = ((("z#", "z#[1]"), ("", "z#[2]")),)


def _zip_with(call: Call) -> Expr:
    a, b, function = call.arguments
    zipped = f"list_transform(list_zip({a}, {b}), {function})"
    return Expr(f"CASE WHEN {a} IS NOT NULL AND {b} IS NOT NULL THEN {zipped} END", call.result)


_COMPARED = ((("b#", "b#.e"), ("", "a#.e")),)


def _comparator(call: Call) -> str:
    """By its place: how many elements come before it. Of two, the later is asked whether it goes before the earlier."""
    array, compare = call.arguments
    inner, body = compare.sql.removeprefix("lambda ").split(": ", 1)
    outer = f"a{inner[1:]}"
    swapped = re.sub(rf"\b({inner}|{outer})\.e\b", lambda m: f"{outer if m[1] == inner else inner}.e", body)
    numbered = f"list_transform({array}, lambda e, i: struct_pack(e := e, i := i))"
    message = "'INVALID_FUNCTION_ARGUMENT: Lambda comparator must return either -1, 0, or 1'"
    signs = [
        f"CASE WHEN ({b}) IN (-1, 0, 1) THEN ({b}) ELSE {fail(message, t.BIGINT, f'{outer}.i')} END"
        for b in (body, swapped)
    ]
    goes_before = f"CASE WHEN {inner}.i > {outer}.i THEN {signs[0]} < 0 ELSE {signs[1]} >= 0 END"
    before = f"len(list_filter({numbered}, lambda {inner}: {inner}.i <> {outer}.i AND {goes_before}))"
    placed = f"list_transform({numbered}, lambda {outer}: struct_pack(r := {before}, e := {outer}.e))"
    return f"list_transform(list_sort({placed}), lambda z: z.e)"


def _combinations(call: Call) -> str:
    array, size = call.arguments
    chosen = f"hw_combinations(CAST(len({array}) AS BIGINT), {size})"
    return f"list_transform({chosen}, lambda c: list_transform(c, lambda i: list_extract({array}, i)))"


def _ngrams(call: Call) -> str:
    """An array shorter than n is its own only n-gram."""
    array, size = call.arguments
    message = "'INVALID_FUNCTION_ARGUMENT: N must be positive'"
    starts = f"range(1, greatest(len({array}) - {size} + 1, 1) + 1)"
    grams = f"list_transform({starts}, lambda i: list_slice({array}, i, i + {size} - 1))"
    return f"CASE WHEN {size} < 1 THEN {fail(message, call.result, size.sql)} WHEN {array} IS NOT NULL THEN {grams} END"


def _contains_sequence(call: Call) -> str:
    array, part = call.arguments
    starts = f"range(1, len({array}) - len({part}) + 2)"
    found = f"list_filter({starts}, lambda i: list_slice({array}, i, i + len({part}) - 1) = {part})"
    return f"CASE WHEN {array} IS NULL OR {part} IS NULL THEN NULL ELSE len({found}) > 0 OR len({part}) = 0 END"


def _trim_array(call: Call) -> str:
    array, count = call.arguments
    beyond = f"'INVALID_FUNCTION_ARGUMENT: size must not exceed array cardinality ' || len({array}) || ': ' || {count}"
    negative = f"'INVALID_FUNCTION_ARGUMENT: size must not be negative: ' || {count}"
    return (
        f"CASE WHEN {count} < 0 THEN {fail(negative, call.result)} "
        f"WHEN {count} > len({array}) THEN {fail(beyond, call.result)} "
        f"ELSE list_slice({array}, 1, len({array}) - {count}) END"
    )


def _shuffle(call: Call) -> str:
    drawn = f"list_transform({call.arguments[0]}, lambda e: struct_pack(r := random(), e := e))"
    return f"list_transform(list_sort({drawn}), lambda z: z.e)"


def _array_histogram(call: Call) -> str:
    array = call.arguments[0]
    present = f"list_filter({array}, lambda e: e IS NOT NULL)"
    keys = distinct(present)
    counts = f"list_transform({keys}, lambda k: CAST(len(list_filter({present}, lambda e: e = k)) AS BIGINT))"
    return f"CASE WHEN {array} IS NOT NULL THEN map({keys}, {counts}) END"


FUNCTIONS: tuple[Function, ...] = (
    _f("$subscript(array(T), bigint) -> T", _subscript),
    _f("all_match(array(T), (T) -> boolean) -> boolean", _match(False)),
    _f("any_match(array(T), (T) -> boolean) -> boolean", _match(True)),
    _f("none_match(array(T), (T) -> boolean) -> boolean", _none_match),
    _f("array_distinct(array(T)) -> array(T)", _array_distinct),
    _f("array_intersect(array(T), array(T)) -> array(T)", _intersect),
    _f("array_union(array(T), array(T)) -> array(T)", _union),
    _f("array_except(array(T), array(T)) -> array(T)", _except),
    _f("arrays_overlap(array(T), array(T)) -> boolean", _overlap),
    _f("array_join(array(T), varchar) -> varchar", _join),
    _f("array_join(array(T), varchar, varchar) -> varchar", _join),
    _f("array_max(array(O)) -> O", _extreme("list_max")),
    _f("array_min(array(O)) -> O", _extreme("list_min")),
    _f("array_position(array(T), T) -> bigint", _position),
    _f("array_remove(array(T), T) -> array(T)", _remove),
    _f("array_sort(array(O)) -> array(O)", _array_sort),
    _f("array_sort(array(T), (T, T) -> bigint) -> array(T)", _comparator, *_COMPARED),
    _f("array_first(array(T)) -> T", "list_extract({0}, 1)"),
    _f("array_last(array(T)) -> T", "list_extract({0}, -1)"),
    _f("array_histogram(array(T)) -> map(T, bigint)", _array_histogram),
    _f("combinations(array(T), bigint) -> array(array(T))", _combinations),
    _f("contains_sequence(array(T), array(T)) -> boolean", _contains_sequence),
    _f("ngrams(array(T), bigint) -> array(array(T))", _ngrams),
    _f("shuffle(array(T)) -> array(T)", _shuffle),
    _f("trim_array(array(T), bigint) -> array(T)", _trim_array),
    _f("cardinality(array(T)) -> bigint", "CAST(len({0}) AS BIGINT)"),
    _f("concat(array(T), array(T)...) -> array(T)", _concat),
    _f("concat(array(T), T) -> array(T)", _with_element("list_append")),
    _f("concat(T, array(T)) -> array(T)", _with_element("list_prepend")),
    _f("contains(array(T), T) -> boolean", _contains),
    _f("element_at(array(T), bigint) -> T", _element_at),
    _f("filter(array(T), (T) -> boolean) -> array(T)", "list_filter({0}, {1})"),
    _f("flatten(array(array(T))) -> array(T)", "flatten({0})"),
    _f("reduce(array(T), U, (U, T) -> U, (U) -> R) -> R", _reduce, *_REDUCE),
    _f("reverse(array(T)) -> array(T)", "list_reverse({0})"),
    _f("slice(array(T), bigint, bigint) -> array(T)", _slice),
    _f("transform(array(T), (T) -> U) -> array(U)", "list_transform({0}, {1})"),
    _f("zip(array(T), array(U)) -> array(any)", _zip),
    _f("zip(array(T), array(U), array(V)) -> array(any)", _zip),
    _f("zip(array(T), array(U), array(V), array(W)) -> array(any)", _zip),
    _f("zip(array(T), array(U), array(V), array(W), array(X)) -> array(any)", _zip),
    _f("zip_with(array(T), array(U), (T, U) -> R) -> array(R)", _zip_with, *_ZIP_WITH),
)

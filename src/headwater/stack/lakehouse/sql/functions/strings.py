"""String and conversion functions (https://trino.io/docs/current/functions/string.html)."""

from __future__ import annotations

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.expression import Expr, fail, quote_text
from headwater.stack.lakehouse.sql.functions.model import Call, Function, family

_f = family("string")
_v = family("conversion")

# Java's whitespace, which Trino trims; DuckDB's trim() knows only the space.
_SPACES = "chr(9)||chr(10)||chr(11)||chr(12)||chr(13)||chr(28)||chr(29)||chr(30)||chr(31)||' '||chr(5760)||chr(12288)"


def _substr(call: Call) -> str:
    """A negative start counts from the end; a start of 0 or before the beginning gives the empty string."""
    text, start = call.arguments[0].sql, call.arguments[1].sql
    length = f", greatest({call.arguments[2]}, 0)" if len(call.arguments) > 2 else ""
    whole = f"substring({text}, {start}{length})"
    empty = f"{start} = 0 OR -({start}) > length({text})"
    checks = " OR ".join(f"{a} IS NULL" for a in call.arguments)
    return f"CASE WHEN {checks} THEN NULL WHEN {empty} THEN '' ELSE {whole} END"


def _split_part(call: Call) -> str:
    """A field that isn't there is NULL; an index below 1 is an error."""
    text, delimiter, index = call.arguments
    message = "'INVALID_FUNCTION_ARGUMENT: Index must be greater than zero'"
    return (
        f"CASE WHEN {index} < 1 THEN {fail(message, t.VARCHAR, index.sql)} "
        f"ELSE list_extract(string_split({text}, {delimiter}), {index}) END"
    )


def _split(call: Call) -> str:
    """``split(text, delimiter, limit)``: the last element holds the rest."""
    text, delimiter, limit = call.arguments
    parts = f"string_split({text}, {delimiter})"
    rest = f"array_to_string(list_slice({parts}, {limit}, len({parts})), {delimiter})"
    message = "'INVALID_FUNCTION_ARGUMENT: Limit must be positive'"
    return (
        f"CASE WHEN {limit} < 1 THEN {fail(message, call.result, limit.sql)} WHEN len({parts}) <= {limit} THEN {parts} "
        f"ELSE list_append(list_slice({parts}, 1, {limit} - 1), {rest}) END"
    )


def _replace(call: Call) -> str:
    """An empty search text stands between all characters, where DuckDB ignores it."""
    text, search = call.arguments[0], call.arguments[1]
    by = call.arguments[2].sql if len(call.arguments) > 2 else "''"
    native = f"replace({text}, {search}, {by})"
    if isinstance(search.literal, str) and search.literal:
        return native
    return f"CASE WHEN {search} = '' THEN hw_replace({text}, {search}, {by}) ELSE {native} END"


def _concat(call: Call) -> str:
    return f"({' || '.join(a.sql for a in call.arguments)})"


def _split_to_multimap(call: Call) -> str:
    """All values of a key, in their order."""
    text, entry, pair = call.arguments
    entries = f"list_filter(string_split({text}, {entry}), lambda e: e <> '')"
    parts = f"list_transform({entries}, lambda e: string_split(e, {pair}))"
    keys = f"list_transform({parts}, lambda e: e[1])"
    distinct = f"list_filter({keys}, lambda e, i: list_position({keys}, e) = i)"
    of_key = f"list_transform(list_filter({parts}, lambda e: e[1] = k), lambda e: e[2])"
    return f"CASE WHEN {text} IS NOT NULL THEN map({distinct}, list_transform({distinct}, lambda k: {of_key})) END"


_FORMATTED = ("boolean", *t.INTEGERS, "double", "decimal", "varchar", "date", "timestamp", "unknown")


def _format(call: Call) -> str:
    """Java's ``String.format``; conversions that mean something else in Java are refused when a row has them."""
    for argument in call.arguments[1:]:
        if argument.type.name not in _FORMATTED:
            raise Unsupported(f"format() of a {argument.type}")
    return f"hw_format({', '.join(a.sql for a in call.arguments)})"


def _data_size(call: Call) -> Expr:
    return Expr(f"hw_data_size({call.arguments[0]})", t.decimal(38, 0))


def _typeof(call: Call) -> str:
    return quote_text(str(call.arguments[0].type))


# Java has no capital for a single ß; DuckDB has.
_UPPER = (
    "CASE WHEN contains({0}, 'ß') AND NOT contains({0}, 'ẞ') THEN replace(upper({0}), 'ẞ', 'ß') ELSE upper({0}) END"
)

FUNCTIONS: tuple[Function, ...] = (
    _f("chr(bigint) -> varchar", "chr(CAST({0} AS INTEGER))"),
    _f("codepoint(varchar) -> integer", "unicode({0})"),
    _f("concat(varchar, varchar...) -> varchar", _concat),
    _f("concat_ws(varchar, array(varchar)) -> varchar", "array_to_string({1}, {0})"),
    _f("concat_ws(varchar, varchar...) -> varchar", "CASE WHEN {0} IS NOT NULL THEN concat_ws({all}) END"),
    _f("length(varchar) -> bigint", "length({0})"),
    _f("ends_with(varchar, varchar) -> boolean", "ends_with({0}, {1})"),
    _f("hamming_distance(varchar, varchar) -> bigint", "hw_hamming({0}, {1})"),
    _f("levenshtein_distance(varchar, varchar) -> bigint", "hw_levenshtein({0}, {1})"),
    _f("luhn_check(varchar) -> boolean", "hw_luhn({0})"),
    _f("normalize(varchar) -> varchar", "nfc_normalize({0})"),
    _f("normalize(varchar, varchar) -> varchar", "hw_normalize({0}, {1})"),
    _f("soundex(varchar) -> varchar", "hw_soundex({0})"),
    _f("split_to_multimap(varchar, varchar, varchar) -> map(varchar, array(varchar))", _split_to_multimap),
    _f("strpos(varchar, varchar, bigint) -> bigint", "hw_strpos({0}, {1}, {2})"),
    _f("lower(varchar) -> varchar", "lower({0})"),
    _f("upper(varchar) -> varchar", _UPPER),
    _f("lpad(varchar, bigint, varchar) -> varchar", "hw_lpad({0}, {1}, {2})"),
    _f("rpad(varchar, bigint, varchar) -> varchar", "hw_rpad({0}, {1}, {2})"),
    _f("trim(varchar) -> varchar", f"trim({{0}}, {_SPACES})"),
    _f("ltrim(varchar) -> varchar", f"ltrim({{0}}, {_SPACES})"),
    _f("rtrim(varchar) -> varchar", f"rtrim({{0}}, {_SPACES})"),
    _f("trim(varchar, varchar) -> varchar", "trim({0}, {1})"),
    _f("ltrim(varchar, varchar) -> varchar", "ltrim({0}, {1})"),
    _f("rtrim(varchar, varchar) -> varchar", "rtrim({0}, {1})"),
    _f("strpos(varchar, varchar) -> bigint", "instr({0}, {1})"),
    _f("position(varchar, varchar) -> bigint", "instr({1}, {0})"),
    _f("replace(varchar, varchar) -> varchar", _replace),
    _f("replace(varchar, varchar, varchar) -> varchar", _replace),
    _f("reverse(varchar) -> varchar", "array_to_string(list_reverse(string_split({0}, '')), '')"),
    _f("split(varchar, varchar) -> array(varchar)", "string_split({0}, {1})"),
    _f("split(varchar, varchar, bigint) -> array(varchar)", _split),
    _f("split_part(varchar, varchar, bigint) -> varchar", _split_part),
    _f("starts_with(varchar, varchar) -> boolean", "starts_with({0}, {1})"),
    _f("substr(varchar, bigint) -> varchar", _substr),
    _f("substr(varchar, bigint, bigint) -> varchar", _substr),
    _f("substring(varchar, bigint) -> varchar", _substr),
    _f("substring(varchar, bigint, bigint) -> varchar", _substr),
    _f("translate(varchar, varchar, varchar) -> varchar", "translate({0}, {1}, {2})"),
    _v("typeof(any) -> varchar", _typeof),
    _v("format(varchar, any...) -> varchar", _format),
    _v("format_number(double) -> varchar", "hw_format_number({0})"),
    _v("parse_data_size(varchar) -> any", _data_size),
)

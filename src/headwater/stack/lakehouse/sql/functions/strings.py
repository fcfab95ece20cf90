"""String and conversion functions (https://trino.io/docs/current/functions/string.html)."""

from __future__ import annotations

from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.expression import Expr, fail, quote_text
from headwater.stack.lakehouse.sql.failures import SqlError
from headwater.stack.lakehouse.sql.functions.formatting import format_text
from headwater.stack.lakehouse.sql.functions.model import Builder, Call, Function, family

_f = family("string")
_v = family("conversion")

# Java's whitespace, which Trino trims; DuckDB's trim() knows only the space.
_SPACE_POINTS = (*range(9, 14), *range(28, 33), 5760, *range(8192, 8199), *range(8200, 8203), 8232, 8233, 8287, 12288)
_SPACES = "||".join(f"chr({point})" for point in _SPACE_POINTS)


_LONGEST = 2**31 - 1


def _within(place: Expr) -> str:
    """A place or length, at most that of the longest text: DuckDB refuses greater ones."""
    small = isinstance(place.literal, int) and abs(place.literal) <= _LONGEST
    return place.sql if small else f"least({place}, {_LONGEST})"


def _substr(call: Call) -> str:
    """A negative start counts from the end; a start of 0 or before the beginning gives the empty string."""
    text, start = call.arguments[0].sql, _within(call.arguments[1])
    length = f", greatest({_within(call.arguments[2])}, 0)" if len(call.arguments) > 2 else ""
    whole = f"substring({text}, {start}{length})"
    empty = f"{start} = 0 OR -({start}) > length({text})"
    checks = " OR ".join(f"{a} IS NULL" for a in call.arguments)
    return f"CASE WHEN {checks} THEN NULL WHEN {empty} THEN '' ELSE {whole} END"


def _codepoint(call: Call) -> str:
    """Its argument is a varchar(1): a longer text has no one code point."""
    given = call.arguments[0].type
    if given.name == "varchar" and (not given.params or given.params[0] > 1):
        message = f"Unexpected parameters ({given}) for function codepoint. Expected: codepoint(varchar(1))"
        raise SqlError("FUNCTION_NOT_FOUND", message, call.position)
    text = call.arguments[0].sql
    empty = fail("'INVALID_FUNCTION_ARGUMENT: Input string must be a single character string'", t.INTEGER, text)
    return f"CASE WHEN {text} = '' THEN {empty} ELSE unicode({text}) END"


def _chr(call: Call) -> Expr:
    point = call.arguments[0]
    message = f"'INVALID_FUNCTION_ARGUMENT: Not a valid Unicode code point: ' || {point}"
    valid = f"{point} BETWEEN 0 AND 1114111 AND {point} NOT BETWEEN 55296 AND 57343"
    refusal = fail(message, t.VARCHAR)
    sql = f"CASE WHEN {valid} THEN chr(CAST({point} AS INTEGER)) WHEN {point} IS NOT NULL THEN {refusal} END"
    return Expr(sql, t.varchar(1))


def _split_part(call: Call) -> str:
    """A field that isn't there is NULL; an index below 1 is an error."""
    text, delimiter, index = call.arguments
    message = "'INVALID_FUNCTION_ARGUMENT: Index must be greater than zero'"
    return (
        f"CASE WHEN {index} < 1 THEN {fail(message, t.VARCHAR, index.sql)} "
        f"WHEN {text} = '' AND {delimiter} = '' THEN NULL "
        f"ELSE list_extract(string_split({text}, {delimiter}), {index}) END"
    )


_TOO_LARGE = "'INVALID_FUNCTION_ARGUMENT: Limit is too large'"


def _split(call: Call) -> str:
    """``split(text, delimiter, limit)``: the last element holds the rest."""
    text, delimiter = call.arguments[0], call.arguments[1]
    empty = "'INVALID_FUNCTION_ARGUMENT: The delimiter may not be the empty string'"
    parts = f"string_split({text}, {delimiter})"
    if not (isinstance(delimiter.literal, str) and delimiter.literal):
        parts = f"CASE WHEN {delimiter} = '' THEN {fail(empty, call.result, delimiter.sql)} ELSE {parts} END"
    if len(call.arguments) == 2:
        return parts
    limit = call.arguments[2]
    rest = f"array_to_string(list_slice({parts}, {limit}, len({parts})), {delimiter})"
    message = "'INVALID_FUNCTION_ARGUMENT: Limit must be positive'"
    return (
        f"CASE WHEN {limit} < 1 THEN {fail(message, call.result, limit.sql)} "
        f"WHEN {limit} > 2147483647 THEN {fail(_TOO_LARGE, call.result, limit.sql)} "
        f"WHEN len({parts}) <= {limit} THEN {parts} "
        f"ELSE list_append(list_slice({parts}, 1, {limit} - 1), {rest}) END"
    )


def _replace(call: Call) -> Expr:
    """An empty search text stands between all characters, where DuckDB ignores it."""
    text, search = call.arguments[0], call.arguments[1]
    by = call.arguments[2].sql if len(call.arguments) > 2 else "''"
    kind = call.result
    if len(call.arguments) > 2 and text.type.params and call.arguments[2].type.params:
        kind = t.bounded(text.type.params[0] + call.arguments[2].type.params[0] * (text.type.params[0] + 1))
    native = f"replace({text}, {search}, {by})"
    if isinstance(search.literal, str) and search.literal:
        return Expr(native, kind)
    return Expr(f"CASE WHEN {search} = '' THEN hw_replace({text}, {search}, {by}) ELSE {native} END", kind)


def _concat(call: Call) -> str:
    if len(call.arguments) < 2:
        message = "There must be two or more concatenation arguments"
        raise SqlError("INVALID_FUNCTION_ARGUMENT", message)
    return f"({' || '.join(a.sql for a in call.arguments)})"


def _concat_ws(call: Call) -> str:
    """Without the NULLs; a NULL separator makes all of it NULL."""
    if len(call.arguments) < 2:
        raise SqlError("INVALID_FUNCTION_ARGUMENT", "There must be two or more concatenation arguments")
    return f"CASE WHEN {call.arguments[0]} IS NOT NULL THEN concat_ws({', '.join(a.sql for a in call.arguments)}) END"


def _split_to_multimap(call: Call) -> str:
    """All values of a key, in their order."""
    text, entry, pair = call.arguments
    return f"hw_split_to_multimap({text}, {entry}, {pair})"


def _data_size(call: Call) -> Expr:
    return Expr(f"hw_data_size({call.arguments[0]})", t.decimal(38, 0))


def _typeof(call: Call) -> str:
    return quote_text(str(call.arguments[0].type))


def _size(call: Call) -> int:
    return call.arguments[0].type.params[0]


def _padded(sql: str, size: int) -> Expr:
    return Expr(f"rpad({sql}, {size}, ' ')", t.Type("char", (size,)))


def _concat_char(call: Call) -> Expr:
    """Of char(x) and char(y): char(x + y); the padding of the first stays between them."""
    a, b = call.arguments
    return _padded(f"({a} || {b})", a.type.params[0] + b.type.params[0])


def _of_char(name: str) -> Builder:
    return lambda call: _padded(f"{name}({call.arguments[0]})", _size(call))


_PLACES = (", bigint", ", bigint, bigint")


def _substr_char(call: Call) -> Expr:
    """A part of the padded text, as a varchar."""
    return Expr(_substr(call), t.varchar(_size(call)))


def _trim_char(name: str) -> Builder:
    """Trimmed text is a varchar of the char's length."""
    return lambda call: Expr(f"{name}({call.arguments[0]}, {_SPACES})", t.varchar(_size(call)))


def _trim_char_of(name: str) -> Builder:
    """Without the padding, before and after the characters are trimmed."""
    return lambda call: Expr(
        f"rtrim({name}(rtrim({call.arguments[0]}, ' '), {call.arguments[1]}), ' ')", t.varchar(_size(call))
    )


# Java has no capital for a single ß; DuckDB has.
_UPPER = (
    "CASE WHEN contains({0}, 'ß') AND NOT contains({0}, 'ẞ') THEN replace(upper({0}), 'ẞ', 'ß') ELSE upper({0}) END"
)

FUNCTIONS: tuple[Function, ...] = (
    _f("chr(bigint) -> varchar", _chr),
    _f("codepoint(varchar) -> integer", _codepoint),
    _f("concat(varchar, varchar...) -> varchar", _concat),
    _f("concat_ws(varchar, array(varchar)) -> varchar", "CASE WHEN {0} IS NOT NULL THEN array_to_string({1}, {0}) END"),
    _f("concat_ws(varchar, varchar...) -> varchar", _concat_ws),
    _f("length(varchar) -> bigint", "length({0})"),
    _f("ends_with(varchar, varchar) -> boolean", "ends_with({0}, {1})"),
    _f("hamming_distance(varchar, varchar) -> bigint", "hw_hamming({0}, {1})"),
    _f("levenshtein_distance(varchar, varchar) -> bigint", "hw_levenshtein({0}, {1})"),
    _f("luhn_check(varchar) -> boolean", "hw_luhn({0})"),
    _f("normalize(varchar) -> varchar", "nfc_normalize({0})"),
    _f("normalize(varchar, varchar) -> varchar", "hw_normalize({0}, {1})"),
    _f("word_stem(S) -> S", "hw_word_stem({0}, 'en')"),
    _f("word_stem(S, varchar) -> S", "hw_word_stem({0}, {1})"),
    _f("soundex(varchar) -> varchar", lambda call: Expr(f"hw_soundex({call.arguments[0]})", t.varchar(4))),
    _f("split_to_multimap(varchar, varchar, varchar) -> map(varchar, array(varchar))", _split_to_multimap),
    _f("strpos(varchar, varchar, bigint) -> bigint", "hw_strpos({0}, {1}, {2})"),
    _f("lower(S) -> S", "lower({0})"),
    _f("upper(S) -> S", _UPPER),
    _f("lpad(varchar, bigint, varchar) -> varchar", "hw_lpad({0}, {1}, {2})"),
    _f("rpad(varchar, bigint, varchar) -> varchar", "hw_rpad({0}, {1}, {2})"),
    _f("trim(S) -> S", f"trim({{0}}, {_SPACES})"),
    _f("ltrim(S) -> S", f"ltrim({{0}}, {_SPACES})"),
    _f("rtrim(S) -> S", f"rtrim({{0}}, {_SPACES})"),
    _f("trim(S, varchar) -> S", "trim({0}, {1})"),
    _f("ltrim(S, varchar) -> S", "ltrim({0}, {1})"),
    _f("rtrim(S, varchar) -> S", "rtrim({0}, {1})"),
    _f("strpos(varchar, varchar) -> bigint", "instr({0}, {1})"),
    _f("position(varchar, varchar) -> bigint", "instr({1}, {0})"),
    _f("replace(S, varchar) -> S", _replace),
    _f("replace(varchar, varchar, varchar) -> varchar", _replace),
    _f("reverse(S) -> S", "array_to_string(list_reverse(string_split({0}, '')), '')"),
    _f("split(S, varchar) -> array(S)", _split),
    _f("split(S, varchar, bigint) -> array(S)", _split),
    _f("split_part(S, varchar, bigint) -> S", _split_part),
    _f("starts_with(varchar, varchar) -> boolean", "starts_with({0}, {1})"),
    _f("substr(S, bigint) -> S", _substr),
    _f("substr(S, bigint, bigint) -> S", _substr),
    _f("substring(S, bigint) -> S", _substr),
    _f("substring(S, bigint, bigint) -> S", _substr),
    _f("translate(varchar, varchar, varchar) -> varchar", "translate({0}, {1}, {2})"),
    _v("typeof(any) -> varchar", _typeof),
    _v("format(any, any...) -> varchar", format_text),
    _v("format_number(double) -> varchar", "hw_format_number({0})"),
    _v("parse_data_size(varchar) -> any", _data_size),
    # Behind those of varchar, which converts to char.
    _f("concat(char, char) -> char", _concat_char),
    _f("length(char) -> bigint", lambda call: f"CASE WHEN {call.arguments[0]} IS NOT NULL THEN {_size(call)} END"),
    *(_f(f"{name}(char) -> char", _of_char(name)) for name in ("lower", "upper")),
    *(_f(f"{name}(char{n}) -> varchar", _substr_char) for name in ("substr", "substring") for n in _PLACES),
    *(_f(f"{name}(char) -> varchar", _trim_char(name)) for name in ("trim", "ltrim", "rtrim")),
    *(_f(f"{name}(char, varchar) -> varchar", _trim_char_of(name)) for name in ("trim", "ltrim", "rtrim")),
    *(_f(f"{name}(char, bigint, varchar) -> varchar", f"hw_{name}({{0}}, {{1}}, {{2}})") for name in ("lpad", "rpad")),
)

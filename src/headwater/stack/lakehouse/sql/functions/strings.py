"""String, binary, regular expression and URL functions (https://trino.io/docs/current/functions/string.html)."""

from __future__ import annotations

import re

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.expression import fail, quote_text
from headwater.stack.lakehouse.sql.functions.model import Call, Function, family

_f = family("string")
_b = family("binary")
_r = family("regular expression")

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
    """An empty search string would mean between all characters: refused, as DuckDB ignores it."""
    text, search = call.arguments[0], call.arguments[1]
    by = call.arguments[2].sql if len(call.arguments) > 2 else "''"
    if isinstance(search.literal, str) and search.literal:
        return f"replace({text}, {search}, {by})"
    message = "'NOT_SUPPORTED: replace() of an empty string is not supported by the local Athena'"
    return (
        f"CASE WHEN {search} = '' THEN {fail(message, t.VARCHAR, search.sql)} ELSE replace({text}, {search}, {by}) END"
    )


def _concat(call: Call) -> str:
    return f"({' || '.join(a.sql for a in call.arguments)})"


def _levenshtein(call: Call) -> str:
    """DuckDB measures bytes, Trino characters: the same for ASCII, refused for the rest."""
    a, b = call.arguments
    message = "'NOT_SUPPORTED: levenshtein_distance of text that is not ASCII is not supported by the local Athena'"
    ascii_only = f"strlen({a}) = length({a}) AND strlen({b}) = length({b})"
    refusal = fail(message, t.BIGINT, a.sql)
    return (
        f"CASE WHEN {a} IS NULL OR {b} IS NULL THEN NULL WHEN {ascii_only} THEN levenshtein({a}, {b}) "
        f"ELSE {refusal} END"
    )


def _from_utf8(call: Call) -> str:
    return f"decode({call.arguments[0]})"


# --- regular expressions -------------------------------------------------------------------------------------------


def _pattern(call: Call) -> str:
    """Only constant patterns, so that one which RE2 reads differently from Java can be refused beforehand."""
    literal = call.arguments[1].literal
    if not isinstance(literal, str):
        raise Unsupported(f"{call.name} with a pattern that is not a literal")
    if re.search(r"\(\?<?[=!]|\\[1-9]|\\G|\(\?>|[*+?}]\+", literal):
        raise Unsupported(f"{call.name} with look-around, back-references or possessive quantifiers ({literal})")
    # Java: (?<name>…); RE2: (?P<name>…). Java's $ also matches before a last line end, RE2's doesn't.
    return quote_text(literal.replace("(?<", "(?P<"))


def _regexp_like(call: Call) -> str:
    return f"regexp_matches({call.arguments[0]}, {_pattern(call)})"


def _regexp_extract(call: Call) -> str:
    """No match is NULL, where DuckDB gives the empty string."""
    group = call.arguments[2].literal if len(call.arguments) > 2 else 0
    pattern = _pattern(call)
    if not isinstance(group, int) or (group > 0 and _optional_groups(call)):
        raise Unsupported("regexp_extract of a group that may not take part in the match")
    text = call.arguments[0]
    return f"CASE WHEN regexp_matches({text}, {pattern}) THEN regexp_extract({text}, {pattern}, {group}) END"


def _optional_groups(call: Call) -> bool:
    """Such a group is NULL in Trino, and can't be told from an empty one in DuckDB."""
    literal = str(call.arguments[1].literal)
    bare = re.sub(r"\\.|\[[^\]]*\]", "x", literal)
    return bool(re.search(r"\)(\?|\*|\{0)", bare)) or ("|" in re.sub(r"\([^()]*\)", "", bare) and "(" in bare)


def _regexp_extract_all(call: Call) -> str:
    group = call.arguments[2].sql if len(call.arguments) > 2 else "0"
    return f"regexp_extract_all({call.arguments[0]}, {_pattern(call)}, {group})"


def _regexp_replace(call: Call) -> str:
    """All matches; ``$1`` and ``\\$`` in the replacement are Java's, DuckDB writes ``\\1``."""
    replacement = call.arguments[2].literal if len(call.arguments) > 2 else ""
    if not isinstance(replacement, str) or "${" in replacement:
        raise Unsupported("regexp_replace with a replacement that is not a literal or names its groups")
    return f"regexp_replace({call.arguments[0]}, {_pattern(call)}, {quote_text(_java_replacement(replacement))}, 'g')"


def _java_replacement(text: str) -> str:
    """Java's replacement syntax in RE2's.

    >>> _java_replacement("$1-x")
    '\\\\1-x'
    """
    found, position = [], 0
    while position < len(text):
        character = text[position]
        following = text[position + 1 : position + 2]
        if character == "$" and following.isdigit():
            found.append("\\" + following)
            position += 2
        elif character == "\\" and following:
            found.append("\\\\" if following == "\\" else following)
            position += 2
        else:
            found.append(character)
            position += 1
    return "".join(found)


def _regexp_count(call: Call) -> str:
    return f"CAST(len(regexp_extract_all({call.arguments[0]}, {_pattern(call)})) AS BIGINT)"


def _regexp_split(call: Call) -> str:
    return f"string_split_regex({call.arguments[0]}, {_pattern(call)})"


def _typeof(call: Call) -> str:
    return quote_text(str(call.arguments[0].type))


FUNCTIONS: tuple[Function, ...] = (
    _f("chr(bigint) -> varchar", "chr(CAST({0} AS INTEGER))"),
    _f("codepoint(varchar) -> integer", "unicode({0})"),
    _f("concat(varchar, varchar...) -> varchar", _concat),
    _f("concat(varbinary, varbinary...) -> varbinary", _concat),
    _f("concat_ws(varchar, array(varchar)) -> varchar", "array_to_string({1}, {0})"),
    _f("concat_ws(varchar, varchar...) -> varchar", "CASE WHEN {0} IS NOT NULL THEN concat_ws({all}) END"),
    _f("length(varchar) -> bigint", "length({0})"),
    _f("length(varbinary) -> bigint", "octet_length({0})"),
    _f("levenshtein_distance(varchar, varchar) -> bigint", _levenshtein),
    _f("lower(varchar) -> varchar", "lower({0})"),
    _f("upper(varchar) -> varchar", "upper({0})"),
    _f("lpad(varchar, bigint, varchar) -> varchar", "lpad({0}, CAST({1} AS INTEGER), {2})"),
    _f("rpad(varchar, bigint, varchar) -> varchar", "rpad({0}, CAST({1} AS INTEGER), {2})"),
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
    _f("typeof(any) -> varchar", _typeof),
    _b("to_utf8(varchar) -> varbinary", "encode({0})"),
    _b("from_utf8(varbinary) -> varchar", _from_utf8),
    _b("to_hex(varbinary) -> varchar", "hex({0})"),
    _b("from_hex(varchar) -> varbinary", "unhex({0})"),
    _b("to_base64(varbinary) -> varchar", "base64({0})"),
    _b("from_base64(varchar) -> varbinary", "from_base64({0})"),
    _b("md5(varbinary) -> varbinary", "unhex(md5({0}))"),
    _b("sha1(varbinary) -> varbinary", "unhex(sha1({0}))"),
    _b("sha256(varbinary) -> varbinary", "unhex(sha256({0}))"),
    _r("regexp_like(varchar, varchar) -> boolean", _regexp_like),
    _r("regexp_extract(varchar, varchar) -> varchar", _regexp_extract),
    _r("regexp_extract(varchar, varchar, bigint) -> varchar", _regexp_extract),
    _r("regexp_extract_all(varchar, varchar) -> array(varchar)", _regexp_extract_all),
    _r("regexp_extract_all(varchar, varchar, bigint) -> array(varchar)", _regexp_extract_all),
    _r("regexp_replace(varchar, varchar) -> varchar", _regexp_replace),
    _r("regexp_replace(varchar, varchar, varchar) -> varchar", _regexp_replace),
    _r("regexp_count(varchar, varchar) -> bigint", _regexp_count),
    _r("regexp_split(varchar, varchar) -> array(varchar)", _regexp_split),
)

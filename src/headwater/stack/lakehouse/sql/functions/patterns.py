"""Regular expression functions (https://trino.io/docs/current/functions/regexp.html).

DuckDB's RE2 runs the patterns that it reads as Java does; the others, and those that no literal fixes, run in Python.
"""

from __future__ import annotations

import re

from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.expression import Expr, quote_text
from headwater.stack.lakehouse.sql.failures import SqlError
from headwater.stack.lakehouse.sql.functions.model import Call, Function, family
from headwater.stack.lakehouse.sql.routines.model import RoutineFailed
from headwater.stack.lakehouse.sql.routines.patterns import compiled, has_anchors, may_be_empty

_r = family("regular expression")
_BEYOND_RE2 = re.compile(
    r"\(\?<?[=!]|\\[1-9uGZkhHRQvVX0e]|\\x(?!\{)|\(\?>|(?<!\\)(?:[*+?]|\{[0-9,]+\})\+|&&|\$|\[[^\]\\]*\[(?!:)"
    r"|\\[pP]\{(?:Lower|Upper|ASCII|Alpha|Digit|Alnum|Punct|Graph|Print|Blank|Cntrl|XDigit|Space)\}"
)


def _native(call: Call, *, every: bool = False) -> str | None:
    """The pattern for RE2, or ``None`` if it has to run in Python, whose refusal of a literal comes right here.

    ``every`` match counts, the empty ones too.
    """
    literal = call.arguments[1].literal
    if not isinstance(literal, str):
        return None
    if not _BEYOND_RE2.search(literal) and not (every and may_be_empty(literal)):
        return quote_text(literal.replace("(?<", "(?P<"))
    try:
        compiled(literal)
    except RoutineFailed as error:
        code, _, message = str(error).partition(": ")
        raise SqlError(code, message, call.position if code != "NOT_SUPPORTED" else None) from error
    return None


def _python(call: Call, name: str, *defaults: str) -> str:
    arguments = [*(a.sql for a in call.arguments), *defaults]
    return f"{name}({', '.join(arguments)})"


def _like(call: Call) -> str:
    pattern = _native(call)
    return _python(call, "hw_regexp_like") if pattern is None else f"regexp_matches({call.arguments[0]}, {pattern})"


def _group(call: Call) -> int | None:
    group = call.arguments[2].literal if len(call.arguments) > 2 else 0
    return group if isinstance(group, int) else None


def _extract(call: Call) -> str:
    """No match is NULL, where DuckDB gives the empty string; so is a group that takes no part in the match."""
    pattern, group, text = _native(call), _group(call), call.arguments[0]
    if pattern is None or group != 0:
        return _python(call, "hw_regexp_extract", *(["0"] if len(call.arguments) < 3 else []))
    return f"CASE WHEN regexp_matches({text}, {pattern}) THEN regexp_extract({text}, {pattern}, 0) END"


def _extract_all(call: Call) -> str:
    pattern, group = _native(call, every=True), _group(call)
    if pattern is None or group != 0:
        return _python(call, "hw_regexp_extract_all", *(["0"] if len(call.arguments) < 3 else []))
    return f"regexp_extract_all({call.arguments[0]}, {pattern})"


def _replace(call: Call) -> Expr:
    """All matches; ``$1``, ``${name}`` and ``\\$`` in the replacement are Java's."""
    replacement = call.arguments[2].literal if len(call.arguments) > 2 else ""
    pattern = _native(call, every=True)
    if pattern is None or not isinstance(replacement, str) or re.search(r"[\\$]", replacement):
        sql = _python(call, "hw_regexp_replace", *(["''"] if len(call.arguments) < 3 else []))
    else:
        sql = f"regexp_replace({call.arguments[0]}, {pattern}, {quote_text(replacement)}, 'g')"
    return Expr(sql, _replaced_type(call))


def _replaced_type(call: Call) -> t.Type:
    """A bound of the length: each match may hold half of the replacement's characters as references to a group."""
    if len(call.arguments) < 3:
        return call.result
    text, by = (call.arguments[i].type.params for i in (0, 2))
    return t.bounded(text[0] + max(text[0] * by[0] // 2, by[0]) * (text[0] + 1)) if text and by else t.VARCHAR


def _replace_by(call: Call) -> str:
    """Each match is replaced by what the lambda makes of its groups."""
    text, pattern, function = call.arguments
    between = f"hw_regexp_split({text}, {pattern})"
    made = f"list_append(list_transform(hw_regexp_groups({text}, {pattern}), {function}), '')"
    # One NULL makes the whole NULL.
    return f"list_reduce(list_transform(list_zip({between}, {made}), lambda z: z[1] || z[2]), lambda a, b: a || b)"


def _count(call: Call) -> str:
    pattern = _native(call, every=True)
    if pattern is None:
        return _python(call, "hw_regexp_count")
    return f"CAST(len(regexp_extract_all({call.arguments[0]}, {pattern})) AS BIGINT)"


def _split(call: Call) -> str:
    """DuckDB looks at each rest alone: there, an anchor would match anew."""
    literal = call.arguments[1].literal
    anchored = isinstance(literal, str) and has_anchors(literal)
    pattern = None if anchored else _native(call, every=True)
    return (
        _python(call, "hw_regexp_split") if pattern is None else f"string_split_regex({call.arguments[0]}, {pattern})"
    )


def _position(call: Call) -> str:
    _native(call)
    return _python(call, "hw_regexp_position", *["1", "1"][len(call.arguments) - 2 :])


_FUNCTIONS = (
    ("regexp_like(varchar, P) -> boolean", _like),
    ("regexp_extract(S, P) -> S", _extract),
    ("regexp_extract(S, P, bigint) -> S", _extract),
    ("regexp_extract_all(S, P) -> array(S)", _extract_all),
    ("regexp_extract_all(S, P, bigint) -> array(S)", _extract_all),
    ("regexp_replace(S, P) -> S", _replace),
    ("regexp_replace(varchar, P, varchar) -> varchar", _replace),
    ("regexp_replace(varchar, P, (array(varchar)) -> varchar) -> varchar", _replace_by),
    ("regexp_count(varchar, P) -> bigint", _count),
    ("regexp_position(varchar, P) -> integer", _position),
    ("regexp_position(varchar, P, bigint) -> integer", _position),
    ("regexp_position(varchar, P, bigint, bigint) -> integer", _position),
    ("regexp_split(S, P) -> array(S)", _split),
)
# A pattern may be a char(n), too, which ends with its padding.
FUNCTIONS: tuple[Function, ...] = tuple(
    _r(signature.replace("P", kind, 1), build) for kind in ("varchar", "char") for signature, build in _FUNCTIONS
)

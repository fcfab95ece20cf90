"""JSON functions (https://trino.io/docs/current/functions/json.html)."""

from __future__ import annotations

import re

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.expression import Expr, fail, quote_text
from headwater.stack.lakehouse.sql.functions.model import Call, Function, family

_f = family("json")
_STEP = re.compile(r"""\.([A-Za-z_][\w-]*)|\[(\d+)\]|\[(?:"([^"\\]*)"|'([^'\\]*)')\]|\."([^"\\]*)\"""")


def json_path(text: str) -> str:
    """A JSON path of Trino's as DuckDB's. Raises ``Unsupported`` for wildcards, filters and the like.

    >>> json_path("$.store['book'][0]")
    '$."store"."book"[0]'
    """
    position, found = 1, ["$"]
    if not text.startswith("$"):
        text, position = "$." + text, 1
    while position < len(text):
        step = _STEP.match(text, position)
        if step is None:
            raise Unsupported(f"the JSON path {text}")
        name = next((n for n in (step[1], step[3], step[4], step[5]) if n is not None), None)
        found.append(f"[{step[2]}]" if name is None else f'."{name}"')
        position = step.end()
    return "".join(found)


def _path(call: Call) -> str:
    literal = call.arguments[1].literal
    if not isinstance(literal, str):
        raise Unsupported(f"{call.name} with a path that is not a literal")
    return quote_text(json_path(literal))


def _valid(value: Expr, result: str) -> str:
    """Text that is no JSON gives NULL."""
    if value.type.name == "json":
        return result
    return f"CASE WHEN json_valid({value}) THEN {result} END"


def _extract(call: Call) -> str:
    value = call.arguments[0]
    return _valid(value, f"hw_json_extract(CAST({value} AS VARCHAR), {_path(call)})")


def _extract_scalar(call: Call) -> str:
    """Objects and arrays give NULL; a number keeps its digits (DuckDB would write 10.00 as 10.0)."""
    value, path = call.arguments[0], _path(call)
    kind = f"json_type({value}, {path})"
    return _valid(
        value,
        f"CASE {kind} WHEN 'OBJECT' THEN NULL WHEN 'ARRAY' THEN NULL WHEN 'NULL' THEN NULL "
        f"WHEN 'DOUBLE' THEN hw_json_number(CAST({value} AS VARCHAR), {path}) "
        f"ELSE json_extract_string({value}, {path}) END",
    )


def _parse(call: Call) -> str:
    """The canonical form: keys sorted, no spaces."""
    value = call.arguments[0]
    message = f"'INVALID_FUNCTION_ARGUMENT: Cannot convert value to JSON: ''' || {value} || ''''"
    return (
        f"CASE WHEN json_valid({value}) THEN hw_json_canonical({value}) "
        f"WHEN {value} IS NOT NULL THEN {fail(message, t.JSON, value.sql)} END"
    )


def _array_length(call: Call) -> str:
    value = call.arguments[0]
    length = f"CASE WHEN json_type({value}) = 'ARRAY' THEN CAST(json_array_length({value}) AS BIGINT) END"
    return _valid(value, length)


def _size(call: Call) -> str:
    value, path = call.arguments[0], _path(call)
    kind, inner = f"json_type({value}, {path})", f"json_extract({value}, {path})"
    return _valid(
        value,
        f"CASE WHEN {kind} = 'ARRAY' THEN CAST(json_array_length({inner}) AS BIGINT) "
        f"WHEN {kind} = 'OBJECT' THEN CAST(len(json_keys({inner})) AS BIGINT) WHEN {kind} IS NOT NULL THEN 0 END",
    )


def _is_scalar(call: Call) -> str:
    value = call.arguments[0]
    return _valid(value, f"(json_type({value}) NOT IN ('OBJECT', 'ARRAY'))")


def _array_contains(call: Call) -> str:
    """Compares with elements of the same kind only."""
    value, element = call.arguments
    wanted = {"varchar": "'VARCHAR'", "boolean": "'BOOLEAN'"}.get(element.type.name)
    kinds = wanted or "'UBIGINT', 'BIGINT', 'DOUBLE'"
    text = f"CAST({element} AS VARCHAR)" if wanted else f"CAST({element} AS DOUBLE)"
    item = "json_extract_string(e, '$')" if wanted else "CAST(e AS DOUBLE)"
    matches = f"json_type(e) IN ({kinds}) AND {item} = {text}"
    found = f"len(list_filter(CAST({value} AS JSON[]), lambda e: {matches})) > 0"
    return _valid(value, f"CASE WHEN json_type({value}) = 'ARRAY' THEN {found} END")


FUNCTIONS: tuple[Function, ...] = (
    _f("json_extract(json, varchar) -> json", _extract),
    _f("json_extract(varchar, varchar) -> json", _extract),
    _f("json_extract_scalar(json, varchar) -> varchar", _extract_scalar),
    _f("json_extract_scalar(varchar, varchar) -> varchar", _extract_scalar),
    _f("json_parse(varchar) -> json", _parse),
    _f("json_format(json) -> varchar", "CAST({0} AS VARCHAR)"),
    _f("json_array_length(json) -> bigint", _array_length),
    _f("json_array_length(varchar) -> bigint", _array_length),
    _f("json_size(json, varchar) -> bigint", _size),
    _f("json_size(varchar, varchar) -> bigint", _size),
    _f("json_array_contains(json, any) -> boolean", _array_contains),
    _f("json_array_contains(varchar, any) -> boolean", _array_contains),
    _f("is_json_scalar(json) -> boolean", _is_scalar),
    _f("is_json_scalar(varchar) -> boolean", _is_scalar),
)

"""JSON functions (https://trino.io/docs/current/functions/json.html)."""

from __future__ import annotations

from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.expression import Expr, fail
from headwater.stack.lakehouse.sql.failures import SqlError
from headwater.stack.lakehouse.sql.functions.model import Builder, Call, Function, family
from headwater.stack.lakehouse.sql.routines.jsons import steps
from headwater.stack.lakehouse.sql.routines.model import RoutineFailed

_f = family("json")


def _valid(value: Expr, result: str) -> str:
    """Text that is no JSON gives NULL."""
    if value.type.name == "json":
        return result
    return f"CASE WHEN json_valid({value}) THEN {result} END"


def _path(call: Call) -> str:
    """The path; one that is written out is checked before the query runs."""
    path = call.arguments[1]
    if isinstance(path.literal, str):
        try:
            steps(path.literal)
        except RoutineFailed as error:
            code, _, message = str(error).partition(": ")
            raise SqlError(code, message) from error
    return path.sql


def _at_path(routine: str) -> Builder:
    """What a path leads to; text that is no JSON gives NULL."""

    def build(call: Call) -> str:
        return f"{routine}(CAST({call.arguments[0]} AS VARCHAR), {_path(call)})"

    return build


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


def _is_scalar(call: Call) -> str:
    value = call.arguments[0]
    scalar = f"(json_type({value}) NOT IN ('OBJECT', 'ARRAY'))"
    if value.type.name == "json":
        return scalar
    message = f"'INVALID_FUNCTION_ARGUMENT: Invalid JSON value: ' || {value}"
    refusal = fail(message, t.BOOLEAN, value.sql)
    return f"CASE WHEN json_valid({value}) THEN {scalar} WHEN {value} IS NOT NULL THEN {refusal} END"


_ELEMENTS = ("boolean", "bigint", "double", "varchar")


FUNCTIONS: tuple[Function, ...] = (
    _f("json_extract(json, varchar) -> json", _at_path("hw_json_extract")),
    _f("json_extract(varchar, varchar) -> json", _at_path("hw_json_extract")),
    _f("json_extract_scalar(json, varchar) -> varchar", _at_path("hw_json_extract_scalar")),
    _f("json_extract_scalar(varchar, varchar) -> varchar", _at_path("hw_json_extract_scalar")),
    _f("json_parse(varchar) -> json", _parse),
    _f("json_format(json) -> varchar", "CAST({0} AS VARCHAR)"),
    _f("json_array_length(json) -> bigint", _array_length),
    _f("json_array_length(varchar) -> bigint", _array_length),
    _f("json_size(json, varchar) -> bigint", _at_path("hw_json_size")),
    _f("json_size(varchar, varchar) -> bigint", _at_path("hw_json_size")),
    *(
        _f(
            f"json_array_contains({array}, {kind}) -> boolean",
            f"hw_json_contains_{kind}(CAST({{0}} AS VARCHAR), {{1}})",
        )
        for array, text in (("json", "CAST({0} AS VARCHAR)"), ("varchar", "{0}"))
        for kind in _ELEMENTS
    ),
    _f("json_array_get(json, bigint) -> json", "hw_json_element(CAST({0} AS VARCHAR), {1})"),
    _f("json_array_get(varchar, bigint) -> json", "hw_json_element({0}, {1})"),
    _f("is_json_scalar(json) -> boolean", _is_scalar),
    _f("is_json_scalar(varchar) -> boolean", _is_scalar),
)

"""JSON_EXISTS, JSON_VALUE and JSON_QUERY: what a path finds, and whether it found nothing or failed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Any

from headwater.stack.lakehouse.sql.routines.javanumbers import double_text
from headwater.stack.lakehouse.sql.routines.jsonpaths import Evaluation, PathError, is_number
from headwater.stack.lakehouse.sql.routines.jsonpathsyntax import parsed
from headwater.stack.lakehouse.sql.routines.jsons import constants_refused
from headwater.stack.lakehouse.sql.routines.model import Routine, RoutineFailed

FOUND, EMPTY, FAILED = 0, 1, 2
_CODECS = {"UTF8": "utf-8", "UTF16": "utf-16-le", "UTF32": "utf-32-le"}


def json_item(text: str) -> Any:
    """A JSON text as an item: a number with a fraction is a double, as in Trino."""
    return json.loads(text, parse_constant=constants_refused)


def item_text(item: Any) -> str:
    """An item as JSON without spaces.

    >>> item_text({"a": [1.50, None, "x"]})
    '{"a":[1.5,null,"x"]}'
    """
    if isinstance(item, dict):
        return "{" + ",".join(f"{json.dumps(k, ensure_ascii=False)}:{item_text(v)}" for k, v in item.items()) + "}"
    if isinstance(item, list):
        return "[" + ",".join(item_text(v) for v in item) + "]"
    if isinstance(item, Decimal):
        return f"{item:f}"
    return double_text(item) if isinstance(item, float) else json.dumps(item, ensure_ascii=False)


@lru_cache(maxsize=64)
def _options(text: str) -> Mapping[str, str]:
    return dict(json.loads(text))


def _variables(text: str) -> Mapping[str, list[Any]]:
    """Passed values: numbers keep whether they are exact; JSON texts are read, and NULL is no item."""
    if text == "{}":
        return {}
    return {name: _passed(value) for name, value in json.loads(text, parse_float=_exact).items()}


def _passed(value: Mapping[str, Any]) -> list[Any]:
    if "v" in value:
        return [value["v"]]
    return [json_item(value["j"])] if value["j"] is not None else []


def _exact(text: str) -> float | Decimal:
    return float(text) if "E" in text.upper() else Decimal(text)


def _found(text: str, path: str, variables: str) -> tuple[list[Any] | None, str]:
    """The items, or the error."""
    try:
        value, passed = json_item(text), _variables(variables)
    except ValueError:
        return None, "JSON_INPUT_CONVERSION_ERROR: conversion to JSON failed: "
    try:
        return Evaluation(parsed(path), value, passed).items(), ""
    except PathError as error:
        return None, f"PATH_EVALUATION_ERROR: path evaluation failed: {error}"


def _outcome(state: int, value: str | None = None) -> dict[str, Any]:
    return {"s": state, "v": value}


def _exists(text: str, path: str, variables: str, options: str) -> dict[str, Any]:
    items, error = _found(text, path, variables)
    return _outcome(FAILED, error) if items is None else _outcome(FOUND, "true" if items else "false")


_NO_ITEMS, _MANY = "JSON path found no items", "JSON path found multiple items"


def _query(text: str, path: str, variables: str, options: str) -> dict[str, Any]:
    """``wrapper`` and ``quotes`` are the clauses."""
    items, error = _found(text, path, variables)
    if items is None:
        return _outcome(FAILED, error)
    prefix = "JSON_OUTPUT_CONVERSION_ERROR: conversion from JSON failed: "
    if not items:
        return _outcome(EMPTY, prefix + _NO_ITEMS)
    clauses = _options(options)
    wraps = clauses["wrapper"] == "UNCONDITIONAL" or (
        clauses["wrapper"] == "CONDITIONAL" and not (len(items) == 1 and isinstance(items[0], (list, dict)))
    )
    if wraps:
        return _outcome(FOUND, item_text(items))
    if len(items) > 1:
        return _outcome(FAILED, prefix + _MANY)
    if clauses["quotes"] == "OMIT" and isinstance(items[0], str):
        return _outcome(FOUND, items[0])
    return _outcome(FOUND, item_text(items[0]))


def _value(text: str, path: str, variables: str, options: str) -> dict[str, Any]:
    """``type`` is the name of the returned type."""
    items, error = _found(text, path, variables)
    if items is None:
        return _outcome(FAILED, error)
    prefix = "JSON_VALUE_RESULT_ERROR: cannot extract SQL scalar from JSON: "
    if len(items) != 1:
        return _outcome(FAILED if items else EMPTY, prefix + (_MANY if items else _NO_ITEMS))
    if isinstance(items[0], (list, dict)):
        return _outcome(FAILED, prefix + "JSON path found an item that cannot be converted to an SQL value")
    scalar = _scalar(items[0], _options(options)["type"])
    if scalar is None and items[0] is not None:
        message = f"{prefix}JSON path found an item that cannot be cast to {_options(options)['type']}"
        return _outcome(FAILED, message)
    return _outcome(FOUND, scalar)


_INTEGERS = ("tinyint", "smallint", "integer", "bigint")


def _scalar(item: Any, kind: str) -> str | None:
    """The text from which a cast makes the value; ``None`` if there is no cast."""
    if item is None:
        return None
    if isinstance(item, bool):
        return str(item).lower() if kind in ("varchar", "char", "boolean") else str(int(item))
    if is_number(item) and kind in _INTEGERS:
        try:
            return str(int(Decimal(item).quantize(Decimal(1), ROUND_HALF_UP)))
        except ArithmeticError:
            return None
    if is_number(item) and kind == "boolean":
        return str(item != 0).lower()
    if is_number(item) and kind in ("date", "time", "timestamp", "timestamptz"):
        return None
    return item if isinstance(item, str) else item_text(item)


def _plain(text: str) -> str:
    """``FORMAT JSON``: the value without spaces."""
    try:
        return item_text(json_item(text))
    except ValueError as error:
        raise RoutineFailed("conversion to JSON failed: ", "JSON_INPUT_CONVERSION_ERROR") from error


def _text(data: bytes, encoding: str) -> str:
    try:
        return bytes(data).decode(_CODECS[encoding])
    except UnicodeDecodeError as error:
        raise RoutineFailed("conversion to JSON failed: ", "JSON_INPUT_CONVERSION_ERROR") from error


def _bytes(text: str, encoding: str) -> bytes:
    return text.encode(_CODECS[encoding])


def _object(keys: list[str | None], values: list[str | None], options: str) -> str:
    """Keys and the JSON texts of their values."""
    clauses, seen, parts = _options(options), set(), []
    for key, value in zip(keys, values, strict=True):
        if key is None:
            raise RoutineFailed("null value passed for JSON object key to JSON_OBJECT function")
        if value is None and clauses["on_null"] == "ABSENT":
            continue
        if clauses["unique"] and key in seen:
            message = "conversion to JSON failed: duplicate key passed to JSON_OBJECT function"
            raise RoutineFailed(message, "JSON_OUTPUT_CONVERSION_ERROR")
        if key in seen:
            message = "cannot construct a JSON object with duplicate key"
            raise RoutineFailed(message, "NOT_SUPPORTED")
        seen.add(key)
        parts.append(f"{json.dumps(key, ensure_ascii=False)}:{'null' if value is None else value}")
    return "{" + ",".join(parts) + "}"


_RESULT = "STRUCT(s TINYINT, v VARCHAR)"
ROUTINES = (
    Routine("hw_json_exists", _exists, ["VARCHAR"] * 4, _RESULT),
    Routine("hw_json_query", _query, ["VARCHAR"] * 4, _RESULT),
    Routine("hw_json_value", _value, ["VARCHAR"] * 4, _RESULT),
    Routine("hw_json_plain", _plain, ["VARCHAR"], "VARCHAR"),
    Routine("hw_json_object", _object, ["VARCHAR[]", "VARCHAR[]", "VARCHAR"], "VARCHAR"),
    Routine("hw_json_text", _text, ["BLOB", "VARCHAR"], "VARCHAR"),
    Routine("hw_json_bytes", _bytes, ["VARCHAR", "VARCHAR"], "BLOB"),
)

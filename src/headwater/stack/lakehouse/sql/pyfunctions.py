"""Functions that run in Python: JSON text and CSV lines, where DuckDB would lose digits, key order or a quote."""

from __future__ import annotations

import json
import re
from typing import Any

import duckdb

from headwater.stack.lakehouse.sources.csvfields import csv_fields

_PART = re.compile(r'\."([^"]*)"|\[(\d+)\]')


class _Number(float):
    """A number that remembers how it was written."""

    text: str

    def __new__(cls, text: str) -> _Number:
        number = super().__new__(cls, text)
        number.text = text
        return number

    def __repr__(self) -> str:
        return self.text


def _found(text: str, path: str) -> tuple[bool, Any]:
    value: Any = json.loads(text, parse_float=_Number)
    for name, index in _PART.findall(path):
        if index and isinstance(value, list) and int(index) < len(value):
            value = value[int(index)]
        elif not index and isinstance(value, dict) and name in value:
            value = value[name]
        else:
            return False, None
    return True, value


def _written(value: Any, *, sort: bool = False) -> str:
    """JSON without spaces. ``json.dumps`` would write a float subclass by ``float.__repr__``, hence by hand."""
    if isinstance(value, _Number):
        return value.text
    if isinstance(value, dict):
        items = sorted(value.items()) if sort else value.items()
        return "{" + ",".join(f"{json.dumps(k, ensure_ascii=False)}:{_written(v, sort=sort)}" for k, v in items) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_written(v, sort=sort) for v in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def _number(text: str, path: str) -> str | None:
    found, value = _found(text, path)
    return _written(value) if found else None


def _canonical(text: str) -> str:
    return _written(json.loads(text, parse_float=_Number), sort=True)


def register(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the functions known to a connection."""
    connection.create_function("hw_json_number", _number, ["VARCHAR", "VARCHAR"], "VARCHAR")
    connection.create_function("hw_json_extract", _number, ["VARCHAR", "VARCHAR"], "JSON")
    connection.create_function("hw_opencsv", csv_fields, ["VARCHAR"] * 4, "VARCHAR[]")
    connection.create_function("hw_json_canonical", _canonical, ["VARCHAR"], "JSON")

"""JSON text: canonical form, and Trino's json_extract with its own small path language; digits stay as written."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any

from headwater.stack.lakehouse.sql.routines.model import Routine, RoutineFailed

_PART = re.compile(r'\."([^"]*)"|\[(\d+)\]')
_STEP = re.compile(r"""\.([\w:-]+)|\[([\w-]+)\]|\["((?:[^"\\]|\\["\\])*)"\]|\.\["((?:[^"\\]|\\["\\])*)"\]""")


class Number(float):
    """A number that remembers how it was written."""

    text: str

    def __new__(cls, text: str) -> Number:
        number = super().__new__(cls, text)
        number.text = text
        return number

    def __repr__(self) -> str:
        return self.text


def decoded(text: str) -> Any:
    """The value of a JSON text. Raises ``ValueError``."""
    return json.loads(text, parse_float=Number, parse_constant=constants_refused)


def constants_refused(name: str) -> Any:
    """NaN and Infinity are no JSON."""
    raise ValueError(name)


def written(value: Any, *, sort: bool = False) -> str:
    """JSON without spaces. ``json.dumps`` would write a float subclass by ``float.__repr__``, hence by hand."""
    if isinstance(value, Number):
        return value.text
    if isinstance(value, dict):
        items = sorted(value.items()) if sort else value.items()
        return "{" + ",".join(f"{json.dumps(k, ensure_ascii=False)}:{written(v, sort=sort)}" for k, v in items) + "}"
    if isinstance(value, list):
        return "[" + ",".join(written(v, sort=sort) for v in value) + "]"
    return json.dumps(value, ensure_ascii=False)


@lru_cache(maxsize=256)
def steps(path: str) -> tuple[str, ...]:
    """The steps of a path of json_extract: names and indexes alike, because ``$[0]`` may be either.

    >>> steps("$.store.book[0]")
    ('store', 'book', '0')
    """
    if not path.startswith("$"):
        path = f"$.{path}"
    found, position = [], 1
    while position < len(path):
        step = _STEP.match(path, position)
        if step is None:
            raise RoutineFailed(f"Invalid JSON path: '{path}'")
        name = next(group for group in step.groups() if group is not None)
        found.append(name.replace('\\"', '"').replace("\\\\", "\\") if step[3] or step[4] else name)
        position = step.end()
    return tuple(found)


def _follow(value: Any, path: tuple[str, ...]) -> tuple[bool, Any]:
    for step in path:
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return False, None
    return True, value


def _extracted(text: str, path: str) -> tuple[bool, Any]:
    parsed = steps(path)
    try:
        return _follow(decoded(text), parsed)
    except ValueError:
        return False, None


def _extract(text: str, path: str) -> str | None:
    found, value = _extracted(text, path)
    return written(value) if found else None


def _extract_scalar(text: str, path: str) -> str | None:
    found, value = _extracted(text, path)
    if not found or value is None or isinstance(value, (dict, list)):
        return None
    return value if isinstance(value, str) else written(value)


def _size(text: str, path: str) -> int | None:
    found, value = _extracted(text, path)
    return (len(value) if isinstance(value, (dict, list)) else 0) if found else None


def _element(text: str, index: int) -> str | None:
    """``json_array_get``: from 0, negative from the end; text without its quotes, which is no JSON, as in Trino."""
    try:
        value = decoded(text)
    except ValueError:
        return None
    if not isinstance(value, list) or not -len(value) <= index < len(value):
        return None
    found = value[index]
    return found if isinstance(found, str) else written(found)


def _canonical(text: str) -> str:
    try:
        return written(decoded(text), sort=True)
    except ValueError as error:
        raise RoutineFailed(f"Cannot convert value to JSON: '{text}'") from error


def _member(text: str, path: str) -> str | None:
    """The value at a path of DuckDB's, as it is written."""
    value: Any = decoded(text)
    for name, index in _PART.findall(path):
        found, value = _follow(value, (index or name,))
        if not found:
            return None
    return written(value)


_TEXTS = ["VARCHAR", "VARCHAR"]
ROUTINES = (
    Routine("hw_json_number", _member, _TEXTS, "VARCHAR"),
    Routine("hw_json_extract", _extract, _TEXTS, "JSON"),
    Routine("hw_json_extract_scalar", _extract_scalar, _TEXTS, "VARCHAR"),
    Routine("hw_json_size", _size, _TEXTS, "BIGINT"),
    Routine("hw_json_element", _element, ["VARCHAR", "BIGINT"], "JSON"),
    Routine("hw_json_canonical", _canonical, ["VARCHAR"], "JSON"),
)

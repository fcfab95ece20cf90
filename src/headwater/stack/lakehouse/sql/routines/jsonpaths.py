"""The SQL/JSON path language of json_exists, json_query and json_value, but for filters and arithmetic."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from headwater.stack.lakehouse.sql.routines.jsons import Number, decoded, written
from headwater.stack.lakehouse.sql.routines.model import Routine, RoutineFailed

_STEP = re.compile(
    r"""\s*(?:(\.\.)?\.?(?<=\.)([A-Za-z_][\w]*(?:\(\))?|"(?:[^"\\]|\\.)*"|\*)|\[([^\]]*)\])\s*""", re.DOTALL
)
_SUBSCRIPT = re.compile(r"\s*(last|\d+)(?:\s*-\s*(\d+))?(?:\s+to\s+(last|\d+)(?:\s*-\s*(\d+))?)?\s*")


class _Structural(Exception):
    """A step that fits nothing; strict mode fails on it, lax mode skips it."""


@lru_cache(maxsize=256)
def parsed(path: str) -> tuple[bool, tuple[tuple[str, str], ...]]:
    """Whether the mode is strict, and the steps: kind and text.

    >>> parsed("lax $.a[*]")
    (False, (('member', 'a'), ('elements', '*')))
    """
    found = re.fullmatch(r"\s*(lax|strict)\s+\$(.*)", path, re.DOTALL)
    if found is None:
        raise RoutineFailed(f"Invalid JSON path: '{path}'", "INVALID_PATH")
    steps, position, rest = [], 0, found[2]
    while position < len(rest):
        step = _STEP.match(rest, position)
        if step is None or not step[0].strip() or (step[3] is not None and not _known(step[3])):
            message = f"the JSON path '{path}' (filters and arithmetic) is not supported by Headwater's local Athena"
            raise RoutineFailed(message, "NOT_SUPPORTED")
        if step[3] is not None:
            steps.append(("elements", step[3].strip()))
        elif step[2].endswith("()"):
            if step[2] not in ("size()", "type()"):
                message = f"the JSON path method {step[2]} is not supported by Headwater's local Athena"
                raise RoutineFailed(message, "NOT_SUPPORTED")
            steps.append(("method", step[2]))
        else:
            name = step[2] if step[2] == "*" or step[2][0] != '"' else decoded(step[2])
            kind = "descendants" if step[1] else "members" if step[2] == "*" else "member"
            steps.append((kind, name))
        position = step.end()
    return found[1] == "strict", tuple(steps)


def _known(subscripts: str) -> bool:
    return subscripts.strip() == "*" or all(_SUBSCRIPT.fullmatch(part) for part in subscripts.split(","))


def evaluated(text: str, path: str) -> list[Any]:
    """The sequence that a path leads to. Raises ``_Structural`` in strict mode, ``ValueError`` for no JSON."""
    strict, steps = parsed(path)
    items = [decoded(text)]
    for kind, name in steps:
        items = [found for item in items for found in _step(item, kind, name, strict)]
    return items


def _step(item: Any, kind: str, name: str, strict: bool) -> Iterator[Any]:
    if kind == "method":
        yield _method(item, name, strict)
    elif kind == "descendants":
        yield from _descendants(item, name)
    elif kind == "elements":
        yield from _elements(item, name, strict)
    elif isinstance(item, list) and not strict:
        for inner in item:
            if isinstance(inner, dict):
                yield from _step(inner, kind, name, strict)
    elif isinstance(item, dict) and (kind == "members" or name in item):
        yield from item.values() if kind == "members" else (item[name],)
    elif strict:
        raise _Structural


def _descendants(item: Any, name: str) -> Iterator[Any]:
    if isinstance(item, dict) and name in item:
        yield item[name]
    for inner in item.values() if isinstance(item, dict) else item if isinstance(item, list) else ():
        yield from _descendants(inner, name)


def _elements(item: Any, subscripts: str, strict: bool) -> Iterator[Any]:
    if not isinstance(item, list):
        if strict:
            raise _Structural
        item = [item]
    if subscripts == "*":
        yield from item
        return
    for part in subscripts.split(","):
        found = _SUBSCRIPT.fullmatch(part)
        if found is None:
            raise _Structural
        first = _index(found[1], found[2], len(item))
        last = _index(found[3], found[4], len(item)) if found[3] else first
        if strict and not 0 <= first <= last < len(item):
            raise _Structural
        yield from item[max(first, 0) : last + 1] if last >= 0 else ()


def _index(word: str, less: str | None, length: int) -> int:
    return (length - 1 if word == "last" else int(word)) - int(less or 0)


_KINDS = ((bool, "boolean"), (str, "string"), (list, "array"), (dict, "object"), ((int, float), "number"))


def _method(item: Any, name: str, strict: bool) -> Any:
    if name == "type()":
        return next((kind for types, kind in _KINDS if isinstance(item, types)), "null")
    if not isinstance(item, list) and strict:
        raise _Structural
    return len(item) if isinstance(item, list) else 1


def _exists(text: str, path: str) -> bool:
    parsed(path)
    try:
        return bool(evaluated(text, path))
    except (_Structural, ValueError):
        return False


def _single(text: str, path: str) -> tuple[bool, Any]:
    """NULL ON EMPTY and NULL ON ERROR, the defaults."""
    parsed(path)
    try:
        items = evaluated(text, path)
    except (_Structural, ValueError):
        return False, None
    return len(items) == 1, items[0] if len(items) == 1 else None


def _query(text: str, path: str) -> str | None:
    found, value = _single(text, path)
    return written(value) if found else None


def _value(text: str, path: str) -> str | None:
    found, value = _single(text, path)
    if not found or value is None or isinstance(value, (dict, list)):
        return None
    return value if isinstance(value, str) else value.text if isinstance(value, Number) else written(value)


_TEXTS = ["VARCHAR", "VARCHAR"]
ROUTINES = (
    Routine("hw_json_exists", _exists, _TEXTS, "BOOLEAN"),
    Routine("hw_json_query", _query, _TEXTS, "VARCHAR"),
    Routine("hw_json_value", _value, _TEXTS, "VARCHAR"),
)

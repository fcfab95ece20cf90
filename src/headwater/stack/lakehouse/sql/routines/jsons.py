"""JSON texts as Trino's functions read them: as a stream, so that anything may stand behind the wanted value."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from typing import Any

from headwater.stack.lakehouse.sql.routines.javanumbers import double_text
from headwater.stack.lakehouse.sql.routines.model import Routine, RoutineFailed

_STEP = re.compile(r"""\.([\w:]+)|\[(\w+)\]|\["((?:[^"\\]|\\["\\])*)"\]""")
_BLANK = re.compile(r"[ \t\n\r]*")
_ENDS = ("", " ", "\t", "\n", "\r", ",", "]", "}")
_LONG = 2**63


class Number(float):
    """A number with a fraction or an exponent, which remembers how it was written."""

    text: str

    def __new__(cls, text: str) -> Number:
        number = super().__new__(cls, text)
        number.text = text
        return number


class Repeated(dict[str, Any]):
    """An object with a key that occurs twice: a path leads to the first."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(reversed(pairs))
        self.pairs = pairs


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else Repeated(pairs)


def constants_refused(name: str) -> Any:
    """NaN and Infinity are no JSON."""
    raise ValueError(name)


_DECODER = json.JSONDecoder(parse_float=Number, parse_constant=constants_refused, object_pairs_hook=_object)


def decoded(text: str) -> Any:
    """The value of a JSON text. Raises ``ValueError``."""
    return _DECODER.decode(text)


def json_items(text: str) -> list[str]:
    """The elements of an array, or the values of an object, with their numbers as they are written.

    >>> json_items('[1.50, {"a": 2}]')
    ['1.50', '{"a":2}']
    """
    value = decoded(text)
    return [written(item, plain=True) for item in (value.values() if isinstance(value, dict) else value)]


def written(value: Any, *, sort: bool = False, once: bool = False, plain: bool = False) -> str:
    """JSON without spaces, with doubles as Java writes them, or as they are, ``plain``.

    Of equal keys all stay, or the last ``once``.
    """
    if plain and isinstance(value, Number):
        return value.text
    if isinstance(value, float):
        text = double_text(value)
        return text if text[-1].isdigit() else f'"{text}"'
    if isinstance(value, dict):
        pairs = value.pairs if isinstance(value, Repeated) and not once else list(_last(value).items())
        parts = [
            f"{json.dumps(k, ensure_ascii=False)}:{written(v, sort=sort, once=once, plain=plain)}"
            for k, v in (sorted(pairs, key=lambda pair: pair[0]) if sort else pairs)
        ]
        return "{" + ",".join(parts) + "}"
    if isinstance(value, list):
        return "[" + ",".join(written(v, sort=sort, once=once, plain=plain) for v in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def _last(value: dict[str, Any]) -> dict[str, Any]:
    return dict(value.pairs) if isinstance(value, Repeated) else value


@lru_cache(maxsize=256)
def steps(path: str) -> tuple[str, ...]:
    """The steps of a path of json_extract: names and indexes alike, because ``$[0]`` may be either.

    >>> steps("$.store.book[0]")
    ('store', 'book', '0')
    """
    found, position = [], 1
    while path.startswith("$") and position < len(path):
        step = _STEP.match(path, position)
        if step is None:
            break
        name = next(group for group in step.groups() if group is not None)
        found.append(re.sub(r"\\(.)", r"\1", name) if step[3] is not None else name)
        position = step.end()
    if position != len(path) or not path.startswith("$"):
        raise RoutineFailed(f"Invalid JSON path: '{path}'")
    return tuple(found)


def _after_blanks(text: str, position: int) -> int:
    found = _BLANK.match(text, position)
    return found.end() if found else position


def _after_value(text: str, position: int, close: str) -> int:
    """The next element or member, or the end; the rest of the text is not read."""
    position = _after_blanks(text, _DECODER.raw_decode(text, position)[1])
    if text[position] == ",":
        position = _after_blanks(text, position + 1)
        if text[position] != close:
            return position
    elif text[position] == close:
        return position
    raise ValueError(text)


def _members(text: str, position: int) -> Iterator[tuple[str, int]]:
    """The names of an object and where their values begin. Raises ``ValueError`` or ``IndexError`` on the way."""
    position = _after_blanks(text, position + 1)
    while text[position] != "}":
        if text[position] != '"':
            raise ValueError(text)
        name, position = _DECODER.raw_decode(text, position)
        position = _after_blanks(text, position)
        if text[position] != ":":
            raise ValueError(text)
        position = _after_blanks(text, position + 1)
        yield name, position
        position = _after_value(text, position, "}")


def _elements(text: str, position: int) -> Iterator[int]:
    """Where the elements of an array begin. Raises ``ValueError`` or ``IndexError`` on the way."""
    position = _after_blanks(text, position + 1)
    while text[position] != "]":
        yield position
        position = _after_value(text, position, "]")


def _streamed(text: str, path: tuple[str, ...]) -> tuple[bool, Any]:
    """What a path leads to in a text that is no JSON as a whole."""
    position = _after_blanks(text, 0)
    for step in path:
        starts: Iterator[int] = iter(())
        if text[position] == "{":
            starts = (start for name, start in _members(text, position) if name == step)
        elif text[position] == "[" and step.isdecimal():
            starts = islice(_elements(text, position), int(step), None)
        position = next(starts, -1)
        if position < 0:
            return False, None
    value, end = _DECODER.raw_decode(text, position)
    # 01 is no number, though 0 is one.
    whole = isinstance(value, (str, dict, list)) or text[end : end + 1] in _ENDS
    return whole, value if whole else None


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
        pass
    try:
        return _streamed(text, parsed)
    except (ValueError, IndexError):
        return False, None


def _extract(text: str, path: str) -> str | None:
    found, value = _extracted(text, path)
    return written(value) if found else None


def _extract_scalar(text: str, path: str) -> str | None:
    found, value = _extracted(text, path)
    return _scalar(value) if found and not isinstance(value, (dict, list)) else None


def _scalar(value: Any) -> str | None:
    """The text of a scalar: digits stay as they are written; null has none."""
    if isinstance(value, Number):
        return value.text
    return value if value is None or isinstance(value, str) else written(value)


def _size(text: str, path: str) -> int | None:
    found, value = _extracted(text, path)
    if isinstance(value, Repeated):
        return len(value.pairs)
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
    return written(found, once=True) if isinstance(found, (dict, list)) else _scalar(found)


def _contains(text: str, wanted: bool | int | float | str) -> bool | None:
    """Whether an array has a scalar of the same kind; NULL for what is no array as far as it is read."""
    try:
        start = _after_blanks(text, 0)
        if text[start] != "[":
            return None
        return any(_is_same(_DECODER.raw_decode(text, place)[0], wanted) for place in _elements(text, start))
    except (ValueError, IndexError):
        return None


def _is_same(item: Any, wanted: bool | int | float | str) -> bool:
    if type(wanted) is int:
        return type(item) is int and item == wanted and -_LONG <= item < _LONG
    kind = Number if isinstance(wanted, float) else type(wanted)
    return type(item) is kind and bool(item == wanted) and item not in (float("inf"), float("-inf"))


def _canonical(text: str) -> str:
    """The form of values of type JSON: keys sorted, each once."""
    try:
        return written(decoded(text), sort=True, once=True)
    except ValueError as error:
        raise RoutineFailed(f"Cannot convert value to JSON: '{text}'") from error


_TEXTS = ["VARCHAR", "VARCHAR"]
ROUTINES = (
    Routine("hw_json_items", json_items, ["VARCHAR"], "VARCHAR[]"),
    Routine("hw_json_extract", _extract, _TEXTS, "JSON"),
    Routine("hw_json_extract_scalar", _extract_scalar, _TEXTS, "VARCHAR"),
    Routine("hw_json_size", _size, _TEXTS, "BIGINT"),
    Routine("hw_json_element", _element, ["VARCHAR", "BIGINT"], "JSON"),
    Routine("hw_json_canonical", _canonical, ["VARCHAR"], "JSON"),
    *(
        Routine(f"hw_json_contains_{kind.lower()}", _contains, ["VARCHAR", kind], "BOOLEAN")
        for kind in ("BOOLEAN", "BIGINT", "DOUBLE", "VARCHAR")
    ),
)

"""The grammar of Hive column types, because the catalog stores types as text and every reader needs their structure."""

from __future__ import annotations

import re
from dataclasses import dataclass


class TypeSyntaxError(ValueError):
    """The text is not a Hive type. ``position`` is the offset of the offending character."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.position = position


@dataclass(frozen=True)
class Primitive:
    """A type without parameters: ``name`` is one of ``PRIMITIVES``."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Decimal:
    """``decimal(precision,scale)``; a bare ``decimal`` is ``decimal(10,0)``, as in Hive."""

    precision: int = 10
    scale: int = 0

    def __str__(self) -> str:
        return f"decimal({self.precision},{self.scale})"


@dataclass(frozen=True)
class Text:
    """``varchar(length)`` or ``char(length)``: ``name`` says which."""

    name: str
    length: int

    def __str__(self) -> str:
        return f"{self.name}({self.length})"


@dataclass(frozen=True)
class Array:
    """``array<element>``."""

    element: HiveType

    def __str__(self) -> str:
        return f"array<{self.element}>"


@dataclass(frozen=True)
class Map:
    """``map<key,value>``."""

    key: HiveType
    value: HiveType

    def __str__(self) -> str:
        return f"map<{self.key},{self.value}>"


@dataclass(frozen=True)
class Field:
    """One field of a struct."""

    name: str
    type: HiveType

    def __str__(self) -> str:
        return f"{self.name}:{self.type}"


@dataclass(frozen=True)
class Struct:
    """``struct<name:type,…>``."""

    fields: tuple[Field, ...]

    def __str__(self) -> str:
        return f"struct<{','.join(map(str, self.fields))}>"


HiveType = Primitive | Decimal | Text | Array | Map | Struct

PRIMITIVES = frozenset(
    ("tinyint", "smallint", "int", "bigint", "boolean", "float", "double", "date", "timestamp", "string", "binary")
)
INTEGERS = frozenset(("tinyint", "smallint", "int", "bigint"))
_SYNONYMS = {"integer": "int", "long": "bigint", "short": "smallint", "byte": "tinyint", "bool": "boolean"}
_MAX_LENGTH = {"varchar": 65535, "char": 255}
_MAX_PRECISION = 38

_SPACE = re.compile(r"\s*")
_WORD = re.compile(r"[A-Za-z_][A-Za-z_0-9]*")
_NUMBER = re.compile(r"\d+")
_QUOTED = re.compile(r"`((?:[^`]|``)*)`")
# Glue keeps what it was given, so a field name may hold anything but the characters that end it.
_FIELD_NAME = re.compile(r"[^\s:,<>()`][^:,<>()`]*")
_COMMENT = re.compile(r"\s*comment\s+('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")", re.IGNORECASE | re.DOTALL)


def parse_type(text: str) -> HiveType:
    """Read a whole Hive type. Raises ``TypeSyntaxError``.

    >>> str(parse_type("ARRAY<struct<a: INTEGER, b:decimal(10, 2)>>"))
    'array<struct<a:int,b:decimal(10,2)>>'
    """
    parsed, end = parse_type_at(text, 0)
    end = _skip(text, end)
    if end != len(text):
        raise TypeSyntaxError(f"unexpected {text[end:]!r} after type {str(parsed)!r}", end)
    return parsed


def parse_type_at(text: str, position: int) -> tuple[HiveType, int]:
    """Read the type that starts at ``position``, and say where it ends. Raises ``TypeSyntaxError``.

    >>> parse_type_at("a int comment 'x'", 2)
    (Primitive(name='int'), 5)
    """
    position = _skip(text, position)
    match = _WORD.match(text, position)
    if match is None:
        raise TypeSyntaxError("a type was expected", position)
    name = _SYNONYMS.get(match.group().lower(), match.group().lower())
    after = match.end()
    if name in ("decimal", "dec", "numeric"):
        return _decimal(text, after)
    if name in _MAX_LENGTH:
        return _text(text, name, after)
    if name == "array":
        element, after = parse_type_at(text, _expect(text, after, "<"))
        return Array(element), _expect(text, after, ">")
    if name == "map":
        key, after = parse_type_at(text, _expect(text, after, "<"))
        value, after = parse_type_at(text, _expect(text, after, ","))
        return Map(key, value), _expect(text, after, ">")
    if name == "struct":
        return _struct(text, after)
    if name not in PRIMITIVES:
        raise TypeSyntaxError(f"unknown type {match.group()!r}", position)
    if name == "double":
        precision = re.compile(r"\s+precision\b", re.IGNORECASE).match(text, after)
        after = precision.end() if precision else after
    return Primitive(name), after


def _decimal(text: str, position: int) -> tuple[HiveType, int]:
    numbers, end = _arguments(text, position)
    if len(numbers) > 2:
        raise TypeSyntaxError("decimal takes a precision and a scale", position)
    precision = numbers[0] if numbers else 10
    scale = numbers[1] if len(numbers) == 2 else 0
    if not 1 <= precision <= _MAX_PRECISION:
        raise TypeSyntaxError(f"decimal precision {precision} is not between 1 and {_MAX_PRECISION}", position)
    if scale > precision:
        raise TypeSyntaxError(f"decimal scale {scale} is greater than its precision {precision}", position)
    return Decimal(precision, scale), end


def _text(text: str, name: str, position: int) -> tuple[HiveType, int]:
    numbers, end = _arguments(text, position)
    if len(numbers) != 1:
        raise TypeSyntaxError(f"{name} needs one length", position)
    if not 1 <= numbers[0] <= _MAX_LENGTH[name]:
        raise TypeSyntaxError(f"{name} length {numbers[0]} is not between 1 and {_MAX_LENGTH[name]}", position)
    return Text(name, numbers[0]), end


def _struct(text: str, position: int) -> tuple[HiveType, int]:
    position = _expect(text, position, "<")
    fields: list[Field] = []
    while True:
        name, position = _field_name(text, _skip(text, position))
        kind, position = parse_type_at(text, _expect(text, position, ":"))
        fields.append(Field(name, kind))
        comment = _COMMENT.match(text, position)
        if comment is not None:  # Hive accepts a field comment, and keeps none in the type
            position = comment.end()
        position = _skip(text, position)
        if not text.startswith(",", position):
            return Struct(tuple(fields)), _expect(text, position, ">")
        position += 1


def _field_name(text: str, position: int) -> tuple[str, int]:
    quoted = _QUOTED.match(text, position)
    if quoted is not None:
        return quoted.group(1).replace("``", "`").lower(), quoted.end()
    bare = _FIELD_NAME.match(text, position)
    if bare is None:
        raise TypeSyntaxError("a struct field name was expected", position)
    return bare.group().rstrip().lower(), bare.end()


def _arguments(text: str, position: int) -> tuple[list[int], int]:
    start = _skip(text, position)
    if not text.startswith("(", start):
        return [], position
    numbers: list[int] = []
    at = start + 1
    while True:
        match = _NUMBER.match(text, _skip(text, at))
        if match is None:
            raise TypeSyntaxError("a number was expected", at)
        numbers.append(int(match.group()))
        at = _skip(text, match.end())
        if not text.startswith(",", at):
            return numbers, _expect(text, at, ")")
        at += 1


def _expect(text: str, position: int, char: str) -> int:
    position = _skip(text, position)
    if not text.startswith(char, position):
        found = repr(text[position]) if position < len(text) else "the end"
        raise TypeSyntaxError(f"{char!r} was expected, found {found}", position)
    return position + 1


def _skip(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position

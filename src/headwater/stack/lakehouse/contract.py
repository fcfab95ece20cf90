"""Requests held against AWS's own description of the APIs: what every client gets refused before its call is read."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from botocore.loaders import Loader
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape

from headwater.stack.lakehouse.errors import ApiError, invalid_request

_KINDS: dict[str, tuple[frozenset[type], str]] = {
    "string": (frozenset({str}), "a string"),
    "integer": (frozenset({int}), "an integer"),
    "long": (frozenset({int}), "an integer"),
    "double": (frozenset({int, float}), "a number"),
    "float": (frozenset({int, float}), "a number"),
    "timestamp": (frozenset({int, float, str}), "a time"),
    "boolean": (frozenset({bool}), "a boolean"),
    "blob": (frozenset({str}), "a string"),
    "list": (frozenset({list}), "a list"),
    "map": (frozenset({dict}), "a map"),
    "structure": (frozenset({dict}), "a structure"),
}
_SIZED = ("string", "blob", "list", "map")
_COUNTED = ("integer", "long", "double", "float")
_ASTRAL = r"\uD800\uDC00-\uDBFF\uDFFF"
"""How the patterns say: the characters that Java writes as two."""


class Contract:
    """The described operations of one service, by botocore's name of it. ``check`` may be called from any thread."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._lock = threading.Lock()
        self._model: ServiceModel | None = None
        self._rules: dict[str, _Rule] = {}

    def check(self, operation: str, request: dict[str, Any]) -> None:
        """Raise ``ApiError`` for members that are missing, of a wrong type, or outside of what the API allows."""
        rule = self._input_of(operation)
        if rule is None or _fits(rule, request):
            return
        found = list(_complaints(rule, request, "", self._service == "athena"))
        errors = f"{len(found)} validation error{'s' if len(found) > 1 else ''} detected"
        message = f"{errors}: {'; '.join(found)}"
        raise invalid_request(message) if self._service == "athena" else ApiError("ValidationException", message)

    def _input_of(self, operation: str) -> _Rule | None:
        with self._lock:
            if self._model is None:
                self._model = ServiceModel(Loader().load_service_model(self._service, "service-2"), self._service)
            if operation not in self._model.operation_names:
                return None
            shape = self._model.operation_model(operation).input_shape
            return None if shape is None else _rule(shape, self._rules)


@dataclass
class _Rule:
    """A shape of the description, made ready: what its values may be, and the rules of what is inside."""

    kinds: frozenset[type]
    words: str
    limits: tuple[tuple[Callable[[Any], bool], str], ...]
    members: tuple[tuple[str, bool, _Rule], ...] = ()
    key: _Rule | None = None
    item: _Rule | None = None


def _rule(shape: Shape, known: dict[str, _Rule]) -> _Rule:
    found = known.get(shape.name)
    if found is not None:
        return found
    kinds, words = _KINDS[shape.type_name]
    rule = known[shape.name] = _Rule(kinds, words, tuple(_limits(shape)))
    # Not earlier: shapes contain themselves.
    if isinstance(shape, StructureShape):
        required = set(shape.required_members)
        rule.members = tuple((name, name in required, _rule(m, known)) for name, m in shape.members.items())
    elif isinstance(shape, ListShape):
        rule.item = _rule(shape.member, known)
    elif isinstance(shape, MapShape):
        rule.key, rule.item = _rule(shape.key, known), _rule(shape.value, known)
    return rule


def _limits(shape: Shape) -> Iterator[tuple[Callable[[Any], bool], str]]:
    """What a value must be, and what is said when it is not."""
    said = shape.metadata
    least, most = said.get("min"), said.get("max")
    if shape.type_name in _SIZED:
        if least:
            yield lambda value: len(value) >= least, f"Member must have length greater than or equal to {least}"
        if most is not None:
            yield lambda value: len(value) <= most, f"Member must have length less than or equal to {most}"
    elif shape.type_name in _COUNTED:
        if least is not None:
            yield lambda value: value >= least, f"Member must have value greater than or equal to {least}"
        if most is not None:
            yield lambda value: value <= most, f"Member must have value less than or equal to {most}"
    if said.get("enum"):
        allowed = frozenset(said["enum"])
        yield lambda value: value in allowed, f"Member must satisfy enum value set: [{', '.join(said['enum'])}]"
    # Python does not read classes of Unicode.
    if said.get("pattern") and r"\p" not in said["pattern"]:
        pattern = _pattern(said["pattern"])
        message = f"Member must satisfy regular expression pattern: {said['pattern']}"
        yield lambda value: pattern.fullmatch(value) is not None, message


def _pattern(text: str) -> re.Pattern[str]:
    """A pattern of the description, which is Java's."""
    # The pattern of prepared statements asks for two characters; PREPARE takes names of one.
    return re.compile(text.replace(_ASTRAL, "\U00010000-\U0010ffff").replace("{1,256}", "{0,256}"))


def _fits(rule: _Rule, value: Any) -> bool:
    """Whether there is nothing to complain about: the quick answer, which most requests get."""
    if type(value) not in rule.kinds or not all(holds(value) for holds, _ in rule.limits):
        return False
    for name, required, member in rule.members:
        given = value.get(name)
        if required if given is None else not _fits(member, given):
            return False
    if rule.item is None:
        return True
    if rule.key is None:
        return all(_fits(rule.item, item) for item in value)
    key, item = rule.key, rule.item
    return all(_fits(key, name) and (inner is None or _fits(item, inner)) for name, inner in value.items())


def _complaints(rule: _Rule, value: Any, path: str, plain: bool) -> Iterator[str]:
    if type(value) not in rule.kinds:
        raise ApiError("SerializationException", f"{path or 'The request'} must be {rule.words}.")
    for holds, message in rule.limits:
        if not holds(value):
            # Athena does not repeat the value.
            yield f"Value{'' if plain else ' ' + _shown(value)} at '{path}' failed to satisfy constraint: {message}"
    for name, required, member in rule.members:
        place = f"{path}{'.' if path else ''}{name[:1].lower()}{name[1:]}"
        given = value.get(name)
        if given is not None:
            yield from _complaints(member, given, place, plain)
        elif required:
            yield f"Value null at '{place}' failed to satisfy constraint: Member must not be null"
    if rule.key is not None and rule.item is not None:
        for name, item in value.items():
            yield from _complaints(rule.key, name, f"{path}.key", plain)
            if item is not None:
                yield from _complaints(rule.item, item, f"{path}.{name}.member", plain)
    elif rule.item is not None:
        for number, item in enumerate(value, 1):
            yield from _complaints(rule.item, item, f"{path}.{number}.member", plain)


def _shown(value: Any) -> str:
    return f"'[{', '.join(map(str, value))}]'" if isinstance(value, list) else f"'{value}'"

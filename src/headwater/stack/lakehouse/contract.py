"""Requests held against AWS's own description of the APIs: what every client gets refused before its call is read."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from botocore.loaders import Loader
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape

from headwater.stack.lakehouse.errors import ApiError, invalid_request

_KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    "string": ((str,), "a string"),
    "integer": ((int,), "an integer"),
    "long": ((int,), "an integer"),
    "double": ((int, float), "a number"),
    "float": ((int, float), "a number"),
    "timestamp": ((int, float, str), "a time"),
    "boolean": ((bool,), "a boolean"),
    "blob": ((str,), "a string"),
    "list": ((list,), "a list"),
    "map": ((dict,), "a map"),
    "structure": ((dict,), "a structure"),
}
_ASTRAL = r"\uD800\uDC00-\uDBFF\uDFFF"
"""How the patterns say: the characters that Java writes as two."""


class Contract:
    """The described operations of one service, by botocore's name of it. ``check`` may be called from any thread."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._lock = threading.Lock()
        self._model: ServiceModel | None = None

    def check(self, operation: str, request: dict[str, Any]) -> None:
        """Raise ``ApiError`` for members that are missing, of a wrong type, or outside of what the API allows."""
        shape = self._input_of(operation)
        if shape is None:
            return
        found = list(_complaints(shape, request, ""))
        if not found:
            return
        errors = f"{len(found)} validation error{'s' if len(found) > 1 else ''} detected"
        message = f"{errors}: {'; '.join(found)}"
        raise invalid_request(message) if self._service == "athena" else ApiError("ValidationException", message)

    def _input_of(self, operation: str) -> Shape | None:
        with self._lock:
            if self._model is None:
                self._model = ServiceModel(Loader().load_service_model(self._service, "service-2"), self._service)
            if operation not in self._model.operation_names:
                return None
            return self._model.operation_model(operation).input_shape


@dataclass(frozen=True)
class _Bound:
    """A limit of the model: its name there, when a value breaks it, and what is then said."""

    name: str
    breaks: Callable[[Any, Any], bool]
    message: str


_LENGTHS = (
    _Bound("min", lambda value, limit: len(value) < limit, "Member must have length greater than or equal to"),
    _Bound("max", lambda value, limit: len(value) > limit, "Member must have length less than or equal to"),
)
_VALUES = (
    _Bound("min", lambda value, limit: value < limit, "Member must have value greater than or equal to"),
    _Bound("max", lambda value, limit: value > limit, "Member must have value less than or equal to"),
)


def _complaints(shape: Shape, value: Any, path: str) -> Iterator[str]:
    allowed, words = _KINDS[shape.type_name]
    kind = type(value)
    if not issubclass(kind, allowed) or (kind is bool and bool not in allowed):
        raise ApiError("SerializationException", f"{path or 'The request'} must be {words}.")
    for constraint in _broken(shape, value):
        yield f"Value {_shown(value)} at '{path}' failed to satisfy constraint: {constraint}"
    if isinstance(shape, StructureShape):
        yield from _member_complaints(shape, value, path)
    elif isinstance(shape, ListShape):
        for number, item in enumerate(value, 1):
            yield from _complaints(shape.member, item, f"{path}.{number}.member")
    elif isinstance(shape, MapShape):
        for key, item in value.items():
            yield from _complaints(shape.key, key, f"{path}.key")
            if item is not None:
                yield from _complaints(shape.value, item, f"{path}.{key}.member")


def _member_complaints(shape: StructureShape, value: dict[str, Any], path: str) -> Iterator[str]:
    for name, member in shape.members.items():
        place = f"{path}.{name[:1].lower()}{name[1:]}" if path else f"{name[:1].lower()}{name[1:]}"
        given = value.get(name)
        if given is not None:
            yield from _complaints(member, given, place)
        elif name in shape.required_members:
            yield f"Value null at '{place}' failed to satisfy constraint: Member must not be null"


def _broken(shape: Shape, value: Any) -> Iterator[str]:
    limits = shape.metadata
    bounds = _LENGTHS if isinstance(value, (str, list, dict)) else _VALUES
    for bound in bounds if shape.type_name not in ("boolean", "timestamp", "structure") else ():
        if bound.name in limits and bound.breaks(value, limits[bound.name]):
            yield f"{bound.message} {limits[bound.name]}"
    if limits.get("enum") and value not in limits["enum"]:
        yield f"Member must satisfy enum value set: [{', '.join(limits['enum'])}]"
    if limits.get("pattern") and isinstance(value, str):
        pattern = _pattern(limits["pattern"])
        if pattern is not None and not pattern.fullmatch(value):
            yield f"Member must satisfy regular expression pattern: {limits['pattern']}"


@lru_cache(64)
def _pattern(text: str) -> re.Pattern[str] | None:
    r"""A pattern of the model, which is Java's; ``None`` for those that Python does not read (``\p{L}``)."""
    if r"\p" in text:
        return None
    # The pattern of prepared statements asks for two characters; PREPARE takes names of one.
    return re.compile(text.replace(_ASTRAL, "\U00010000-\U0010ffff").replace("{1,256}", "{0,256}"))


def _shown(value: Any) -> str:
    return f"'[{', '.join(map(str, value))}]'" if isinstance(value, list) else f"'{value}'"

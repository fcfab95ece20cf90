"""Checks of Glue requests before they reach the catalog: what boto3 checks for its users, for all other clients."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from headwater.stack.lakehouse.errors import ApiError, invalid_input
from headwater.stack.lakehouse.model import GlueJson

MAX_NAME = 255
_KINDS: Mapping[type, str] = MappingProxyType(
    {str: "a string", int: "an integer", bool: "a boolean", list: "a list", dict: "a structure"}
)


def text(request: Mapping[str, Any], name: str) -> str:
    """A required, non-empty string of at most 255 characters."""
    value = _required(request, name, str)
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_NAME:
        raise invalid(name, value, f"Member must have length between 1 and {MAX_NAME}")
    if any(ord(char) < 32 and char != "\t" for char in value):
        raise invalid(name, value, "Member must satisfy a pattern of single-line characters")
    return value


def optional_text(request: Mapping[str, Any], name: str) -> str | None:
    """A string, if it is given."""
    value = _optional(request, name, str)
    return None if value is None else str(value)


def structure(request: Mapping[str, Any], name: str) -> GlueJson:
    """A required structure."""
    value = _required(request, name, dict)
    return dict(value)


def items(request: Mapping[str, Any], name: str, most: int) -> list[Any]:
    """A required list of at most ``most`` members."""
    value = list(_required(request, name, list))
    if len(value) > most:
        raise invalid(name, f"{len(value)} members", f"Member must have length less than or equal to {most}")
    return value


def values(request: Mapping[str, Any], name: str) -> list[str]:
    """A required list of strings, such as the values of a partition."""
    found = list(_required(request, name, list))
    if not all(isinstance(value, str) for value in found):
        raise ApiError("SerializationException", f"{name} must be a list of strings.")
    return found


def flag(request: Mapping[str, Any], name: str) -> bool:
    """A boolean, false unless it is given."""
    return bool(_optional(request, name, bool))


def page_size(request: Mapping[str, Any], most: int) -> int:
    """``MaxResults``, between 1 and ``most``, which is also the default."""
    value = _optional(request, "MaxResults", int)
    if value is None:
        return most
    if not 1 <= value <= 1000:
        raise invalid("maxResults", value, "Member must have value between 1 and 1000")
    return min(int(value), most)


def foreign_only(request: Mapping[str, Any]) -> bool:
    """Whether only what other accounts share is asked for: nothing, here."""
    return request.get("ResourceShareType") in ("FOREIGN", "FEDERATED")


def attributes(
    request: Mapping[str, Any], known: Mapping[str, str], always: Sequence[str]
) -> Callable[[GlueJson], GlueJson]:
    """What ``AttributesToGet`` leaves of an item: all of it, or the attributes that are asked for."""
    asked = request.get("AttributesToGet")
    if asked is None:
        return lambda item: item
    if "NAME" not in asked:
        raise invalid_input("AttributesToGet must have NAME in it.")
    kept = {*always, *(known.get(attribute) for attribute in asked)}
    return lambda item: {key: value for key, value in item.items() if key in kept}


def table_input(request: Mapping[str, Any], name: str = "TableInput") -> GlueJson:
    """A ``TableInput`` whose parts have the types of the API."""
    given = structure(request, name)
    text(given, "Name")
    _optional(given, "Parameters", dict)
    _check_columns(given, "PartitionKeys")
    if any(key.get("Parameters") for key in given.get("PartitionKeys") or []):
        raise invalid_input("Parameters not supported for partition columns")
    _check_descriptor(given)
    return given


def partition_input(given: object) -> GlueJson:
    """A ``PartitionInput`` whose parts have the types of the API."""
    if not isinstance(given, dict):
        raise ApiError("SerializationException", "PartitionInput must be a structure.")
    values(given, "Values")
    _optional(given, "Parameters", dict)
    _check_descriptor(given)
    return given


def _check_descriptor(owner: Mapping[str, Any]) -> None:
    descriptor = _optional(owner, "StorageDescriptor", dict)
    if descriptor is None:
        return
    _check_columns(descriptor, "Columns")
    _optional(descriptor, "Location", str)
    serde = _optional(descriptor, "SerdeInfo", dict)
    if serde is not None:
        _optional(serde, "Parameters", dict)


def _check_columns(owner: Mapping[str, Any], name: str) -> None:
    for column in _optional(owner, name, list) or []:
        if not isinstance(column, dict):
            raise ApiError("SerializationException", f"{name} must be a list of columns.")
        text(column, "Name")
        _optional(column, "Type", str)
        _optional(column, "Comment", str)


def invalid(name: str, value: object, constraint: str) -> ApiError:
    """AWS's ``ValidationException`` for one member."""
    member = name[:1].lower() + name[1:]
    return ApiError(
        "ValidationException",
        f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: {constraint}",
    )


def _required(request: Mapping[str, Any], name: str, kind: type) -> Any:  # of the JSON type asked for
    value = _optional(request, name, kind)
    if value is None:
        raise invalid_input(f"1 validation error detected: Value null at '{name}' failed: Member must not be null")
    return value


def _optional(request: Mapping[str, Any], name: str, kind: type) -> Any:  # of the JSON type asked for
    value = request.get(name)
    if value is None:
        return None
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ApiError("SerializationException", f"{name} must be {_KINDS[kind]}.")
    return value

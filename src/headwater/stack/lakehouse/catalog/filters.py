"""How a condition on a partition key compares values: one definition for stored and for projected partitions."""

from __future__ import annotations

import re

from headwater.stack.lakehouse.model import KeyFilter

_INTEGER_TYPES = frozenset(("tinyint", "smallint", "int", "integer", "bigint"))
_INTEGER = re.compile(r"\s*[+-]?[0-9]+\s*", re.ASCII)


def is_integer_type(hive_type: str) -> bool:
    """Whether values of a partition key of this type compare as numbers.

    >>> is_integer_type("BIGINT"), is_integer_type("string")
    (True, False)
    """
    return hive_type.strip().lower() in _INTEGER_TYPES


def comparable(value: str, hive_type: str) -> int | str | None:
    """The value as it compares; ``None`` if an integer key holds something else (a null partition).

    >>> comparable("01", "int"), comparable("01", "string"), comparable("__HIVE_DEFAULT_PARTITION__", "int")
    (1, '01', None)
    """
    if not is_integer_type(hive_type):
        return value
    return int(value) if _INTEGER.fullmatch(value) else None


def matches(condition: KeyFilter, value: str, hive_type: str) -> bool:
    """Whether a partition whose key has this value satisfies the condition.

    >>> matches(KeyFilter("day", "=", ("1",)), "01", "int")
    True
    """
    left = comparable(value, hive_type)
    if left is None:
        return False
    return any(_holds(left, condition.op, comparable(right, hive_type)) for right in condition.values)


def _holds(left: int | str, op: str, right: int | str | None) -> bool:
    if right is None:
        return False
    if op in ("=", "in"):
        return left == right
    if op == "<":
        return left < right  # type: ignore[operator]  # both sides went through comparable() with one type
    if op == "<=":
        return left <= right  # type: ignore[operator]  # as above
    if op == ">":
        return left > right  # type: ignore[operator]  # as above
    if op == ">=":
        return left >= right  # type: ignore[operator]  # as above
    raise ValueError(f"unknown operator {op!r} on partition key")

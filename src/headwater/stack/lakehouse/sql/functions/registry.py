"""The allow-list: every function that a query may call. What is not here does not exist."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from headwater.stack.lakehouse.sql.functions import (
    aggregates,
    arrays,
    binaries,
    datetime,
    jsons,
    mapaggregates,
    maps,
    numbers,
    patterns,
    sequences,
    statistics,
    strings,
    timetexts,
    urls,
    windows,
)
from headwater.stack.lakehouse.sql.functions.model import Function

_MODULES = (
    *(
        aggregates,
        arrays,
        binaries,
        datetime,
        jsons,
        mapaggregates,
        maps,
        numbers,
        patterns,
        sequences,
        statistics,
        strings,
        timetexts,
        urls,
        windows,
    ),
)
FAMILIES = tuple(module.FUNCTIONS for module in _MODULES)


def registry() -> Mapping[str, tuple[Function, ...]]:
    """All overloads by lower-case name.

    >>> [f.signature.result.name for f in registry()["count_if"]]
    ['bigint']
    """
    found: dict[str, tuple[Function, ...]] = {}
    for functions in FAMILIES:
        for function in functions:
            found[function.name] = (*found.get(function.name, ()), function)
    return MappingProxyType(found)

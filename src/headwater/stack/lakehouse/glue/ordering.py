"""The order in which Glue answers maps: a Java HashMap's, which clients show when they print a table's parameters."""

from __future__ import annotations

from collections.abc import Mapping

from headwater.stack.lakehouse.model import GlueJson

_LEAST_CAPACITY = 16


def in_glue_order(parameters: Mapping[str, str]) -> dict[str, str]:
    """The parameters as Glue would answer them.

    >>> list(in_glue_order({"classification": "", "compressionType": "", "typeOfData": "", "projection.enabled": ""}))
    ['compressionType', 'classification', 'projection.enabled', 'typeOfData']
    """
    capacity = _LEAST_CAPACITY
    while len(parameters) > capacity * 3 // 4:
        capacity *= 2
    return dict(sorted(parameters.items(), key=lambda item: _bucket(item[0], capacity)))


def ordered_table(table: GlueJson) -> GlueJson:
    """A ``Table`` with its parameters in Glue's order."""
    parameters = table.get("Parameters")
    return {**table, "Parameters": in_glue_order(parameters)} if parameters else table


def _bucket(key: str, capacity: int) -> int:
    code = 0
    units = key.encode("utf-16-be")
    for high, low in zip(units[::2], units[1::2], strict=True):
        code = (31 * code + high * 256 + low) & 0xFFFFFFFF
    return (code ^ code >> 16) & (capacity - 1)

"""Conditions on partition keys, as the catalog's index and the exact check over candidate partitions need them."""

from __future__ import annotations

from dataclasses import dataclass

from headwater.stack.lakehouse.model import KeyFilter


@dataclass(frozen=True)
class KeyPredicate:
    """A condition that touches only one scan's partition keys.

    ``sql`` is the exact condition over a relation ``k`` with a typed column per key; ``filters`` are what of it the
    catalog's index can answer.
    """

    sql: str
    filters: tuple[KeyFilter, ...] = ()

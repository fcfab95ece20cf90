"""The nouns that every layer shares: addresses, lake tables and progress. Frozen, and free of behaviour."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date


@dataclass(frozen=True)
class PostgresAddress:
    """Where a PostgreSQL database is and who logs in. The password never appears in ``repr``."""

    host: str
    port: int
    user: str
    password: str | None = field(repr=False)
    database: str


@dataclass(frozen=True)
class LakeColumn:
    """A column of a lake table with its Athena (Hive) type, for example ``decimal(10,2)``."""

    name: str
    type: str


@dataclass(frozen=True)
class LakeTable:
    """A table of the lake: Parquet files below one location, split by Hive partition keys."""

    name: str
    columns: tuple[LakeColumn, ...]
    partition_keys: tuple[LakeColumn, ...]


@dataclass(frozen=True)
class DateRange:
    """Days from ``first`` to ``last``, both included."""

    first: date
    last: date


@dataclass(frozen=True)
class Progress:
    """One step of long work: ``done`` of ``total`` (None: unknown) in ``unit``; ``item`` is what was just finished."""

    stage: str
    done: int
    total: int | None
    unit: str
    item: str = ""


OnProgress = Callable[[Progress], None]


def no_progress(_: Progress) -> None:
    """Ignore progress: the default of every stage."""

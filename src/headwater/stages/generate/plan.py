"""Decides which files to generate: one for each table and day, below ``output/<table>/year=…/month=…/day=…/``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from headwater.connections import Connections
from headwater.domain import LAKE_TABLES
from headwater.errors import SettingsError
from headwater.layout import day_partition
from headwater.model import DateRange

# Two days in each of the three months that the sample business has lived, so that a month is more than a day.
DEFAULT_DAYS = tuple(date(2025, month, day) for month, day in ((1, 15), (1, 16), (2, 10), (2, 11), (3, 5), (3, 6)))
FILE_NAME = "part-00000.parquet"
MOST_ROWS_PER_DAY = 99_999_999  # the ids have eight digits


@dataclass(frozen=True)
class GenerateOptions:
    """Which days, how many rows a table has each day, and what they are drawn from."""

    days: tuple[date, ...] = DEFAULT_DAYS
    rows_per_day: int = 10_000
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.rows_per_day <= MOST_ROWS_PER_DAY:
            raise SettingsError(
                f"{self.rows_per_day} rows a day is out of range", hint=f"give 1 to {MOST_ROWS_PER_DAY:,}"
            )
        if self.seed < 0:
            raise SettingsError(f"seed {self.seed} is negative", hint="give a whole number from 0")


@dataclass(frozen=True)
class PlannedFile:
    """One file: a table's rows of one day."""

    table: str
    day: date
    path: Path


@dataclass(frozen=True)
class GeneratePlan:
    """The files to write; ``others`` are lake files of other days below the output folder, which stay as they are."""

    output: Path
    files: tuple[PlannedFile, ...]
    rows_per_day: int
    seed: int
    others: tuple[Path, ...] = field(default=())

    @property
    def rows(self) -> int:
        """How many rows all files have together."""
        return len(self.files) * self.rows_per_day


def parse_days(first: str | None, last: str | None) -> tuple[date, ...]:
    """The days from ``first`` to ``last``, both included and written ``2025-01-31``; the default days for None, None.

    Raises SettingsError for anything else.

    >>> len(parse_days("2025-01-30", "2025-02-02")), len(parse_days(None, None))
    (4, 6)
    """
    if first is None and last is None:
        return DEFAULT_DAYS
    if first is None or last is None:
        raise SettingsError("--from and --to belong together", hint="for a single day give it twice")
    span = DateRange(_day(first), _day(last))
    if span.last < span.first:
        raise SettingsError(f"--to {last} is before --from {first}", hint="swap them")
    return tuple(span.first + timedelta(days=n) for n in range((span.last - span.first).days + 1))


def _day(text: str) -> date:
    try:
        # fromisoformat alone would also take 20250115 and 2025-W03-3, from Python 3.11 on.
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise SettingsError(f"{text!r} is not a date", hint="write it like 2025-01-31") from None


def plan(connections: Connections, options: GenerateOptions | None = None) -> GeneratePlan:
    """Look what is in the output folder, change nothing, and say what ``apply`` would write."""
    output = connections.settings.layout.output
    return decide(output, options or GenerateOptions(), existing(output))


def existing(output: Path) -> tuple[Path, ...]:
    """The Parquet files of the sample business's tables that are there, in order."""
    return tuple(path for table in LAKE_TABLES for path in sorted((output / table.name).rglob("*.parquet")))


def decide(output: Path, options: GenerateOptions, there: Iterable[Path]) -> GeneratePlan:
    """The plan for an output folder with these files. Pure.

    Files of other days are never removed: they may be another run's with other dates, and the lake is meant to grow.
    """
    files = tuple(
        PlannedFile(table.name, day, output / table.name / day_partition(day) / FILE_NAME)
        for day in sorted(set(options.days))
        for table in LAKE_TABLES
    )
    ours = {file.path for file in files}
    return GeneratePlan(
        output, files, options.rows_per_day, options.seed, tuple(path for path in there if path not in ours)
    )

"""Answers about the flights from the package's own file, in plain Python: another tool than the one under test."""

from __future__ import annotations

import csv
import io
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from headwater.stages.demo.flights import MEMBER, source_file

NULL = "NA"
DAY = "2013-07-04"


@dataclass(frozen=True)
class ExpectedFlights:
    """``by_carrier``: carrier, flights, departed, miles. ``of_a_day``: origin, flights, planes, longest delay."""

    by_carrier: list[tuple[object, ...]]
    of_a_day: list[tuple[object, ...]]


def expected() -> ExpectedFlights:
    """Count through the whole file once."""
    carriers: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    origins: dict[str, int] = defaultdict(int)
    planes: dict[str, set[str]] = defaultdict(set)
    delays: dict[str, list[int]] = defaultdict(list)
    for flight in _flights():
        counts = carriers[flight["carrier"]]
        counts[0] += 1
        counts[1] += flight["dep_time"] != NULL
        counts[2] += int(flight["distance"])
        if flight["time_hour"].startswith(DAY):
            origins[flight["origin"]] += 1
            if flight["tailnum"] != NULL:
                planes[flight["origin"]].add(flight["tailnum"])
            if flight["dep_delay"] != NULL:
                delays[flight["origin"]].append(int(flight["dep_delay"]))
    return ExpectedFlights(
        [(carrier, *counts) for carrier, counts in sorted(carriers.items())],
        [(o, n, len(planes[o]), max(delays[o], default=None)) for o, n in sorted(origins.items())],
    )


def _flights() -> Iterator[dict[str, str]]:
    with zipfile.ZipFile(source_file()) as archive, archive.open(MEMBER) as file:
        yield from csv.DictReader(io.TextIOWrapper(file, "utf-8", newline=""))

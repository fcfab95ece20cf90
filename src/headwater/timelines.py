"""Timelines: which one branched off which, and where; what a recovery to one of them reads. Pure.

https://www.postgresql.org/docs/current/continuous-archiving.html#BACKUP-TIMELINES
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from headwater.errors import BackupError
from headwater.wal_segments import Segment, parse_lsn


@dataclass(frozen=True)
class Stretch:
    """One timeline of a path: it is followed from the position ``begin`` to ``end`` (None: as far as it goes)."""

    timeline: int
    begin: int
    end: int | None


@dataclass(frozen=True)
class Path:
    """The stretches from the first timeline to the wanted one, oldest first."""

    stretches: tuple[Stretch, ...]

    @property
    def timeline(self) -> int:
        """The timeline that it leads to."""
        return self.stretches[-1].timeline

    def segment(self, number: int, size: int) -> Segment:
        """The segment that a recovery reads for this number: the newest timeline's that has begun by then.

        >>> Path((Stretch(1, 0, 0x2800000), Stretch(2, 0x2800000, None))).segment(2, 0x1000000).name
        '000000020000000000000002'
        """
        begun = [stretch for stretch in self.stretches if stretch.begin // size <= number]
        return Segment((begun or self.stretches)[-1 if begun else 0].timeline, number, size)

    def holds(self, timeline: int, lsn: str) -> bool:
        """Whether a position on a timeline lies on this path, so that what ended there can be recovered along it."""
        position = parse_lsn(lsn)
        return any(
            stretch.timeline == timeline and (stretch.end is None or position <= stretch.end)
            for stretch in self.stretches
        )


@dataclass(frozen=True)
class Timelines:
    """For each timeline its ancestors and where it left them, oldest first, as its history file says."""

    ancestors: Mapping[int, tuple[tuple[int, int], ...]]

    def path(self, timeline: int) -> Path:
        """How one gets to a timeline. One without a history is its own beginning."""
        stretches, begin = [], 0
        for ancestor, end in self.ancestors.get(timeline, ()):
            stretches.append(Stretch(ancestor, begin, end))
            begin = end
        return Path((*stretches, Stretch(timeline, begin, None)))

    def paths(self, known: Iterable[int]) -> tuple[Path, ...]:
        """The paths to all known timelines, the newest first."""
        return tuple(self.path(timeline) for timeline in sorted({*known, *self.ancestors}, reverse=True))


def parse_history(name: str, data: bytes) -> tuple[tuple[int, int], ...]:
    """The ancestors in a history file. Raises BackupError.

    >>> parse_history("00000002.history", b"1\\t0/2800000\\tno recovery target specified\\n")
    ((1, 41943040),)
    """
    found: list[Any] = []
    try:
        for line in data.decode().splitlines():
            words = line.split("#")[0].split(None, 2)
            if words:
                found.append((int(words[0]), parse_lsn(words[1])))
    except (ValueError, IndexError) as error:
        raise BackupError(f"timeline history {name} cannot be read: {error}") from error
    return tuple(found)

"""Write-ahead log positions and segment names, and the gaps between them: pure arithmetic that must not be wrong.

PostgreSQL's own rules: https://www.postgresql.org/docs/current/wal-internals.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

_NAME = re.compile(r"[0-9A-F]{24}")
HISTORY = re.compile(r"[0-9A-F]{8}\.history")


@dataclass(frozen=True, order=True)
class Segment:
    """One segment file: ``number`` counts segments of ``size`` bytes from the beginning of the log."""

    timeline: int
    number: int
    size: int

    @property
    def name(self) -> str:
        """The file's name.

        >>> Segment(1, 257, 16 * 1024 * 1024).name
        '000000010000000100000001'
        """
        per_log = 0x1_0000_0000 // self.size
        return f"{self.timeline:08X}{self.number // per_log:08X}{self.number % per_log:08X}"

    def following(self, count: int = 1) -> Segment:
        """The segment ``count`` after this one."""
        return Segment(self.timeline, self.number + count, self.size)


@dataclass(frozen=True)
class Gap:
    """Segments that are missing between two that are there, both ends included."""

    first: Segment
    last: Segment

    @property
    def count(self) -> int:
        """How many segments are missing."""
        return self.last.number - self.first.number + 1

    def __str__(self) -> str:
        if self.count == 1:
            return self.first.name
        return f"{self.first.name} to {self.last.name} ({self.count} segments)"


def is_segment(name: str) -> bool:
    """Whether a name is that of a whole segment file.

    >>> is_segment("000000010000000000000002"), is_segment("000000010000000000000002.partial")
    (True, False)
    """
    return _NAME.fullmatch(name) is not None


def parse_segment(name: str, size: int) -> Segment:
    """The segment that a file name stands for. Raises ValueError.

    >>> parse_segment("000000010000000100000001", 16 * 1024 * 1024).number
    257
    """
    if not is_segment(name):
        raise ValueError(f"{name} is not the name of a segment")
    per_log = 0x1_0000_0000 // size
    return Segment(int(name[:8], 16), int(name[8:16], 16) * per_log + int(name[16:], 16), size)


def parse_lsn(text: str) -> int:
    """A log position as a number of bytes.

    >>> parse_lsn("1/10")
    4294967312
    """
    high, _, low = text.partition("/")
    return int(high, 16) << 32 | int(low, 16)


def segment_at(lsn: str, timeline: int, size: int) -> Segment:
    """The segment in which a position lies.

    >>> segment_at("0/2000028", 1, 16 * 1024 * 1024).name
    '000000010000000000000002'
    """
    return Segment(timeline, parse_lsn(lsn) // size, size)


def segment_before(lsn: str, timeline: int, size: int) -> Segment:
    """The segment that holds the last byte before a position, which may be a segment's end.

    >>> segment_before("0/3000000", 1, 16 * 1024 * 1024).name
    '000000010000000000000002'
    """
    return Segment(timeline, (parse_lsn(lsn) - 1) // size, size)


def gaps(segments: Iterable[Segment]) -> tuple[Gap, ...]:
    """What is missing between the first and the last segment of each timeline.

    >>> [str(gap) for gap in gaps([Segment(1, n, 16 * 1024 * 1024) for n in (2, 3, 6)])]
    ['000000010000000000000004 to 000000010000000000000005 (2 segments)']
    """
    ordered = sorted(segments)
    found = []
    for left, right in pairwise(ordered):
        if left.timeline == right.timeline and right.number > left.number + 1:
            found.append(Gap(left.following(), Segment(right.timeline, right.number - 1, right.size)))
    return tuple(found)

"""Chooses what a recovery reads: the backup to begin with, the timeline to follow, and the log up to the target."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from headwater.errors import BackupError, InputError
from headwater.physical_manifest import PhysicalManifest
from headwater.services.physical_backups import choose_physical
from headwater.services.recoverable import Recoverable
from headwater.timelines import Path
from headwater.wal_segments import Segment, gaps, parse_lsn


@dataclass(frozen=True)
class Target:
    """Where a recovery stops: at a moment, at a log position, at a named restore point, or where the log ends."""

    at: datetime | None = None
    lsn: str | None = None
    point: str | None = None

    def __post_init__(self) -> None:
        if self.at is not None and self.at.tzinfo is None:
            raise InputError(f"{self.at} has no time zone", hint="write it like 2025-01-15T10:30:00+00:00")
        if sum(value is not None for value in (self.at, self.lsn, self.point)) > 1:
            raise InputError("a recovery has one target: a time, a log position, or a restore point")

    def __str__(self) -> str:
        if self.at is not None:
            return self.at.isoformat()
        if self.lsn is not None:
            return f"log position {self.lsn}"
        return f"restore point {self.point}" if self.point is not None else "the end of the archived log"


LOG_END = Target()


@dataclass(frozen=True)
class Choice:
    """A backup, the timelines to follow from it, and the segments after its own that bring it to the target."""

    backup: PhysicalManifest
    path: Path
    segments: tuple[Segment, ...]


def choose(found: Recoverable, target: Target, backup: str, timeline: int | None) -> Choice:
    """The newest backup that was complete before the target, and the log from there on.

    ``backup``: an id, or ``latest`` for that rule. ``timeline``: None for the one that the cluster was on at that
    moment. Raises BackupError: there is no such backup; segments are missing, by name; the log ends before the target.
    VerificationError: a timeline's history is damaged.
    """
    found.require_histories(timeline)
    if target.at is not None:
        return _by_time(found, target.at, backup, timeline)
    usable = [item.manifest for item in found.backups.usable]
    if target.lsn is not None and backup == "latest":
        wanted = parse_lsn(target.lsn)
        usable = [manifest for manifest in usable if parse_lsn(manifest.end_lsn) <= wanted]
        if not usable:
            raise BackupError(f"no physical backup was complete at log position {target.lsn}", hint=_windows(found))
        manifest = usable[0]
    else:
        manifest = choose_physical(found.backups, backup)
    path = found.timelines.path(timeline) if timeline else found.best(manifest)[0]
    _require(manifest, path)
    last = None
    if target.lsn is not None:
        last = _segment_of(target.lsn, manifest, path)
    return Choice(manifest, path, _unbroken(found, manifest, path, last))


def _by_time(found: Recoverable, at: datetime, backup: str, timeline: int | None) -> Choice:
    before = [item.manifest for item in found.backups.usable if item.manifest.ended <= at]
    if backup != "latest":
        named = choose_physical(found.backups, backup)
        if named.ended > at:
            raise BackupError(
                f"backup {named.id} was complete at {named.ended.isoformat()}, after {at.isoformat()}",
                hint="leave the backup out: the newest before that moment is chosen",
            )
        before = [named]
    if not before:
        oldest = min((item.manifest.ended for item in found.backups.usable), default=None)
        known = f"the oldest was complete at {oldest.isoformat()}" if oldest else "there is none at all"
        raise BackupError(f"no physical backup was complete at {at.isoformat()}: {known}", hint=_windows(found))
    tried = []
    for path in [found.timelines.path(timeline)] if timeline else _paths_at(found, at):
        manifest = next((made for made in before if path.holds(made.timeline, made.end_lsn)), None)
        if manifest is None:
            continue
        run = tuple(found.following(manifest, path))
        until = found.reach(run)
        if until is not None and until >= at:
            return Choice(manifest, path, run[: _enough(found, run, at)])
        tried.append((manifest, path))
    if not tried:
        raise BackupError(f"timeline {timeline} does not go through any backup that was complete at {at.isoformat()}")
    raise _unreachable(found, at, *tried[0])


def _paths_at(found: Recoverable, at: datetime) -> Iterator[Path]:
    """The timeline that the cluster was on at a moment first: the newest that had begun by then.

    Those that seem to have begun later come next, the oldest first: a beginning is noticed a little late.
    """
    begun: list[Path] = []
    later: list[Path] = []
    for path in found.paths:
        name = f"{path.timeline:08X}.history"
        had_begun = name not in found.archive.histories or found.closed(name) <= at
        (begun if had_begun else later).append(path)
    yield from begun
    yield from reversed(later)


def _unbroken(found: Recoverable, manifest: PhysicalManifest, path: Path, last: Segment | None) -> tuple[Segment, ...]:
    """The segments after the backup's own up to ``last`` (None: all). Raises BackupError if one is missing."""
    end = manifest.end_segment.number
    numbers = [n for n in sorted({s.number for s in found.archive.segments}) if n > end]
    there = [s for n in numbers if (s := path.segment(n, manifest.segment_size)).name in found.archive.names]
    if last is not None:
        there = [segment for segment in there if segment.number <= last.number]
    # Whether one is missing is a matter of numbers: the path says on which timeline each is.
    edges = [end, *(segment.number for segment in there), *([last.number + 1] if last is not None else [])]
    broken = gaps(Segment(path.timeline, number, manifest.segment_size) for number in edges)
    if broken:
        names = ", ".join(
            path.segment(number, manifest.segment_size).name
            for gap in broken
            for number in range(gap.first.number, min(gap.last.number, gap.first.number + 4) + 1)
        )
        own_end = broken[0].first.number == end + 1
        until = manifest.end_lsn if own_end else found.until(manifest, path).isoformat()
        raise BackupError(
            f"segments are missing in the archive after backup {manifest.id}: {names}"
            f" ({sum(gap.count for gap in broken)} in all)",
            hint=f"recover to a moment before them (--at {until}), or from a backup after them",
        )
    return tuple(there)


def _unreachable(found: Recoverable, at: datetime, manifest: PhysicalManifest, path: Path) -> BackupError:
    """Why a moment cannot be reached from a backup: a gap, or the end of the log."""
    try:
        there = _unbroken(found, manifest, path, None)
    except BackupError as error:
        return BackupError(f"{at.isoformat()} cannot be recovered to: {error}", hint=_windows(found))
    if not there:
        return BackupError(
            f"the archive has no log after backup {manifest.id}, complete at {manifest.ended.isoformat()}",
            hint=f"--at {manifest.end_lsn} is that backup's own end; keep `headwater backup wal` running;"
            f" {_windows(found)}",
        )
    return BackupError(
        f"the archived log ends at {found.until(manifest, path).isoformat()}, before {at.isoformat()}",
        hint=f"archive the rest (`headwater backup wal --once`); {_windows(found)}",
    )


def _require(manifest: PhysicalManifest, path: Path) -> None:
    if not path.holds(manifest.timeline, manifest.end_lsn):
        raise BackupError(
            f"timeline {path.timeline} does not go through backup {manifest.id}, which is of timeline"
            f" {manifest.timeline} and ends at {manifest.end_lsn}"
        )


def _segment_of(lsn: str, manifest: PhysicalManifest, path: Path) -> Segment | None:
    """The segment that holds a position, if it comes after the backup's own."""
    return path.segment(
        max(parse_lsn(lsn) // manifest.segment_size, manifest.end_segment.number), manifest.segment_size
    )


def _enough(found: Recoverable, run: tuple[Segment, ...], at: datetime) -> int:
    """How many segments it takes to get to a moment that all of them get to."""
    low, high = 1, len(run)
    while low < high:
        middle = (low + high) // 2
        until = found.reach(run[:middle])
        if until is not None and until >= at:
            high = middle
        else:
            low = middle + 1
    return low


def _windows(found: Recoverable) -> str:
    """What can be recovered to, for the hint of an error."""
    spans = found.windows()
    return f"recoverable: {'; '.join(map(str, spans))}" if spans else "make one: `headwater backup create --physical`"

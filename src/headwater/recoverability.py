"""Until when a cluster could be recovered, what that would cost now, and what is wrong with it: pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Window:
    """A span of time to any moment of which a cluster can be recovered, both ends included."""

    begin: datetime
    end: datetime

    def __str__(self) -> str:
        """Whole seconds inside of the span, so that what is shown can be recovered to."""
        begin, end = whole_second(self.begin), self.end.replace(microsecond=0)
        if begin > end:
            begin, end = self.begin, self.end
        return f"{begin.isoformat()} to {end.isoformat()}"


def whole_second(moment: datetime) -> datetime:
    """The first whole second from a moment on.

    >>> whole_second(datetime(2025, 1, 15, 10, 30, 0, 1)).isoformat()
    '2025-01-15T10:30:01'
    """
    return moment if not moment.microsecond else moment.replace(microsecond=0) + timedelta(seconds=1)


@dataclass(frozen=True)
class WalStatus:
    """The state of one cluster's backups and archive at a moment.

    ``backup``: the newest usable one's id; ``verified``: that of the newest one that a full verification has proven.
    ``recoverable_until``: no later moment can be recovered to (the last segment of an unbroken run after the newest
    usable backup, or that backup's end), ``recoverable_from``: every moment from then on can; ``windows``: all spans.
    ``rpo_seconds``: how long ago ``recoverable_until`` was, what a disaster would cost now. ``slot_status`` is
    PostgreSQL's word, ``none`` without a slot, ``unknown`` if the server does not answer. ``current``: whether it is
    the cluster at the configured address (or that does not answer): one that was given up makes no alarm. ``damaged``:
    backups that cannot be used, or failed their verification; ``problems``: all that is wrong, in words.
    """

    cluster: str
    backup: str
    backup_at: datetime | None
    backup_size: int | None
    verified: str | None
    verified_at: datetime | None
    recoverable_from: datetime | None
    recoverable_until: datetime | None
    windows: tuple[Window, ...]
    rpo_seconds: float | None
    segments: int
    missing: tuple[str, ...]
    slot_status: str
    receiving: bool
    retained_bytes: int
    current: bool
    damaged: tuple[str, ...]
    problems: tuple[str, ...] = ()


def judged(
    status: WalStatus, max_age: timedelta, max_rpo: timedelta | None = None, *, whatever: bool = False
) -> WalStatus:
    """The status with its problems; none if all is well, or if it is not the present cluster, unless ``whatever``.

    ``max_age``: how long ago the last recoverable moment may be; ``max_rpo``: a tighter bound for the same.
    """
    return replace(status, problems=_problems(status, max_age, max_rpo) if status.current or whatever else ())


def _problems(status: WalStatus, max_age: timedelta, max_rpo: timedelta | None) -> tuple[str, ...]:
    name = f"cluster {status.cluster}"
    found = [f"{name}'s physical backups: {text}" for text in status.damaged]
    if status.missing:
        found.append(
            f"{name}: the archived log lacks {', '.join(status.missing)}: no moment after that can be recovered to from"
            " a backup before it (make a new one and verify it; then `headwater backup physical prune --keep-last 1"
            " --keep-within 0` removes those before, if they are not wanted)"
        )
    if status.slot_status == "lost":
        found.append(f"{name}: the server removed log that was not archived (slot lost)")
    if status.slot_status == "unreserved" or (status.slot_status == "extended" and not status.receiving):
        found.append(
            f"{name}: the server keeps {status.retained_bytes >> 20:,} MiB of log for the slot, more than it means to"
            f" ({status.slot_status}): its disk fills, or the log is lost (run `headwater backup wal`, or end archiving"
            " for good with `--drop-slot`)"
        )
    if status.recoverable_until is None:
        found.append(f"{name}: there is log, and no usable physical backup (`headwater backup create --physical`)")
        return tuple(found)
    if status.verified is None:
        found.append(f"{name}: no physical backup has been verified (`headwater backup physical verify`)")
    limit = min(max_age, max_rpo or max_age)
    if status.rpo_seconds is not None and status.rpo_seconds > limit.total_seconds():
        until = status.recoverable_until.isoformat(timespec="seconds")
        found.append(
            f"{name} can be recovered only until {until}, {status.rpo_seconds:.0f} s ago;"
            f" at most {limit.total_seconds():.0f} s (`headwater backup wal`)"
        )
    return tuple(found)


def metrics(statuses: Iterable[WalStatus]) -> str:
    """The statuses in Prometheus' text format; what has no value is left out, so that ``absent()`` can tell."""
    known = list(statuses)
    lines = []
    for name, text, value in _METRICS:
        full = f"headwater_physical_{name}"
        values = [(status.cluster, value(status)) for status in known]
        if any(number is not None for _, number in values):
            lines += [f"# HELP {full} {text}", f"# TYPE {full} gauge"]
            lines += [f'{full}{{cluster="{cluster}"}} {number}' for cluster, number in values if number is not None]
    return "".join(f"{line}\n" for line in lines)


def _at(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()


_METRICS: tuple[tuple[str, str, Callable[[WalStatus], float | None]], ...] = (
    ("last_success_timestamp_seconds", "when the newest usable physical backup began", lambda s: _at(s.backup_at)),
    (
        "last_verification_timestamp_seconds",
        "when the newest proven one was verified",
        lambda s: _at(s.verified_at),
    ),
    ("size_bytes", "stored bytes of the newest usable physical backup", lambda s: s.backup_size),
    (
        "recoverable_from_timestamp_seconds",
        "the first moment of the present span",
        lambda s: _at(s.recoverable_from),
    ),
    ("recoverable_until_timestamp_seconds", "the last recoverable moment", lambda s: _at(s.recoverable_until)),
    ("rpo_seconds", "how long ago the last recoverable moment was", lambda s: s.rpo_seconds),
    ("wal_segments", "archived segments", lambda s: s.segments),
    ("wal_gaps", "gaps in the archived log", lambda s: len(s.missing)),
    ("wal_receiving", "1 while the log is being received", lambda s: int(s.receiving)),
    ("slot_retained_bytes", "log that the server keeps for the slot", lambda s: s.retained_bytes),
)

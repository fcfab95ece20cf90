"""Which physical backups and segments are kept and which go: pure, of manifests, policy and time, with reasons."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from headwater.physical_manifest import PhysicalManifest
from headwater.wal_segments import Segment


@dataclass(frozen=True)
class PhysicalDecision:
    """What happens to one backup, and why."""

    backup: PhysicalManifest
    action: Literal["keep", "remove"]
    reason: str


def decide(manifests: Iterable[PhysicalManifest], retention_days: int, now: datetime) -> tuple[PhysicalDecision, ...]:
    """One decision for each manifest, newest first.

    A backup is kept while it is young enough, while it is the newest, and while one that is kept builds on it. Give
    only usable ones: an unusable backup must not stand for the newest.
    """
    newest_first = sorted(manifests, key=lambda manifest: (manifest.taken, manifest.id), reverse=True)
    needed: set[str] = set()
    decisions = []
    for position, manifest in enumerate(newest_first):  # what builds on it is newer: decided by now
        reason = _reason_to_keep(manifest, position == 0, retention_days, now)
        if not reason and manifest.id in needed:
            reason = "a newer one builds on it"
        if reason and manifest.previous is not None:
            needed.add(manifest.previous)
        days = (now - manifest.taken).days
        action: Literal["keep", "remove"] = "keep" if reason else "remove"
        decisions.append(PhysicalDecision(manifest, action, reason or f"{days} days old, over {retention_days} days"))
    return tuple(decisions)


def removable_segments(segments: Iterable[Segment], decisions: Iterable[PhysicalDecision]) -> tuple[Segment, ...]:
    """The segments that no kept backup needs: those before the oldest kept one's beginning, on its timeline or older.

    Without a kept backup nothing goes: the log may be all that there is.
    """
    kept = [decision.backup for decision in decisions if decision.action == "keep"]
    if not kept:
        return ()
    first = min(kept, key=lambda manifest: manifest.start_segment.number).start_segment
    oldest = min(manifest.timeline for manifest in kept)
    return tuple(s for s in segments if s.number < first.number and s.timeline <= oldest)


def _reason_to_keep(manifest: PhysicalManifest, newest: bool, retention_days: int, now: datetime) -> str:
    age = now - manifest.taken
    if newest:
        return "the newest"
    if age < timedelta(0):
        return "taken in the future: check the clocks"
    if age <= timedelta(days=retention_days):
        return f"{age.days} days old, within {retention_days} days"
    return ""

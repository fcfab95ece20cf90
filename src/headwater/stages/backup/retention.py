"""Which backups are kept and which go: pure, of manifests, policy and time, with a reason each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from headwater.errors import SettingsError
from headwater.manifest import BackupManifest


@dataclass(frozen=True)
class Policy:
    """Keep what is at most ``retention_days`` old, and always the newest; only ``database``'s backups are looked at."""

    database: str
    retention_days: int

    def __post_init__(self) -> None:
        if self.retention_days < 1:
            raise SettingsError(f"RETENTION_DAYS = {self.retention_days}: must be at least 1")


@dataclass(frozen=True)
class Decision:
    """What happens to one backup, and why."""

    backup: BackupManifest
    action: Literal["keep", "remove"]
    reason: str


def decide(manifests: Iterable[BackupManifest], policy: Policy, now: datetime) -> tuple[Decision, ...]:
    """One decision for each manifest, newest first.

    The newest backup of the database stays whatever its age: retention must never leave a database without one. A
    manifest of another database, should one get here, is kept.
    """
    newest_first = sorted(manifests, key=lambda manifest: (manifest.taken, manifest.id), reverse=True)
    newest = next((manifest for manifest in newest_first if manifest.database == policy.database), None)
    return tuple(_decide_one(manifest, manifest is newest, policy, now) for manifest in newest_first)


def _decide_one(manifest: BackupManifest, is_newest: bool, policy: Policy, now: datetime) -> Decision:
    age = now - manifest.taken
    if manifest.database != policy.database:
        return Decision(manifest, "keep", f"belongs to {manifest.database}, not to {policy.database}")
    if is_newest:
        return Decision(manifest, "keep", "the newest")
    if age < timedelta(0):
        return Decision(manifest, "keep", "taken in the future: check the clocks")
    if age <= timedelta(days=policy.retention_days):
        return Decision(manifest, "keep", f"{_days(age)} old, within {policy.retention_days} days")
    return Decision(manifest, "remove", f"{_days(age)} old, over {policy.retention_days} days")


def _days(age: timedelta) -> str:
    return "1 day" if age.days == 1 else f"{age.days} days"

"""Removes the backups that the retention rule lets go, manifest first: what is half removed is no longer a backup."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from headwater.connections import Connections
from headwater.errors import BackupError
from headwater.manifest import manifest_key
from headwater.model import OnProgress, Progress, no_progress
from headwater.services import objects
from headwater.services.backups import Backups, list_backups
from headwater.stages.backup.retention import Decision, Policy, decide


@dataclass(frozen=True)
class PrunePlan:
    """One decision for each usable backup, newest first. Those with a problem are never touched."""

    database: str
    retention_days: int
    decisions: tuple[Decision, ...]

    @property
    def removed(self) -> tuple[Decision, ...]:
        """Those that go."""
        return tuple(decision for decision in self.decisions if decision.action == "remove")


@dataclass(frozen=True)
class PruneReport:
    """What was kept and what was removed, by id, and the bytes that were freed."""

    database: str
    kept: tuple[str, ...]
    removed: tuple[str, ...]
    freed_bytes: int


def plan_prune(connections: Connections, now: datetime, found: Backups | None = None) -> PrunePlan:
    """What would be removed at ``now``. Raises AwsError."""
    settings = connections.settings
    backups = found or list_backups(connections.s3, settings.layout, settings.db_name)
    policy = Policy(backups.database, settings.retention_days)
    decisions = decide([backup.manifest for backup in backups.usable], policy, now)
    return PrunePlan(backups.database, policy.retention_days, decisions)


def prune(plan: PrunePlan, connections: Connections, on_progress: OnProgress = no_progress) -> PruneReport:
    """Remove what the plan says. Raises BackupError that names what S3 would not delete."""
    bucket = connections.settings.bucket_name
    removed = []
    for done, decision in enumerate(plan.removed, 1):
        dump = decision.backup.dump
        # Two calls, in this order: DeleteObjects promises none.
        for key in (manifest_key(dump.key), dump.key):
            result = objects.delete(connections.s3, bucket, [key])
            if result.failures:
                failure = result.failures[0]
                raise BackupError(f"cannot remove s3://{bucket}/{failure.key}: {failure.code}: {failure.message}")
        removed.append(decision.backup.id)
        on_progress(Progress("prune", done, len(plan.removed), "backups", decision.backup.id))
    return PruneReport(
        database=plan.database,
        kept=tuple(decision.backup.id for decision in plan.decisions if decision.action == "keep"),
        removed=tuple(removed),
        freed_bytes=sum(decision.backup.dump.size for decision in plan.removed),
    )

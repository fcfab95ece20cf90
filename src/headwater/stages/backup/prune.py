"""Removes the backups that the retention rule lets go, manifest first: what is half removed is no longer a backup."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from headwater.connections import Connections
from headwater.errors import BackupError
from headwater.manifest import BackupManifest
from headwater.model import OnProgress, Progress, no_progress
from headwater.retention import ORPHAN_GRACE, Decision, Policy, decide, parse_rules
from headwater.services import removal
from headwater.services.backups import Backups, ListedBackup, Orphan, list_backups
from headwater.services.removal import Held

REMOVERS = 8


@dataclass(frozen=True)
class PrunePlan:
    """One decision for each usable backup, newest first. Those with a problem are never touched.

    ``orphans`` are dumps without a manifest that are older than the grace period, and go too.
    """

    database: str
    retention_days: int
    decisions: tuple[Decision[BackupManifest], ...]
    policy: Policy
    backups: tuple[ListedBackup, ...]
    orphans: tuple[Orphan, ...] = ()

    @property
    def removed(self) -> tuple[Decision[BackupManifest], ...]:
        """Those that go."""
        return tuple(decision for decision in self.decisions if decision.action == "remove")


@dataclass(frozen=True)
class PruneReport:
    """What was kept and what was removed, by id, and the bytes that were freed; ``held``: what S3 would not let go."""

    database: str
    kept: tuple[str, ...]
    removed: tuple[str, ...]
    freed_bytes: int
    held: tuple[Held, ...] = ()
    orphans_removed: tuple[str, ...] = ()


def policy_of(connections: Connections, rules: str = "") -> Policy:
    """The settings' policy, or with further rules instead of the settings' own. Raises SettingsError."""
    settings = connections.settings
    return parse_rules(Policy(settings.db_name, settings.retention_days), rules or settings.retention_rules)


def plan_prune(
    connections: Connections,
    now: datetime,
    found: Backups | None = None,
    policy: Policy | None = None,
    orphan_grace: timedelta = ORPHAN_GRACE,
) -> PrunePlan:
    """What would be removed at ``now``. Raises AwsError."""
    settings = connections.settings
    backups = found or list_backups(connections.s3, settings.layout, settings.db_name)
    policy = policy or policy_of(connections)
    proven = {backup.manifest.id for backup in backups.usable if backup.proof}
    decisions = decide([backup.manifest for backup in backups.usable], policy, now, proven)
    orphans = tuple(orphan for orphan in backups.orphan_objects if now - orphan.last_modified > orphan_grace)
    return PrunePlan(backups.database, policy.retention_days, decisions, policy, backups.usable, orphans)


def prune(plan: PrunePlan, connections: Connections, on_progress: OnProgress = no_progress) -> PruneReport:
    """Remove what the plan says, unless it has changed since; what is locked is reported and left whole.

    Raises BackupError if the plan would leave nothing, AwsError.
    """
    if plan.decisions and len(plan.removed) == len(plan.decisions):
        raise BackupError(f"this plan would leave no backup of {plan.database}", hint="report this: it must not happen")
    listed = {backup.manifest.id: backup for backup in plan.backups}
    removed, held, orphans = [], [], []
    with ThreadPoolExecutor(REMOVERS, "headwater-prune") as executor:
        going = [listed[decision.backup.id] for decision in plan.removed]
        for done, (backup, problem) in enumerate(
            zip(going, executor.map(lambda item: _remove(item, connections), going), strict=True), 1
        ):
            if problem:
                held.append(Held(backup.manifest.id, problem))
            else:
                removed.append(backup.manifest)
            on_progress(Progress("prune", done, len(going), "backups", backup.manifest.id))
        problems = executor.map(lambda item: _remove_orphan(item, connections), plan.orphans)
        for orphan, problem in zip(plan.orphans, problems, strict=True):
            if problem:
                held.append(Held(orphan.key, problem))
            else:
                orphans.append(orphan.key)
    return PruneReport(
        database=plan.database,
        kept=tuple(decision.backup.id for decision in plan.decisions if decision.action == "keep"),
        removed=tuple(backup.id for backup in removed),
        freed_bytes=sum(backup.dump.size for backup in removed),
        held=tuple(held),
        orphans_removed=tuple(orphans),
    )


def _remove(backup: ListedBackup, connections: Connections) -> str:
    """Why a backup is still there, or nothing."""
    etags = {backup.manifest_key: backup.manifest_etag, backup.manifest.dump.key: backup.manifest.dump.etag}
    wanted = {key: etags.get(key) for key in backup.manifest.keys}
    return removal.remove(connections.s3, connections.settings.bucket_name, wanted)


def _remove_orphan(orphan: Orphan, connections: Connections) -> str:
    return removal.remove(connections.s3, connections.settings.bucket_name, {orphan.key: orphan.etag})

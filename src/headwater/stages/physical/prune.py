"""Removes what the retention rules let go: manifests first, so that what is half removed is no longer a backup."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from headwater.connections import Connections
from headwater.errors import BackupError
from headwater.layout import CLUSTER
from headwater.model import OnProgress, Progress, no_progress
from headwater.physical_manifest import PhysicalManifest
from headwater.retention import ORPHAN_GRACE, Decision, Policy, decide, parse_rules
from headwater.services import removal, wal_archive
from headwater.services.backups import Orphan
from headwater.services.physical_backups import ListedPhysical, list_physical
from headwater.services.removal import Held
from headwater.stages.physical.listing import cluster_of
from headwater.stages.physical.retention import removable_segments
from headwater.wal_segments import Segment

REMOVERS = 8


@dataclass(frozen=True)
class PhysicalPrunePlan:
    """One decision for each usable backup, newest first, and the segments that nothing kept needs.

    ``archived`` are all segments, as a backup that turns out to be locked needs its own; ``orphans`` are objects
    without a manifest that are older than the grace period, and go too.
    """

    cluster: str
    policy: Policy
    decisions: tuple[Decision[PhysicalManifest], ...]
    segments: tuple[Segment, ...]
    orphans: tuple[Orphan, ...]
    backups: tuple[ListedPhysical, ...]
    archived: tuple[Segment, ...] = field(repr=False)

    @property
    def removed(self) -> tuple[PhysicalManifest, ...]:
        """Those that go."""
        return tuple(decision.backup for decision in self.decisions if decision.action == "remove")


@dataclass(frozen=True)
class PhysicalPruneReport:
    """What was kept and what was removed, by id; ``segments``: how many of the log went.

    ``held``: what should have gone and S3 would not let go, or what something held builds on.
    """

    cluster: str
    kept: tuple[str, ...]
    removed: tuple[str, ...]
    segments: int
    freed_bytes: int
    held: tuple[Held, ...] = ()
    orphans_removed: tuple[str, ...] = ()


def policy_of(connections: Connections, cluster: str, rules: str = "") -> Policy:
    """The settings' policy for a cluster, or with further rules instead of the settings' own. Raises SettingsError."""
    settings = connections.settings
    return parse_rules(Policy(f"{CLUSTER}{cluster}", settings.retention_days), rules or settings.retention_rules)


def plan_prune(
    connections: Connections,
    now: datetime,
    cluster: str | None = None,
    rules: str = "",
    orphan_grace: timedelta = ORPHAN_GRACE,
) -> PhysicalPrunePlan:
    """What would be removed at ``now``. Raises AwsError, BackupError, SettingsError."""
    settings = connections.settings
    identifier = cluster_of(connections, cluster)
    policy = policy_of(connections, identifier, rules)
    found = list_physical(connections.s3, settings.layout, identifier)
    proven = {item.manifest.id for item in found.usable if item.proof}
    decisions = decide([item.manifest for item in found.usable], policy, now, proven)
    archived: tuple[Segment, ...] = ()
    # An unreadable manifest may need any segment, and so may a backup that only seems to be damaged.
    if decisions and not found.unreadable and len(found.usable) == len(found.backups):
        size = decisions[0].backup.segment_size
        archived = wal_archive.list_wal(connections.s3, settings.layout, identifier, size).everything
    kept = [decision.backup for decision in decisions if decision.action == "keep"]
    return PhysicalPrunePlan(
        cluster=identifier,
        policy=policy,
        decisions=decisions,
        segments=removable_segments(archived, kept),
        orphans=tuple(orphan for orphan in found.orphans if now - orphan.last_modified > orphan_grace),
        backups=found.usable,
        archived=archived,
    )


def prune(
    plan: PhysicalPrunePlan, connections: Connections, on_progress: OnProgress = no_progress
) -> PhysicalPruneReport:
    """Remove what the plan says, unless it has changed since; what is locked is reported, and what it needs stays.

    Raises BackupError if the plan would leave nothing, AwsError.
    """
    if plan.decisions and len(plan.removed) == len(plan.decisions):
        raise BackupError(
            f"this plan would leave no backup of cluster {plan.cluster}", hint="report this: it must not happen"
        )
    removed, held = _remove_backups(plan, connections, on_progress)
    names = {hold.name for hold in held}
    kept = [decision.backup for decision in plan.decisions if decision.backup not in removed]
    segments, stuck = _remove_segments(removable_segments(plan.archived, kept), plan, connections, on_progress)
    orphans = []
    for orphan in plan.orphans:
        if problem := removal.remove(connections.s3, connections.settings.bucket_name, {orphan.key: orphan.etag}):
            held.append(Held(orphan.key, problem))
        else:
            orphans.append(orphan.key)
    return PhysicalPruneReport(
        cluster=plan.cluster,
        kept=tuple(manifest.id for manifest in kept if manifest.id not in names),
        removed=tuple(manifest.id for manifest in removed),
        segments=segments,
        freed_bytes=sum(manifest.dump.size + manifest.files.size for manifest in removed),
        held=(*held, *stuck),
        orphans_removed=tuple(orphans),
    )


def _remove_backups(
    plan: PhysicalPrunePlan, connections: Connections, on_progress: OnProgress
) -> tuple[list[PhysicalManifest], list[Held]]:
    """Newest first, as the plan has them: an incremental backup goes before the one that it builds on."""
    listed = {item.manifest.id: item for item in plan.backups}
    removed: list[PhysicalManifest] = []
    held: list[Held] = []
    needed: dict[str, str] = {}
    for done, manifest in enumerate(plan.removed, 1):
        reason = f"{needed[manifest.id]} builds on it" if manifest.id in needed else ""
        reason = reason or _remove(listed[manifest.id], connections)
        if reason:
            held.append(Held(manifest.id, reason))
            needed[manifest.previous or ""] = manifest.id
        else:
            removed.append(manifest)
        on_progress(Progress("prune", done, len(plan.removed), "backups", manifest.id))
    return removed, held


def _remove(backup: ListedPhysical, connections: Connections) -> str:
    """Why a backup is still there, or nothing."""
    manifest = backup.manifest
    etags = {backup.manifest_key: backup.manifest_etag}
    etags |= {stored.key: stored.etag for stored in (manifest.dump, manifest.files)}
    wanted = {key: etags.get(key) for key in manifest.keys}
    return removal.remove(connections.s3, connections.settings.bucket_name, wanted)


def _remove_segments(
    segments: Iterable[Segment], plan: PhysicalPrunePlan, connections: Connections, on_progress: OnProgress
) -> tuple[int, list[Held]]:
    """Oldest first and one by one: in a versioned bucket the version itself goes, and a lock is told of."""
    layout, found = connections.settings.layout, sorted(segments)

    def one(segment: Segment) -> str:
        own, name = layout.wal_manifest_key(plan.cluster, segment.name), segment.name  # manifests first
        return removal.remove(connections.s3, layout.bucket, {own: None, layout.wal_key(plan.cluster, name): None})

    held = []
    with ThreadPoolExecutor(REMOVERS, "headwater-prune") as executor:
        for done, (segment, problem) in enumerate(zip(found, executor.map(one, found), strict=True), 1):
            if problem:
                held.append(Held(segment.name, problem))
            on_progress(Progress("prune log", done, len(found), "segments", segment.name))
    return len(found) - len(held), held

"""Removes what the retention rule lets go: manifests first, so that what is half removed is no longer a backup."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from headwater.connections import Connections
from headwater.errors import BackupError
from headwater.model import OnProgress, Progress, no_progress
from headwater.services import objects, wal_archive
from headwater.services.physical_backups import list_physical
from headwater.stages.physical.listing import cluster_of
from headwater.stages.physical.retention import PhysicalDecision, decide, removable_segments
from headwater.wal_segments import Segment


@dataclass(frozen=True)
class PhysicalPrunePlan:
    """One decision for each usable backup, newest first, and the segments that nothing kept needs."""

    cluster: str
    retention_days: int
    decisions: tuple[PhysicalDecision, ...]
    segments: tuple[Segment, ...]
    manifest_keys: tuple[str, ...]


@dataclass(frozen=True)
class PhysicalPruneReport:
    """What was kept and what was removed, by id; ``segments``: how many of the log went."""

    cluster: str
    kept: tuple[str, ...]
    removed: tuple[str, ...]
    segments: int
    freed_bytes: int


def plan_prune(connections: Connections, now: datetime, cluster: str | None = None) -> PhysicalPrunePlan:
    """What would be removed at ``now``. Raises AwsError, BackupError."""
    settings = connections.settings
    identifier = cluster_of(connections, cluster)
    found = list_physical(connections.s3, settings.layout, identifier)
    decisions = decide([item.manifest for item in found.usable], settings.retention_days, now)
    removed = {decision.backup.id for decision in decisions if decision.action == "remove"}
    segments: tuple[Segment, ...] = ()
    # An unreadable manifest may need any segment.
    if decisions and not found.unreadable and len(found.usable) == len(found.backups):
        size = decisions[0].backup.segment_size
        archive = wal_archive.list_wal(connections.s3, settings.layout, identifier, size)
        segments = removable_segments(archive.segments, decisions)
    keys = tuple(item.manifest_key for item in found.usable if item.manifest.id in removed)
    return PhysicalPrunePlan(identifier, settings.retention_days, decisions, segments, keys)


def prune(
    plan: PhysicalPrunePlan, connections: Connections, on_progress: OnProgress = no_progress
) -> PhysicalPruneReport:
    """Remove what the plan says. Raises BackupError that names what S3 would not delete."""
    layout = connections.settings.layout
    removed = [decision.backup for decision in plan.decisions if decision.action == "remove"]
    # Newest first: an incremental backup goes before the one that it builds on.
    for done, (manifest, key) in enumerate(zip(removed, plan.manifest_keys, strict=True), 1):
        for each in (key, manifest.dump.key, manifest.files.key):  # one by one: DeleteObjects promises no order
            _delete(connections, [each])
        on_progress(Progress("prune", done, len(removed), "backups", manifest.id))
    _delete(connections, [layout.wal_key(plan.cluster, segment.name) for segment in plan.segments])
    return PhysicalPruneReport(
        cluster=plan.cluster,
        kept=tuple(decision.backup.id for decision in plan.decisions if decision.action == "keep"),
        removed=tuple(manifest.id for manifest in removed),
        segments=len(plan.segments),
        freed_bytes=sum(manifest.dump.size + manifest.files.size for manifest in removed),
    )


def _delete(connections: Connections, keys: list[str]) -> None:
    bucket = connections.settings.bucket_name
    result = objects.delete(connections.s3, bucket, keys)
    if result.failures:
        failure = result.failures[0]
        raise BackupError(f"cannot remove s3://{bucket}/{failure.key}: {failure.code}: {failure.message}")

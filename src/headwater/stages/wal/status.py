"""Says how much could be lost now: the age of the last archived segment, what the slot holds back, what is missing."""

from __future__ import annotations

from datetime import datetime

from headwater.connections import Connections
from headwater.errors import PostgresError
from headwater.recoverability import WalStatus
from headwater.services import clusters, wal_archive
from headwater.services.physical_backups import list_physical
from headwater.stages.wal.archive import SLOT


def status(connections: Connections, cluster: str, now: datetime) -> WalStatus:
    """Look at the archive and, if it answers, at the server. Raises AwsError, BackupError."""
    layout = connections.settings.layout
    found = list_physical(connections.s3, layout, cluster)
    newest = found.usable[0].manifest if found.usable else None
    size = newest.segment_size if newest else wal_archive.USUAL_SIZE
    archive = wal_archive.list_wal(connections.s3, layout, cluster, size)
    until = None
    if newest is not None:
        until, expected = newest.ended, newest.end_segment.following()
        last = None
        for segment in archive.of(newest.timeline):
            if segment == expected:
                last, expected = segment, segment.following()
        if last is not None:
            until = max(until, wal_archive.closed_at(connections.s3, layout, cluster, last))
    slot = _slot(connections)
    return WalStatus(
        cluster=cluster,
        backup=newest.id if newest else "",
        recoverable_until=until,
        rpo_seconds=round((now - until).total_seconds(), 1) if until else None,
        segments=len(archive.segments),
        missing=tuple(map(str, archive.gaps)),
        slot_status=slot if isinstance(slot, str) else slot.status,
        receiving=not isinstance(slot, str) and slot.active,
        retained_bytes=0 if isinstance(slot, str) else slot.retained_bytes,
    )


def _slot(connections: Connections) -> clusters.Slot | str:
    try:
        return clusters.find_slot(connections.postgres("postgres"), SLOT) or "none"
    except PostgresError:
        return "unknown"  # the very moment in which somebody wants to know what can be recovered

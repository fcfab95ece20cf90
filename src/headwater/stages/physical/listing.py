"""Lists the physical backups of a cluster together with the log that was archived for it."""

from __future__ import annotations

from dataclasses import dataclass

from headwater.connections import Connections
from headwater.errors import BackupError
from headwater.services import wal_archive
from headwater.services.physical_backups import PhysicalBackups, list_clusters, list_physical


@dataclass(frozen=True)
class PhysicalList:
    """The backups, newest first, and the archived log: its first and last segment, and what is missing between."""

    backups: PhysicalBackups
    segments: int
    first_segment: str
    last_segment: str
    missing: tuple[str, ...]


def cluster_of(connections: Connections, wanted: str | None = None) -> str:
    """The cluster meant: the named one, or the only one there is. Raises BackupError, AwsError."""
    if wanted is not None:
        return wanted
    found = list_clusters(connections.s3, connections.settings.layout)
    if len(found) == 1:
        return found[0]
    if not found:
        raise BackupError("there is no physical backup", hint="make one: `headwater backup create --physical`")
    raise BackupError(f"there are backups of {len(found)} clusters: {', '.join(found)}", hint="choose one: --cluster")


def list_backups(connections: Connections, cluster: str | None = None) -> PhysicalList:
    """The physical backups of a cluster. Raises BackupError, AwsError."""
    layout, identifier = connections.settings.layout, cluster_of(connections, cluster)
    found = list_physical(connections.s3, layout, identifier)
    size = found.backups[0].manifest.segment_size if found.backups else wal_archive.USUAL_SIZE
    archive = wal_archive.list_wal(connections.s3, layout, identifier, size)
    names = [segment.name for segment in archive.segments]
    return PhysicalList(
        backups=found,
        segments=len(names),
        first_segment=names[0] if names else "",
        last_segment=names[-1] if names else "",
        missing=tuple(map(str, archive.gaps)),
    )

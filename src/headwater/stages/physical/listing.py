"""Lists the physical backups of a cluster together with the log that was archived for it."""

from __future__ import annotations

from headwater.connections import Connections
from headwater.errors import BackupError
from headwater.services import recoverable
from headwater.services.physical_backups import PhysicalList, list_clusters
from headwater.services.recoverable import Recoverable


def cluster_of(connections: Connections, wanted: str | None = None) -> str:
    """The cluster meant: the named one, or the only one there is. Raises BackupError, AwsError."""
    found = list_clusters(connections.s3, connections.settings.layout)
    if not found:
        raise BackupError("there is no physical backup", hint="make one: `headwater backup create --physical`")
    if wanted is not None and wanted not in found:
        raise BackupError(f"there is no physical backup of cluster {wanted}", hint=f"there are of {', '.join(found)}")
    if wanted is None and len(found) > 1:
        raise BackupError(
            f"there are backups of {len(found)} clusters: {', '.join(found)}", hint="choose one: --cluster"
        )
    return wanted or found[0]


def list_backups(connections: Connections, cluster: str | None = None) -> PhysicalList:
    """The physical backups of a cluster. Raises BackupError, AwsError."""
    layout, identifier = connections.settings.layout, cluster_of(connections, cluster)
    return _listed(recoverable.load(connections.s3, layout, identifier))


def list_all(connections: Connections) -> tuple[PhysicalList, ...]:
    """The same of every cluster that there is something of. Raises BackupError, AwsError."""
    layout, s3 = connections.settings.layout, connections.s3
    return tuple(_listed(recoverable.load(s3, layout, cluster)) for cluster in list_clusters(s3, layout))


def _listed(found: Recoverable) -> PhysicalList:
    names = [segment.name for segment in found.archive.segments]
    return PhysicalList(
        backups=found.backups,
        segments=len(names),
        first_segment=names[0] if names else "",
        last_segment=names[-1] if names else "",
        missing=tuple(map(str, found.missing())),
    )

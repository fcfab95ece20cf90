"""What a cluster can be recovered to: its physical backups and its archived log, put together along the timelines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from headwater.errors import BackupError, PostgresError, VerificationError
from headwater.layout import Layout
from headwater.model import PostgresAddress
from headwater.physical_manifest import PhysicalManifest
from headwater.recoverability import WalStatus, Window
from headwater.services import clusters, wal_archive
from headwater.services.physical_backups import PhysicalBackups, list_clusters, list_physical
from headwater.services.wal_archive import SLOT, WalArchive, WalStore
from headwater.timelines import Path, Timelines, parse_history
from headwater.wal_manifest import WalManifest
from headwater.wal_segments import Gap, Segment, gaps

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


_REMEDY = (
    "bring back the object's former version; or remove it and its .json, and `headwater backup wal --once` archives it"
    " again from a server on that timeline"
)
Server = tuple[str, "clusters.Slot | None"]  # the identifier of the cluster that answers, and its slot for the log


@dataclass(frozen=True)
class Recoverable:
    """A cluster's backups and log as they are on S3 now; ``damaged``: the timelines whose history cannot be read, and
    why. Without it, a timeline is its own beginning: less seems to be recoverable than is.
    """

    backups: PhysicalBackups
    archive: WalArchive
    timelines: Timelines
    store: WalStore
    damaged: Mapping[int, str] = field(default_factory=dict)
    _manifests: dict[str, WalManifest] = field(default_factory=dict, repr=False)

    @property
    def paths(self) -> tuple[Path, ...]:
        """The paths to every timeline that there is something of, the newest first."""
        made = {item.manifest.timeline for item in self.backups.backups}
        return self.timelines.paths({*made, *(segment.timeline for segment in self.archive.segments)})

    def require_histories(self, timeline: int | None = None) -> None:
        """Raise VerificationError if it cannot be told where a timeline (None: any) begins."""
        for number, text in self.damaged.items():
            if timeline in (None, number):
                raise VerificationError(text, hint=f"{_REMEDY}; or choose another timeline (--timeline N)")

    def closed(self, name: str) -> datetime:
        """When a segment or a history file was whole, by the receiver's clock. Raises BackupError, AwsError."""
        return self._manifest(name).closed

    def _manifest(self, name: str) -> WalManifest:
        if name not in self._manifests:
            self._manifests[name] = wal_archive.read_manifest(self.store, name)
        return self._manifests[name]

    def reach(self, run: Sequence[Segment]) -> datetime | None:
        """Until when can be recovered with these segments; None if that is known of none. Raises as ``closed``."""
        found = (self._manifest(segment.name).until for segment in reversed(run))
        return next((until for until in found if until is not None), None)

    def following(self, manifest: PhysicalManifest, path: Path) -> Iterator[Segment]:
        """The segments of the unbroken run that follows a backup along a path: what follows a gap helps nobody."""
        number = manifest.end_segment.number + 1
        while (segment := path.segment(number, manifest.segment_size)).name in self.archive.names:
            yield segment
            number += 1

    def until(self, manifest: PhysicalManifest, path: Path) -> datetime:
        """Until when a backup can be recovered along a path. Raises BackupError, AwsError."""
        until = self.reach(tuple(self.following(manifest, path)))
        return manifest.ended if until is None else max(manifest.ended, until)

    def best(self, manifest: PhysicalManifest) -> tuple[Path, datetime]:
        """The path along which a backup can be recovered the furthest, and until when."""
        own = self.timelines.path(manifest.timeline)
        ways = [path for path in self.paths if path.holds(manifest.timeline, manifest.end_lsn)] or [own]
        return max(((path, self.until(manifest, path)) for path in ways), key=lambda found: found[1])

    def windows(self) -> tuple[Window, ...]:
        """The spans of time to any moment of which can be recovered, the newest first."""
        found: dict[datetime, datetime] = {}
        for item in self.backups.usable:
            begin, (_, end) = item.manifest.ended, self.best(item.manifest)
            found[end] = min(begin, found.get(end, begin))
        return tuple(Window(found[end], end) for end in sorted(found, reverse=True))

    def missing(self) -> tuple[Gap, ...]:
        """The segments that a usable backup would need and the archive lacks.

        What was written before the archive began is missing to the newest backup only: for older ones it never was.
        """
        usable = [item.manifest for item in self.backups.usable]
        if not usable:
            return gaps(self.archive.segments)
        oldest = min(manifest.end_segment.number for manifest in usable)
        found = {gap for gap in gaps(self.archive.segments) if gap.last.number > oldest}
        newest = usable[0]
        known = (*self.archive.of(newest.timeline), *(s for s in self.archive.lost if s.timeline == newest.timeline))
        later = [segment for segment in known if segment.number > newest.end_segment.number]
        if later:
            found |= set(self.archive.missing(newest.end_segment.following(), max(later)))
        return tuple(sorted(found, key=lambda gap: (gap.first, gap.last)))


def load(s3: S3Client, layout: Layout, cluster: str) -> Recoverable:
    """Look at a cluster's backups, log and history files. What is damaged is named, also among ``backups.unreadable``.

    Raises AwsError.
    """
    found = list_physical(s3, layout, cluster)
    size = found.backups[0].manifest.segment_size if found.backups else wal_archive.USUAL_SIZE
    archive = wal_archive.list_wal(s3, layout, cluster, size)
    store = WalStore(s3, layout, cluster)
    histories, damaged = {}, {}
    for name in archive.histories:
        timeline = int(name.partition(".")[0], 16)
        try:
            histories[timeline] = parse_history(name, wal_archive.fetch(store, name, []))
        except (BackupError, VerificationError) as error:
            damaged[timeline] = f"timeline {timeline}'s history, {store.place(name)}, cannot be used: {error}"
    found = replace(found, unreadable=(*found.unreadable, *(f"{text} ({_REMEDY})" for text in damaged.values())))
    return Recoverable(found, archive, Timelines(histories), store, damaged)


def statuses(s3: S3Client, layout: Layout, address: PostgresAddress, now: datetime) -> tuple[WalStatus, ...]:
    """The status of every cluster that there are physical backups or segments of. Raises BackupError, AwsError."""
    clusters_there = list_clusters(s3, layout)
    server = _server(address) if clusters_there else None
    return tuple(_status(load(s3, layout, cluster), server, now) for cluster in clusters_there)


def status(s3: S3Client, layout: Layout, address: PostgresAddress, cluster: str, now: datetime) -> WalStatus:
    """Look at one cluster's archive and, if it answers, at the server. Raises AwsError, BackupError."""
    return _status(load(s3, layout, cluster), _server(address), now)


def _status(found: Recoverable, server: Server | None, now: datetime) -> WalStatus:
    cluster = found.backups.cluster
    usable = found.backups.usable
    newest, proven = (usable[0].manifest if usable else None), found.backups.newest_proven
    windows = found.windows()
    until = found.best(newest)[1] if newest else None
    begin = next((window.begin for window in windows if window.end == until), None)
    slot = server[1] if server is not None and server[0] == cluster else None
    failed = [(item.manifest.id, item.last_verification) for item in found.backups.backups]
    return WalStatus(
        cluster=cluster,
        backup=newest.id if newest else "",
        backup_at=newest.taken if newest else None,
        backup_size=newest.dump.size if newest else None,
        verified=proven.manifest.id if proven else None,
        verified_at=proven.proof.at if proven and proven.proof else None,
        recoverable_from=begin,
        recoverable_until=until,
        windows=windows,
        rpo_seconds=round((now - until).total_seconds(), 1) if until else None,
        segments=len(found.archive.segments),
        missing=tuple(map(str, found.missing())),
        slot_status="unknown" if server is None else slot.status if slot else "none",
        receiving=slot.active if slot else False,
        retained_bytes=slot.retained_bytes if slot else 0,
        current=server is None or server[0] == cluster,
        damaged=(
            *(f"{item.manifest.id}: {item.problem}" for item in found.backups.backups if item.problem),
            *(f"{id_} failed its verification: {last.detail}" for id_, last in failed if last and not last.passed),
            *found.backups.unreadable,
        ),
    )


def _server(address: PostgresAddress) -> Server | None:
    """The identifier of the cluster at that address and its slot; None if it does not answer."""
    try:
        return clusters.identifier(address), clusters.find_slot(address, SLOT)
    except PostgresError:
        return None  # the very moment in which somebody wants to know what can be recovered

"""Verifies a physical backup: as S3 reports it, or by rebuilding the data directory and letting PostgreSQL check it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from headwater.connections import Connections
from headwater.errors import VerificationError
from headwater.model import OnProgress, no_progress
from headwater.services import objects
from headwater.services.physical_backups import chain, choose_physical, list_physical
from headwater.stages.physical.fetch import rebuild
from headwater.stages.physical.listing import cluster_of

Level = Literal["head", "full"]


@dataclass(frozen=True)
class PhysicalVerification:
    """A backup that passed. ``backups``: every id that was looked at, the full one first; ``bytes_read``: unpacked."""

    cluster: str
    backup: str
    level: Level
    backups: tuple[str, ...]
    bytes_read: int
    seconds: float


def verify(
    connections: Connections,
    backup: str = "latest",
    level: Level = "full",
    cluster: str | None = None,
    on_progress: OnProgress = no_progress,
) -> PhysicalVerification:
    """Verify a backup and what it builds on. ``head``: size, ETag and checksum of each object as S3 reports them.

    ``full``: every byte against the manifest's SHA-256, every file against PostgreSQL's own manifest, incremental
    backups combined (pg_combinebackup) and compared again. Raises VerificationError, BackupError, AwsError.
    """
    started = time.monotonic()
    settings = connections.settings
    found = list_physical(connections.s3, settings.layout, cluster_of(connections, cluster))
    links = chain(found, choose_physical(found, backup))
    for stored in (stored for manifest in links for stored in (manifest.dump, manifest.files)):
        there = objects.head(connections.s3, settings.bucket_name, stored.key)
        if there is None or (there.size, there.etag) != (stored.size, stored.etag):
            raise VerificationError(f"s3://{settings.bucket_name}/{stored.key} is not what was written")
        if there.crc32 not in (None, stored.checksum):
            raise VerificationError(f"s3://{settings.bucket_name}/{stored.key} has another checksum than was written")
    if level == "full":
        settings.layout.state.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix="verify-", dir=settings.layout.state) as folder:
            rebuild(connections, links, Path(folder) / "data", on_progress)
    return PhysicalVerification(
        cluster=found.cluster,
        backup=links[-1].id,
        level=level,
        backups=tuple(manifest.id for manifest in links),
        bytes_read=sum(manifest.dump.raw_size for manifest in links) if level == "full" else 0,
        seconds=round(time.monotonic() - started, 3),
    )

"""The manifest of a physical backup, which is a whole cluster's files as pg_basebackup sent them. Written last."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timezone
from typing import Any

from headwater.errors import BackupError
from headwater.manifest import StoredDump
from headwater.wal_segments import Segment, segment_at, segment_before

SCHEMA_VERSION = 1
BASE_SUFFIX = ".base.tar.zst"
FILES_SUFFIX = ".files.json.zst"
PHYSICAL_MANIFEST_SUFFIX = ".physical.json"


@dataclass(frozen=True)
class PhysicalManifest:
    """One physical backup of the cluster with this system identifier.

    ``dump`` is the tar, ``files`` PostgreSQL's own backup_manifest, which names every file with its checksum and which
    an incremental backup builds on. ``previous`` is the id of the backup that this one holds the changes since; None
    for a full one. ``ended`` is the server's clock when it was complete: no earlier moment can be recovered to.
    """

    id: str
    cluster: str
    taken: datetime
    ended: datetime
    seconds: float
    retention_days: int
    dump: StoredDump
    files: StoredDump
    previous: str | None
    timeline: int
    start_lsn: str
    end_lsn: str
    segment_size: int
    server_version: str
    server_major: int
    client_version: str
    headwater_version: str
    kind: str = "physical"
    schema_version: int = SCHEMA_VERSION

    @property
    def start_segment(self) -> Segment:
        """The first segment that a recovery reads."""
        return segment_at(self.start_lsn, self.timeline, self.segment_size)

    @property
    def end_segment(self) -> Segment:
        """The last segment that the backup needs to be consistent, and itself contains."""
        return segment_before(self.end_lsn, self.timeline, self.segment_size)

    def to_json(self) -> bytes:
        """The manifest as it is stored: UTF-8, keys sorted."""
        moments = {name: getattr(self, name).astimezone(timezone.utc).isoformat() for name in ("taken", "ended")}
        return (json.dumps({**asdict(self), **moments}, indent=2, sort_keys=True) + "\n").encode()


def parse_physical(data: bytes, key: str) -> PhysicalManifest:
    """Read a stored manifest. Raises BackupError that names the object if it is not one that this version knows."""
    try:
        body: dict[str, Any] = json.loads(data)
        version = body.get("schema_version")
        if version != SCHEMA_VERSION or body.get("kind") != "physical":
            raise BackupError(
                f"{key} is a {body.get('kind')} manifest of schema {version}, this Headwater knows physical ones of"
                f" schema {SCHEMA_VERSION}",
                hint="use the Headwater that wrote it, or a newer one",
            )
        known = {field.name for field in fields(PhysicalManifest)}
        body = {name: value for name, value in body.items() if name in known}
        for name in ("taken", "ended"):
            body[name] = datetime.fromisoformat(body[name])
            if body[name].tzinfo is None:
                raise ValueError(f"{name} has no time zone")
        for name in ("dump", "files"):
            body[name] = StoredDump(**body[name])
        return PhysicalManifest(**body)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BackupError(
            f"{key} is not the manifest of a physical backup: {error}", hint="was it edited? restore its version"
        ) from error

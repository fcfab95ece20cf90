"""The manifest of a physical backup, which is a whole cluster's files as pg_basebackup sent them. Written last."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timezone
from typing import Any

from headwater.errors import BackupError
from headwater.layout import CLUSTER
from headwater.manifest import RESTORE_VERSION, VERIFY_SUFFIX, StoredDump, digest_of, sealed, stem
from headwater.wal_segments import Segment, segment_at, segment_before

SCHEMA_VERSION = 2
UNSEALED_VERSION = 1  # had no digest of its own; still read
BASE_SUFFIX = ".base.tar.zst"
FILES_SUFFIX = ".files.json.zst"
SEALED = ".age"  # what comes after the others if the tar is encrypted
PHYSICAL_MANIFEST_SUFFIX = ".physical.json"
PHYSICAL_SUFFIXES = (PHYSICAL_MANIFEST_SUFFIX, BASE_SUFFIX, BASE_SUFFIX + SEALED, FILES_SUFFIX, VERIFY_SUFFIX)


@dataclass(frozen=True)
class PhysicalManifest:
    """One physical backup of the cluster with this system identifier.

    ``dump`` is the tar, ``files`` PostgreSQL's own backup_manifest, which names every file with its checksum and which
    an incremental backup builds on. ``previous`` is the id of the backup that this one holds the changes since; None
    for a full one. ``ended`` is the server's clock when it was complete: no earlier moment can be recovered to.
    ``encryption``: ``age`` if the tar is encrypted; the list of files never is, because the next incremental backup
    reads it. ``integrity`` says for each check whether this S3 provider did it, ``warnings`` what pg_basebackup said.
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
    encryption: str | None = None
    integrity: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
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

    @property
    def database(self) -> str:
        """What the folder and the tags call the cluster, where a logical backup has its database."""
        return f"{CLUSTER}{self.cluster}"

    @property
    def partial(self) -> bool:
        """Whether something was left out on purpose: never."""
        return False

    @property
    def keys(self) -> tuple[str, ...]:
        """Every object of this backup, the manifest first: removed in this order, it is never half there."""
        own = stem(self.dump.key)
        return (f"{own}{PHYSICAL_MANIFEST_SUFFIX}", self.dump.key, self.files.key, f"{own}{VERIFY_SUFFIX}")

    def to_json(self) -> bytes:
        """The manifest as it is stored: UTF-8, keys sorted."""
        moments = {name: getattr(self, name).astimezone(timezone.utc).isoformat() for name in ("taken", "ended")}
        body = sealed({**asdict(self), **moments, "schema_version": SCHEMA_VERSION})
        return (json.dumps(body, indent=2, sort_keys=True) + "\n").encode()


def parse_physical(data: bytes, key: str) -> PhysicalManifest:
    """Read a stored manifest. Raises BackupError that names the object if it is not one that this version knows."""
    try:
        body: dict[str, Any] = json.loads(data)
        version = body.get("schema_version")
        if version not in (SCHEMA_VERSION, UNSEALED_VERSION) or body.get("kind") != "physical":
            raise BackupError(
                f"{key} is a {body.get('kind')} manifest of schema {version}, this Headwater knows physical ones of"
                f" schema {UNSEALED_VERSION} and {SCHEMA_VERSION}",
                hint="use the Headwater that wrote it, or a newer one",
            )
        if (version == SCHEMA_VERSION or "digest" in body) and body.get("digest") != digest_of(body):
            raise BackupError(
                f"{key} was changed after it was written: its digest is not that of its fields", hint=RESTORE_VERSION
            )
        known = {field.name for field in fields(PhysicalManifest)}
        body = {name: value for name, value in body.items() if name in known}
        for name in ("taken", "ended"):
            body[name] = datetime.fromisoformat(body[name])
            if body[name].tzinfo is None:
                raise ValueError(f"{name} has no time zone")
        for name in ("dump", "files"):
            body[name] = StoredDump(**body[name])
        body["warnings"] = tuple(body.get("warnings", ()))
        return PhysicalManifest(**body)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BackupError(f"{key} is not the manifest of a physical backup: {error}", hint=RESTORE_VERSION) from error

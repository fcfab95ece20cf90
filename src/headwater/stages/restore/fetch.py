"""Downloads a backup, decodes it and checks every byte of it against the manifest, before a database sees any.

The decoded archive is spooled to disk. pg_restore could read it from a pipe, but then it would write to the database
before the last byte is known to be right, and could use only one connection: from a file, two are 1.6 times as fast.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import zstandard

from headwater.connections import Connections
from headwater.errors import BackupError, VerificationError
from headwater.manifest import BackupManifest
from headwater.model import OnProgress, Progress, no_progress
from headwater.services import objects

SPARE_BYTES = 64 * 1024 * 1024


@contextmanager
def fetched(
    connections: Connections, manifest: BackupManifest, on_progress: OnProgress = no_progress
) -> Iterator[Path]:
    """The verified archive as a file that is there inside the block only. Raises VerificationError, BackupError."""
    state = connections.settings.layout.state
    state.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(state).free
    if free < manifest.dump.raw_size + SPARE_BYTES:
        raise BackupError(
            f"not enough space below {state}: backup {manifest.id} unpacks to {manifest.dump.raw_size >> 20:,} MiB,"
            f" {free >> 20:,} MiB are free",
            hint="make room, or run from a project folder on a larger disk",
        )
    with TemporaryDirectory(prefix="restore-", dir=state) as folder:
        archive = Path(folder) / "archive.dump"
        _download(connections, manifest, archive, on_progress)
        yield archive


def _download(connections: Connections, manifest: BackupManifest, archive: Path, on_progress: OnProgress) -> None:
    dump, bucket = manifest.dump, connections.settings.bucket_name
    stored, raw, size, raw_size = hashlib.sha256(), hashlib.sha256(), 0, 0
    decoder = zstandard.ZstdDecompressor().decompressobj()
    total = dump.size >> 20
    try:
        with archive.open("xb") as file:
            for chunk in objects.read_chunks(connections.s3, bucket, dump.key):
                stored.update(chunk)
                size += len(chunk)
                block = decoder.decompress(chunk)
                raw.update(block)
                raw_size += len(block)
                file.write(block)
                on_progress(Progress("download", size >> 20, total, "MiB"))
    except zstandard.ZstdError as error:
        raise _damaged(manifest, f"it cannot be decompressed: {error}") from error
    except OSError as error:
        raise BackupError(f"cannot write {archive}: {error.strerror or error}", hint="is the disk full?") from error
    if (size, stored.hexdigest()) != (dump.size, dump.sha256):
        raise _damaged(manifest, f"{size:,} bytes with SHA-256 {stored.hexdigest()}, written were {dump.size:,}")
    if (raw_size, raw.hexdigest()) != (dump.raw_size, dump.raw_sha256) or not decoder.eof:
        raise _damaged(manifest, f"it unpacks to {raw_size:,} bytes, pg_dump wrote {dump.raw_size:,}")


def _damaged(manifest: BackupManifest, what: str) -> VerificationError:
    return VerificationError(
        f"backup {manifest.id} is damaged: {what}; nothing was restored",
        hint="choose another one from `headwater backup list`",
    )

"""Downloads a backup, decodes it and checks every byte of it against the manifest, before a database sees any.

The decoded archive is spooled to disk. pg_restore could read it from a pipe, but then it would write to the database
before the last byte is known to be right, and could use only one connection: from a file, two are 1.6 times as fast.
What was downloaded is kept until it is whole: an interrupted restore goes on where it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from headwater.connections import Connections
from headwater.errors import BackupError, VerificationError
from headwater.manifest import BackupManifest
from headwater.model import OnProgress, no_progress
from headwater.services import archives
from headwater.services.archives import ObjectStore
from headwater.services.spool import spooled


@contextmanager
def fetched(
    connections: Connections,
    manifest: BackupManifest,
    identities: list[Any],
    on_progress: OnProgress = no_progress,
) -> Iterator[Path]:
    """The verified archive as a file or folder that is there inside the block only.

    Raises VerificationError, BackupError.
    """
    state = connections.settings.layout.state
    downloads = state / "downloads"
    downloads.mkdir(parents=True, exist_ok=True)
    archives.require_space(state, manifest, copies=manifest.dump.size)
    kept = downloads / f"{manifest.database}-{manifest.id}.part"
    store = ObjectStore(connections.s3, connections.settings.bucket_name, identities)
    with spooled(state, "restore") as folder:
        resumed = kept.exists()
        try:
            try:
                archive = _unpacked(store, manifest, kept, folder / "first", on_progress)
            except VerificationError:
                archives.forget(kept)
                if not resumed:
                    raise
                # What an earlier run left may be to blame: once more, all of it from S3.
                archive = _unpacked(store, manifest, kept, folder / "again", on_progress)
        except OSError as error:
            raise BackupError(
                f"cannot write below {state}: {error.strerror or error}", hint="is the disk full?"
            ) from error
        archives.forget(kept)
        yield archive


def _unpacked(store: ObjectStore, manifest: BackupManifest, kept: Path, folder: Path, on_progress: OnProgress) -> Path:
    folder.mkdir()
    chunks = archives.download(store, manifest, kept, on_progress)
    return archives.lay_out(manifest, archives.raw_blocks(manifest, chunks, store.identities), folder)

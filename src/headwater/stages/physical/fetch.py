"""Reads stored physical backups back, every byte compared with the manifest, and rebuilds a data directory of them."""

from __future__ import annotations

import os
import shutil
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from headwater.connections import Connections
from headwater.errors import BackupError, VerificationError
from headwater.manifest import StoredDump
from headwater.model import OnProgress, Progress
from headwater.physical_manifest import PhysicalManifest
from headwater.services import archives, codec, objects, tools
from headwater.services.archives import ObjectStore
from headwater.services.programs import run
from headwater.services.read_ahead import closing_stream
from headwater.stages.physical.files import check_files, check_log
from headwater.stages.physical.tar import TarReader

SPARE_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class Source:
    """Where backups are read from, what opens them if they are encrypted, and where PostgreSQL's programs may be."""

    store: ObjectStore
    programs: tuple[Path, ...]


def source_of(connections: Connections, chain: Iterable[PhysicalManifest], identity: Path | None) -> Source:
    """The project's source. Raises BackupError if a backup of the chain is encrypted and no identity was given."""
    sealed = next((manifest.id for manifest in chain if manifest.encryption), None)
    if sealed and identity is None:
        raise BackupError(f"physical backup {sealed} is encrypted", hint="give --identity FILE")
    identities = codec.age_identities(identity) if identity else []
    store = ObjectStore(connections.s3, connections.settings.bucket_name, identities)
    return Source(store, connections.postgres_tools)


def stored_blocks(store: ObjectStore, manifest: PhysicalManifest, stored: StoredDump) -> Iterator[bytes]:
    """One of a backup's objects, unpacked. Raises VerificationError unless every byte was the manifest's, AwsError."""
    encryption = None if stored == manifest.files else manifest.encryption
    chunks = objects.read_chunks(store.s3, store.bucket, stored.key)
    return archives.unpacked(f"physical backup {manifest.id}", stored, chunks, encryption, store.identities)


def rebuild(source: Source, chain: tuple[PhysicalManifest, ...], target: Path, on_progress: OnProgress) -> None:
    """Make the data directory ``target`` (which must not exist) of a full backup and the incremental ones after it.

    Each is compared with Headwater's manifest while it is read, and with PostgreSQL's afterwards.
    Raises VerificationError, BackupError, AwsError; then there is no ``target``.
    """
    needed = sum(manifest.dump.raw_size for manifest in chain) * (2 if len(chain) > 1 else 1) + SPARE_BYTES
    target.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(target.parent).free
    if free < needed:
        raise BackupError(f"not enough space in {target.parent}: {needed >> 20:,} MiB needed, {free >> 20:,} free")
    with TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as spool:
        folders = []
        for manifest in chain:
            folders.append(Path(spool) / manifest.id)
            _extract(source.store, manifest, folders[-1], on_progress)
            _check(source, manifest, folders[-1])
        whole = folders[0]
        if len(folders) > 1:
            whole = Path(spool) / "combined"
            program = tools.find("pg_combinebackup", chain[-1].server_major, source.programs)
            # Without syncing: PostgreSQL syncs every file itself before it begins to recover.
            options = ["--no-sync", "--manifest-checksums=CRC32C", f"--output={whole}"]
            _run(chain[-1], str(program.path), *options, *map(str, folders))
            _check(source, chain[-1], whole)
        whole.rename(target)


def _check(source: Source, manifest: PhysicalManifest, folder: Path) -> None:
    """Compare with PostgreSQL's manifest; by its own program as well, where a suitable one runs."""
    check_files(folder)
    check_log(folder, manifest)
    for tool in tools.installed("pg_verifybackup", source.programs):
        if tool.major == manifest.server_major:
            _run(manifest, str(tool.path), "--quiet", str(folder))
            return


def _run(manifest: PhysicalManifest, *arguments: str) -> None:
    try:
        run(arguments)
    except BackupError as error:
        raise VerificationError(f"physical backup {manifest.id} is damaged: {error}") from error


def _extract(store: ObjectStore, manifest: PhysicalManifest, folder: Path, on_progress: OnProgress) -> None:
    """Unpack a backup's tar; the last byte has been compared when this returns."""
    folder.mkdir(mode=0o700)
    unpacked = _Unpacked(folder, manifest.dump, on_progress)
    reader = TarReader(unpacked)
    try:
        with closing_stream(stored_blocks(store, manifest, manifest.dump)) as blocks:
            for block in blocks:  # what follows the tar's end counts as well
                reader.feed(block)
        reader.finish()
    except tarfile.TarError as error:
        raise VerificationError(f"{manifest.dump.key} is damaged: {error}") from error
    except OSError as error:
        raise BackupError(f"cannot write {folder}: {error.strerror or error}", hint="is the disk full?") from error
    finally:
        unpacked.close()


class _Unpacked:
    """The members of a backup's tar, written below a folder."""

    def __init__(self, folder: Path, stored: StoredDump, on_progress: OnProgress) -> None:
        self._folder, self._stored, self._on_progress = folder, stored, on_progress
        self._file: BinaryIO | None = None
        self._done = 0

    def begin(self, member: tarfile.TarInfo) -> None:
        """Make the folder, or open the file."""
        path = _inside(self._folder, member)
        if member.isdir():
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        elif member.type in (tarfile.REGTYPE, tarfile.AREGTYPE):
            self._file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
        else:
            raise VerificationError(f"{self._stored.key} holds {member.name}, which is no file and no folder")

    def data(self, piece: memoryview) -> None:
        """Write to the file."""
        if self._file is not None:
            self._file.write(piece)
        self._done += len(piece)

    def end(self) -> None:
        """Close the file."""
        self.close()
        self._on_progress(Progress("rebuild", self._done >> 20, self._stored.raw_size >> 20, "MiB"))

    def close(self) -> None:
        """Close the file that is open, if one is."""
        if self._file is not None:
            file, self._file = self._file, None
            file.close()


def _inside(folder: Path, member: tarfile.TarInfo) -> Path:
    """Where a member goes. There are no links in such a backup, so that names alone decide."""
    if member.name.startswith("/") or ".." in member.name.split("/"):
        raise VerificationError(f"the backup holds {member.name}, which is outside of its folder")
    return folder / member.name

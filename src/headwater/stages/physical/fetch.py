"""Reads stored physical backups back, every byte compared with the manifest, and rebuilds a data directory of them."""

from __future__ import annotations

import hashlib
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, cast

import zstandard

from headwater.connections import Connections
from headwater.errors import BackupError, VerificationError
from headwater.manifest import StoredDump
from headwater.model import OnProgress, Progress
from headwater.physical_manifest import PhysicalManifest
from headwater.services import objects, tools
from headwater.services.programs import run
from headwater.stages.physical.files import check_files

SPARE_BYTES = 64 * 1024 * 1024
BLOCK = 1024 * 1024


def stored_chunks(connections: Connections, stored: StoredDump) -> Iterator[bytes]:
    """A stored object, decompressed. Raises VerificationError at its end unless every byte was the manifest's."""
    packed, raw, raw_size = hashlib.sha256(), hashlib.sha256(), 0
    source = _Reader(
        _digested(objects.read_chunks(connections.s3, connections.settings.bucket_name, stored.key), packed)
    )
    # Read, not fed: a mebibyte of packed zeros would unpack to gigabytes at once.
    reader = zstandard.ZstdDecompressor().stream_reader(cast(IO[bytes], source))
    try:
        while block := reader.read(BLOCK):
            raw.update(block)
            raw_size += len(block)
            yield block
    except zstandard.ZstdError as error:
        raise VerificationError(f"{stored.key} is damaged: it cannot be decompressed: {error}") from error
    while source.read(BLOCK):  # what follows the end of the stream is not ours
        pass
    here = (source.size, packed.hexdigest(), raw_size, raw.hexdigest())
    if here != (stored.size, stored.sha256, stored.raw_size, stored.raw_sha256):
        raise VerificationError(f"{stored.key} is damaged: size or SHA-256 is not the manifest's")


def _digested(chunks: Iterator[bytes], digest: hashlib._Hash) -> Iterator[bytes]:
    for chunk in chunks:
        digest.update(chunk)
        yield chunk


def rebuild(
    connections: Connections, chain: tuple[PhysicalManifest, ...], target: Path, on_progress: OnProgress
) -> None:
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
            _extract(connections, manifest, folders[-1], on_progress)
            _check(connections, manifest, folders[-1])
        whole = folders[0]
        if len(folders) > 1:
            whole = Path(spool) / "combined"
            program = tools.find("pg_combinebackup", chain[-1].server_major, connections.postgres_tools)
            # Without syncing: PostgreSQL syncs every file itself before it begins to recover.
            options = ["--no-sync", "--manifest-checksums=SHA256", f"--output={whole}"]
            _run(chain[-1], str(program.path), *options, *map(str, folders))
            _check(connections, chain[-1], whole)
        whole.rename(target)


def _check(connections: Connections, manifest: PhysicalManifest, folder: Path) -> None:
    """Compare with PostgreSQL's manifest; by its own program as well, where a suitable one runs."""
    check_files(folder)
    for tool in tools.installed("pg_verifybackup", connections.postgres_tools):
        if tool.major == manifest.server_major:
            _run(manifest, str(tool.path), "--quiet", str(folder))
            return


def _run(manifest: PhysicalManifest, *arguments: str) -> None:
    try:
        run(arguments)
    except BackupError as error:
        raise VerificationError(f"physical backup {manifest.id} is damaged: {error}") from error


class _Reader:
    """A stream of blocks as a file; ``size``: the bytes that were read from it."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks, self._rest = blocks, memoryview(b"")
        self.size = 0

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes, fewer only at the end."""
        taken = []
        while size > 0:
            if not self._rest:
                block = next(self._blocks, None)
                if block is None:
                    break
                self._rest = memoryview(block)
            taken.append(self._rest[:size])
            self._rest = self._rest[size:]
            size -= len(taken[-1])
        data = b"".join(taken)
        self.size += len(data)
        return data


def _extract(connections: Connections, manifest: PhysicalManifest, folder: Path, on_progress: OnProgress) -> None:
    """Unpack a backup's tar; the last byte has been compared when this returns."""
    folder.mkdir(mode=0o700)
    total, done = manifest.dump.raw_size >> 20, 0
    blocks = stored_chunks(connections, manifest.dump)
    try:
        with tarfile.open(fileobj=cast(IO[bytes], _Reader(blocks)), mode="r|", bufsize=BLOCK) as tar:
            for member in tar:
                path = _inside(folder, member)
                if member.isdir():
                    path.mkdir(mode=0o700, parents=True, exist_ok=True)
                elif member.isfile():
                    source = tar.extractfile(member)
                    with path.open("xb") as file:
                        path.chmod(0o600)
                        shutil.copyfileobj(source or _nothing(member), file, BLOCK)
                    done += member.size
                    on_progress(Progress("rebuild", done >> 20, total, "MiB"))
                else:
                    raise VerificationError(f"{manifest.dump.key} holds {member.name}, which is no file and no folder")
        for _ in blocks:  # what follows the tar's end counts as well
            pass
    except tarfile.TarError as error:
        raise VerificationError(f"{manifest.dump.key} is damaged: {error}") from error
    except OSError as error:
        raise BackupError(f"cannot write {folder}: {error.strerror or error}", hint="is the disk full?") from error


def _inside(folder: Path, member: tarfile.TarInfo) -> Path:
    """Where a member goes. There are no links in such a backup, so that names alone decide."""
    if member.name.startswith("/") or ".." in member.name.split("/"):
        raise VerificationError(f"the backup holds {member.name}, which is outside of its folder")
    return folder / member.name


def _nothing(member: tarfile.TarInfo) -> tarfile.ExFileObject:
    raise VerificationError(f"the backup holds {member.name} without content")

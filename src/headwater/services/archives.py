"""Reads stored dumps back: every byte compared with the manifest by digest, decrypted, decoded, laid out on disk.

The one place that turns a backup's object into what pg_dump wrote; verifying and restoring both go through it.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headwater.errors import BackupError, VerificationError
from headwater.manifest import BackupManifest, StoredDump
from headwater.model import OnProgress, Progress, no_progress
from headwater.services import codec, objects
from headwater.services.read_ahead import closing_stream, read_ahead

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BLOCK = 1024 * 1024
NO_CHECKSUM = "not reported by this provider; sha256 of the whole, read back"
SPARE_BYTES = 64 * 1024 * 1024
_MEMBER = re.compile(r"([A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*?)(?:\.part-(\d{6}))?")


@dataclass(frozen=True)
class ObjectStore:
    """Where the objects are, and what opens them if they are encrypted."""

    s3: S3Client
    bucket: str
    identities: list[Any] = field(default_factory=list, repr=False)


def stored_chunks(
    store: ObjectStore, manifest: BackupManifest, on_progress: OnProgress = no_progress
) -> Iterator[bytes]:
    """The object as it is stored. Raises AwsError."""
    done, total = 0, manifest.dump.size >> 20
    with closing_stream(objects.read_chunks(store.s3, store.bucket, manifest.dump.key)) as chunks:
        for chunk in chunks:
            yield chunk
            done += len(chunk)
            on_progress(Progress("download", done >> 20, total, "MiB"))


def raw_blocks(manifest: BackupManifest, chunks: Iterable[bytes], identities: list[Any]) -> Iterator[bytes]:
    """What pg_dump wrote, from the stored bytes; ends well only if every byte at both ends is the manifest's.

    Raises VerificationError, BackupError if it is encrypted and there is no identity.
    """
    return unpacked(f"backup {manifest.id}", manifest.dump, chunks, manifest.encryption, identities)


def unpacked(
    name: str, stored: StoredDump, chunks: Iterable[bytes], encryption: str | None, identities: list[Any]
) -> Iterator[bytes]:
    """The same for any object that ``stored`` describes; ``name`` is what errors call it."""
    sealed = read_ahead(_digested(chunks, (stored.size, stored.sha256), "the stored bytes"))
    if encryption:
        if not identities:
            raise BackupError(f"{name} is encrypted with {encryption}", hint="give --identity FILE")
        sealed = codec.decrypted(sealed, identities)
    opened = read_ahead(codec.decompressed(sealed, stored.compression))
    try:
        with closing_stream(_digested(opened, (stored.raw_size, stored.raw_sha256), "the unpacked bytes")) as blocks:
            yield from blocks
    except VerificationError as error:
        raise damaged(name, str(error)) from error
    except BackupError as error:
        raise BackupError(f"{name} cannot be opened: {error}", hint=error.hint) from error


def _digested(blocks: Iterable[bytes], expected: tuple[int, str], what: str) -> Iterator[bytes]:
    digest, size = hashlib.sha256(), 0
    with closing_stream(blocks):
        for block in blocks:
            digest.update(block)
            size += len(block)
            yield block
    if (size, digest.hexdigest()) != expected:
        raise VerificationError(
            f"{what} are {size:,} with SHA-256 {digest.hexdigest()},"
            f" the manifest says {expected[0]:,} and {expected[1]}"
        )


def damaged(name: str, what: str) -> VerificationError:
    """The error for a backup (``backup 2025…``) whose bytes are not what was written."""
    return VerificationError(f"{name} is damaged: {what}", hint="choose another one from `headwater backup list`")


def confirm(s3: S3Client, bucket: str, stored: StoredDump) -> bool:
    """Compare an object, as S3 reports it, with what was sent; False if the provider reports no checksum.

    Raises VerificationError, AwsError.
    """
    found, place = objects.head(s3, bucket, stored.key), f"s3://{bucket}/{stored.key}"
    if found is None:
        raise VerificationError(f"{place} is gone: S3 does not have it")
    if found.size != stored.size:
        raise VerificationError(f"{place}: {stored.size:,} bytes were sent, S3 has {found.size:,}")
    if found.crc32 is not None and found.crc32 != stored.checksum:
        raise VerificationError(f"{place}: CRC32 {stored.checksum} was sent, S3 has {found.crc32}")
    if found.etag != stored.etag:
        raise VerificationError(f"{place} was replaced: ETag {stored.etag} was written, now it is {found.etag}")
    return found.crc32 is not None


def read_back(s3: S3Client, bucket: str, stored: StoredDump) -> None:
    """Where S3 reports no checksum of an object, every byte of it is compared here. Raises VerificationError."""
    digest = hashlib.sha256()
    for chunk in objects.read_chunks(s3, bucket, stored.key):
        digest.update(chunk)
    if digest.hexdigest() != stored.sha256:
        raise VerificationError(f"{stored.key}: SHA-256 {stored.sha256} was sent, {digest.hexdigest()} was read back")


def download(
    store: ObjectStore, manifest: BackupManifest, file: Path, on_progress: OnProgress = no_progress
) -> Iterator[bytes]:
    """The stored bytes, kept in ``file`` on the way: what an interrupted run left there is not downloaded again.

    Raises AwsError, OSError.
    """
    with file.open("a+b") as kept:  # opened once: it stays this file, even if another takes its name meanwhile
        if kept.tell() > manifest.dump.size:
            kept.truncate(0)
        kept.seek(0)
        done = 0
        while block := kept.read(BLOCK):
            done += len(block)
            yield block
        if done == manifest.dump.size:
            return
        with closing_stream(objects.read_chunks(store.s3, store.bucket, manifest.dump.key, start=done)) as chunks:
            for chunk in chunks:
                kept.write(chunk)
                done += len(chunk)
                on_progress(Progress("download", done >> 20, manifest.dump.size >> 20, "MiB"))
                yield chunk


def lay_out(manifest: BackupManifest, blocks: Iterable[bytes], folder: Path) -> Path:
    """Write the archive for pg_restore: one file, or a directory of the directory format. Raises VerificationError."""
    with closing_stream(blocks):
        return _laid_out(manifest, blocks, folder)


def _laid_out(manifest: BackupManifest, blocks: Iterable[bytes], folder: Path) -> Path:
    if manifest.format == "custom":
        archive = folder / "archive.dump"
        with archive.open("xb") as file:
            for block in blocks:
                file.write(block)
        return archive
    archive = folder / "archive"
    archive.mkdir()
    stream = Stream(blocks)
    try:
        with tarfile.open(fileobj=stream, mode="r|") as tar:  # type: ignore[call-overload] # has the one method needed
            for member in tar:
                _append(tar, member, archive)
    except tarfile.TarError as error:
        raise damaged(f"backup {manifest.id}", f"its tar cannot be read: {error}") from error
    for _ in stream.rest():  # to the end: only there the digests are compared
        pass
    return archive


def _append(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    named = _MEMBER.fullmatch(member.name)
    content = tar.extractfile(member) if member.isfile() else None
    if named is None or content is None:
        raise tarfile.ReadError(f"a member called {member.name!r}")
    with (folder / named[1]).open("ab") as file:
        while block := content.read(BLOCK):
            file.write(block)


class Stream:
    """Blocks as a file to read from, for tarfile."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks = iter(blocks)
        self._left = b""

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes; fewer only at the end."""
        parts, missing = [self._left], size - len(self._left)
        while missing > 0 and (block := next(self._blocks, None)) is not None:
            parts.append(block)
            missing -= len(block)
        data = b"".join(parts)
        self._left = data[size:]
        return data[:size]

    def rest(self) -> Iterator[bytes]:
        """What nobody has read."""
        yield self._left
        yield from self._blocks


def require_space(folder: Path, manifest: BackupManifest, copies: int = 0) -> None:
    """Raise BackupError unless the unpacked archive, and ``copies`` bytes more, fit onto the disk of ``folder``."""
    free, needed = shutil.disk_usage(folder).free, manifest.dump.raw_size + copies + SPARE_BYTES
    if free < needed:
        raise BackupError(
            f"not enough space below {folder}: backup {manifest.id} needs {needed >> 20:,} MiB unpacked,"
            f" {free >> 20:,} MiB are free",
            hint="make room, or run from a project folder on a larger disk",
        )


def forget(file: Path) -> None:
    """Remove a kept download."""
    with suppress(OSError):
        file.unlink()

"""Decides what to upload and delete by comparing checksums of local files with what S3 reports."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from headwater.connections import Connections
from headwater.domain import LAKE_TABLES
from headwater.errors import InputError
from headwater.layout import Layout, is_lake_file
from headwater.services import buckets, multipart, objects
from headwater.services.checksums import Fingerprint, fingerprint, same_checksum
from headwater.services.multipart import UnfinishedUpload

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

WORKERS = 8


@dataclass(frozen=True)
class LocalFile:
    """A file of output/ and the key that it belongs to."""

    key: str
    path: Path
    fingerprint: Fingerprint


@dataclass(frozen=True)
class RemoteObject:
    """An object of the lake; ``crc32`` is known only where the ETag does not settle it."""

    size: int
    etag: str
    crc32: str | None = None

    def same_as(self, local: Fingerprint) -> bool:
        """Whether it has the bytes of a local file. The ETag is no checksum if the bucket uses KMS keys."""
        return self.size == local.size and (self.etag == local.etag or same_checksum(self.crc32, local.crc32))


@dataclass(frozen=True)
class Transfer:
    """One file to upload, and why: ``new`` or ``changed``."""

    key: str
    path: Path
    size: int
    why: str


@dataclass(frozen=True)
class UploadPlan:
    """What makes the lake equal to output/. ``extra``: objects of generated tables without a local file."""

    bucket: str
    prefix: str
    transfers: tuple[Transfer, ...]
    unchanged: int
    extra: tuple[str, ...]
    delete: bool
    ignored: tuple[Path, ...]
    unfinished: tuple[UnfinishedUpload, ...]
    local: tuple[LocalFile, ...] = field(repr=False, default=())

    @property
    def bytes_to_send(self) -> int:
        """How many bytes the transfers have together."""
        return sum(transfer.size for transfer in self.transfers)


def plan(connections: Connections, *, delete: bool = False) -> UploadPlan:
    """Read output/ and list the lake, change nothing, and say what ``apply`` would do.

    ``delete`` also removes extra objects. Raises InputError without output/, BucketError without a bucket of mine.
    """
    layout = connections.settings.layout
    paths, ignored = find_files(layout.output)
    s3 = connections.s3
    buckets.require(s3, connections.sts, layout.bucket)
    with ThreadPoolExecutor(WORKERS) as threads:
        local = tuple(threads.map(lambda path: _local(layout, path), paths))
    tables = sorted(
        {table.name for table in LAKE_TABLES} | {path.relative_to(layout.output).parts[0] for path in paths}
    )
    remote = observe(s3, layout, tables, {file.key: file.fingerprint for file in local})
    keys = {file.key for file in local}
    unfinished = [
        u for u in multipart.list_unfinished(s3, layout.bucket, layout.datalake_prefix + "/") if u.key in keys
    ]
    return decide(layout, local, remote, delete=delete, ignored=ignored, unfinished=unfinished)


def decide(
    layout: Layout,
    local: tuple[LocalFile, ...],
    remote: Mapping[str, RemoteObject],
    *,
    delete: bool = False,
    ignored: Iterable[Path] = (),
    unfinished: Iterable[UnfinishedUpload] = (),
) -> UploadPlan:
    """The plan for these files and objects. Pure."""
    transfers = []
    for file in local:
        there = remote.get(file.key)
        if there is None or not there.same_as(file.fingerprint):
            why = "new" if there is None else "changed"
            transfers.append(Transfer(file.key, file.path, file.fingerprint.size, why))
    keys = {file.key for file in local}
    generated = tuple(layout.table_prefix(table.name) for table in LAKE_TABLES)
    start = len(layout.datalake_prefix) + 1
    # Only what generate could have written: ingested tables and files of other programs are not this stage's to judge.
    extra = sorted(key for key in remote if key not in keys and key.startswith(generated) and is_lake_file(key[start:]))
    return UploadPlan(
        bucket=layout.bucket,
        prefix=layout.datalake_prefix,
        transfers=tuple(transfers),
        unchanged=len(local) - len(transfers),
        extra=tuple(extra),
        delete=delete,
        ignored=tuple(ignored),
        unfinished=tuple(unfinished),
        local=local,
    )


def find_files(output: Path) -> tuple[list[Path], list[Path]]:
    """The lake files below the output folder, and the other files that are left alone. Raises InputError."""
    paths: list[Path] = []
    ignored: list[Path] = []
    for path in sorted(output.rglob("*")):
        if path.is_file() and not path.name.endswith(".tmp"):
            (paths if is_lake_file(path.relative_to(output).as_posix()) else ignored).append(path)
    if not paths:
        what = "has no Parquet files" if output.is_dir() else "does not exist"
        raise InputError(f"{output} {what}", hint="run `headwater generate` first")
    return paths, ignored


def _local(layout: Layout, path: Path) -> LocalFile:
    key = f"{layout.datalake_prefix}/{path.relative_to(layout.output).as_posix()}"
    try:
        return LocalFile(key, path, fingerprint(path))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error}", hint="check its owner and permissions") from error


def observe(
    s3: S3Client, layout: Layout, tables: Iterable[str], local: Mapping[str, Fingerprint]
) -> dict[str, RemoteObject]:
    """What the lake has of these tables, with CRC32s where size and ETag leave it open whether it is the local file."""
    remote = {
        item.key: RemoteObject(item.size, item.etag)
        for table in tables
        for item in objects.list_objects(s3, layout.bucket, layout.table_prefix(table))
    }
    return remote | dict(with_checksums(s3, layout.bucket, remote, local))


def with_checksums(
    s3: S3Client, bucket: str, remote: Mapping[str, RemoteObject], local: Mapping[str, Fingerprint]
) -> Iterator[tuple[str, RemoteObject]]:
    """Ask S3 for the CRC32 of the objects whose size is right and whose ETag is not."""
    open_keys = [key for key, there in remote.items() if key in local and there.size == local[key].size]
    open_keys = [key for key in open_keys if remote[key].etag != local[key].etag]
    with ThreadPoolExecutor(WORKERS) as threads:
        heads = threads.map(lambda key: objects.head(s3, bucket, key), open_keys)
        for key, found in zip(open_keys, heads, strict=True):
            if found is not None:
                yield key, RemoteObject(found.size, found.etag, found.crc32)

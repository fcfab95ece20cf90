"""The write-ahead log on S3: each segment an object that says of itself what it holds, and what is missing between."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import zstandard

from headwater.errors import BackupError, VerificationError
from headwater.layout import Layout
from headwater.services import codec, objects
from headwater.services.objects import ObjectExists, WriteOptions
from headwater.services.storage import USUAL, Storage
from headwater.wal_segments import HISTORY, Gap, Segment, gaps, is_segment, parse_segment

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SLOT = "headwater_wal"  # the replication slot that makes a server keep its log for us
ZSTD_LEVEL = 1
USUAL_SIZE = 16 * 1024 * 1024  # of a segment, unless initdb was told otherwise
LARGEST = 1024 * 1024 * 1024  # no segment is larger than 1 GiB
# Metadata: the digest of what PostgreSQL wrote, when it was whole, and how it is encrypted, if it is.
SHA256, CLOSED, ENCRYPTION = "sha256", "closed", "encryption"


@dataclass(frozen=True)
class WalArchive:
    """What a cluster's archive holds, in order. ``histories`` are the files that say where timelines branch off."""

    cluster: str
    segments: tuple[Segment, ...]
    histories: tuple[str, ...]

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """What is missing inside."""
        return gaps(self.segments)

    @cached_property
    def names(self) -> frozenset[str]:
        """The segments' file names."""
        return frozenset(segment.name for segment in self.segments)

    def of(self, timeline: int) -> tuple[Segment, ...]:
        """One timeline's segments."""
        return tuple(segment for segment in self.segments if segment.timeline == timeline)

    def missing(self, first: Segment, last: Segment) -> tuple[Gap, ...]:
        """What of the range is not there, both ends included."""
        inside = [s for s in self.of(first.timeline) if first.number <= s.number <= last.number]
        edges = [first.following(-1), *inside, last.following()]
        return gaps(edges)


def list_wal(s3: S3Client, layout: Layout, cluster: str, segment_size: int) -> WalArchive:
    """List a cluster's archived segments. Raises AwsError."""
    segments, histories = [], []
    for item in objects.list_objects(s3, layout.bucket, layout.wal_folder(cluster)):
        name = item.key.rpartition("/")[2].removesuffix(".zst")
        if is_segment(name):
            segments.append(parse_segment(name, segment_size))
        elif HISTORY.fullmatch(name):
            histories.append(name)
    return WalArchive(cluster, tuple(sorted(segments)), tuple(sorted(histories)))


@dataclass(frozen=True)
class WalStore:
    """Where one cluster's log goes, and how: S3's storage options, age recipients to encrypt it to."""

    s3: S3Client
    layout: Layout
    cluster: str
    storage: Storage = USUAL
    encrypt_to: tuple[str, ...] = ()


def store(archive: WalStore, file: Path) -> int:
    """Put a whole segment or history file into the archive; the bytes sent, 0 if it was there with the same content.

    Raises VerificationError if S3 has something else under its name, AwsError, OSError.
    """
    s3, bucket = archive.s3, archive.layout.bucket
    data = file.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    closed = datetime.fromtimestamp(file.stat().st_mtime, timezone.utc)
    packed = zstandard.ZstdCompressor(level=ZSTD_LEVEL, write_checksum=True).compress(data)
    metadata = {SHA256: digest, CLOSED: closed.isoformat()}
    if archive.encrypt_to and is_segment(file.name):  # a history holds positions only, and every listing reads it
        packed = b"".join(codec.encrypted([packed], codec.age_recipients(archive.encrypt_to)))
        metadata[ENCRYPTION] = "age"
    key = archive.layout.wal_key(archive.cluster, file.name)
    extra = archive.storage.request(datetime.now(timezone.utc))
    try:
        etag = objects.put_bytes(s3, bucket, key, packed, WriteOptions({}, metadata, if_none_match=True, extra=extra))
    except ObjectExists as error:
        there = objects.head(s3, bucket, key)
        if there is not None and there.metadata.get(SHA256) == digest:
            return 0
        raise VerificationError(
            f"s3://{bucket}/{key} is there already with other content than the server's {file.name}",
            hint="was the cluster restored to an earlier state without a new timeline? archive it to another bucket",
        ) from error
    there = objects.head(s3, bucket, key)
    if there is None or there.size != len(packed) or there.etag != etag or there.metadata.get(SHA256) != digest:
        raise VerificationError(f"s3://{bucket}/{key} is not what was written")
    return len(packed)


def fetch(archive: WalStore, name: str, identities: list[Any]) -> bytes:
    """A file's bytes, unpacked and compared with what was archived.

    Raises VerificationError, AwsError, BackupError if it is gone, or encrypted and there is no identity.
    """
    bucket, key = archive.layout.bucket, archive.layout.wal_key(archive.cluster, name)
    there = objects.head(archive.s3, bucket, key)
    if there is None:
        raise BackupError(f"segment {name} is not in the archive: s3://{bucket}/{key} is gone")
    packed = objects.read_bytes(archive.s3, bucket, key)
    if ENCRYPTION in there.metadata:
        if not identities:
            raise BackupError(f"segment {name} is encrypted", hint="give --identity FILE")
        packed = b"".join(codec.decrypted([packed], identities))
    try:
        data = zstandard.ZstdDecompressor().decompress(packed, max_output_size=LARGEST)
    except zstandard.ZstdError as error:
        raise VerificationError(f"segment {name} is damaged: {error}") from error
    if hashlib.sha256(data).hexdigest() != there.metadata.get(SHA256):
        raise VerificationError(f"segment {name} is damaged: its SHA-256 is not that of what was archived")
    return data


def closed_at(archive: WalStore, name: str) -> datetime:
    """When a segment was whole, by the clock of the machine that received it. Raises BackupError, AwsError."""
    key = archive.layout.wal_key(archive.cluster, name)
    there = objects.head(archive.s3, archive.layout.bucket, key)
    if there is None or CLOSED not in there.metadata:
        raise BackupError(f"s3://{archive.layout.bucket}/{key} does not say when it was closed")
    return datetime.fromisoformat(there.metadata[CLOSED])

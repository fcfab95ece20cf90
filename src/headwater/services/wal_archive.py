"""The write-ahead log on S3: each segment an object that says of itself what it holds, and what is missing between."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import zstandard

from headwater.errors import BackupError, VerificationError
from headwater.layout import Layout
from headwater.services import objects
from headwater.services.objects import ObjectExists, WriteOptions
from headwater.wal_segments import HISTORY, Gap, Segment, gaps, is_segment, parse_segment

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ZSTD_LEVEL = 1
USUAL_SIZE = 16 * 1024 * 1024  # of a segment, unless initdb was told otherwise
LARGEST = 1024 * 1024 * 1024  # no segment is larger than 1 GiB
SHA256, CLOSED = "sha256", "closed"  # metadata: of the segment as PostgreSQL wrote it, and when it was whole


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


def store(s3: S3Client, layout: Layout, cluster: str, file: Path) -> bool:
    """Put a whole segment or history file into the archive; False if it was there already, with the same content.

    Raises VerificationError if S3 has something else under its name, AwsError, OSError.
    """
    data = file.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    closed = datetime.fromtimestamp(file.stat().st_mtime, timezone.utc).isoformat()
    packed = zstandard.ZstdCompressor(level=ZSTD_LEVEL, write_checksum=True).compress(data)
    key = layout.wal_key(cluster, file.name)
    options = WriteOptions(metadata={SHA256: digest, CLOSED: closed}, if_none_match=True)
    try:
        etag = objects.put_bytes(s3, layout.bucket, key, packed, options)
    except ObjectExists as error:
        there = objects.head(s3, layout.bucket, key)
        if there is not None and there.metadata.get(SHA256) == digest:
            return False
        raise VerificationError(
            f"s3://{layout.bucket}/{key} is there already with other content than the server's {file.name}",
            hint="was the cluster restored to an earlier state without a new timeline? archive it to another bucket",
        ) from error
    there = objects.head(s3, layout.bucket, key)
    if there is None or there.size != len(packed) or there.etag != etag or there.metadata.get(SHA256) != digest:
        raise VerificationError(f"s3://{layout.bucket}/{key} is not what was written")
    return True


def fetch(s3: S3Client, layout: Layout, cluster: str, name: str) -> bytes:
    """A segment's bytes, decompressed and compared with what was archived. Raises VerificationError, AwsError."""
    key = layout.wal_key(cluster, name)
    there = objects.head(s3, layout.bucket, key)
    if there is None:
        raise BackupError(f"segment {name} is not in the archive: s3://{layout.bucket}/{key} is gone")
    packed = objects.read_bytes(s3, layout.bucket, key)
    try:
        data = zstandard.ZstdDecompressor().decompress(packed, max_output_size=LARGEST)
    except zstandard.ZstdError as error:
        raise VerificationError(f"segment {name} is damaged: {error}") from error
    if hashlib.sha256(data).hexdigest() != there.metadata.get(SHA256):
        raise VerificationError(f"segment {name} is damaged: its SHA-256 is not that of what was archived")
    return data


def closed_at(s3: S3Client, layout: Layout, cluster: str, segment: Segment) -> datetime:
    """When a segment was whole, by the clock of the machine that received it. Raises BackupError, AwsError."""
    key = layout.wal_key(cluster, segment.name)
    there = objects.head(s3, layout.bucket, key)
    if there is None or CLOSED not in there.metadata:
        raise BackupError(f"s3://{layout.bucket}/{key} does not say when it was closed")
    return datetime.fromisoformat(there.metadata[CLOSED])

"""The write-ahead log on S3: each segment an object and a manifest of it, and what is missing between them."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import zstandard

from headwater import __version__
from headwater.errors import BackupError, VerificationError
from headwater.layout import MANIFEST, PACKED, Layout
from headwater.manifest import StoredDump
from headwater.services import archives, codec, objects, removal
from headwater.services.checksums import crc32_base64
from headwater.services.objects import ObjectExists, WriteOptions
from headwater.services.storage import USUAL, Storage
from headwater.wal_manifest import WalManifest, as_moment, parse_wal
from headwater.wal_segments import HISTORY, Gap, Segment, gaps, is_segment, parse_segment

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SLOT = "headwater_wal"  # the replication slot that makes a server keep its log for us
ZSTD_LEVEL = 1
USUAL_SIZE = 16 * 1024 * 1024  # of a segment, unless initdb was told otherwise
# The object's metadata repeat what the manifest needs to be written by another run, should this one be killed between.
SHA256, STORED, RAW_SIZE = "sha256", "stored-sha256", "raw-size"
CLOSED, UNTIL, ENCRYPTION = "closed", "until", "encryption"


@dataclass(frozen=True)
class WalArchive:
    """What a cluster's archive holds, in order. ``histories`` are the files that say where timelines branch off.

    Only what has a manifest counts. ``loose``: files whose manifest is not there, of a run that was killed or that is
    under way; ``lost``: segments whose manifest is there and whose object is not.
    """

    cluster: str
    segment_size: int
    segments: tuple[Segment, ...]
    histories: tuple[str, ...]
    loose: tuple[str, ...] = ()
    lost: tuple[Segment, ...] = ()

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """What is missing inside."""
        return gaps(self.segments)

    @cached_property
    def names(self) -> frozenset[str]:
        """The segments' file names."""
        return frozenset(segment.name for segment in self.segments)

    @property
    def everything(self) -> tuple[Segment, ...]:
        """The segments that there is anything of: an object, a manifest, or both."""
        loose = (parse_segment(name, self.segment_size) for name in self.loose if is_segment(name))
        return tuple(sorted({*self.segments, *self.lost, *loose}))

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
    there: set[str] = set()
    proven: set[str] = set()
    for item in objects.list_objects(s3, layout.bucket, layout.wal_folder(cluster)):
        file = item.key.rpartition("/")[2]
        (proven if file.endswith(MANIFEST) else there).add(file.removesuffix(MANIFEST).removesuffix(PACKED))

    def segments(names: Iterable[str]) -> tuple[Segment, ...]:
        return tuple(sorted(parse_segment(name, segment_size) for name in names if is_segment(name)))

    return WalArchive(
        cluster=cluster,
        segment_size=segment_size,
        segments=segments(there & proven),
        histories=tuple(sorted(name for name in there & proven if HISTORY.fullmatch(name))),
        loose=tuple(sorted(name for name in there - proven if is_segment(name) or HISTORY.fullmatch(name))),
        lost=segments(proven - there),
    )


@dataclass(frozen=True)
class WalStore:
    """Where one cluster's log goes, and how: S3's storage options, age recipients to encrypt it to."""

    s3: S3Client
    layout: Layout
    cluster: str
    storage: Storage = USUAL
    encrypt_to: tuple[str, ...] = ()

    def place(self, name: str) -> str:
        """Where a file is, for messages."""
        return f"s3://{self.layout.bucket}/{self.layout.wal_key(self.cluster, name)}"


class Spoiled(VerificationError):
    """An object without a manifest that is not what it says it is; ``etag`` is its."""

    def __init__(self, message: str, etag: str) -> None:
        super().__init__(message, hint="it is replaced when the segment is sent again")
        self.etag = etag


def store(archive: WalStore, file: Path, until: datetime | None = None) -> int:
    """Put a whole segment or history file into the archive; the bytes sent, 0 if it was there with the same content.

    ``until``: what is known of how far the log can be recovered with it. Raises VerificationError if S3 has something
    else under its name, AwsError, OSError.
    """
    s3, bucket, key = archive.s3, archive.layout.bucket, archive.layout.wal_key(archive.cluster, file.name)
    packed, metadata = _packed(archive, file, until)
    options = WriteOptions({}, metadata, if_none_match=True, extra=archive.storage.request(datetime.now(timezone.utc)))
    try:
        etag = objects.put_bytes(s3, bucket, key, packed, options)
    except ObjectExists:
        try:
            _require_same(archive, file.name, metadata[SHA256])
        except Spoiled as error:  # nobody believes in it, and here is what it was to be
            if problem := removal.delete_if(s3, bucket, key, error.etag):
                raise VerificationError(f"{error}; it cannot be replaced: {problem}") from error
            etag = objects.put_bytes(s3, bucket, key, packed, options)
        else:
            return 0
    made = _manifest(archive, file.name, packed, etag, metadata)
    if not archives.confirm(s3, bucket, made.stored):
        archives.read_back(s3, bucket, made.stored)
    _commit(archive, made)
    return len(packed)


def _packed(archive: WalStore, file: Path, until: datetime | None) -> tuple[bytes, dict[str, str]]:
    """What is sent, and what it says of itself. Raises OSError."""
    data = file.read_bytes()
    closed = datetime.fromtimestamp(file.stat().st_mtime, timezone.utc)
    packed = zstandard.ZstdCompressor(level=ZSTD_LEVEL, write_checksum=True).compress(data)
    metadata = {SHA256: hashlib.sha256(data).hexdigest(), RAW_SIZE: str(len(data)), CLOSED: closed.isoformat()}
    if until:
        metadata[UNTIL] = until.isoformat()
    if archive.encrypt_to and is_segment(file.name):  # a history holds positions only, and every listing reads it
        packed = b"".join(codec.encrypted([packed], codec.age_recipients(archive.encrypt_to)))
        metadata[ENCRYPTION] = "age"
    return packed, {**metadata, STORED: hashlib.sha256(packed).hexdigest()}


def _require_same(archive: WalStore, name: str, digest: str) -> None:
    """Raise VerificationError unless what is there already holds this; one without a manifest gets it."""
    there = adopt(archive, name)
    if there.stored.raw_sha256 != digest:
        raise VerificationError(
            f"{archive.place(name)} is there already with other content than the server's {name}",
            hint="was the cluster restored to an earlier state without a new timeline? archive it to another bucket",
        )
    archives.confirm(archive.s3, archive.layout.bucket, there.stored)


def adopt(archive: WalStore, name: str) -> WalManifest:
    """The manifest of a file that is there; if a run was killed before it wrote that, it is written now.

    Every byte is read for that. Raises Spoiled if the object is not what its own metadata say, BackupError, AwsError.
    """
    s3, bucket, key = archive.s3, archive.layout.bucket, archive.layout.wal_key(archive.cluster, name)
    if objects.head(s3, bucket, archive.layout.wal_manifest_key(archive.cluster, name)) is not None:
        return read_manifest(archive, name)
    found = objects.head(s3, bucket, key)
    if found is None:
        raise BackupError(f"{name} is not in the archive: {archive.place(name)} is gone")
    packed = objects.read_bytes(s3, bucket, key)
    if hashlib.sha256(packed).hexdigest() != found.metadata.get(STORED):
        raise Spoiled(f"{archive.place(name)} has no manifest, and is not what was to be written there", found.etag)
    return _commit(archive, _manifest(archive, name, packed, found.etag, found.metadata))


def _manifest(archive: WalStore, name: str, packed: bytes, etag: str, metadata: Mapping[str, str]) -> WalManifest:
    stored = StoredDump(
        key=archive.layout.wal_key(archive.cluster, name),
        size=len(packed),
        sha256=metadata[STORED],
        crc32=zlib.crc32(packed),
        checksum=crc32_base64(zlib.crc32(packed)),
        etag=etag,
        raw_size=int(metadata[RAW_SIZE]),
        raw_sha256=metadata[SHA256],
        compression="zstd",
    )
    closed = datetime.fromisoformat(metadata[CLOSED])
    until = as_moment(metadata.get(UNTIL))
    return WalManifest(name, archive.cluster, closed, stored, __version__, until, metadata.get(ENCRYPTION))


def _commit(archive: WalStore, manifest: WalManifest) -> WalManifest:
    """Write the manifest, on the condition that there is none; the one that is there afterwards."""
    key = archive.layout.wal_manifest_key(archive.cluster, manifest.name)
    extra = archive.storage.request(datetime.now(timezone.utc))
    options = WriteOptions({}, {}, "application/json", if_none_match=True, extra=extra)
    try:
        objects.put_bytes(archive.s3, archive.layout.bucket, key, manifest.to_json(), options)
    except ObjectExists as error:
        there = read_manifest(archive, manifest.name)
        if not there.same_log(manifest):
            raise VerificationError(f"s3://{archive.layout.bucket}/{key} speaks of something else") from error
        return there
    return manifest


def read_manifest(archive: WalStore, name: str) -> WalManifest:
    """What was archived under this name. Raises BackupError if that cannot be told, AwsError."""
    key = archive.layout.wal_manifest_key(archive.cluster, name)
    found = parse_wal(objects.read_bytes(archive.s3, archive.layout.bucket, key), key)
    wanted = (name, archive.cluster, archive.layout.wal_key(archive.cluster, name))
    if (found.name, found.cluster, found.stored.key) != wanted:
        raise BackupError(f"{key} speaks of {found.name} of cluster {found.cluster}: {found.stored.key}")
    return found


def confirm(archive: WalStore, name: str) -> None:
    """Compare a file's object, as S3 reports it, with its manifest. Raises VerificationError, BackupError, AwsError."""
    archives.confirm(archive.s3, archive.layout.bucket, read_manifest(archive, name).stored)


def fetch(archive: WalStore, name: str, identities: list[Any]) -> bytes:
    """A file's bytes, unpacked, and both compared with its manifest.

    Raises VerificationError, AwsError, BackupError if it is encrypted and there is no identity.
    """
    manifest = read_manifest(archive, name)
    chunks = objects.read_chunks(archive.s3, archive.layout.bucket, manifest.stored.key)
    try:
        called = f"segment {name}"
        return b"".join(archives.unpacked(called, manifest.stored, chunks, manifest.encryption, identities))
    except VerificationError as error:
        raise VerificationError(str(error), hint="recover to a moment before it, or from a backup after it") from error

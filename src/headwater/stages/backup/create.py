"""Makes a backup: pg_dump, zstd and the upload as one stream, no temporary file, committed by its manifest."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import zstandard

from headwater import __version__
from headwater.connections import Connections
from headwater.errors import AwsError, BackupError, HeadwaterError, VerificationError
from headwater.manifest import DUMP_SUFFIX, BackupManifest, StoredDump, backup_id, manifest_key
from headwater.model import OnProgress, Progress, no_progress
from headwater.services import buckets, objects, postgres, tools
from headwater.services.multipart import MultipartWriter, WrittenObject
from headwater.services.objects import ObjectExists, WriteOptions
from headwater.stages.backup.dump import Dump
from headwater.stages.backup.prune import PruneReport, plan_prune, prune
from headwater.stages.backup.snapshot import Snapshot, export_snapshot

ZSTD_LEVEL = 1  # faster than pg_dump can write; 3 saves a tenth of the size at twice the time
ZSTD_THREADS = 2
UPLOADS = 3


@dataclass(frozen=True)
class CreatePlan:
    """What will be dumped, with what, and where it will go. ``estimate`` is the database's size on disk, in bytes."""

    database: str
    bucket: str
    key: str
    manifest_key: str
    taken: datetime
    retention_days: int
    server_version: str
    estimate: int
    tool: tools.Tool


@dataclass(frozen=True)
class CreateReport:
    """The backup that was made, where its manifest is, and what the retention rule removed afterwards."""

    backup: BackupManifest
    manifest_key: str
    pruned: PruneReport


@dataclass
class _Stream:
    """What went through so far: the sizes and digests of both ends."""

    raw_size: int = 0
    raw_sha256: hashlib._Hash = field(default_factory=hashlib.sha256)
    stored_sha256: hashlib._Hash = field(default_factory=hashlib.sha256)


def plan_create(connections: Connections, now: datetime) -> CreatePlan:
    """Check what can be checked before anything is read: the server, pg_dump, the bucket, the key.

    Raises PostgresError, BackupError (pg_dump missing or older than the server), BucketError, AwsError.
    """
    settings, address = connections.settings, connections.postgres()
    with postgres.connect(address) as connection:
        major = postgres.server_major(connection)
        version = postgres.server_version_text(connection)
        size = postgres.database_size(connection)
    tool = tools.find("pg_dump", major, connections.postgres_tools)
    bucket = settings.bucket_name
    buckets.require(connections.s3, connections.sts, bucket)
    taken = now.replace(microsecond=0)
    key = settings.layout.backup_key(address.database, taken, DUMP_SUFFIX)
    while objects.head(connections.s3, bucket, key) is not None:  # another backup began in this second
        taken += timedelta(seconds=1)
        key = settings.layout.backup_key(address.database, taken, DUMP_SUFFIX)
    return CreatePlan(
        database=address.database,
        bucket=bucket,
        key=key,
        manifest_key=manifest_key(key),
        taken=taken,
        retention_days=settings.retention_days,
        server_version=version,
        estimate=size,
        tool=tool,
    )


def create(plan: CreatePlan, connections: Connections, on_progress: OnProgress = no_progress) -> CreateReport:
    """Dump, upload, verify, commit; then apply the retention rule.

    Whatever goes wrong before the manifest is written (pg_dump killed, Ctrl-C, S3 out of reach), no object appears and
    no parts stay behind. Raises BackupError, PostgresError, AwsError, VerificationError.
    """
    manifest = _dump(plan, connections, on_progress)
    try:
        pruned = prune(plan_prune(connections, plan.taken), connections, on_progress)
    except HeadwaterError as error:
        raise BackupError(
            f"backup {manifest.id} was made, but older ones could not be pruned: {error}",
            hint=error.hint or "try `headwater backup prune`",
        ) from error
    return CreateReport(manifest, plan.manifest_key, pruned)


def _dump(plan: CreatePlan, connections: Connections, on_progress: OnProgress) -> BackupManifest:
    address = connections.postgres(plan.database)
    options = WriteOptions(tags=tags(plan.database, plan.retention_days), if_none_match=True)
    stream, started = _Stream(), time.monotonic()
    # Inside out: pg_dump ends before the upload is completed or aborted, the snapshot outlives both.
    with (
        export_snapshot(address) as snapshot,
        MultipartWriter(connections.s3, plan.bucket, plan.key, options=options, concurrency=UPLOADS) as writer,
        Dump(plan.tool, address, snapshot.id) as dump,
    ):
        for block in _compressed(dump, snapshot, stream, on_progress):
            stream.stored_sha256.update(block)
            writer.write(block)
        warnings = dump.finish()  # raises unless pg_dump is content: the writer then aborts
        counts = snapshot.counts()  # here, so that an interruption while it counts aborts as well
    stored = _stored(writer.written, stream)
    manifest = BackupManifest(
        id=backup_id(plan.taken),
        database=plan.database,
        taken=plan.taken,
        seconds=round(time.monotonic() - started, 3),
        retention_days=plan.retention_days,
        dump=stored,
        source=snapshot.source,
        client_version=plan.tool.version_text,
        snapshot=snapshot.id,
        row_counts=counts,
        warnings=warnings,
        headwater_version=__version__,
    )
    _commit(manifest, plan, connections)
    return manifest


def _compressed(dump: Dump, snapshot: Snapshot, stream: _Stream, on_progress: OnProgress) -> Iterator[bytes]:
    """The archive as one zstd frame with a checksum of its own; digests and counts the raw bytes on the way."""
    compressor = zstandard.ZstdCompressor(level=ZSTD_LEVEL, threads=ZSTD_THREADS, write_checksum=True).compressobj()
    for block in dump.blocks():
        snapshot.start_counting()  # once; pg_dump takes its locks before it writes
        stream.raw_sha256.update(block)
        stream.raw_size += len(block)
        if packed := compressor.compress(block):
            yield packed
        on_progress(Progress("dump", stream.raw_size >> 20, None, "MiB"))
    yield compressor.flush()


def _stored(written: WrittenObject, stream: _Stream) -> StoredDump:
    return StoredDump(
        key=written.key,
        size=written.size,
        sha256=stream.stored_sha256.hexdigest(),
        crc32=written.stream_crc32,
        checksum=written.crc32,
        etag=written.etag,
        raw_size=stream.raw_size,
        raw_sha256=stream.raw_sha256.hexdigest(),
        compression="zstd",
    )


def _commit(manifest: BackupManifest, plan: CreatePlan, connections: Connections) -> None:
    """Believe the dump only as S3 reports it, then write the manifest; without one, the dump goes again."""
    options = WriteOptions(
        tags=tags(plan.database, plan.retention_days), content_type="application/json", if_none_match=True
    )
    try:
        _verify(manifest.dump, plan, connections)
        objects.put_bytes(connections.s3, plan.bucket, plan.manifest_key, manifest.to_json(), options)
    except ObjectExists as error:
        raise BackupError(f"backup {manifest.id} of {plan.database} exists already", hint="try again") from error
    except BaseException:
        _take_back(plan, connections)
        raise


def _take_back(plan: CreatePlan, connections: Connections) -> None:
    """Delete the uncommitted dump, unless the manifest did arrive and only its answer was lost."""
    try:
        if objects.head(connections.s3, plan.bucket, plan.manifest_key) is None:
            objects.delete(connections.s3, plan.bucket, [plan.key])
    except AwsError:
        pass  # S3 is out of reach, which is what is being reported: the dump stays as an orphan, `list` shows it


def _verify(dump: StoredDump, plan: CreatePlan, connections: Connections) -> None:
    found = objects.head(connections.s3, plan.bucket, plan.key)
    if found is None:
        raise VerificationError(f"s3://{plan.bucket}/{plan.key} was uploaded, but S3 does not have it")
    if found.size != dump.size:
        raise VerificationError(f"{plan.key}: {dump.size:,} bytes were sent, S3 has {found.size:,}")
    if found.crc32 is not None and found.crc32 != dump.checksum:
        raise VerificationError(f"{plan.key}: CRC32 {dump.checksum} was sent, S3 has {found.crc32}")
    if found.etag != dump.etag:
        raise VerificationError(f"{plan.key} was replaced while it was verified: ETag {dump.etag}, now {found.etag}")


def tags(database: str, retention_days: int) -> dict[str, str]:
    """The object tags that lifecycle rules go by; characters that S3 does not take in a tag become ``_``.

    >>> tags("app", 30)
    {'RetentionDays': '30', 'BackupType': 'logical', 'Database': 'app'}
    """
    name = "".join(c if c.isalnum() or c in " +-=._:/@" else "_" for c in database)
    return {"RetentionDays": str(retention_days), "BackupType": "logical", "Database": name}

"""Makes a physical backup: pg_basebackup's tar, zstd and the upload as one stream, committed by its manifest."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import SpooledTemporaryFile, TemporaryDirectory
from typing import IO, Any

import zstandard

from headwater import __version__
from headwater.connections import Connections
from headwater.errors import AwsError, BackupError, SettingsError, VerificationError
from headwater.manifest import StoredDump, backup_id
from headwater.model import OnProgress, Progress, no_progress
from headwater.physical_manifest import BASE_SUFFIX, FILES_SUFFIX, PHYSICAL_MANIFEST_SUFFIX, PhysicalManifest
from headwater.services import buckets, clusters, objects, tools
from headwater.services.multipart import MultipartWriter
from headwater.services.objects import ObjectExists, WriteOptions
from headwater.services.physical_backups import choose_physical, list_physical
from headwater.services.programs import Program
from headwater.stages.physical.base import TarWatch
from headwater.stages.physical.fetch import stored_chunks
from headwater.stages.physical.ranges import LogRange, log_range

ZSTD_LEVEL = 1
ZSTD_THREADS = 2
IN_MEMORY = 8 * 1024 * 1024  # of the file manifest, some 200 bytes a file; above, it is kept on disk
BLOCK = 1024 * 1024


@dataclass(frozen=True)
class PhysicalPlan:
    """What will be copied and where it will go. ``previous``: the backup that an incremental one builds on."""

    cluster: clusters.Cluster
    bucket: str
    key: str
    files_key: str
    manifest_key: str
    taken: datetime
    retention_days: int
    previous: PhysicalManifest | None
    tool: tools.Tool


def plan_create(connections: Connections, now: datetime, *, incremental: bool = False) -> PhysicalPlan:
    """Check the server, the program, the bucket and, for an incremental backup, what it builds on.

    Raises PostgresError, BackupError, SettingsError, BucketError, AwsError.
    """
    settings, address = connections.settings, connections.postgres("postgres")
    cluster = clusters.observe(address)
    _check(cluster, incremental)
    tool = tools.find("pg_basebackup", cluster.server_major, connections.postgres_tools)
    buckets.require(connections.s3, connections.sts, settings.bucket_name)
    found = list_physical(connections.s3, settings.layout, cluster.identifier)
    previous = choose_physical(found, "latest") if incremental else None
    taken = now.replace(microsecond=0)
    while objects.head(connections.s3, settings.bucket_name, _key(connections, cluster, taken)) is not None:
        taken += timedelta(seconds=1)  # another backup began in this second
    layout = settings.layout
    return PhysicalPlan(
        cluster=cluster,
        bucket=settings.bucket_name,
        key=_key(connections, cluster, taken),
        files_key=layout.physical_key(cluster.identifier, taken, FILES_SUFFIX),
        manifest_key=layout.physical_key(cluster.identifier, taken, PHYSICAL_MANIFEST_SUFFIX),
        taken=taken,
        retention_days=settings.retention_days,
        previous=previous,
        tool=tool,
    )


def create(plan: PhysicalPlan, connections: Connections, on_progress: OnProgress = no_progress) -> PhysicalManifest:
    """Copy, upload, verify, commit. Whatever goes wrong before the manifest is written, no backup appears.

    Raises BackupError, PostgresError, AwsError, VerificationError.
    """
    started = time.monotonic()
    try:
        with _previous_files(plan, connections) as incremental:
            dump, files = _send(plan, connections, incremental, on_progress)
        manifest = _manifest(plan, connections, dump, files, started)
        for stored in (manifest.dump, manifest.files):
            _verify(stored, plan, connections)
        objects.put_bytes(
            connections.s3, plan.bucket, plan.manifest_key, manifest.to_json(), _options(plan, "application/json")
        )
    except ObjectExists as error:
        raise BackupError(f"physical backup {backup_id(plan.taken)} exists already", hint="try again") from error
    except BaseException:
        _take_back(plan, connections)
        raise
    return manifest


def _manifest(
    plan: PhysicalPlan, connections: Connections, dump: StoredDump, files: tuple[LogRange, StoredDump], started: float
) -> PhysicalManifest:
    found, stored_files = files
    return PhysicalManifest(
        id=backup_id(plan.taken),
        cluster=plan.cluster.identifier,
        taken=plan.taken,
        ended=clusters.server_clock(connections.postgres("postgres")),
        seconds=round(time.monotonic() - started, 3),
        retention_days=plan.retention_days,
        dump=dump,
        files=stored_files,
        previous=plan.previous.id if plan.previous else None,
        timeline=found.timeline,
        start_lsn=found.start,
        end_lsn=found.end,
        segment_size=plan.cluster.segment_size,
        server_version=plan.cluster.server_version,
        server_major=plan.cluster.server_major,
        client_version=plan.tool.version_text,
        headwater_version=__version__,
    )


def _check(cluster: clusters.Cluster, incremental: bool) -> None:
    if cluster.tablespaces:
        raise BackupError(
            f"the cluster has {cluster.tablespaces} tablespaces of its own, which one stream cannot hold",
            hint="move their tables to pg_default, or use logical backups",
        )
    if incremental and cluster.server_major < 17:
        raise SettingsError(f"incremental backups need PostgreSQL 17, the server is {cluster.server_version}")
    if incremental and not cluster.summarizes:
        raise BackupError(
            "the server does not summarize its log, which incremental backups need",
            hint="let a superuser run: ALTER SYSTEM SET summarize_wal = on; SELECT pg_reload_conf()",
        )


def _key(connections: Connections, cluster: clusters.Cluster, taken: datetime) -> str:
    return connections.settings.layout.physical_key(cluster.identifier, taken, BASE_SUFFIX)


@contextmanager
def _previous_files(plan: PhysicalPlan, connections: Connections) -> Iterator[Path | None]:
    """The file manifest of the backup that this one builds on, as the file that pg_basebackup wants."""
    if plan.previous is None:
        yield None
        return
    state = connections.settings.layout.state
    state.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="physical-", dir=state) as folder:
        path = Path(folder) / "backup_manifest"
        with path.open("xb") as file:
            for block in stored_chunks(connections, plan.previous.files):
                file.write(block)
        yield path


def _send(
    plan: PhysicalPlan, connections: Connections, incremental: Path | None, on_progress: OnProgress
) -> tuple[StoredDump, tuple[LogRange, StoredDump]]:
    """The tar and its file manifest, both stored; neither if pg_basebackup did not end well."""
    arguments = [
        str(plan.tool.path),
        "--pgdata=-",
        "--format=tar",
        "--wal-method=fetch",  # complete in itself: consistent without any archive
        "--checkpoint=fast",
        "--manifest-checksums=SHA256",
        "--no-password",
        f"--label=headwater {backup_id(plan.taken)}",
        *([f"--incremental={incremental}"] if incremental else []),
    ]
    total = plan.cluster.size >> 20
    with (
        SpooledTemporaryFile(IN_MEMORY) as files,
        Program(arguments, tools.login(connections.postgres("postgres"))) as program,
    ):
        watch = TarWatch(files)

        def blocks() -> Iterator[bytes]:
            done = 0
            for block in program.blocks():
                watch.feed(block)
                done += len(block)
                on_progress(Progress("physical", done >> 20, total, "MiB"))
                yield block
            program.finish()  # in here, so that the upload is not completed unless it ended well
            watch.finish()

        dump = _store(connections, plan, plan.key, blocks())
        found = log_range(files, plan.cluster.identifier)
        files.seek(0)
        return dump, (found, _store(connections, plan, plan.files_key, _file_blocks(files)))


def _file_blocks(file: IO[bytes]) -> Iterator[bytes]:
    while block := file.read(BLOCK):
        yield block


def _store(connections: Connections, plan: PhysicalPlan, key: str, blocks: Iterable[bytes]) -> StoredDump:
    """Compress and upload a stream; the object appears only if the stream ends without an exception."""
    raw, stored, raw_size = hashlib.sha256(), hashlib.sha256(), 0
    packer = zstandard.ZstdCompressor(level=ZSTD_LEVEL, threads=ZSTD_THREADS, write_checksum=True).compressobj()
    with MultipartWriter(connections.s3, plan.bucket, key, options=_options(plan), concurrency=3) as writer:
        for block in blocks:
            raw.update(block)
            raw_size += len(block)
            if packed := packer.compress(block):
                stored.update(packed)
                writer.write(packed)
        packed = packer.flush()
        stored.update(packed)
        writer.write(packed)
    written = writer.written
    return StoredDump(
        key=key,
        size=written.size,
        sha256=stored.hexdigest(),
        crc32=written.stream_crc32,
        checksum=written.crc32,
        etag=written.etag,
        raw_size=raw_size,
        raw_sha256=raw.hexdigest(),
        compression="zstd",
    )


def _options(plan: PhysicalPlan, content_type: str = "application/octet-stream") -> WriteOptions:
    tags = {
        # No lifecycle rule may match: by its age alone, S3 would expire what an incremental backup builds on.
        "RetentionDays": "protected",
        "BackupType": "physical",
        "Database": f"cluster-{plan.cluster.identifier}",
    }
    return WriteOptions(tags=tags, content_type=content_type, if_none_match=True)


def _verify(stored: StoredDump, plan: PhysicalPlan, connections: Connections) -> None:
    """Believe an object only as S3 reports it."""
    found = objects.head(connections.s3, plan.bucket, stored.key)
    said: dict[str, Any] = {} if found is None else {"size": found.size, "etag": found.etag, "crc32": found.crc32}
    wanted = {"size": stored.size, "etag": stored.etag, "crc32": stored.checksum}
    if found is None or any(said[name] not in (value, None) for name, value in wanted.items()):
        raise VerificationError(f"s3://{plan.bucket}/{stored.key}: {wanted} was sent, S3 has {said or 'nothing'}")


def _take_back(plan: PhysicalPlan, connections: Connections) -> None:
    """Delete what was not committed, unless the manifest did arrive and only its answer was lost."""
    try:
        if objects.head(connections.s3, plan.bucket, plan.manifest_key) is None:
            objects.delete(connections.s3, plan.bucket, [plan.key, plan.files_key])
    except AwsError:
        pass  # S3 is out of reach, which is what is being reported; the list shows what stays as orphans

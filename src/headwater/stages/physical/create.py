"""Makes a physical backup: pg_basebackup's tar, zstd, age and the upload as one stream, committed by its manifest."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import SpooledTemporaryFile, TemporaryDirectory
from typing import IO

from headwater import __version__
from headwater.connections import Connections
from headwater.errors import AwsError, BackupError, HeadwaterError
from headwater.manifest import StoredDump, backup_id
from headwater.model import OnProgress, Progress, no_progress
from headwater.physical_manifest import PhysicalManifest
from headwater.services import archives, clusters, codec, objects, removal, tools
from headwater.services.archives import ObjectStore
from headwater.services.multipart import MultipartWriter, WrittenObject
from headwater.services.objects import ObjectExists, WriteOptions
from headwater.services.physical_backups import list_physical
from headwater.services.programs import Program, bound_to_us
from headwater.services.spool import spool_folder
from headwater.services.storage import slowed
from headwater.stages.physical.base import TarWatch
from headwater.stages.physical.fetch import stored_blocks
from headwater.stages.physical.plan import PhysicalPlan
from headwater.stages.physical.prune import PhysicalPruneReport, plan_prune, prune
from headwater.stages.physical.ranges import LogRange, log_range
from headwater.stages.physical.tablespaces import require_space, spooled_blocks

IN_MEMORY = 8 * 1024 * 1024  # of the file manifest, some 200 bytes a file; above, it is kept on disk
BLOCK = 1024 * 1024
UPLOADS = 3


@dataclass(frozen=True)
class PhysicalReport:
    """The backup that was made, where its manifest is, and what the retention rules removed afterwards."""

    backup: PhysicalManifest
    manifest_key: str
    pruned: PhysicalPruneReport


@dataclass(frozen=True)
class _Sent:
    """What pg_basebackup sent, stored: the tar, the list of files, the log that makes them consistent."""

    dump: StoredDump
    files: StoredDump
    log: LogRange
    written: WrittenObject
    warnings: tuple[str, ...]


def create(plan: PhysicalPlan, connections: Connections, on_progress: OnProgress = no_progress) -> PhysicalReport:
    """Copy, upload, verify, commit; then apply the retention rules.

    Whatever goes wrong before the manifest is written, no backup appears.
    Raises BackupError, PostgresError, AwsError, VerificationError.
    """
    manifest = _copy(plan, connections, on_progress)
    try:
        if plan.options.prune:
            pruned = prune(plan_prune(connections, plan.taken, manifest.cluster), connections, on_progress)
        else:
            found = list_physical(connections.s3, connections.settings.layout, manifest.cluster)
            kept = tuple(item.manifest.id for item in found.usable)
            pruned = PhysicalPruneReport(manifest.cluster, kept, (), 0, 0)
    except HeadwaterError as error:
        raise BackupError(
            f"physical backup {manifest.id} was made, but older ones could not be pruned: {error}",
            hint=error.hint or "try `headwater backup physical prune`",
        ) from error
    return PhysicalReport(manifest, plan.manifest_key, pruned)


def _copy(plan: PhysicalPlan, connections: Connections, on_progress: OnProgress) -> PhysicalManifest:
    started, made = time.monotonic(), list[StoredDump]()
    try:
        with _previous_files(plan, connections) as incremental:
            sent = _send(plan, connections, incremental, made, on_progress)
        manifest = _manifest(plan, connections, sent)
        for stored in made:
            if not archives.confirm(connections.s3, plan.bucket, stored):
                archives.read_back(connections.s3, plan.bucket, stored)
                integrity = {**manifest.integrity, "object_checksum": archives.NO_CHECKSUM}
                manifest = replace(manifest, integrity=integrity)
        manifest = replace(manifest, seconds=round(time.monotonic() - started, 3))
        _require_base(plan, connections)
        options = _options(plan, "application/json")
        objects.put_bytes(connections.s3, plan.bucket, plan.manifest_key, manifest.to_json(), options)
    except ObjectExists as error:
        raise BackupError(f"physical backup {backup_id(plan.taken)} exists already", hint="try again") from error
    except BaseException:
        _take_back(made, plan, connections)
        raise
    return manifest


def _manifest(plan: PhysicalPlan, connections: Connections, sent: _Sent) -> PhysicalManifest:
    return PhysicalManifest(
        id=backup_id(plan.taken),
        cluster=plan.cluster.identifier,
        taken=plan.taken,
        ended=clusters.server_clock(connections.postgres("postgres")),
        seconds=0.0,
        retention_days=plan.retention_days,
        dump=sent.dump,
        files=sent.files,
        previous=plan.previous.id if plan.previous else None,
        timeline=sent.log.timeline,
        start_lsn=sent.log.start,
        end_lsn=sent.log.end,
        segment_size=plan.cluster.segment_size,
        server_version=plan.cluster.server_version,
        server_major=plan.cluster.server_major,
        client_version=plan.tool.version_text,
        headwater_version=__version__,
        encryption="age" if plan.options.encrypt_to else None,
        integrity=sent.written.integrity(plan.versioning),
        warnings=sent.warnings,
    )


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
        store = ObjectStore(connections.s3, plan.bucket)
        with path.open("xb") as file:
            for block in stored_blocks(store, plan.previous, plan.previous.files):
                file.write(block)
        yield path


def _require_base(plan: PhysicalPlan, connections: Connections) -> None:
    """Raise BackupError if what this backup builds on was removed while it was made."""
    if plan.previous is not None and objects.head(connections.s3, plan.bucket, plan.previous.keys[0]) is None:
        raise BackupError(
            f"physical backup {plan.previous.id}, which this one builds on, was removed meanwhile",
            hint="make a full one: `headwater backup create --physical`",
        )


def _send(
    plan: PhysicalPlan,
    connections: Connections,
    incremental: Path | None,
    made: list[StoredDump],
    on_progress: OnProgress,
) -> _Sent:
    """The tar and its file manifest, both stored and noted in ``made``; neither if pg_basebackup did not end well."""
    spool = None
    if plan.cluster.tablespaces:
        spool = spool_folder(connections.settings.layout.state, f"copy-{backup_id(plan.taken)}")
        require_space(spool.parent, plan.cluster.size)
    arguments = [
        str(plan.tool.path),
        f"--pgdata={spool or '-'}",
        "--format=tar",
        "--wal-method=fetch",  # complete in itself: consistent without any archive
        "--checkpoint=fast",
        # SHA-256 is portable C in a server without OpenSSL, which takes longer than all else. Ours is of the whole tar.
        "--manifest-checksums=CRC32C",
        "--no-password",
        f"--label=headwater {backup_id(plan.taken)}",
        *([f"--incremental={incremental}"] if incremental else []),
    ]
    total, warnings = plan.cluster.size >> 20, list[str]()
    with (
        _removed(spool),
        SpooledTemporaryFile(IN_MEMORY) as files,
        Program(arguments, tools.login(connections.postgres("postgres"))) as program,
        bound_to_us(program.pid),
    ):
        watch = TarWatch(files)

        def blocks() -> Iterator[bytes | memoryview]:
            done = 0
            for block in spooled_blocks(program, spool) if spool else program.blocks():
                watch.feed(block)
                done += len(block)
                on_progress(Progress("physical", done >> 20, total, "MiB"))
                yield block
            # In here, so that the upload is not completed unless it ended well.
            warnings.extend(_finished(program, connections))
            watch.finish()

        dump, written = _store(connections, plan, plan.key, blocks())
        made.append(dump)
        found = log_range(files, plan.cluster.identifier)
        files.seek(0)
        stored, _ = _store(connections, plan, plan.files_key, _file_blocks(files))
        made.append(stored)
        return _Sent(dump, stored, found, written, tuple(warnings))


def _finished(program: Program, connections: Connections) -> tuple[str, ...]:
    """Its warnings. Raises BackupError with what to do, unless it ended well."""
    try:
        return program.finish()
    except BackupError as error:
        raise clusters.with_remedy(error, connections.postgres("postgres")) from error


@contextmanager
def _removed(spool: Path | None) -> Iterator[None]:
    """Remove the spool afterwards."""
    try:
        yield
    finally:
        if spool is not None:
            shutil.rmtree(spool, ignore_errors=True)


def _file_blocks(file: IO[bytes]) -> Iterator[bytes]:
    while block := file.read(BLOCK):
        yield block


def _store(
    connections: Connections, plan: PhysicalPlan, key: str, blocks: Iterable[bytes | memoryview]
) -> tuple[StoredDump, WrittenObject]:
    """Compress, encrypt (the tar) and upload a stream; the object appears only if the stream ends well."""
    raw, stored, raw_size, options = hashlib.sha256(), hashlib.sha256(), 0, plan.options

    def seen() -> Iterator[bytes | memoryview]:
        nonlocal raw_size
        for block in blocks:
            raw.update(block)
            raw_size += len(block)
            yield block

    chunks = codec.compressed(seen(), options.compression)
    if options.encrypt_to and key == plan.key:
        chunks = codec.encrypted(chunks, codec.age_recipients(options.encrypt_to))
    with MultipartWriter(
        connections.s3, plan.bucket, key, options=_options(plan), concurrency=UPLOADS, full_object=True
    ) as writer:
        for chunk in slowed(chunks, options.limit_rate):
            stored.update(chunk)
            writer.write(chunk)
    written = writer.written
    dump = StoredDump(
        key=key,
        size=written.size,
        sha256=stored.hexdigest(),
        crc32=written.stream_crc32,
        checksum=written.crc32,
        etag=written.etag,
        raw_size=raw_size,
        raw_sha256=raw.hexdigest(),
        compression=options.compression.method,
    )
    return dump, written


def _options(plan: PhysicalPlan, content_type: str = "application/octet-stream") -> WriteOptions:
    tags = {
        # No lifecycle rule may match: by its age alone, S3 would expire what an incremental backup builds on.
        "RetentionDays": "protected",
        "BackupType": "physical",
        "Database": f"cluster-{plan.cluster.identifier}",
    }
    extra = plan.options.storage.request(plan.taken)
    return WriteOptions(tags=tags, content_type=content_type, if_none_match=True, extra=extra)


def _take_back(made: list[StoredDump], plan: PhysicalPlan, connections: Connections) -> None:
    """Delete what was not committed, unless the manifest did arrive and only its answer was lost."""
    try:
        if objects.head(connections.s3, plan.bucket, plan.manifest_key) is None:
            for stored in made:
                removal.delete_if(connections.s3, plan.bucket, stored.key, stored.etag)  # another run's stays
    except AwsError:
        pass  # S3 is out of reach, which is what is being reported; the list shows what stays as orphans

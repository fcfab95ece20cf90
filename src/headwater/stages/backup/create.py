"""Makes a backup: pg_dump, compression and the upload as one stream, no temporary file, committed by its manifest."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from headwater import __version__
from headwater.connections import Connections
from headwater.errors import AwsError, BackupError, HeadwaterError
from headwater.manifest import BackupManifest, StoredDump, StoredGlobals, backup_id
from headwater.model import OnProgress, Progress, no_progress
from headwater.services import archives, codec, objects, removal
from headwater.services.backups import list_backups
from headwater.services.interruption import uninterrupted
from headwater.services.multipart import MultipartWriter, WrittenObject
from headwater.services.objects import ObjectExists, WriteOptions
from headwater.services.postgres import TableContent
from headwater.services.programs import ends_with_us
from headwater.services.spool import spool_folder
from headwater.services.storage import slowed
from headwater.stages.backup import roles
from headwater.stages.backup.directory import DirectoryDump
from headwater.stages.backup.dump import Dump
from headwater.stages.backup.parts import lacks_of
from headwater.stages.backup.plan import CreatePlan
from headwater.stages.backup.prune import PruneReport, plan_prune, prune
from headwater.stages.backup.snapshot import Snapshot, export_snapshot

UPLOADS = 3


@dataclass(frozen=True)
class CreateReport:
    """The backup that was made, where its manifest is, and what the retention rule removed afterwards.

    ``alarms``: what is odd about it although it succeeded, such as a much smaller size than the backup before.
    """

    backup: BackupManifest
    manifest_key: str
    pruned: PruneReport
    alarms: tuple[str, ...] = ()


@dataclass
class _Stream:
    """What went through so far: the sizes and digests of both ends, and when each step ended."""

    raw_size: int = 0
    raw_sha256: hashlib._Hash = field(default_factory=hashlib.sha256)
    stored_sha256: hashlib._Hash = field(default_factory=hashlib.sha256)
    durations: dict[str, float] = field(default_factory=dict)


def create(plan: CreatePlan, connections: Connections, on_progress: OnProgress = no_progress) -> CreateReport:
    """Dump, upload, verify, commit; then apply the retention rule.

    Whatever goes wrong before the manifest is written (pg_dump killed, Ctrl-C, S3 out of reach), no object appears and
    no parts stay behind. Raises BackupError, PostgresError, AwsError, VerificationError.
    """
    manifest = _dump(plan, connections, on_progress)
    try:
        found = list_backups(connections.s3, connections.settings.layout, plan.database)
        pruned = PruneReport(plan.database, tuple(item.manifest.id for item in found.usable), (), 0)
        if plan.options.prune:
            pruned = prune(plan_prune(connections, plan.taken, found), connections, on_progress)
    except HeadwaterError as error:
        raise BackupError(
            f"backup {manifest.id} was made, but older ones could not be pruned: {error}",
            hint=error.hint or "try `headwater backup prune`",
        ) from error
    before = [item.manifest for item in found.usable if item.manifest.taken < manifest.taken]
    return CreateReport(manifest, plan.manifest_key, pruned, size_alarms(manifest, before, plan.options.max_size_drop))


def size_alarms(made: BackupManifest, before: Iterable[BackupManifest], most: float) -> tuple[str, ...]:
    """An alarm if a backup is smaller than the one before by more than the share ``most``; partial ones don't count,
    nor do those of the other format, whose tar takes more room for the same rows.
    """
    alike = (manifest for manifest in before if not manifest.partial and manifest.format == made.format)
    previous = next(alike, None)
    if made.partial or previous is None or made.dump.raw_size >= previous.dump.raw_size * (1 - most):
        return ()
    drop = 1 - made.dump.raw_size / previous.dump.raw_size
    return (f"{drop:.0%} smaller than {previous.id}: {made.dump.raw_size:,} bytes, {previous.dump.raw_size:,} before",)


def _dump(plan: CreatePlan, connections: Connections, on_progress: OnProgress) -> BackupManifest:
    address, options = connections.postgres(plan.database), plan.options
    recipients = codec.age_recipients(options.encrypt_to) if options.encrypt_to else []
    stream, started = _Stream(), time.monotonic()
    # Inside out: pg_dump ends before the upload is completed or aborted, the snapshot outlives both.
    with export_snapshot(address) as snapshot:
        lacks = lacks_of(plan, connections, snapshot.id)
        with (
            MultipartWriter(
                connections.s3, plan.bucket, plan.key, options=_written_as(plan), concurrency=UPLOADS, full_object=True
            ) as writer,
            Dump(plan.tool, address, _flags(plan, connections, snapshot), _before(plan)) as dump,
        ):
            blocks = _archive(dump, plan, connections)
            chunks = codec.compressed(_seen(blocks, snapshot, stream, plan, on_progress), options.compression)
            for chunk in slowed(codec.encrypted(chunks, recipients) if recipients else chunks, options.limit_rate):
                stream.stored_sha256.update(chunk)
                writer.write(chunk)
            warnings = dump.finish()  # raises unless pg_dump is content: the writer then aborts
            stream.durations["dump"] = round(time.monotonic() - started, 3)
            snapshot.finish_counting()  # here, so that an interruption while it counts aborts as well
            script, complaint = _globals(plan, connections)
            stream.durations["count"] = round(time.monotonic() - started, 3)
    written = writer.written
    stream.durations["upload"] = round(time.monotonic() - started, 3)
    manifest = _manifest(plan, snapshot, stream, _stored(written, stream, plan))
    said = (*plan.warnings, *warnings, *complaint, *lacks.warnings)
    manifest = replace(manifest, warnings=said, lacks=lacks.needs, integrity=written.integrity(plan.versioning))
    return _commit(replace(manifest, seconds=round(time.monotonic() - started, 3)), plan, connections, script)


def _flags(plan: CreatePlan, connections: Connections, snapshot: Snapshot) -> tuple[str, ...]:
    flags = (*plan.options.flags, f"--snapshot={snapshot.id}")
    if plan.options.format == "directory":
        flags = (*flags, f"--file={_spool(plan, connections)}")
    return flags


def _before(plan: CreatePlan) -> tuple[str, ...]:
    return ends_with_us() if plan.options.format == "directory" else ()


def _spool(plan: CreatePlan, connections: Connections) -> str:
    return str(spool_folder(connections.settings.layout.state, f"{backup_id(plan.taken)}-{plan.database}"))


def _archive(dump: Dump, plan: CreatePlan, connections: Connections) -> Iterator[bytes | memoryview]:
    if plan.options.format == "directory":
        return DirectoryDump(dump, _spool(plan, connections)).blocks()
    return dump.blocks()


def _seen(
    blocks: Iterable[bytes | memoryview], snapshot: Snapshot, stream: _Stream, plan: CreatePlan, report: OnProgress
) -> Iterator[bytes | memoryview]:
    """The same blocks, digested and counted on the way."""
    for block in blocks:
        if not plan.options.partial:
            snapshot.start_counting(hashes=plan.hashes)  # once; pg_dump takes its locks before it writes
        stream.raw_sha256.update(block)
        stream.raw_size += len(block)
        report(Progress("dump", stream.raw_size >> 20, None, "MiB"))
        yield block


def _written_as(plan: CreatePlan, content_type: str = "application/octet-stream") -> WriteOptions:
    return WriteOptions(
        tags=tags(plan.database, plan.retention_days),
        content_type=content_type,
        if_none_match=True,
        extra=plan.options.storage.request(plan.taken),
    )


def _globals(plan: CreatePlan, connections: Connections) -> tuple[bytes | None, tuple[str, ...]]:
    """The roles' script, and the warning if it could not be had although nobody insisted on it."""
    wanted = plan.options.globals
    if wanted == "none" or plan.options.partial:
        return None, ()
    major = int(plan.server_version.partition(".")[0])
    try:
        address, folders = connections.postgres(plan.database), connections.postgres_tools
        return roles.read_globals(address, major, folders, passwords=wanted == "passwords"), ()
    except BackupError as error:
        if wanted == "passwords":
            raise
        return None, (f"roles are not in this backup: {error}",)


def _manifest(plan: CreatePlan, snapshot: Snapshot, stream: _Stream, stored: StoredDump) -> BackupManifest:
    contents = snapshot.contents
    return BackupManifest(
        id=backup_id(plan.taken),
        database=plan.database,
        taken=plan.taken,
        seconds=0.0,
        retention_days=plan.retention_days,
        dump=stored,
        source=snapshot.source,
        client_version=plan.tool.version_text,
        snapshot=snapshot.id,
        row_counts=None if contents is None else {name: content.rows for name, content in contents.items()},
        content_hashes=hashes_of(contents) if contents and snapshot.hashed else None,
        warnings=(),
        headwater_version=__version__,
        format=plan.options.format,
        flags=plan.options.flags,
        partial=plan.options.partial,
        encryption="age" if plan.options.encrypt_to else None,
        extensions=snapshot.extensions,
        collation_versions=snapshot.collation_versions,
        durations=stream.durations,
    )


def hashes_of(contents: Mapping[str, TableContent]) -> dict[str, str]:
    """The content hashes as the manifest holds them: text, because JSON's numbers end at 2**53."""
    return {name: str(content.hash) for name, content in contents.items()}


def _stored(written: WrittenObject, stream: _Stream, plan: CreatePlan) -> StoredDump:
    return StoredDump(
        key=written.key,
        size=written.size,
        sha256=stream.stored_sha256.hexdigest(),
        crc32=written.stream_crc32,
        checksum=written.crc32,
        etag=written.etag,
        raw_size=stream.raw_size,
        raw_sha256=stream.raw_sha256.hexdigest(),
        compression=plan.options.compression.method,
    )


def _commit(
    manifest: BackupManifest, plan: CreatePlan, connections: Connections, script: bytes | None
) -> BackupManifest:
    """Believe the dump only as S3 reports it, then write the manifest; without one, the dump goes again."""
    try:
        if not archives.confirm(connections.s3, plan.bucket, manifest.dump):
            archives.read_back(connections.s3, plan.bucket, manifest.dump)
            manifest = replace(manifest, integrity={**manifest.integrity, "object_checksum": archives.NO_CHECKSUM})
        if script is not None:
            manifest = replace(manifest, globals=_store_globals(plan, connections, script))
        _put_manifest(manifest, plan, connections)
    except ObjectExists as error:
        raise BackupError(f"backup {manifest.id} of {plan.database} exists already", hint="try again") from error
    except BaseException:
        _take_back(manifest, plan, connections)
        raise
    return manifest


def _store_globals(plan: CreatePlan, connections: Connections, script: bytes) -> StoredGlobals:
    recipients = codec.age_recipients(plan.options.encrypt_to) if plan.options.encrypt_to else []
    stored = roles.store_globals(
        connections, plan.globals_key, script, _written_as(plan, "application/sql"), recipients
    )
    method = "age" if recipients else None
    return roles.described(stored, passwords=plan.options.globals == "passwords", encryption=method)


def _put_manifest(manifest: BackupManifest, plan: CreatePlan, connections: Connections) -> None:
    options = _written_as(plan, "application/json")
    where = (connections.s3, plan.bucket, plan.manifest_key)
    # Not interrupted: a manifest that appears after its dump was taken back would be a backup that cannot be used.
    uninterrupted(lambda: objects.put_bytes(*where, manifest.to_json(), options), lambda _: None)


def _take_back(manifest: BackupManifest, plan: CreatePlan, connections: Connections) -> None:
    """Delete the uncommitted dump, unless the manifest did arrive and only its answer was lost."""
    s3 = connections.s3
    try:
        if objects.head(s3, plan.bucket, plan.manifest_key) is None:
            removal.delete_if(s3, plan.bucket, plan.key, manifest.dump.etag)  # another run's stays
            if manifest.globals is not None:
                removal.delete_if(s3, plan.bucket, manifest.globals.key, None)
    except AwsError:
        pass  # S3 is out of reach, which is what is being reported: the dump stays as an orphan, `list` shows it


def tags(database: str, retention_days: int) -> dict[str, str]:
    """The object tags that lifecycle rules go by; characters that S3 does not take in a tag become ``_``.

    >>> tags("app", 30)
    {'RetentionDays': '30', 'BackupType': 'logical', 'Database': 'app'}
    """
    name = "".join(c if c.isalnum() or c in " +-=._:/@" else "_" for c in database)
    return {"RetentionDays": str(retention_days), "BackupType": "logical", "Database": name}

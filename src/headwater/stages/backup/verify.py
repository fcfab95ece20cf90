"""Proves that backups can be used: what S3 says of them, every byte decoded, or a restore into a scratch database."""

from __future__ import annotations

import hashlib
import os
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TypeVar

from headwater.connections import Connections
from headwater.errors import BackupError, PostgresError, SettingsError, VerificationError
from headwater.manifest import BackupManifest, verify_key
from headwater.model import OnProgress, Progress, no_progress
from headwater.services import archives, codec, objects, postgres, restoring, tools, verification
from headwater.services.archives import ObjectStore
from headwater.services.backups import Backups, ListedBackup, choose, list_backups
from headwater.services.dangling import Complete, shown, unmet, without_dangling
from headwater.services.postgres import TableContent
from headwater.services.restoring import Load
from headwater.services.spool import is_left_behind, spooled
from headwater.services.verification import LEVELS, Verification, VerifyReport, VerifyResult, group_of, parse_subset

Result = TypeVar("Result")


@dataclass(frozen=True)
class VerifyOptions:
    """``level``: head, full or restore. ``backup``: an id, ``latest``, a time or ``all``. ``subset``: ``2/7`` of all.

    ``identity``: a file with the age key, for backups that are encrypted; ``jobs`` is for the restore.
    """

    level: str = "full"
    backup: str = "latest"
    subset: str | None = None
    identity: Path | None = None
    jobs: int = 2


@dataclass(frozen=True)
class VerifyPlan:
    """Which backups will be verified how, and how many bytes will be read from S3 for that."""

    database: str
    level: str
    backups: tuple[ListedBackup, ...]
    bytes_to_read: int
    options: VerifyOptions


def plan_verify(connections: Connections, options: VerifyOptions) -> VerifyPlan:
    """Choose the backups. Raises BackupError, SettingsError, AwsError."""
    if options.level not in LEVELS:
        raise SettingsError(f"level {options.level!r} is not known", hint=f"use {', '.join(LEVELS)}")
    settings = connections.settings
    found = list_backups(connections.s3, settings.layout, settings.db_name)
    chosen = _chosen(found, options)
    to_read = 0 if options.level == "head" else sum(backup.manifest.dump.size for backup in chosen)
    sealed = next((backup.manifest.id for backup in chosen if backup.manifest.encryption), None)
    if sealed and options.identity is None and options.level != "head":
        raise BackupError(f"backup {sealed} is encrypted", hint="give --identity FILE, or verify with --level head")
    return VerifyPlan(settings.db_name, options.level, chosen, to_read, options)


def _chosen(found: Backups, options: VerifyOptions) -> tuple[ListedBackup, ...]:
    if options.subset is None and options.backup != "all":
        # A backup with a problem is verified too: that it fails is what has to be said.
        named = (
            backup
            for backup in found.backups
            if options.backup == backup.manifest.id or (options.backup == "latest" and not backup.manifest.partial)
        )
        return (next(named, None) or choose(found, options.backup),)
    if not found.backups:
        raise BackupError(f"there is no backup of {found.database}", hint="make one: `headwater backup create`")
    if options.subset is None:
        return found.backups
    part, of = parse_subset(options.subset)
    return tuple(backup for backup in found.backups if group_of(backup.manifest.id, of) == part)


def verify(plan: VerifyPlan, connections: Connections, on_progress: OnProgress = no_progress) -> VerifyReport:
    """Verify each, and record what was found beside its manifest; one that fails does not stop the others.

    Raises AwsError, PostgresError and BackupError when it could not be found out: then nothing is recorded.
    """
    results = []
    for done, backup in enumerate(plan.backups, 1):
        results.append(_verify_one(backup, plan, connections, on_progress))
        on_progress(Progress("verify", done, len(plan.backups), "backups", backup.manifest.id))
    return VerifyReport(plan.database, all(result.passed for result in results), tuple(results))


def _verify_one(
    backup: ListedBackup, plan: VerifyPlan, connections: Connections, on_progress: OnProgress
) -> VerifyResult:
    began, manifest = time.monotonic(), backup.manifest
    alone = plan.level != "restore" or not unmet(manifest.lacks)
    if not alone:
        plan = replace(plan, level="full")
    try:
        detail, passed = _proof(backup, plan, connections, on_progress), True
    except VerificationError as error:
        detail, passed = str(error), False
    if passed and not alone:
        detail += f"; not restored, because it lacks what it needs: {shown(unmet(manifest.lacks))}"
    seconds = round(time.monotonic() - began, 3)
    record = Verification(plan.level, _now(), passed, seconds, detail, manifest.dump.etag)
    key = verify_key(backup.manifest_key)
    verification.append(connections.s3, connections.settings.bucket_name, key, record)
    return VerifyResult(manifest.id, plan.level, passed, seconds, detail)


def _proof(backup: ListedBackup, plan: VerifyPlan, connections: Connections, on_progress: OnProgress) -> str:
    """What was proven, in words. Raises VerificationError for what is wrong with the backup."""
    manifest, options = backup.manifest, plan.options
    _check_head(backup, connections)
    if plan.level == "head":
        return "size, checksum and ETag are what was written"
    identities = codec.age_identities(options.identity) if options.identity else []
    store = ObjectStore(connections.s3, connections.settings.bucket_name, identities)
    _check_globals(manifest, store)
    blocks = archives.raw_blocks(manifest, archives.stored_chunks(store, manifest, on_progress), identities)
    tool = tools.find("pg_restore", int(manifest.client_version.partition(".")[0]), connections.postgres_tools)
    if plan.level == "full" and manifest.format == "custom":
        _as_verification(lambda: restoring.decode(tool, blocks))
        return f"{manifest.dump.size:,} bytes read back, digests equal, decoded to the end by pg_restore"
    with _folder(connections, manifest) as folder:
        archive = archives.lay_out(manifest, blocks, folder)
        if plan.level == "full":
            _as_verification(lambda: restoring.decode(tool, archive))
            return f"{manifest.dump.size:,} bytes read back, digests equal, decoded to the end by pg_restore"
        return _restore(manifest, archive, connections, options.jobs)


def _check_head(backup: ListedBackup, connections: Connections) -> None:
    if backup.problem:
        raise VerificationError(backup.problem)
    archives.confirm(connections.s3, connections.settings.bucket_name, backup.manifest.dump)


def _check_globals(manifest: BackupManifest, store: ObjectStore) -> None:
    if manifest.globals is None:
        return
    if objects.head(store.s3, store.bucket, manifest.globals.key) is None:
        raise VerificationError(f"its roles {manifest.globals.key} are gone")
    data = objects.read_bytes(store.s3, store.bucket, manifest.globals.key)
    if hashlib.sha256(data).hexdigest() != manifest.globals.sha256:
        raise VerificationError(f"its roles {manifest.globals.key} are not what was written")


def _restore(manifest: BackupManifest, archive: Path, connections: Connections, jobs: int) -> str:
    ours = f"headwater_verify_{hashlib.sha256(platform.node().encode()).hexdigest()[:8]}_"
    name = f"{ours}{manifest.id}_{os.getpid()}".lower()
    address, maintenance = connections.postgres(name), connections.postgres("postgres")
    for left in postgres.databases_called(maintenance, ours):
        if is_left_behind(left):  # by a process of this machine that was killed
            with suppress(PostgresError):
                postgres.drop_idle_database(maintenance, left)
    tool = tools.find("pg_restore", int(manifest.client_version.partition(".")[0]), connections.postgres_tools)
    with restoring.scratch_database(maintenance, name, manifest.source):
        load = Load(tool, archive, address, (f"--jobs={jobs}", "--no-owner", "--no-privileges"))
        contents, left_out = _as_verification(lambda: _loaded(load, manifest))
    what = "row counts and content hashes" if manifest.content_hashes else "row counts (it has no content hashes)"
    compared = "the backup has none to compare with" if manifest.row_counts is None else f"{what} equal the manifest's"
    without = f"; without what leads elsewhere: {', '.join(left_out)}" if left_out else ""
    return f"restored into a scratch database, {len(contents)} tables; {compared}{without}"


def _loaded(load: Load, manifest: BackupManifest) -> tuple[dict[str, TableContent], tuple[str, ...]]:
    """What is in the scratch database afterwards. Raises VerificationError if it is not what the manifest says."""

    def compared() -> dict[str, TableContent]:
        contents = restoring.contents_like(manifest, load.address)
        if wrong := restoring.differences(manifest, contents):
            raise VerificationError(f"restored, but not the same: {', '.join(wrong[:5])}")
        return contents

    wanted = Complete(load.entries(), ())
    if manifest.partial:
        restoring.make_missing_schemas(load, wanted.entries)
        wanted = without_dangling(load, wanted.entries)
    return restoring.fill(load, wanted.entries, compared), wanted.left_out


def _as_verification(run: Callable[[], Result]) -> Result:
    """What pg_restore cannot read is the backup's fault, not the command's."""
    try:
        return run()
    except restoring.ServerFault:
        raise
    except BackupError as error:
        if error.hint.startswith(("give --identity", "install")):
            raise
        raise VerificationError(str(error)) from error


@contextmanager
def _folder(connections: Connections, manifest: BackupManifest) -> Iterator[Path]:
    state = connections.settings.layout.state
    state.mkdir(parents=True, exist_ok=True)
    archives.require_space(state, manifest)
    with spooled(state, "verify") as folder:
        yield folder


def _now() -> datetime:
    return datetime.now(timezone.utc)

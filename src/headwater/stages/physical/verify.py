"""Verifies physical backups: as S3 reports them, by comparing every file, or by starting PostgreSQL on them."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from headwater.connections import Connections
from headwater.errors import BackupError, SettingsError, VerificationError
from headwater.model import OnProgress, Progress, no_progress
from headwater.physical_manifest import PhysicalManifest
from headwater.services import archives, recoverable, verification, wal_archive
from headwater.services.physical_backups import ListedPhysical, PhysicalBackups, chain, choose_physical, list_physical
from headwater.services.spool import spool_folder
from headwater.services.verification import LEVELS, Verification, VerifyReport, VerifyResult, group_of, parse_subset
from headwater.stages.physical.fetch import Source, rebuild, source_of, stored_blocks
from headwater.stages.physical.listing import cluster_of
from headwater.stages.physical.trial import find_programs, try_out

READERS = 4


@dataclass(frozen=True)
class PhysicalVerifyOptions:
    """``level``: head, full or restore. ``backup``: an id, ``latest`` or ``all``. ``subset``: ``2/7`` of all.

    ``cluster``: a system identifier, needed only if there are backups of several; ``identity``: a file with the age
    key, for backups that are encrypted; ``log``: read the archived log that follows the backup as well.
    """

    level: str = "full"
    backup: str = "latest"
    subset: str | None = None
    cluster: str | None = None
    identity: Path | None = None
    log: bool = False


@dataclass(frozen=True)
class PhysicalVerifyPlan:
    """Which backups will be verified how, and how many bytes will be read from S3 for that, bases included."""

    cluster: str
    level: str
    backups: tuple[ListedPhysical, ...]
    bytes_to_read: int
    options: PhysicalVerifyOptions
    found: PhysicalBackups = field(repr=False)


def plan_verify(connections: Connections, options: PhysicalVerifyOptions) -> PhysicalVerifyPlan:
    """Choose the backups. Raises BackupError, SettingsError, AwsError."""
    if options.level not in LEVELS:
        raise SettingsError(f"level {options.level!r} is not known", hint=f"use {', '.join(LEVELS)}")
    found = list_physical(connections.s3, connections.settings.layout, cluster_of(connections, options.cluster))
    chosen, sizes = _chosen(found, options), {item.manifest.id: item.manifest.dump.size for item in found.backups}
    to_read = 0 if options.level == "head" else sum(sizes.get(id_, 0) for item in chosen for id_ in item.chain)
    if options.level != "head":
        known = {item.manifest.id: item.manifest for item in found.backups}
        source_of(connections, (known[id_] for item in chosen for id_ in item.chain), options.identity)
    if options.level == "restore":
        for item in chosen:
            find_programs(item.manifest, connections)
    return PhysicalVerifyPlan(found.cluster, options.level, chosen, to_read, options, found)


def _chosen(found: PhysicalBackups, options: PhysicalVerifyOptions) -> tuple[ListedPhysical, ...]:
    known = {item.manifest.id: item for item in found.backups}
    if options.subset is None and options.backup != "all":
        # A backup with a problem is verified too: that it fails is what has to be said.
        return (known.get(options.backup) or known[choose_physical(found, options.backup).id],)
    if not found.backups:
        raise BackupError(
            f"there is no physical backup of cluster {found.cluster}",
            hint="make one: `headwater backup create --physical`",
        )
    if options.subset is None:
        return found.backups
    part, of = parse_subset(options.subset)
    return tuple(item for item in found.backups if group_of(item.manifest.id, of) == part)


def verify(plan: PhysicalVerifyPlan, connections: Connections, on_progress: OnProgress = no_progress) -> VerifyReport:
    """Verify each with what it builds on, and record what was found beside its manifest.

    ``head``: size, ETag and checksum of each object as S3 reports them. ``full``: every byte against the manifest's
    SHA-256, every file against PostgreSQL's own manifest, incremental backups combined (pg_combinebackup) and compared
    again. ``restore``: PostgreSQL is started on that as well, recovers to the backup's end, and everything is read.
    Raises AwsError and BackupError when it could not be found out: then nothing is recorded.
    """
    results = []
    for done, item in enumerate(plan.backups, 1):
        results.append(_verify_one(item, plan, connections, on_progress))
        on_progress(Progress("verify", done, len(plan.backups), "backups", item.manifest.id))
    cluster = plan.backups[0].manifest.database if plan.backups else f"cluster {plan.cluster}"
    return VerifyReport(cluster, all(result.passed for result in results), tuple(results))


def _verify_one(
    item: ListedPhysical, plan: PhysicalVerifyPlan, connections: Connections, on_progress: OnProgress
) -> VerifyResult:
    began, manifest = time.monotonic(), item.manifest
    try:
        detail, passed = _proof(item, plan, connections, on_progress), True
    except VerificationError as error:
        detail, passed = str(error), False
    seconds = round(time.monotonic() - began, 3)
    at = datetime.now(timezone.utc)
    record = Verification(plan.level, at, passed, seconds, detail, manifest.dump.etag)
    verification.append(connections.s3, connections.settings.bucket_name, manifest.keys[-1], record)
    return VerifyResult(manifest.id, plan.level, passed, seconds, detail)


def _proof(item: ListedPhysical, plan: PhysicalVerifyPlan, connections: Connections, on_progress: OnProgress) -> str:
    """What was proven, in words. Raises VerificationError for what is wrong with the backup."""
    if item.problem:
        raise VerificationError(item.problem)
    links, settings = chain(plan.found, item.manifest), connections.settings
    for stored in (stored for manifest in links for stored in (manifest.dump, manifest.files)):
        archives.confirm(connections.s3, settings.bucket_name, stored)
    if plan.level == "head":
        said = f"size, checksum and ETag are what was written{_with(links)}"
        return said + (_log_proof(item.manifest, None, connections, on_progress) if plan.options.log else "")
    source = source_of(connections, links, plan.options.identity)
    with _scratch(connections, item.manifest.id) as folder:
        for manifest in links:
            for _ in stored_blocks(source.store, manifest, manifest.files):
                pass
        rebuild(source, links, folder / "data", on_progress)
        read = sum(manifest.dump.size for manifest in links)
        said = f"{read:,} bytes read back, digests equal, every file is what PostgreSQL sent{_with(links)}"
        if plan.level == "restore":
            said += f"; {try_out(folder / 'data', item.manifest, connections, on_progress)}"
    return said + (_log_proof(item.manifest, source, connections, on_progress) if plan.options.log else "")


@contextmanager
def _scratch(connections: Connections, name: str) -> Iterator[Path]:
    """A folder that is gone afterwards; if we are killed, the next run removes it."""
    folder = spool_folder(connections.settings.layout.state, f"verify-{name}")
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _log_proof(
    manifest: PhysicalManifest, source: Source | None, connections: Connections, on_progress: OnProgress
) -> str:
    """Compare the log that follows a backup with its manifests: by what S3 reports or, with a source, by reading it.

    Raises VerificationError for a segment that is not what was archived, and for a gap.
    """
    found = recoverable.load(connections.s3, connections.settings.layout, manifest.cluster)
    found.require_histories()
    names = [segment.name for segment in found.following(manifest, found.best(manifest)[0])]

    def check(name: str) -> None:
        if source is None:
            wal_archive.confirm(found.store, name)
        else:
            wal_archive.fetch(found.store, name, source.store.identities)

    with ThreadPoolExecutor(READERS, "headwater-log") as executor:
        for done, (name, _) in enumerate(zip(names, executor.map(check, names), strict=True), 1):
            on_progress(Progress("log", done, len(names), "segments", name))
    if broken := [gap for gap in found.missing() if gap.last.number > manifest.end_segment.number]:
        raise VerificationError(f"the log after it lacks {', '.join(map(str, broken))}")
    return f"; {len(names)} segments of the log after it are {'there' if source is None else 'whole'}"


def _with(links: tuple[PhysicalManifest, ...]) -> str:
    return f"; combined from {', '.join(manifest.id for manifest in links)}" if len(links) > 1 else ""

"""Rebuilds a data directory that recovers to a target: a physical backup, the log after it, and the settings."""

from __future__ import annotations

import errno
import os
import shlex
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from headwater.connections import Connections
from headwater.errors import BackupError, InputError, Refused
from headwater.model import OnProgress, Progress, no_progress
from headwater.physical_manifest import PhysicalManifest
from headwater.services import recoverable, tools, wal_archive
from headwater.services.physical_backups import chain
from headwater.services.wal_archive import WalStore
from headwater.stages.physical.fetch import Source, rebuild, source_of
from headwater.stages.physical.listing import cluster_of
from headwater.stages.physical.tablespaces import place
from headwater.stages.physical.target import LOG_END, Target, choose
from headwater.wal_segments import Segment

LOG_SUFFIX = ".wal"
TABLESPACES_SUFFIX = ".tablespaces"
FETCHERS = 4
HOLE = 64 * 1024
# A cluster that was recovered before, or has been a standby, holds settings that would end or disturb this recovery.
_NEITHER = {
    "recovery_target": "",
    "recovery_target_xid": "",
    "recovery_target_inclusive": "on",
    "recovery_min_apply_delay": "0",
    "recovery_end_command": "",
    "archive_cleanup_command": "",
}


@dataclass(frozen=True)
class RecoverOptions:
    """``folder``: the data directory to make; ``target``: where to stop; ``backup``: an id, by default the newest that
    was complete before the target.

    ``cluster``: a system identifier, needed only if there are backups of several. ``timeline``: by default the one that
    the cluster was on at that moment. ``identity``: a file with the age key, for backups that are encrypted.
    ``tablespaces``: new places by the former ones; the others go below ``<folder>.tablespaces``.
    """

    folder: Path
    target: Target = LOG_END
    cluster: str | None = None
    backup: str = "latest"
    timeline: int | None = None
    identity: Path | None = None
    tablespaces: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class RecoverPlan:
    """Which backups make the files, and which segments and history files bring them to the target."""

    cluster: str
    target: Target
    timeline: int
    folder: Path
    log_folder: Path
    chain: tuple[PhysicalManifest, ...]
    segments: tuple[Segment, ...]
    histories: tuple[str, ...]
    bucket: str
    postgres: Path
    identity: Path | None = None
    tablespaces: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class RecoverReport:
    """What was made, and the command that starts it. PostgreSQL recovers when it is first started."""

    cluster: str
    backup: str
    at: datetime | None
    target: str
    timeline: int
    folder: Path
    log_folder: Path
    segments: int
    start: str
    tablespaces: Mapping[str, Path] = field(default_factory=dict)


def plan_recover(connections: Connections, options: RecoverOptions) -> RecoverPlan:
    """Choose and check, fetch nothing.

    Raises Refused (the folder holds something), BackupError (no backup before that moment; segments are missing, by
    name; the log ends before that moment), InputError, AwsError.
    """
    settings = connections.settings
    folder = options.folder.absolute()
    log_folder = folder.with_name(folder.name + LOG_SUFFIX)
    beside = folder.with_name(folder.name + TABLESPACES_SUFFIX)
    for path in (folder, log_folder, beside, *options.tablespaces.values()):
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise Refused(
                f"{path} exists already; a recovery only ever makes a new one",
                hint="give another folder (what a recovery that was killed left there, and in"
                f" {folder.parent}/.{folder.name}-*, can be removed)",
            )
    _in_shell(log_folder)
    found = recoverable.load(connections.s3, settings.layout, cluster_of(connections, options.cluster))
    choice = choose(found, options.target, options.backup, options.timeline)
    links = chain(found.backups, choice.backup)
    source_of(connections, links, options.identity)
    # The server's program may be on another machine than this one.
    programs = tools.installed("postgres", connections.postgres_tools)
    program = next((tool.path for tool in programs if tool.major == choice.backup.server_major), Path("postgres"))
    names = {f"{stretch.timeline:08X}.history" for stretch in choice.path.stretches}
    return RecoverPlan(
        cluster=found.backups.cluster,
        target=options.target,
        timeline=choice.path.timeline,
        folder=folder,
        log_folder=log_folder,
        chain=links,
        segments=choice.segments,
        histories=tuple(name for name in found.archive.histories if name in names),
        bucket=settings.bucket_name,
        postgres=program,
        identity=options.identity,
        tablespaces=options.tablespaces,
    )


def recover(plan: RecoverPlan, connections: Connections, on_progress: OnProgress = no_progress) -> RecoverReport:
    """Make the data directory and its log beside it; neither is left behind if something is wrong.

    Raises VerificationError, BackupError, AwsError.
    """
    wanted = plan.chain[-1]
    source = source_of(connections, plan.chain, plan.identity)
    store = WalStore(connections.s3, connections.settings.layout, plan.cluster)
    beside = plan.folder.with_name(plan.folder.name + TABLESPACES_SUFFIX)
    try:
        plan.log_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _fetch_log(plan, store, source, on_progress)
        rebuild(source, plan.chain, plan.folder, on_progress)
        placed = place(plan.folder, plan.tablespaces, beside)
        _configure(plan)
    except BaseException as error:
        for made in (plan.log_folder, plan.folder, beside, *plan.tablespaces.values()):
            shutil.rmtree(made, ignore_errors=True)
        if isinstance(error, OSError):
            full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
            hint = "is the disk full?" if full else "give a folder that this user may write to"
            raise BackupError(f"cannot write {plan.folder}: {error}", hint=hint) from error
        raise
    return RecoverReport(
        cluster=plan.cluster,
        backup=wanted.id,
        at=plan.target.at,
        target=str(plan.target),
        timeline=plan.timeline,
        folder=plan.folder,
        log_folder=plan.log_folder,
        segments=len(plan.segments),
        start=shlex.join([str(plan.postgres), "-D", str(plan.folder)]),
        tablespaces=placed,
    )


def _fetch_log(plan: RecoverPlan, store: WalStore, source: Source, on_progress: OnProgress) -> None:
    names = [*plan.histories, *(segment.name for segment in plan.segments)]

    def one(name: str) -> None:
        _write(plan.log_folder / name, wal_archive.fetch(store, name, source.store.identities))

    with ThreadPoolExecutor(FETCHERS, "headwater-log") as executor:
        futures = [executor.submit(one, name) for name in names]
        try:
            for done, (name, future) in enumerate(zip(names, futures, strict=True), 1):
                future.result()
                on_progress(Progress("log", done, len(names), "segments", name))
        except BaseException:
            executor.shutdown(cancel_futures=True)
            raise


def _write(file: Path, data: bytes) -> None:
    """Write a segment with holes where it is empty: one that was ended early takes no more room than it is full."""
    with file.open("xb") as made:
        file.chmod(0o600)
        empty = bytes(HOLE)
        for start in range(0, len(data), HOLE):
            block = data[start : start + HOLE]
            if block == empty[: len(block)]:
                made.seek(len(block), os.SEEK_CUR)
            else:
                made.write(block)
        made.truncate(len(data))


def _configure(plan: RecoverPlan) -> None:
    """What makes PostgreSQL recover when it starts: recovery.signal and the settings that it reads last."""
    copy = f'cp "{_in_shell(plan.log_folder)}/%f" "%p"'
    target = plan.target
    wanted = {
        "recovery_target_time": target.at and target.at.isoformat(sep=" "),
        "recovery_target_lsn": target.lsn,
        "recovery_target_name": target.point,
    }
    settings = {
        **_NEITHER,
        "restore_command": copy,
        "recovery_target_timeline": "current" if plan.timeline == plan.chain[-1].timeline else str(plan.timeline),
        "recovery_target_action": "promote",
        "archive_mode": "off",  # the copy must never write into the archive of the original
        **{name: "" for name, value in wanted.items() if not value},
        # Last: PostgreSQL takes even an empty target after another one for a second one.
        **{name: value for name, value in wanted.items() if value},
    }
    with (plan.folder / "postgresql.auto.conf").open("a") as file:
        file.write("# Written by Headwater for this recovery; PostgreSQL ignores it afterwards.\n")
        for name, value in settings.items():
            escaped = value.replace("'", "''")
            file.write(f"{name} = '{escaped}'\n")
    (plan.folder / "recovery.signal").touch(mode=0o600)
    (plan.folder / "standby.signal").unlink(missing_ok=True)


def _in_shell(path: Path) -> str:
    """A path between double quotes of a shell command, in which PostgreSQL replaces %f and %p."""
    text = os.fspath(path)
    if any(character in text for character in '"$`\\\n'):
        raise InputError(f"{text!r} has characters that restore_command cannot hold", hint="choose another folder")
    return text.replace("%", "%%")

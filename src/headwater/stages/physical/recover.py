"""Rebuilds a data directory that recovers to a moment: a physical backup, the log after it, and the settings."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from headwater.connections import Connections
from headwater.errors import BackupError, InputError, Refused
from headwater.model import OnProgress, Progress, no_progress
from headwater.physical_manifest import PhysicalManifest
from headwater.services import tools, wal_archive
from headwater.services.physical_backups import PhysicalBackups, chain, choose_physical, list_physical
from headwater.stages.physical.fetch import rebuild
from headwater.stages.physical.listing import cluster_of
from headwater.wal_segments import Segment

MARGIN = timedelta(minutes=5)
"""The log is fetched until so long after the wanted moment: its times are the receiver's clock, not the server's."""
LOG_SUFFIX = ".wal"


@dataclass(frozen=True)
class RecoverOptions:
    """``at``: the moment (None: as far as the log goes); ``folder``: the data directory to make.

    ``cluster``: a system identifier, needed only if there are backups of several. ``backup``: an id, by default the
    newest backup that was complete before ``at``.
    """

    folder: Path
    at: datetime | None = None
    cluster: str | None = None
    backup: str = "latest"


@dataclass(frozen=True)
class RecoverPlan:
    """Which backups make the files, and which segments bring them to the moment."""

    cluster: str
    at: datetime | None
    folder: Path
    log_folder: Path
    chain: tuple[PhysicalManifest, ...]
    segments: tuple[Segment, ...]
    bucket: str
    postgres: Path


@dataclass(frozen=True)
class RecoverReport:
    """What was made, and the command that starts it. PostgreSQL recovers when it is first started."""

    cluster: str
    backup: str
    at: datetime | None
    folder: Path
    log_folder: Path
    segments: int
    start: str


def plan_recover(connections: Connections, options: RecoverOptions) -> RecoverPlan:
    """Choose and check, fetch nothing.

    Raises Refused (the folder exists), BackupError (no backup before that moment; segments are missing, by name; the
    log ends before that moment), InputError, AwsError.
    """
    settings = connections.settings
    folder = options.folder.absolute()
    log_folder = folder.with_name(folder.name + LOG_SUFFIX)
    for path in (folder, log_folder):
        if path.exists():
            raise Refused(f"{path} exists already; a recovery only ever makes a new one", hint="give another folder")
    if options.at is not None and options.at.tzinfo is None:
        raise InputError(f"{options.at} has no time zone", hint="write it like 2025-01-15T10:30:00+00:00")
    cluster = cluster_of(connections, options.cluster)
    found = list_physical(connections.s3, settings.layout, cluster)
    wanted = _choose(found, options)
    links = chain(found, wanted)
    segments = _segments(connections, wanted, options.at)
    # The server's program may be on another machine than this one.
    programs = tools.installed("postgres", connections.postgres_tools)
    program = next((tool.path for tool in programs if tool.major == wanted.server_major), Path("postgres"))
    return RecoverPlan(cluster, options.at, folder, log_folder, links, segments, settings.bucket_name, program)


def recover(plan: RecoverPlan, connections: Connections, on_progress: OnProgress = no_progress) -> RecoverReport:
    """Make the data directory and its log beside it; neither is left behind if something is wrong.

    Raises VerificationError, BackupError, AwsError.
    """
    wanted = plan.chain[-1]
    try:
        plan.log_folder.mkdir(mode=0o700, parents=True)
        for done, segment in enumerate(plan.segments, 1):
            data = wal_archive.fetch(connections.s3, connections.settings.layout, plan.cluster, segment.name)
            file = plan.log_folder / segment.name
            file.write_bytes(data)
            file.chmod(0o600)
            on_progress(Progress("log", done, len(plan.segments), "segments", segment.name))
        rebuild(connections, plan.chain, plan.folder, on_progress)
        _configure(plan)
    except BaseException as error:
        shutil.rmtree(plan.log_folder, ignore_errors=True)
        shutil.rmtree(plan.folder, ignore_errors=True)
        if isinstance(error, OSError):
            raise BackupError(f"cannot write {plan.folder}: {error}", hint="is the disk full?") from error
        raise
    return RecoverReport(
        cluster=plan.cluster,
        backup=wanted.id,
        at=plan.at,
        folder=plan.folder,
        log_folder=plan.log_folder,
        segments=len(plan.segments),
        start=shlex.join([str(plan.postgres), "-D", str(plan.folder)]),
    )


def _choose(found: PhysicalBackups, options: RecoverOptions) -> PhysicalManifest:
    """The backup to begin with: the newest that was complete before the moment."""
    if options.backup != "latest" or options.at is None:
        wanted = choose_physical(found, options.backup)
    else:
        before = [item.manifest for item in found.usable if item.manifest.ended <= options.at]
        if not before:
            oldest = min((item.manifest.ended for item in found.usable), default=None)
            known = f"the oldest was complete at {oldest.isoformat()}" if oldest else "there is none at all"
            raise BackupError(f"no physical backup was complete at {options.at.isoformat()}: {known}")
        wanted = before[0]
    if options.at is not None and wanted.ended > options.at:
        raise BackupError(
            f"backup {wanted.id} was complete at {wanted.ended.isoformat()}, after {options.at.isoformat()}",
            hint="leave the backup out: the newest before that moment is chosen",
        )
    return wanted


def _segments(connections: Connections, wanted: PhysicalManifest, at: datetime | None) -> tuple[Segment, ...]:
    """The segments that follow the backup's own, up to the moment. Raises BackupError that names what is missing."""
    archive = wal_archive.list_wal(connections.s3, connections.settings.layout, wanted.cluster, wanted.segment_size)
    after = [segment for segment in archive.of(wanted.timeline) if segment.number > wanted.end_segment.number]
    if not after:
        if at is None:
            return ()
        raise BackupError(
            f"the archive has no log after backup {wanted.id}, complete at {wanted.ended.isoformat()}",
            hint="keep `headwater backup wal` running",
        )

    def closed(segment: Segment) -> datetime:
        return wal_archive.closed_at(connections.s3, connections.settings.layout, wanted.cluster, segment)

    last = len(after) - 1
    if at is not None:
        if (end := closed(after[-1])) < at:
            raise BackupError(
                f"the archived log ends at {end.isoformat()}, before {at.isoformat()}",
                hint=f"archive the rest (`headwater backup wal --once`), or recover to {end.isoformat()}",
            )
        last = _first(len(after), lambda index: closed(after[index]) > at + MARGIN)
    chosen = after[: last + 1]
    missing = archive.missing(wanted.end_segment.following(), chosen[-1])
    if missing:
        raise BackupError(
            f"segments are missing in the archive after backup {wanted.id}: {', '.join(map(str, missing))}",
            hint="recover to a moment before them, or from a backup after them",
        )
    return tuple(chosen)


def _first(count: int, true_from: Callable[[int], bool]) -> int:
    """The first index at which a condition that stays true is true; the last index if it never is."""
    low, high = 0, count - 1
    while low < high:
        middle = (low + high) // 2
        if true_from(middle):
            high = middle
        else:
            low = middle + 1
    return low


def _configure(plan: RecoverPlan) -> None:
    """What makes PostgreSQL recover when it starts: recovery.signal and the settings that it reads last."""
    copy = f'cp "{_in_shell(plan.log_folder)}/%f" "%p"'
    settings = {
        "restore_command": copy,
        "recovery_target_timeline": "current",
        "recovery_target_action": "promote",
        "archive_mode": "off",  # the copy must never write into the archive of the original
    }
    if plan.at is not None:
        settings["recovery_target_time"] = plan.at.isoformat(sep=" ")
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

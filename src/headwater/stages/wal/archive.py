"""Keeps the log on S3: pg_receivewal streams it into a spool, each whole segment is compressed, sent and compared."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from headwater.connections import Connections
from headwater.errors import BackupError, SettingsError
from headwater.model import OnProgress, Progress, no_progress
from headwater.services import buckets, clusters, tools, wal_archive
from headwater.services.programs import Program
from headwater.wal_segments import HISTORY, is_segment, segment_before

SLOT = "headwater_wal"
LOOK_SECONDS = 0.2
ONCE_SECONDS = 300.0


@dataclass(frozen=True)
class WalOptions:
    """``once``: archive what there is now, then end; ``seconds``: end after so long (None: run until stopped).

    ``switch_seconds``: end a segment that was begun at the latest after so long, so that at most so much is lost.
    """

    once: bool = False
    seconds: float | None = None
    switch_seconds: float = 60.0

    def __post_init__(self) -> None:
        if self.switch_seconds < 1:
            raise SettingsError(f"a segment cannot be ended every {self.switch_seconds} seconds: at least 1")


@dataclass(frozen=True)
class WalPlan:
    """Which cluster's log will be received, with what, and where it waits until S3 has it."""

    cluster: clusters.Cluster
    bucket: str
    folder: str
    slot: str
    new_slot: bool
    spool: Path
    tool: tools.Tool
    options: WalOptions


@dataclass(frozen=True)
class WalReport:
    """What was archived in this run; ``missing``: segments that the archive lacks between its first and its last."""

    cluster: str
    slot: str
    archived: int
    last_segment: str
    missing: tuple[str, ...]
    seconds: float


def plan_wal(connections: Connections, options: WalOptions | None = None) -> WalPlan:
    """Check the server, the slot, the program and the bucket; change nothing.

    Raises PostgresError, BackupError (the slot is in use or has lost its log), BucketError, AwsError.
    """
    settings, address = connections.settings, connections.postgres("postgres")
    cluster = clusters.observe(address)
    if cluster.standby:
        raise BackupError("the server is a standby, which cannot end segments", hint="archive from the primary")
    slot = clusters.find_slot(address, SLOT)
    if slot is not None:
        _check(slot)
    buckets.require(connections.s3, connections.sts, settings.bucket_name)
    return WalPlan(
        cluster=cluster,
        bucket=settings.bucket_name,
        folder=settings.layout.wal_folder(cluster.identifier),
        slot=SLOT,
        new_slot=slot is None,
        spool=settings.layout.state / "wal" / cluster.identifier,
        tool=tools.find("pg_receivewal", cluster.server_major, connections.postgres_tools),
        options=options or WalOptions(),
    )


def archive(
    plan: WalPlan,
    connections: Connections,
    on_progress: OnProgress = no_progress,
    stopped: Callable[[], bool] = lambda: False,
) -> WalReport:
    """Receive and archive until the plan's end, ``stopped()``, or an error; what was archived stays.

    The server keeps what is not yet in the spool (the slot), the spool what is not yet on S3: a run that was killed is
    taken up by the next one. Raises BackupError, VerificationError, PostgresError, AwsError.
    """
    started = time.monotonic()
    address = connections.postgres("postgres")
    clusters.ensure_slot(address, plan.slot)
    plan.spool.mkdir(mode=0o700, parents=True, exist_ok=True)
    run = _Run(plan, connections, on_progress)
    arguments = [
        str(plan.tool.path),
        f"--directory={plan.spool}",
        f"--slot={plan.slot}",
        "--no-loop",  # a lost server is an error here: whoever runs us decides whether to try again
        "--no-password",
        "--status-interval=1",
    ]
    with Program(arguments, tools.login(address)) as receiver:
        run.until_done(receiver, stopped)
        receiver.stop()
    run.ship()
    found = wal_archive.list_wal(
        connections.s3, connections.settings.layout, plan.cluster.identifier, plan.cluster.segment_size
    )
    return WalReport(
        cluster=plan.cluster.identifier,
        slot=plan.slot,
        archived=run.archived,
        last_segment=found.segments[-1].name if found.segments else "",
        missing=tuple(map(str, found.gaps)),
        seconds=round(time.monotonic() - started, 3),
    )


def drop_slot(connections: Connections) -> bool:
    """End archiving for good: the server no longer keeps its log for us. Whether there was a slot."""
    return clusters.drop_slot(connections.postgres("postgres"), SLOT)


def _check(slot: clusters.Slot) -> None:
    if slot.active:
        raise BackupError(f"replication slot {slot.name} is in use: `headwater backup wal` runs already")
    if slot.status == "lost":
        raise BackupError(
            f"the server has removed log that replication slot {slot.name} still needed: there is a gap in the archive",
            hint="run `headwater backup wal --drop-slot`, begin again, and make a new physical backup",
        )


class _Run:
    """One run: what was shipped, when a segment was last ended, and what is waited for."""

    def __init__(self, plan: WalPlan, connections: Connections, on_progress: OnProgress) -> None:
        self._plan, self._connections, self._on_progress = plan, connections, on_progress
        self._address = connections.postgres("postgres")
        self.archived = 0
        self._last = ""
        self._position = ""

    def until_done(self, receiver: Program, stopped: Callable[[], bool]) -> None:
        options, begun = self._plan.options, time.monotonic()
        wanted, ended = self._end_segment() if options.once else "", begun
        while not stopped():
            self.ship()
            now = time.monotonic()
            if receiver.ended:
                receiver.finish()  # says why
                raise BackupError("pg_receivewal ended by itself", hint="is the server still up?")
            if options.once and self._last >= wanted:
                return
            if options.once and now - begun > ONCE_SECONDS:
                raise BackupError(f"segment {wanted} did not arrive within {ONCE_SECONDS:.0f} seconds")
            if options.seconds is not None and now - begun >= options.seconds:
                return
            if not options.once and now - ended >= options.switch_seconds:
                if clusters.log_position(self._address) != self._position:  # an idle server needs no segments
                    self._end_segment()
                    self._position = clusters.log_position(self._address)
                ended = now
            time.sleep(LOOK_SECONDS)

    def _end_segment(self) -> str:
        position = clusters.close_segment(self._address)
        cluster = self._plan.cluster
        return segment_before(position, cluster.timeline, cluster.segment_size).name

    def ship(self) -> None:
        """Archive every whole file of the spool, oldest first; each leaves the spool when S3 has it."""
        names = sorted(entry.name for entry in os.scandir(self._plan.spool) if entry.is_file())
        for name in names:
            if not (is_segment(name) or HISTORY.fullmatch(name)):
                continue  # pg_receivewal renames a file when it is whole
            file = self._plan.spool / name
            layout = self._connections.settings.layout
            if wal_archive.store(self._connections.s3, layout, self._plan.cluster.identifier, file):
                self.archived += 1
            file.unlink()
            if is_segment(name):
                self._last = max(self._last, name)
            self._on_progress(Progress("wal", self.archived, None, "segments", name))

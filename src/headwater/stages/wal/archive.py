"""Keeps the log on S3: pg_receivewal streams it into a spool, each whole segment is compressed, sent and compared."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import NoReturn

from headwater.connections import Connections
from headwater.errors import BackupError, SettingsError, VerificationError
from headwater.model import OnProgress, PostgresAddress, no_progress
from headwater.services import buckets, clusters, codec, tools, wal_archive
from headwater.services.preflight import bucket_facts, judge_bucket
from headwater.services.programs import Program, bound_to_us
from headwater.services.storage import USUAL, Storage
from headwater.services.wal_archive import SLOT, WalArchive, WalStore
from headwater.stages.wal.shipping import Shipping
from headwater.wal_segments import segment_before

LOOK_SECONDS = 0.2
ONCE_SECONDS = 300.0
MIB = 1024 * 1024
PARTIAL = ".partial"
BEGIN_AGAIN = (
    "run `headwater backup wal --drop-slot`, begin again with `headwater backup wal`, whose slot makes the server keep"
    " its log, and make a new base: `headwater backup create --physical`"
)
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class WalOptions:
    """``once``: archive what there is now, then end; ``seconds``: end after so long (None: run until stopped).

    ``switch_seconds``: end a segment that was begun at the latest after so long, so that at most so much is lost.
    ``spool_limit``: bytes that may wait here for S3; ``limit_rate``: stored bytes a second; ``encrypt_to``: age
    recipients.
    """

    once: bool = False
    seconds: float | None = None
    switch_seconds: float = 60.0
    spool_limit: int = 1024 * MIB
    encrypt_to: tuple[str, ...] = ()
    storage: Storage = USUAL
    limit_rate: int | None = None

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
    settings, address, options = connections.settings, connections.postgres("postgres"), options or WalOptions()
    if options.encrypt_to:
        codec.age_recipients(options.encrypt_to)
    cluster = clusters.observe(address)
    if options.spool_limit < 2 * cluster.segment_size:
        raise SettingsError(f"a spool of {options.spool_limit >> 20} MiB does not hold two segments")
    if cluster.standby:
        raise BackupError("the server is a standby, which cannot end segments", hint="archive from the primary")
    clusters.require_switch(address)
    slot = clusters.find_slot(address, SLOT)
    if slot is not None:
        _check(slot)
    buckets.require(connections.s3, connections.sts, settings.bucket_name)
    judge_bucket(
        bucket_facts(connections.s3, settings.bucket_name, datetime.now(timezone.utc)), options.storage.lock_days
    )
    return WalPlan(
        cluster=cluster,
        bucket=settings.bucket_name,
        folder=settings.layout.wal_folder(cluster.identifier),
        slot=SLOT,
        new_slot=slot is None,
        spool=_spool(connections, cluster.identifier),
        tool=tools.find("pg_receivewal", cluster.server_major, connections.postgres_tools),
        options=options,
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
    options = plan.options
    store = WalStore(
        connections.s3, connections.settings.layout, plan.cluster.identifier, options.storage, options.encrypt_to
    )
    for name in _listed(plan, store).loose:
        _adopt(store, name)
    _mend(plan, _listed(plan, store))
    arguments = [
        str(plan.tool.path),
        f"--directory={plan.spool}",
        f"--slot={plan.slot}",
        "--no-loop",  # a lost server is an error here: whoever runs us decides whether to try again
        "--no-password",
        "--status-interval=1",
    ]
    with (
        Shipping(plan.spool, store, options.limit_rate, on_progress) as shipping,
        Program(arguments, tools.login(address)) as receiver,
        # It writes files, not to us: killed with us, or the slot would stay in use and the spool would fill.
        bound_to_us(receiver.pid),
    ):
        run = _Run(plan, address, shipping, receiver)
        run.until_done(stopped)
        run.end()
    found = _listed(plan, store)
    return WalReport(
        cluster=plan.cluster.identifier,
        slot=plan.slot,
        archived=shipping.archived,
        last_segment=found.segments[-1].name if found.segments else "",
        missing=tuple(map(str, found.gaps)),
        seconds=round(time.monotonic() - started, 3),
    )


def drop_slot(connections: Connections) -> bool:
    """End archiving for good: the server no longer keeps its log for us. Whether there was a slot.

    The unfinished segment here goes as well: without the slot, nobody keeps what comes after it.
    """
    address = connections.postgres("postgres")
    dropped = clusters.drop_slot(address, SLOT)
    for left in _spool(connections, clusters.identifier(address)).glob(f"*{PARTIAL}"):
        left.unlink()
    return dropped


def _spool(connections: Connections, cluster: str) -> Path:
    return connections.settings.layout.state / "wal" / cluster


def _listed(plan: WalPlan, store: WalStore) -> WalArchive:
    return wal_archive.list_wal(store.s3, store.layout, store.cluster, plan.cluster.segment_size)


def _mend(plan: WalPlan, found: WalArchive) -> None:
    """Empty an unfinished segment that a full disk cut short: pg_receivewal would refuse to go on after it.

    Empty, and not gone: its name is where the receiver goes on, from a server that still has it. One that another
    machine has archived since goes: the server need not have its log any more.
    """
    for left in plan.spool.glob(f"*{PARTIAL}"):
        if left.name.removesuffix(PARTIAL) in found.names:
            left.unlink()
        elif left.stat().st_size not in (0, plan.cluster.segment_size):
            os.truncate(left, 0)


def _adopt(store: WalStore, name: str) -> None:
    """Give what a killed run had sent its manifest; what is damaged stays without one, and is missing."""
    try:
        wal_archive.adopt(store, name)
    except (BackupError, VerificationError) as error:
        log.warning("%s", error)


def _check(slot: clusters.Slot) -> None:
    if slot.active:
        raise BackupError(
            f"replication slot {slot.name} is in use: `headwater backup wal` runs already",
            hint=f"if it does not, end what uses it: SELECT pg_terminate_backend({slot.active_pid})",
        )
    if slot.status == "lost":
        raise BackupError(
            f"the server has removed log that replication slot {slot.name} still needed: there is a gap in the archive",
            hint=BEGIN_AGAIN,
        )


class _Run:
    """One run: the receiver, what ships what it received, and what is waited for."""

    def __init__(self, plan: WalPlan, address: PostgresAddress, shipping: Shipping, receiver: Program) -> None:
        self._plan, self._address, self._shipping, self._receiver = plan, address, shipping, receiver
        self._position = ""
        self._held_back = False

    def until_done(self, stopped: Callable[[], bool]) -> None:
        """Receive and ship until the plan's end or ``stopped()``."""
        options, begun = self._plan.options, time.monotonic()
        wanted, ended = self._end_segment() if options.once else "", begun
        while not stopped():
            self._shipping.look(patient=not options.once)
            self._bound_spool()
            now = time.monotonic()
            if self._receiver.ended:
                self._explain()
            if options.once and self._shipping.last >= wanted:
                return
            if options.once and now - begun > ONCE_SECONDS:
                raise BackupError(f"segment {wanted} did not arrive within {ONCE_SECONDS:.0f} seconds")
            if options.seconds is not None and now - begun >= options.seconds:
                return
            if not options.once and now - ended >= options.switch_seconds:
                if (
                    clusters.log_position(self._address) != self._position
                ):  # PostgreSQL notes now and then that it idles
                    self._end_segment()
                    self._position = clusters.log_position(self._address)
                ended = now
            time.sleep(LOOK_SECONDS)

    def end(self) -> None:
        """Stop receiving, then ship what is whole."""
        self._receiver.signal(signal.SIGCONT)
        self._receiver.stop()
        self._shipping.finish()

    def _end_segment(self) -> str:
        closed, cluster = clusters.close_segment(self._address), self._plan.cluster
        name = segment_before(closed.position, cluster.timeline, cluster.segment_size).name
        self._shipping.note(name, closed.until)
        return name

    def _bound_spool(self) -> None:
        """Let the receiver wait while S3 is slower than the server; end if S3 takes nothing: the slot keeps the log."""
        waiting, limit = self._shipping.waiting_bytes(), self._plan.options.spool_limit
        if waiting >= limit and self._shipping.problem:
            raise BackupError(
                f"S3 does not take the log, and {waiting >> 20:,} MiB wait in {self._plan.spool}:"
                f" {self._shipping.problem}",
                hint="run it again when S3 answers: the server keeps the rest for its slot",
            )
        if (waiting >= limit) != self._held_back and (waiting >= limit or waiting <= limit // 2):
            self._held_back = not self._held_back
            self._receiver.signal(signal.SIGSTOP if self._held_back else signal.SIGCONT)

    def _explain(self) -> NoReturn:
        """Say why the receiver ended by itself."""
        try:
            self._receiver.finish()
        except BackupError as error:
            if "has already been removed" in str(error):
                raise BackupError(f"{error}: there is a gap in the archive", hint=BEGIN_AGAIN) from error
            if self._plan.new_slot and not any(self._plan.spool.iterdir()):
                clusters.drop_slot(self._address, self._plan.slot)  # nothing was ever received, and it fills the disk
            raise clusters.with_remedy(error, self._address) from error
        raise BackupError("pg_receivewal ended by itself", hint="is the server still up?")

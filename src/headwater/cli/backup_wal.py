"""``headwater backup wal``: keeps the write-ahead log on S3 until it is interrupted."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from headwater.cli.backup_options import rate_of, storage_of, storage_options
from headwater.cli.output import emit, json_option, progress
from headwater.pipeline import Headwater

if TYPE_CHECKING:
    from headwater.stages.wal import WalPlan, WalReport


@click.command()
@click.option("--once", is_flag=True, help="Archive what there is now, then end.")
@click.option("--for", "seconds", type=click.FloatRange(min=0), metavar="SECONDS", help="End after so long.")
@click.option(
    "--switch-every",
    type=click.FloatRange(min=1),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="End a segment that was begun after so long: the most that a disaster costs.",
)
@click.option(
    "--spool-limit",
    type=click.IntRange(32),
    default=1024,
    show_default=True,
    metavar="MIB",
    help="How much may wait here while S3 is away; then it ends, and the server keeps the rest.",
)
@storage_options
@click.option("--drop-slot", is_flag=True, help="End archiving for good: the server no longer keeps log for it.")
@click.option("--dry-run", is_flag=True, help="Check everything and print what would be done; receive nothing.")
@json_option
@click.pass_context
def wal(
    ctx: click.Context,
    /,
    once: bool,
    seconds: float | None,
    switch_every: float,
    spool_limit: int,
    drop_slot: bool,
    dry_run: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Keep the cluster's write-ahead log on S3, so that it can be recovered to any moment.

    Runs until it is interrupted (Ctrl-C, or SIGTERM from a service manager), then sends what is whole; a second Ctrl-C
    does not wait for that, and the next run sends it. A replication slot makes the server keep what has not been
    received: watch its disk, and drop the slot when you stop for good.

    \b
    Example:
      headwater backup wal
      headwater backup wal --once
    """
    from headwater.stages.wal import WalOptions

    headwater = Headwater(ctx.obj)
    if drop_slot:
        emit(headwater.physical.drop_slot(), as_json, lambda had: ["slot dropped" if had else "there was no slot"])
        return
    options = WalOptions(
        once=once,
        seconds=seconds,
        switch_seconds=switch_every,
        spool_limit=spool_limit << 20,
        encrypt_to=given["encrypt_to"],
        storage=storage_of(given),
        limit_rate=rate_of(given),
    )
    if dry_run:
        emit(headwater.physical.wal_plan(options), as_json, _wal_plan_lines)
        return
    with progress(as_json) as on_progress, _until_interrupted() as interrupted:
        report = headwater.physical.wal(options, on_progress, interrupted.is_set)
    emit(report, as_json, _wal_lines)


@contextmanager
def _until_interrupted() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set, instead of ending the process in the middle of a segment.

    A second one ends it at once, as S3 may not answer for minutes: the next run sends what waits here.
    """
    event = threading.Event()

    def note(number: int, frame: FrameType | None) -> None:
        if event.is_set():
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        event.set()

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield event
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _wal_plan_lines(plan: WalPlan) -> Iterator[str]:
    yield f"would receive the log of cluster {plan.cluster.identifier} with pg_receivewal {plan.tool.version_text}"
    yield f"through the {'new' if plan.new_slot else 'existing'} slot {plan.slot} and {plan.spool}"
    yield f"to s3://{plan.bucket}/{plan.folder}"


def _wal_lines(report: WalReport) -> Iterator[str]:
    last = f", up to {report.last_segment}" if report.last_segment else ""
    yield f"{report.archived} segments of cluster {report.cluster} archived{last}"
    yield from (f"log: MISSING {gap}" for gap in report.missing)

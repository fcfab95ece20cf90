"""``headwater backup create --physical``, ``backup physical …`` and ``backup wal``: whole clusters and their log."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Literal

import click
from click.core import ParameterSource

from headwater.cli.output import emit, json_option, progress, size, table
from headwater.pipeline import Headwater

if TYPE_CHECKING:
    from headwater.physical_manifest import PhysicalManifest
    from headwater.stages.physical import (
        PhysicalList,
        PhysicalPlan,
        PhysicalPrunePlan,
        PhysicalPruneReport,
        PhysicalVerification,
    )
    from headwater.stages.wal import WalPlan, WalReport, WalStatus

cluster_option = click.option("--cluster", metavar="ID", help="Which one, if there are backups of several clusters.")


def allow_only(ctx: click.Context, *names: str) -> None:
    """Refuse options that would be ignored. Raises click's usage error."""
    for parameter in ctx.command.params:
        name = parameter.name or ""
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE and name not in names:
            raise click.UsageError(f"{parameter.opts[0]} is for logical backups", ctx)


def create_physical(ctx: click.Context, *, incremental: bool, dry_run: bool, as_json: bool) -> None:
    """What ``backup create --physical`` does."""
    allow_only(ctx, "physical", "incremental", "dry_run", "as_json")
    headwater = Headwater(ctx.obj)
    if dry_run:
        emit(headwater.physical.create_plan(incremental=incremental), as_json, _plan_lines)
        return
    with progress(as_json) as on_progress:
        made = headwater.physical.create(incremental=incremental, on_progress=on_progress)
    emit(made, as_json, _made_lines)


@click.group()
def physical() -> None:
    """Physical backups of a whole cluster: list, verify, status, prune.

    They are made by `headwater backup create --physical`, and rebuilt by `headwater restore --at`.

    \b
    Example:
      headwater backup physical list
      headwater backup physical verify
    """


@physical.command("list")
@cluster_option
@json_option
@click.pass_context
def list_(ctx: click.Context, cluster: str | None, as_json: bool) -> None:
    """List a cluster's physical backups, newest first, and its archived log.

    \b
    Example:
      headwater backup physical list
    """
    emit(Headwater(ctx.obj).physical.list(cluster), as_json, _list_lines)


@physical.command()
@click.argument("backup", default="latest")
@click.option("--level", type=click.Choice(["head", "full"]), default="full", show_default=True)
@cluster_option
@json_option
@click.pass_context
def verify(ctx: click.Context, backup: str, level: Literal["head", "full"], cluster: str | None, as_json: bool) -> None:
    """Verify BACKUP (an id, or latest) and what it builds on.

    head compares sizes and checksums as S3 reports them. full reads every byte, rebuilds the data directory and
    compares each file with what PostgreSQL sent.

    \b
    Example:
      headwater backup physical verify --level full
    """
    with progress(as_json) as on_progress:
        report = Headwater(ctx.obj).physical.verify(backup, level, cluster, on_progress)
    emit(report, as_json, _verify_lines)


@physical.command()
@cluster_option
@json_option
@click.pass_context
def status(ctx: click.Context, cluster: str | None, as_json: bool) -> None:
    """Show until when the cluster could be recovered now, and what the archive lacks.

    \b
    Example:
      headwater backup physical status --json | jq .rpo_seconds
    """
    emit(Headwater(ctx.obj).physical.status(cluster), as_json, status_lines)


@physical.command()
@click.option("--dry-run", is_flag=True, help="Print what would be kept and removed, and why; remove nothing.")
@cluster_option
@json_option
@click.pass_context
def prune(ctx: click.Context, dry_run: bool, cluster: str | None, as_json: bool) -> None:
    """Remove physical backups older than RETENTION_DAYS, and the log that no kept one needs.

    Never the newest, and never one that a kept incremental backup builds on.

    \b
    Example:
      headwater backup physical prune --dry-run
    """
    headwater = Headwater(ctx.obj)
    if dry_run:
        emit(headwater.physical.prune_plan(cluster), as_json, _prune_plan_lines)
        return
    with progress(as_json) as on_progress:
        report = headwater.physical.prune(cluster, on_progress)
    emit(report, as_json, _prune_lines)


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
@click.option("--drop-slot", is_flag=True, help="End archiving for good: the server no longer keeps log for it.")
@click.option("--dry-run", is_flag=True, help="Check everything and print what would be done; receive nothing.")
@json_option
@click.pass_context
def wal(
    ctx: click.Context,
    once: bool,
    seconds: float | None,
    switch_every: float,
    drop_slot: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Keep the cluster's write-ahead log on S3, so that it can be recovered to any moment.

    Runs until it is interrupted (Ctrl-C, or SIGTERM from a service manager), then sends what is whole. A replication
    slot makes the server keep what has not been received: watch its disk, and drop the slot when you stop for good.

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
    options = WalOptions(once, seconds, switch_every)
    if dry_run:
        emit(headwater.physical.wal_plan(options), as_json, _wal_plan_lines)
        return
    with progress(as_json) as on_progress, _until_interrupted() as interrupted:
        report = headwater.physical.wal(options, on_progress, interrupted.is_set)
    emit(report, as_json, _wal_lines)


@contextmanager
def _until_interrupted() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set, instead of ending the process in the middle of a segment."""
    event = threading.Event()

    def note(number: int, frame: FrameType | None) -> None:
        event.set()

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield event
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _plan_lines(plan: PhysicalPlan) -> Iterator[str]:
    what = f"changes since {plan.previous.id}" if plan.previous else "all files"
    yield f"would copy {what} of cluster {plan.cluster.identifier} ({size(plan.cluster.size)} of databases)"
    yield f"with pg_basebackup {plan.tool.version_text} ({plan.tool.path})"
    yield f"to s3://{plan.bucket}/{plan.key}"


def _made_lines(made: PhysicalManifest) -> Iterator[str]:
    kind = f"changes since {made.previous}" if made.previous else "full"
    yield f"physical backup {made.id} of cluster {made.cluster} ({kind})"
    yield f"  {size(made.dump.size)} from {size(made.dump.raw_size)} in {made.seconds:.1f} s"
    yield f"  recoverable from {made.ended.isoformat(timespec='seconds')} on"
    yield f"  {made.dump.key}"


def _list_lines(found: PhysicalList) -> Iterator[str]:
    rows = []
    for item in found.backups.backups:
        made = item.manifest
        kind = f"since {made.previous}" if made.previous else "full"
        rows.append([made.id, kind, size(made.dump.size), made.server_version, item.problem])
    if rows:
        yield from table(["id", "kind", "size", "server", "problem"], rows)
    else:
        yield f"no physical backups of cluster {found.backups.cluster}"
    yield from (f"orphan, not a backup: {key}" for key in found.backups.orphans)
    yield from (f"unreadable: {reason}" for reason in found.backups.unreadable)
    if found.segments:
        yield f"log: {found.segments} segments, {found.first_segment} to {found.last_segment}"
    yield from (f"log: MISSING {gap}" for gap in found.missing)


def _verify_lines(report: PhysicalVerification) -> Iterator[str]:
    on = f", with {', '.join(report.backups[:-1])}," if len(report.backups) > 1 else ""
    read = f", {size(report.bytes_read)} read" if report.bytes_read else ""
    yield f"physical backup {report.backup}{on} is good: level {report.level}{read}, {report.seconds:.1f} s"


def status_lines(report: WalStatus) -> Iterator[str]:
    """Until when a cluster could be recovered, its slot, and what its log lacks."""
    if report.recoverable_until is None:
        yield f"cluster {report.cluster} cannot be recovered: there is no usable physical backup"
    else:
        moment = report.recoverable_until.isoformat(timespec="seconds")
        yield f"cluster {report.cluster} can be recovered until {moment}, {report.rpo_seconds:.0f} s ago"
    held = f", {size(report.retained_bytes)} kept for it" if report.retained_bytes else ""
    yield f"slot: {report.slot_status}, {'receiving' if report.receiving else 'not receiving'}{held}"
    yield from (f"log: MISSING {gap}" for gap in report.missing)


def _prune_plan_lines(plan: PhysicalPrunePlan) -> Iterator[str]:
    rows = [[decision.backup.id, decision.action, decision.reason] for decision in plan.decisions]
    yield from table(["id", "action", "reason"], rows)
    yield f"log: {len(plan.segments)} segments would be removed"


def _prune_lines(report: PhysicalPruneReport) -> Iterator[str]:
    yield f"retention: {len(report.kept)} kept, {len(report.removed)} removed, {report.segments} segments removed"


def _wal_plan_lines(plan: WalPlan) -> Iterator[str]:
    yield f"would receive the log of cluster {plan.cluster.identifier} with pg_receivewal {plan.tool.version_text}"
    yield f"through the {'new' if plan.new_slot else 'existing'} slot {plan.slot} and {plan.spool}"
    yield f"to s3://{plan.bucket}/{plan.folder}"


def _wal_lines(report: WalReport) -> Iterator[str]:
    last = f", up to {report.last_segment}" if report.last_segment else ""
    yield f"{report.archived} segments of cluster {report.cluster} archived{last}"
    yield from (f"log: MISSING {gap}" for gap in report.missing)

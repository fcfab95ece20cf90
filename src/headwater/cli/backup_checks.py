"""``headwater backup list``, ``verify`` and ``status``: what there is, whether it can be used, whether it is fresh."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headwater.cli.backup_options import (
    age_text,
    identity_option,
    proof_text,
    verify_lines,
    watch_of,
    watch_options,
)
from headwater.cli.backup_physical import list_lines, status_lines
from headwater.cli.output import emit, json_option, progress, size, table
from headwater.pipeline import Headwater

if TYPE_CHECKING:
    from headwater.services.backups import Backups
    from headwater.stages.backup import StatusReport, VerifyPlan


@click.command("list")
@json_option
@click.pass_context
def list_(ctx: click.Context, as_json: bool) -> None:
    """List the database's backups and the physical ones, newest first: age, size, verified when and how.

    \b
    Example:
      headwater backup list
      headwater backup list --json | jq -r '.backups[0].manifest.id'
    """
    emit(Headwater(ctx.obj).backup_list(), as_json, _list_lines)


@click.command()
@click.argument("backup", default="latest")
@click.option(
    "--level",
    type=click.Choice(["head", "full", "restore"]),
    default="full",
    show_default=True,
    help="S3's metadata; every byte read back and decoded; a scratch database compared.",
)
@click.option("--all", "all_", is_flag=True, help="Every backup.")
@click.option("--subset", metavar="N/T", help="The Nth of T parts of all backups; T runs verify every one once.")
@identity_option
@click.option("--jobs", type=click.IntRange(1, 64), default=2, show_default=True, help="Connections, for a restore.")
@click.option("--dry-run", is_flag=True, help="Print which backups would be verified; read none.")
@watch_options
@json_option
@click.pass_context
def verify(
    ctx: click.Context,
    backup: str,
    level: str,
    all_: bool,
    subset: str | None,
    identity: Path | None,
    jobs: int,
    dry_run: bool,
    metrics: Path | None,
    ping: str | None,
    as_json: bool,
) -> None:
    """Verify BACKUP (an id, latest, or a time), and record the outcome beside it.

    Exits with 9 if one does not pass. A full or restore verification that passed makes a backup one that is known to
    restore: `status` asks for one, and `prune` never removes the newest.

    \b
    Example:
      headwater backup verify
      headwater backup verify --level restore
      headwater backup verify --subset 1/7
    """
    from headwater.stages.backup import VerifyOptions, require_passed

    if sum((all_, subset is not None, backup != "latest")) > 1:
        raise click.UsageError("give BACKUP, --all or --subset: one of them", ctx)
    headwater = Headwater(ctx.obj)
    options = VerifyOptions(level, "all" if all_ else backup, subset, identity, jobs)
    if dry_run:
        emit(headwater.backup_verify_plan(options), as_json, _verify_plan_lines)
        return
    with progress(as_json) as on_progress:
        report = headwater.backup_verify(options, on_progress, watch=watch_of(metrics, ping))
    emit(report, as_json, verify_lines)
    require_passed(report)


@click.command()
@click.option("--max-age", default="26h", show_default=True, metavar="AGE", help="Of the newest verified backup.")
@click.option(
    "--max-rpo", metavar="AGE", help="Of the last moment that a cluster with physical backups can be recovered to."
)
@click.option("--max-size-drop", type=click.IntRange(1, 100), default=50, show_default=True, help="Percent.")
@click.option(
    "--require",
    "required",
    type=click.Choice(["logical", "physical"]),
    multiple=True,
    help="The kind that there has to be, or both (default: either).",
)
@watch_options
@json_option
@click.pass_context
def status(
    ctx: click.Context,
    max_age: str,
    max_rpo: str | None,
    max_size_drop: int,
    required: tuple[str, ...],
    metrics: Path | None,
    ping: str | None,
    as_json: bool,
) -> None:
    """Say whether the backups are fresh, verified and of their usual size, and the log has no gap; exit with 15 if not.

    \b
    Example:
      headwater backup status --max-age 26h
      headwater backup status --metrics /var/lib/node_exporter/headwater.prom
    """
    from headwater.stages.backup import Bounds, parse_age, tell_status

    bounds = Bounds(parse_age(max_age), parse_age(max_rpo) if max_rpo else None, max_size_drop / 100, required)
    report = Headwater(ctx.obj).backup_status(bounds)
    emit(report, as_json, _status_lines)
    tell_status(report, watch_of(metrics, ping))


def _list_lines(found: Backups) -> Iterator[str]:
    now = datetime.now(timezone.utc)
    if not found.backups:
        yield f"no backups of {found.database}"
    else:
        rows = []
        for item in found.backups:
            made = item.manifest
            total = None if made.row_counts is None else f"{sum(made.row_counts.values()):,}"
            kind = f"{made.format}{', partial' if made.partial else ''}{', encrypted' if made.encryption else ''}"
            rows.append(
                [
                    made.id,
                    age_text((now - made.taken).total_seconds()),
                    size(made.dump.size),
                    total,
                    kind,
                    proof_text(item.problem, item.last_verification, now),
                ]
            )
        yield from table(["id", "age", "size", "rows", "format", "verified"], rows)
    for key in found.orphans:
        yield f"orphan, not a backup: {key}"
    for reason in found.unreadable:
        yield f"unreadable: {reason}"
    for cluster in found.clusters:
        yield from list_lines(cluster)


def _verify_plan_lines(plan: VerifyPlan) -> Iterator[str]:
    yield f"would verify {len(plan.backups)} backups ({plan.level}), reading {size(plan.bytes_to_read)}"
    yield from (f"  {backup.manifest.id}" for backup in plan.backups)


def _status_lines(report: StatusReport) -> Iterator[str]:
    if report.newest is not None and report.newest_age is not None and report.newest_size is not None:
        yield f"newest backup: {report.newest}, {age_text(report.newest_age)} old, {size(report.newest_size)}"
    if report.verified is not None and report.verified_age is not None:
        yield f"newest verified: {report.verified}, {age_text(report.verified_age)} old ({report.verified_level})"
    if report.backups or not report.clusters:
        yield f"{report.backups} backups of {report.database}, {size(report.total_bytes)}"
    else:
        yield f"no logical backup of {report.database}"
    for cluster in report.clusters:
        yield from status_lines(cluster)
    yield from (f"PROBLEM: {problem}" for problem in report.problems)

"""``headwater backup``: create, list and prune backups of PostgreSQL on S3."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from headwater.cli.output import emit, json_option, progress, size, table
from headwater.pipeline import Headwater

if TYPE_CHECKING:
    from headwater.services.backups import Backups
    from headwater.stages.backup import CreatePlan, CreateReport, PrunePlan, PruneReport


@click.group()
def backup() -> None:
    """Back up PostgreSQL to S3: create, list, prune.

    \b
    Example:
      headwater backup create
      headwater backup list
      headwater restore latest
    """


@backup.command()
@click.option("--dry-run", is_flag=True, help="Check everything and print what would be done; dump nothing.")
@json_option
@click.pass_context
def create(ctx: click.Context, dry_run: bool, as_json: bool) -> None:
    """Back up the database, then prune by RETENTION_DAYS.

    pg_dump is compressed and uploaded as one stream, without a temporary file. The backup counts only when pg_dump
    ended well and S3 holds what was sent; otherwise nothing is left behind and the exit code is not 0.

    \b
    Example:
      headwater backup create
    """
    headwater = Headwater(ctx.obj)
    if dry_run:
        emit(headwater.backup_plan(), as_json, _plan_lines)
        return
    with progress(as_json) as on_progress:
        report = headwater.backup_create(on_progress)
    emit(report, as_json, _create_lines)


@backup.command("list")
@json_option
@click.pass_context
def list_(ctx: click.Context, as_json: bool) -> None:
    """List the database's backups, newest first.

    \b
    Example:
      headwater backup list
      headwater backup list --json | jq -r '.backups[0].manifest.id'
    """
    emit(Headwater(ctx.obj).backup_list(), as_json, _list_lines)


@backup.command()
@click.option("--dry-run", is_flag=True, help="Print what would be kept and removed, and why; remove nothing.")
@json_option
@click.pass_context
def prune(ctx: click.Context, dry_run: bool, as_json: bool) -> None:
    """Remove backups older than RETENTION_DAYS, never the newest.

    Only this database's backups are looked at, and only those that have a manifest.

    \b
    Example:
      headwater backup prune --dry-run
    """
    headwater = Headwater(ctx.obj)
    if dry_run:
        emit(headwater.backup_prune_plan(), as_json, _prune_plan_lines)
        return
    with progress(as_json) as on_progress:
        report = headwater.backup_prune(on_progress)
    emit(report, as_json, _prune_lines)


def _plan_lines(plan: CreatePlan) -> Iterator[str]:
    yield f"would dump {plan.database} ({size(plan.estimate)} on disk, server {plan.server_version})"
    yield f"with pg_dump {plan.tool.version_text} ({plan.tool.path})"
    yield f"to s3://{plan.bucket}/{plan.key}"


def _create_lines(report: CreateReport) -> Iterator[str]:
    made, dump = report.backup, report.backup.dump
    yield f"backup {made.id} of {made.database}: {size(dump.size)} from {size(dump.raw_size)} in {made.seconds:.1f} s"
    yield f"  {dump.key}"
    if made.row_counts is None:
        yield "  rows were not counted: a table was locked"
    else:
        yield f"  {sum(made.row_counts.values()):,} rows in {len(made.row_counts)} tables"
    yield from (f"  pg_dump: {warning}" for warning in made.warnings)
    yield from _prune_lines(report.pruned)


def _list_lines(found: Backups) -> Iterator[str]:
    if not found.backups:
        yield f"no backups of {found.database}"
    else:
        rows = []
        for item in found.backups:
            made = item.manifest
            total = None if made.row_counts is None else f"{sum(made.row_counts.values()):,}"
            rows.append([made.id, size(made.dump.size), total, made.source.server_version, item.problem])
        yield from table(["id", "size", "rows", "server", "problem"], rows)
    for key in found.orphans:
        yield f"orphan, not a backup: {key}"
    for reason in found.unreadable:
        yield f"unreadable: {reason}"


def _prune_plan_lines(plan: PrunePlan) -> Iterator[str]:
    if not plan.decisions:
        yield f"no backups of {plan.database}"
        return
    yield from table(["id", "action", "reason"], [[d.backup.id, d.action, d.reason] for d in plan.decisions])


def _prune_lines(report: PruneReport) -> Iterator[str]:
    removed = ", ".join(report.removed)
    freed = f", {size(report.freed_bytes)} freed: {removed}" if removed else ""
    yield f"retention: {len(report.kept)} kept, {len(report.removed)} removed{freed}"

"""``headwater backup``: create, list, verify, watch and prune backups of PostgreSQL on S3."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headwater.cli.backup_checks import list_, status, verify
from headwater.cli.backup_lifecycle import lifecycle
from headwater.cli.backup_options import (
    keep_options,
    rate_of,
    rules_of,
    storage_of,
    storage_options,
    watch_of,
    watch_options,
)
from headwater.cli.backup_physical import create_physical, physical
from headwater.cli.backup_wal import wal
from headwater.cli.output import emit, json_option, progress, size, table
from headwater.pipeline import Headwater

if TYPE_CHECKING:
    from headwater.stages.backup import CreateOptions, CreatePlan, CreateReport, ManyReport, PrunePlan, PruneReport


@click.group()
def backup() -> None:
    """Back up PostgreSQL to S3: create, list, verify, status, prune, lifecycle.

    \b
    Example:
      headwater backup create
      headwater backup verify
      headwater backup status --max-age 26h
      headwater restore latest
    """


backup.add_command(list_)
backup.add_command(verify)
backup.add_command(status)
backup.add_command(lifecycle)
backup.add_command(physical)
backup.add_command(wal)


@backup.command()
@click.option("--format", "format_", type=click.Choice(["custom", "directory"]), default="custom", help="pg_dump's.")
@click.option("--jobs", type=click.IntRange(1, 64), default=1, help="Parallel dumps; needs --format directory.")
@click.option("--table", "tables", multiple=True, metavar="PATTERN", help="Only these tables (a partial backup).")
@click.option("--schema", "schemas", multiple=True, metavar="PATTERN", help="Only these schemas.")
@click.option("--exclude-table", multiple=True, metavar="PATTERN", help="Not these tables.")
@click.option("--exclude-schema", multiple=True, metavar="PATTERN", help="Not these schemas.")
@click.option("--exclude-table-data", multiple=True, metavar="PATTERN", help="These tables, but not their rows.")
@click.option("--database", "databases", multiple=True, metavar="NAME", help="These databases instead of DB_NAME.")
@click.option("--all-databases", is_flag=True, help="Every database of the server.")
@click.option("--compress", default="zstd:1", show_default=True, metavar="METHOD[:LEVEL]", help="zstd, gzip or none.")
@click.option("--threads", type=click.IntRange(0, 64), default=2, show_default=True, help="zstd's threads.")
@click.option(
    "--globals",
    "globals_",
    type=click.Choice(["roles", "passwords", "none"]),
    default="roles",
    show_default=True,
    help="Save the roles too: without or with their password hashes.",
)
@click.option(
    "--hashes/--no-hashes",
    default=None,
    help="Hash every table's content, for verify and restore to compare. Default: up to 256 MiB of database.",
)
@storage_options
@click.option("--lock-wait-timeout", type=click.IntRange(1), default=60, show_default=True, help="Seconds.")
@click.option(
    "--max-size-drop", type=click.IntRange(1, 100), default=50, show_default=True, help="Percent; see status."
)
@click.option("--physical", is_flag=True, help="The whole cluster's files (pg_basebackup) instead of one database.")
@click.option("--incremental", is_flag=True, help="With --physical: only what changed since the newest one.")
@click.option("--no-prune", is_flag=True, help="Do not remove expired backups afterwards.")
@click.option("--dry-run", is_flag=True, help="Check everything and print what would be done; dump nothing.")
@watch_options
@json_option
@click.pass_context
def create(
    ctx: click.Context,
    /,
    databases: tuple[str, ...],
    all_databases: bool,
    dry_run: bool,
    metrics: Path | None,
    ping: str | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Back up the database, then prune by RETENTION_DAYS and RETENTION_RULES.

    pg_dump is compressed and uploaded as one stream, without a temporary file. The backup counts only when pg_dump
    ended well and S3 holds what was sent; otherwise nothing is left behind and the exit code is not 0.

    \b
    Example:
      headwater backup create
      headwater backup create --format directory --jobs 4
      headwater backup create --physical
      headwater backup create --all-databases --hashes --metrics /var/lib/node_exporter/headwater.prom
    """
    if given["physical"] or given["incremental"]:
        create_physical(ctx, given, dry_run=dry_run, metrics=metrics, ping=ping, as_json=as_json)
        return
    if databases and all_databases:
        raise click.UsageError("give --database or --all-databases, not both", ctx)
    headwater, options, watch = Headwater(ctx.obj), _options(given), watch_of(metrics, ping)
    if dry_run and (databases or all_databases):
        emit(headwater.backup_plans(databases, options), as_json, _plans_lines)
    elif dry_run:
        emit(headwater.backup_plan(options), as_json, _plan_lines)
    elif databases or all_databases:
        from headwater.stages.backup import require_all

        with progress(as_json) as on_progress:
            many = headwater.backup_create_many(databases, on_progress, options=options, watch=watch)
        emit(many, as_json, _many_lines)
        require_all(many)
    else:
        with progress(as_json) as on_progress:
            report = headwater.backup_create(on_progress, options=options, watch=watch)
        emit(report, as_json, _create_lines)


def _options(given: dict[str, Any]) -> CreateOptions:
    from headwater.services.codec import parse_compression
    from headwater.stages.backup import CreateOptions, Selection

    return CreateOptions(
        format=given["format_"],
        jobs=given["jobs"],
        selection=Selection(
            given["tables"],
            given["schemas"],
            given["exclude_table"],
            given["exclude_schema"],
            given["exclude_table_data"],
        ),
        compression=parse_compression(given["compress"], given["threads"]),
        encrypt_to=given["encrypt_to"],
        globals=given["globals_"],
        hashes=given["hashes"],
        storage=storage_of(given),
        limit_rate=rate_of(given),
        lock_wait_seconds=given["lock_wait_timeout"],
        max_size_drop=given["max_size_drop"] / 100,
        prune=not given["no_prune"],
    )


@backup.command()
@keep_options
@click.option("--dry-run", is_flag=True, help="Print what would be kept and removed, and why; remove nothing.")
@json_option
@click.pass_context
def prune(ctx: click.Context, /, orphans_after: str, dry_run: bool, as_json: bool, **keep: int | None) -> None:
    """Remove the backups that no rule keeps; never the newest, and never the newest verified one.

    What any rule keeps, stays. Without --keep options, RETENTION_DAYS and RETENTION_RULES rule. Only this database's
    backups are looked at, and only those that have a manifest. What is locked is reported and left whole.

    \b
    Example:
      headwater backup prune --dry-run
      headwater backup prune --keep-daily 7 --keep-weekly 5 --keep-monthly 12 --keep-within 2
    """
    from headwater.stages.backup import parse_age

    headwater, grace, rules = Headwater(ctx.obj), parse_age(orphans_after), rules_of(keep)
    if dry_run:
        emit(headwater.backup_prune_plan(rules, grace), as_json, _prune_plan_lines)
        return
    with progress(as_json) as on_progress:
        report = headwater.backup_prune(on_progress, rules=rules, orphan_grace=grace)
    emit(report, as_json, _prune_lines)


def _plan_lines(plan: CreatePlan) -> Iterator[str]:
    yield f"would dump {plan.database} ({size(plan.estimate)} on disk, server {plan.server_version})"
    yield f"with pg_dump {plan.tool.version_text} ({plan.tool.path}) {' '.join(plan.options.flags)}"
    yield f"to s3://{plan.bucket}/{plan.key}"
    yield from (f"warning: {warning}" for warning in plan.warnings)


def _plans_lines(plans: list[CreatePlan]) -> Iterator[str]:
    for plan in plans:
        yield from _plan_lines(plan)


def _create_lines(report: CreateReport) -> Iterator[str]:
    made, dump = report.backup, report.backup.dump
    yield f"backup {made.id} of {made.database}: {size(dump.size)} from {size(dump.raw_size)} in {made.seconds:.1f} s"
    yield f"  {dump.key}"
    if made.partial:
        yield "  partial: it never stands for the whole database"
    elif made.row_counts is None:
        yield "  rows were not counted: a table was locked, or may not be read"
    else:
        yield f"  {sum(made.row_counts.values()):,} rows in {len(made.row_counts)} tables"
    yield from (f"  warning: {warning}" for warning in made.warnings)
    yield from (click.style(f"  ALARM: {alarm}", fg="red") for alarm in report.alarms)
    yield from _prune_lines(report.pruned)


def _many_lines(report: ManyReport) -> Iterator[str]:
    for made in report.made:
        yield from _create_lines(made)
    for failure in report.failed:
        yield f"FAILED {failure.database}: {failure.error}"
        if failure.hint:
            yield f"  fix: {failure.hint}"


def _prune_plan_lines(plan: PrunePlan) -> Iterator[str]:
    if not plan.decisions:
        yield f"no backups of {plan.database}"
    else:
        yield from table(["id", "action", "reason"], [[d.backup.id, d.action, d.reason] for d in plan.decisions])
    now = datetime.now(timezone.utc)
    for orphan in plan.orphans:
        yield f"orphan, would be removed: {orphan.key} ({(now - orphan.last_modified).days} days old)"


def _prune_lines(report: PruneReport) -> Iterator[str]:
    removed = ", ".join(report.removed)
    freed = f", {size(report.freed_bytes)} freed: {removed}" if removed else ""
    yield f"retention: {len(report.kept)} kept, {len(report.removed)} removed{freed}"
    yield from (f"  orphan removed: {key}" for key in report.orphans_removed)
    yield from (f"  still there: {held.name}: {held.reason}" for held in report.held)

"""``headwater backup create --physical`` and ``backup physical …``: whole clusters, listed, verified, watched, kept."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from headwater.cli.backup_options import (
    age_text,
    identity_option,
    keep_options,
    proof_text,
    rate_of,
    rules_of,
    storage_of,
    verify_lines,
    watch_of,
    watch_options,
)
from headwater.cli.output import emit, json_option, progress, size, table
from headwater.pipeline import Headwater

if TYPE_CHECKING:
    from headwater.recoverability import WalStatus
    from headwater.stages.physical import (
        PhysicalList,
        PhysicalPlan,
        PhysicalPrunePlan,
        PhysicalPruneReport,
        PhysicalReport,
        PhysicalVerifyPlan,
    )

cluster_option = click.option("--cluster", metavar="ID", help="Which one, if there are backups of several clusters.")

_CREATE = (
    *("physical", "incremental", "compress", "threads", "encrypt_to", "storage_class", "kms_key", "lock_days"),
    *("lock_mode", "limit_rate", "no_prune", "dry_run", "metrics", "ping", "as_json"),
)


def allow_only(ctx: click.Context, *names: str) -> None:
    """Refuse options that would be ignored. Raises click's usage error."""
    for parameter in ctx.command.params:
        name = parameter.name or ""
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE and name not in names:
            raise click.UsageError(f"{parameter.opts[0]} is for logical backups", ctx)


def create_physical(
    ctx: click.Context, given: dict[str, Any], *, dry_run: bool, metrics: Path | None, ping: str | None, as_json: bool
) -> None:
    """What ``backup create --physical`` does."""
    from headwater.services.codec import parse_compression
    from headwater.stages.physical import PhysicalOptions

    allow_only(ctx, *_CREATE)
    headwater = Headwater(ctx.obj)
    options = PhysicalOptions(
        incremental=given["incremental"],
        compression=parse_compression(given["compress"], given["threads"]),
        encrypt_to=given["encrypt_to"],
        storage=storage_of(given),
        limit_rate=rate_of(given),
        prune=not given["no_prune"],
    )
    if dry_run:
        emit(headwater.physical.create_plan(options), as_json, _plan_lines)
        return
    with progress(as_json) as on_progress:
        made = headwater.physical.create(on_progress, options=options, watch=watch_of(metrics, ping))
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
    emit(Headwater(ctx.obj).physical.list(cluster), as_json, list_lines)


@physical.command()
@click.argument("backup", default="latest")
@click.option(
    "--level",
    type=click.Choice(["head", "full", "restore"]),
    default="full",
    show_default=True,
    help="S3's metadata; every byte read back, every file compared; PostgreSQL started on it, everything read.",
)
@click.option("--all", "all_", is_flag=True, help="Every backup.")
@click.option("--subset", metavar="N/T", help="The Nth of T parts of all backups; T runs verify every one once.")
@identity_option
@click.option("--log", is_flag=True, help="Also the archived log that follows, segment by segment.")
@click.option("--dry-run", is_flag=True, help="Print which backups would be verified; read none.")
@watch_options
@cluster_option
@json_option
@click.pass_context
def verify(
    ctx: click.Context,
    backup: str,
    level: str,
    all_: bool,
    subset: str | None,
    identity: Path | None,
    log: bool,
    dry_run: bool,
    metrics: Path | None,
    ping: str | None,
    cluster: str | None,
    as_json: bool,
) -> None:
    """Verify BACKUP (an id, or latest) and what it builds on, and record the outcome beside it.

    Exits with 9 if one does not pass. A full or restore verification that passed makes a backup one that is known to be
    whole: `status` asks for one, and `prune` never removes the newest.

    \b
    Example:
      headwater backup physical verify
      headwater backup physical verify --level restore
      headwater backup physical verify --subset 1/7
    """
    from headwater.stages.physical import PhysicalVerifyOptions, require_passed

    headwater = Headwater(ctx.obj)
    options = PhysicalVerifyOptions(level, "all" if all_ else backup, subset, cluster, identity, log)
    if dry_run:
        emit(headwater.physical.verify_plan(options), as_json, _verify_plan_lines)
        return
    with progress(as_json) as on_progress:
        report = headwater.physical.verify(options, on_progress, watch=watch_of(metrics, ping))
    emit(report, as_json, verify_lines)
    require_passed(report, "headwater backup create --physical")


@physical.command()
@click.option("--max-age", default="26h", show_default=True, metavar="AGE", help="Of the last recoverable moment.")
@click.option("--max-rpo", metavar="AGE", help="The same, tighter: where the log is archived, for example 5m.")
@watch_options
@cluster_option
@json_option
@click.pass_context
def status(
    ctx: click.Context,
    max_age: str,
    max_rpo: str | None,
    metrics: Path | None,
    ping: str | None,
    cluster: str | None,
    as_json: bool,
) -> None:
    """Say until when the cluster could be recovered now, and what the archive lacks; exit with 15 if it is not well.

    \b
    Example:
      headwater backup physical status --max-rpo 5m
      headwater backup physical status --json | jq .rpo_seconds
    """
    from headwater.stages.backup import parse_age, tell_cluster

    bound = parse_age(max_rpo) if max_rpo else None
    report = Headwater(ctx.obj).physical.status(cluster, parse_age(max_age), bound)
    emit(report, as_json, _status_lines)
    tell_cluster(report, watch_of(metrics, ping))


@physical.command()
@keep_options
@click.option("--dry-run", is_flag=True, help="Print what would be kept and removed, and why; remove nothing.")
@cluster_option
@json_option
@click.pass_context
def prune(
    ctx: click.Context, /, orphans_after: str, dry_run: bool, cluster: str | None, as_json: bool, **keep: int | None
) -> None:
    """Remove the physical backups that no rule keeps, and the log that no kept one needs.

    Never the newest, never the newest verified one, and never one that a kept incremental backup builds on. Without
    --keep options, RETENTION_DAYS and RETENTION_RULES rule. What is locked is reported and left whole.

    \b
    Example:
      headwater backup physical prune --dry-run
      headwater backup physical prune --keep-weekly 5 --keep-within 7
    """
    from headwater.stages.backup import parse_age

    headwater, grace, rules = Headwater(ctx.obj), parse_age(orphans_after), rules_of(keep)
    if dry_run:
        emit(headwater.physical.prune_plan(cluster, rules=rules, orphan_grace=grace), as_json, _prune_plan_lines)
        return
    with progress(as_json) as on_progress:
        report = headwater.physical.prune(cluster, on_progress, rules=rules, orphan_grace=grace)
    emit(report, as_json, _prune_lines)


def _plan_lines(plan: PhysicalPlan) -> Iterator[str]:
    what = f"changes since {plan.previous.id}" if plan.previous else "all files"
    yield f"would copy {what} of cluster {plan.cluster.identifier} ({size(plan.cluster.size)} of databases)"
    yield f"with pg_basebackup {plan.tool.version_text} ({plan.tool.path})"
    yield f"to s3://{plan.bucket}/{plan.key}"


def _made_lines(report: PhysicalReport) -> Iterator[str]:
    from headwater.recoverability import whole_second

    made = report.backup
    kind = f"changes since {made.previous}" if made.previous else "full"
    yield f"physical backup {made.id} of cluster {made.cluster} ({kind})"
    yield f"  {size(made.dump.size)} from {size(made.dump.raw_size)} in {made.seconds:.1f} s"
    yield f"  recoverable from {whole_second(made.ended).isoformat()} on"
    yield f"  {made.dump.key}"
    yield from (f"  warning: {warning}" for warning in made.warnings)
    yield from _prune_lines(report.pruned)


def list_lines(found: PhysicalList) -> Iterator[str]:
    """A cluster's physical backups and its log."""
    now, rows = datetime.now(timezone.utc), []
    for item in found.backups.backups:
        made = item.manifest
        kind = f"since {made.previous}" if made.previous else "full"
        rows.append(
            [
                made.id,
                age_text((now - made.taken).total_seconds()),
                size(made.dump.size),
                f"{kind}{', encrypted' if made.encryption else ''}",
                len(item.chain),
                made.server_version,
                proof_text(item.problem, item.last_verification, now),
            ]
        )
    if rows:
        yield f"physical backups of cluster {found.backups.cluster}"
        yield from table(["id", "age", "size", "kind", "chain", "server", "verified"], rows)
    else:
        yield f"no physical backups of cluster {found.backups.cluster}"
    yield from (f"orphan, not a backup: {orphan.key}" for orphan in found.backups.orphans)
    yield from (f"unreadable: {reason}" for reason in found.backups.unreadable)
    if found.segments:
        yield f"log: {found.segments} segments, {found.first_segment} to {found.last_segment}"
    yield from (f"log: MISSING {gap}" for gap in found.missing)


def _verify_plan_lines(plan: PhysicalVerifyPlan) -> Iterator[str]:
    yield f"would verify {len(plan.backups)} backups ({plan.level}), reading {size(plan.bytes_to_read)}"
    yield from (f"  {', '.join(backup.chain)}" for backup in plan.backups)


def status_lines(report: WalStatus) -> Iterator[str]:
    """Until when a cluster could be recovered, its slot, and what its log lacks."""
    if report.recoverable_until is None:
        yield f"cluster {report.cluster} cannot be recovered: there is no usable physical backup"
    else:
        moment = report.recoverable_until.isoformat(timespec="seconds")
        yield f"cluster {report.cluster} can be recovered until {moment}, {report.rpo_seconds:.0f} s ago (RPO)"
        yield from (f"  any moment from {window}" for window in report.windows)
        proof = (
            "none" if report.verified_at is None else f"{report.verified} at {report.verified_at:%Y-%m-%d %H:%M} UTC"
        )
        yield f"  newest backup {report.backup}, newest verified: {proof}"
    held = f", {size(report.retained_bytes)} kept for it" if report.retained_bytes else ""
    yield f"  slot: {report.slot_status}, {'receiving' if report.receiving else 'not receiving'}{held}"
    yield from (f"  log: MISSING {gap}" for gap in report.missing)


def _status_lines(report: WalStatus) -> Iterator[str]:
    yield from status_lines(report)
    yield from (f"PROBLEM: {problem}" for problem in report.problems)


def _prune_plan_lines(plan: PhysicalPrunePlan) -> Iterator[str]:
    rows = [[decision.backup.id, decision.action, decision.reason] for decision in plan.decisions]
    yield from table(["id", "action", "reason"], rows)
    yield f"log: {len(plan.segments)} segments would be removed"
    yield from (f"orphan, would be removed: {orphan.key}" for orphan in plan.orphans)


def _prune_lines(report: PhysicalPruneReport) -> Iterator[str]:
    yield f"retention: {len(report.kept)} kept, {len(report.removed)} removed, {report.segments} segments removed"
    yield from (f"  removed: {name}" for name in report.removed)
    yield from (f"  orphan removed: {key}" for key in report.orphans_removed)
    yield from (f"  still there: {held.name}: {held.reason}" for held in report.held)

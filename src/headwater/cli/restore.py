"""``headwater restore``: a backup into a new database, or, if that is said, into an existing one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headwater.cli.backup_options import identity_option
from headwater.cli.backup_physical import cluster_option
from headwater.cli.output import confirm, emit, json_option, progress, size, table
from headwater.pipeline import Headwater

if TYPE_CHECKING:
    from headwater.stages.restore import RestorePlan, RestoreReport


@click.command()
@click.argument("backup", default="latest")
@click.option("--to", metavar="DATABASE", help="The new database (default: the backup's name with _restored).")
@click.option("--into", metavar="DATABASE", help="An existing database, in one transaction; it must be empty.")
@click.option("--clean", is_flag=True, help="With --into: first drop what is in it and in the backup.")
@click.option("--table", "tables", multiple=True, metavar="SCHEMA.TABLE", help="Only this table and what is its own.")
@click.option("--globals", "roles", is_flag=True, help="First create the backup's roles that the server lacks.")
@click.option("--jobs", type=click.IntRange(1, 64), help="Parallel connections (default: one a core, at most 4).")
@click.option("--no-owner", is_flag=True, help="Make all objects yours instead of their former owners'.")
@identity_option
@click.option("--at", metavar="TIME", help="A physical backup: the whole cluster as it was then. Or an LSN, or latest.")
@click.option("--restore-point", metavar="NAME", help="The same, up to a pg_create_restore_point.")
@click.option("--timeline", type=click.IntRange(1), help="The same, on this timeline (default: that of the moment).")
@click.option(
    "--tablespace-mapping",
    "tablespaces",
    multiple=True,
    metavar="OLD=NEW",
    help="The same: where a tablespace goes (default: a folder beside the data directory).",
)
@cluster_option
@click.option(
    "--data-directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="A physical backup: the new data directory to make.",
)
@click.option("--yes", is_flag=True, help="With --into: do not ask.")
@click.option("--dry-run", is_flag=True, help="Check the backup and print what would be done; restore nothing.")
@json_option
@click.pass_context
def restore(
    ctx: click.Context,
    backup: str,
    to: str | None,
    into: str | None,
    clean: bool,
    tables: tuple[str, ...],
    roles: bool,
    jobs: int | None,
    no_owner: bool,
    identity: Path | None,
    at: str | None,
    restore_point: str | None,
    timeline: int | None,
    tablespaces: tuple[str, ...],
    cluster: str | None,
    data_directory: Path | None,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Restore BACKUP (an id from `headwater backup list`, latest, or a time) into a new database.

    The plan is printed first; with --into, the database's name has to be typed, unless there is --yes. The backup is
    downloaded and every byte checked before the database is created; the restored rows are counted and compared with
    the backup's. A restore that fails leaves no database behind, and an existing one as it was. A time such as
    2025-01-15T10:00Z means the newest backup taken until then.

    \b
    Example:
      headwater restore
      headwater restore 20250115T103005Z --to inspection
      headwater restore --into staging --clean --yes
      headwater restore --at 2025-01-15T10:30:00Z --data-directory /var/lib/postgresql/recovered
    """
    from headwater.stages.restore import RestoreOptions

    if at or data_directory or restore_point:
        from headwater.cli.restore_physical import PhysicalTarget, restore_physical

        target = PhysicalTarget(backup, at, restore_point, timeline, data_directory, cluster, identity, tablespaces)
        restore_physical(ctx, target, dry_run=dry_run, as_json=as_json)
        return
    if timeline or cluster or tablespaces:
        raise click.UsageError("--timeline, --cluster and --tablespace-mapping need --at or --data-directory", ctx)
    headwater = Headwater(ctx.obj)
    options = RestoreOptions(
        backup, to, jobs, owner=not no_owner, into=into, clean=clean, tables=tables, roles=roles, identity=identity
    )
    plan = headwater.restore_plan(options)
    if dry_run:
        emit(plan, as_json, lambda plan: _plan_lines(plan, "would restore"))
        return
    ask = not plan.new and not yes
    for line in _plan_lines(plan, "restoring") if ask or not as_json else ():
        click.echo(line, err=as_json)
    if ask:
        confirm(plan.to, f"Type the database's name ({plan.to}) to change it", "changed")
    with progress(as_json) as on_progress:
        report = headwater.restore(plan=plan, on_progress=on_progress)
    emit(report, as_json, _lines)


def _passed_over(texts: tuple[str, ...]) -> Iterator[str]:
    yield from (click.style(f"WARNING: a newer backup cannot be used: {text}", fg="red") for text in texts)


def _plan_lines(plan: RestorePlan, verb: str) -> Iterator[str]:
    yield from _passed_over(plan.passed_over)
    dump, kind = plan.backup.dump, "new" if plan.new else "existing"
    yield f"{verb} backup {plan.backup.id} of {plan.backup.database} into the {kind} database {plan.to}"
    yield f"from s3://{plan.bucket}/{dump.key} ({size(dump.size)}, {size(dump.raw_size)} unpacked)"
    yield f"with pg_restore {plan.tool.version_text} ({plan.tool.path})"
    yield from (f"  {number}. {step}" for number, step in enumerate(plan.steps, 1))
    yield from (f"WARNING: not in the backup, so {plan.to} must have it: {text}" for text in plan.lacks)


def _lines(report: RestoreReport) -> Iterator[str]:
    yield f"backup {report.backup} restored into {report.database} in {report.seconds:.1f} s"
    yield from (f"role {role} was made" for role in report.roles)
    yield from (f"warning: {text}" for text in report.warnings)
    yield from (f"left out, needs more than these tables: {what}" for what in report.left_out)
    yield from table(["table", "rows"], [[name, f"{rows:,}"] for name, rows in report.rows.items()])
    what = "row counts and contents equal" if report.hashes_compared else "row counts equal"
    yield f"{what} the backup's" if report.compared else "the backup has no row counts to compare with"

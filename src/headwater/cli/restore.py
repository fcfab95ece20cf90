"""``headwater restore``: a backup into a new database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from headwater.cli.output import emit, json_option, progress, size, table
from headwater.pipeline import Headwater

if TYPE_CHECKING:
    from headwater.stages.restore import RestorePlan, RestoreReport


@click.command()
@click.argument("backup", default="latest")
@click.option("--to", metavar="DATABASE", help="The new database (default: the backup's name with _restored).")
@click.option("--jobs", type=click.IntRange(1, 64), help="Parallel connections (default: one a core, at most 4).")
@click.option("--no-owner", is_flag=True, help="Make all objects yours instead of their former owners'.")
@click.option("--dry-run", is_flag=True, help="Check the backup and print what would be done; restore nothing.")
@json_option
@click.pass_context
def restore(
    ctx: click.Context, backup: str, to: str | None, jobs: int | None, no_owner: bool, dry_run: bool, as_json: bool
) -> None:
    """Restore BACKUP (an id from `headwater backup list`, or latest) into a new database.

    The backup is downloaded and every byte checked before the database is created; the restored rows are counted and
    compared with the backup's. A restore that fails leaves no database behind. An existing one is never touched.

    \b
    Example:
      headwater restore
      headwater restore 20250115T103005Z --to inspection
    """
    from headwater.stages.restore import RestoreOptions

    headwater = Headwater(ctx.obj)
    options = RestoreOptions(backup, to, jobs, owner=not no_owner)
    if dry_run:
        emit(headwater.restore_plan(options), as_json, _plan_lines)
        return
    with progress(as_json) as on_progress:
        report = headwater.restore(options, on_progress)
    emit(report, as_json, _lines)


def _plan_lines(plan: RestorePlan) -> Iterator[str]:
    dump = plan.backup.dump
    yield f"would restore backup {plan.backup.id} of {plan.backup.database} into the new database {plan.to}"
    yield f"from s3://{plan.bucket}/{dump.key} ({size(dump.size)}, {size(dump.raw_size)} unpacked)"
    yield f"with pg_restore {plan.tool.version_text} ({plan.tool.path}), {plan.jobs} jobs"


def _lines(report: RestoreReport) -> Iterator[str]:
    yield f"backup {report.backup} restored into {report.database} in {report.seconds:.1f} s"
    yield from table(["table", "rows"], [[name, f"{rows:,}"] for name, rows in report.rows.items()])
    yield "row counts equal the backup's" if report.compared else "the backup has no row counts to compare with"

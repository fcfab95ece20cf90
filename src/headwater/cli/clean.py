"""``headwater clean``: show what would go, ask, then remove it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from headwater.cli.output import confirm, emit, json_option, progress, size
from headwater.pipeline import Headwater

if TYPE_CHECKING:
    from headwater.stages.clean import CleanPlan, CleanReport


@click.command()
@click.option("--everything", is_flag=True, help="Also objects and tables that Headwater did not make.")
@click.option("--keep-stack", is_flag=True, help="Leave the embedded services and their data as they are.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only show what would be removed.")
@json_option
@click.pass_context
def clean(ctx: click.Context, *, everything: bool, keep_stack: bool, yes: bool, dry_run: bool, as_json: bool) -> None:
    """Show what would go, ask for the bucket's name, then remove it.

    Removes the Athena tables and database, all objects of lake, backups and query results (old versions and unfinished
    uploads too), the bucket if Headwater created it, the generated files below output/, and the embedded stack's
    data. A PostgreSQL server of your own is not touched. Anything that Headwater did not make stops it beforehand.

    \b
    Example:
      headwater clean --dry-run
      headwater clean --yes
    """
    project = Headwater(ctx.obj)
    plan = project.clean_plan(everything=everything, keep_stack=keep_stack)
    if dry_run or plan.is_empty:
        emit(plan, as_json, _plan)
        return
    if not yes:
        for line in _plan(plan):
            click.echo(line, err=as_json)
        confirm(plan.bucket, f"Type the bucket's name ({plan.bucket}) to remove all of this", "removed")
    elif not as_json:
        for line in _plan(plan):
            click.echo(line)
    with progress(as_json) as on_progress:
        report = project.clean(plan, on_progress=on_progress)
    emit(report, as_json, _report)


def _plan(plan: CleanPlan) -> Iterator[str]:
    if plan.is_empty:
        yield "nothing to remove"
        return
    yield "to be removed:"
    if plan.database is not None:
        names = (*plan.tables, *plan.foreign_tables)
        tables = f" with {', '.join(names)}" if names else ""
        yield f"  Athena database {plan.database}{tables}"
    for part in plan.contents:
        unfinished = f", {part.unfinished:,} unfinished uploads" if part.unfinished else ""
        yield f"  s3://{plan.bucket}/{part.prefix}: {part.objects:,} objects, {size(part.size)}{unfinished}"
    if plan.remove_bucket:
        yield f"  bucket {plan.bucket}"
    elif plan.bucket_exists:
        yield f"  (bucket {plan.bucket} itself stays: Headwater did not create it)"
    if plan.output_files:
        yield f"  output/: {plan.output_files:,} files, {size(plan.output_size)}"
    if plan.stack is not None:
        yield f"  {plan.stack}: the embedded services' data, PostgreSQL's databases among them, {size(plan.stack_size)}"


def _report(report: CleanReport) -> Iterator[str]:
    yield "removed and verified:"
    if report.database is not None:
        yield f"  Athena database {report.database}, {len(report.tables)} tables"
    yield f"  {report.objects:,} objects, {report.uploads:,} unfinished uploads"
    if report.bucket_removed:
        yield f"  bucket {report.bucket}"
    yield f"  {report.output_files:,} files below output/"
    if report.stack_removed:
        yield "  the embedded services' data"

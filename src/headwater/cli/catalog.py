"""``headwater catalog``: create the Athena database, tables and partitions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from headwater.cli.output import emit, json_option, progress, table
from headwater.pipeline import Headwater

if TYPE_CHECKING:
    from headwater.stages.catalog import CatalogPlan, CatalogReport, Mode


@click.command()
@click.option("--projection", "mode", flag_value="projection", help="Let Athena compute the partitions; no repair.")
@click.option("--repair", "mode", flag_value="repair", help="Register the partitions; the default for new tables.")
@click.option("--dry-run", is_flag=True, help="Only print the statements.")
@json_option
@click.pass_context
def catalog(ctx: click.Context, mode: Mode | None, dry_run: bool, as_json: bool) -> None:
    """Create the Athena database, its tables over the lake, and their partitions.

    Existing tables keep their way of finding partitions unless --projection or --repair says otherwise; switching
    only sets table properties. A table of the same name with other columns or another location is an error.

    \b
    Example:
      headwater catalog
      headwater catalog --projection --dry-run
    """
    project = Headwater(ctx.obj)
    if dry_run:
        emit(project.catalog_plan(mode), as_json, _plan)
        return
    with progress(as_json) as on_progress:
        report = project.catalog(mode, on_progress=on_progress)
    emit(report, as_json, _report)


def _plan(plan: CatalogPlan) -> Iterator[str]:
    for statement in (*plan.statements, *(s for planned in plan.tables for s in planned.statements)):
        yield f"{statement};"


def _report(report: CatalogReport) -> Iterator[str]:
    yield f"database {report.database}:"
    yield from table(
        ["  table", "", "partitions", "new", "location"],
        [
            [
                f"  {entry.name}",
                "created" if entry.created else "exists",
                "projected" if entry.partitions is None else f"{entry.partitions:,}",
                "" if entry.new_partitions is None else f"{entry.new_partitions:,}",
                entry.location,
            ]
            for entry in report.tables
        ],
    )

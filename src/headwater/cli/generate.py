"""``headwater generate``: write synthetic orders and events as partitioned Parquet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from headwater.cli.output import emit, json_option, progress, size
from headwater.pipeline import Headwater

if TYPE_CHECKING:
    from headwater.stages.generate import GeneratePlan, GenerateReport


@click.command()
@click.option("--from", "first", metavar="DATE", help="First day, like 2025-01-01 (default: six days of Jan-Mar 2025).")
@click.option("--to", "last", metavar="DATE", help="Last day, included.")
@click.option("--rows-per-day", type=int, default=10_000, show_default=True, help="Rows of each table and day.")
@click.option("--seed", type=int, default=0, show_default=True, help="What the rows are drawn from.")
@click.option("--dry-run", is_flag=True, help="Only show what would be written.")
@json_option
@click.pass_context
def generate(
    ctx: click.Context, first: str | None, last: str | None, rows_per_day: int, seed: int, dry_run: bool, as_json: bool
) -> None:
    """Write synthetic orders and events as partitioned Parquet below output/.

    The same seed and options give the same bytes; files that are already so are not touched. Files of other days stay.

    \b
    Example:
      headwater generate
      headwater generate --from 2025-01-01 --to 2025-12-31 --rows-per-day 100000
    """
    project = Headwater(ctx.obj)
    options = {"first": first, "last": last, "rows_per_day": rows_per_day, "seed": seed}
    if dry_run:
        emit(project.generate_plan(**options), as_json, _plan)  # type: ignore[arg-type] # typed by click
        return
    with progress(as_json) as on_progress:
        report = project.generate(**options, on_progress=on_progress)  # type: ignore[arg-type] # typed by click
    emit(report, as_json, _report)


def _plan(plan: GeneratePlan) -> Iterator[str]:
    yield f"{len(plan.files)} files with {plan.rows:,} rows would be written below {plan.output}"
    for file in plan.files:
        yield f"  {file.path.relative_to(plan.output)}"
    yield from _others(len(plan.others))


def _report(report: GenerateReport) -> Iterator[str]:
    yield f"{report.rows:,} rows in {report.files} files ({size(report.size)}) below {report.output}"
    yield f"  {report.written} written, {report.unchanged} unchanged"
    yield from _others(report.others)


def _others(count: int) -> Iterator[str]:
    if count:
        yield f"  {count} files of other days are there as well and were left alone; `upload` takes them too"

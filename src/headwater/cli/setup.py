"""``headwater setup``: create the database, its tables and sample rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from headwater.cli.output import emit, json_option, progress, table
from headwater.pipeline import Headwater

if TYPE_CHECKING:
    from headwater.stages.setup import SetupPlan, SetupReport


@click.command()
@click.option("--rows", type=click.IntRange(0), default=0, help="Fill up to this many orders; users and events follow.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="What those rows are drawn from.")
@click.option("--dry-run", is_flag=True, help="Print what would be done; change nothing.")
@json_option
@click.pass_context
def setup(ctx: click.Context, rows: int, seed: int, dry_run: bool, as_json: bool) -> None:
    """Create the database, its tables and sample rows.

    Five users, ten orders and twelve events from January to March 2025. A second run adds nothing. With --rows N there
    are N orders, 2 N events and a user for every 50 orders afterwards; rows that are there already count.

    \b
    Example:
      headwater setup
      headwater setup --rows 1000000
    """
    headwater = Headwater(ctx.obj)
    if dry_run:
        emit(headwater.setup_plan(rows=rows, seed=seed), as_json, _plan_lines)
        return
    with progress(as_json) as on_progress:
        report = headwater.setup(rows=rows, seed=seed, on_progress=on_progress)
    emit(report, as_json, _lines)


def _plan_lines(plan: SetupPlan) -> Iterator[str]:
    if plan.create_database:
        yield f"would create database {plan.database}"
    if plan.create_tables:
        yield f"would create tables {', '.join(plan.create_tables)}"
    for name, rows in plan.sample_rows.items():
        yield f"would add {rows} sample rows to {name}"
    for fill in plan.fill:
        yield f"would add {fill.rows:,} generated rows to {fill.table}"
    if not (plan.create_database or plan.create_tables or plan.sample_rows or plan.fill):
        yield f"nothing to do: {plan.database} is set up"


def _lines(report: SetupReport) -> Iterator[str]:
    yield f"database {report.database}: {'created' if report.created_database else 'was there'}"
    if report.created_tables:
        yield f"created tables {', '.join(report.created_tables)}"
    yield from table(
        ["table", "rows", "added"],
        [[name, f"{rows:,}", f"{report.added[name]:,}"] for name, rows in report.rows.items()],
    )

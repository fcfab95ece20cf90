"""``headwater ingest``: a live PostgreSQL table into the lake."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from headwater.cli.output import emit, json_option, progress, size, table
from headwater.pipeline import Headwater

if TYPE_CHECKING:
    from headwater.stages.ingest import IngestPlan, IngestReport


@click.command()
@click.argument("table_name", metavar="TABLE")
@click.option("--partition-by", metavar="COLUMN", required=True, help="A date or timestamp; its day (UTC) is the key.")
@click.option("--as", "name", metavar="NAME", help="Name in the lake (default: its own, or orders_live, events_live).")
@click.option("--dry-run", is_flag=True, help="Print columns, types, rows and partitions; copy nothing.")
@json_option
@click.pass_context
def ingest(
    ctx: click.Context, table_name: str, partition_by: str, name: str | None, dry_run: bool, as_json: bool
) -> None:
    """Copy a live PostgreSQL TABLE (or schema.table, or a view) into the lake.

    The whole table as of one moment, as zstd Parquet in one partition a day, with exact types and an Athena table of
    its own. A second run replaces the first: queries see the old rows or the new ones, never both.

    \b
    Example:
      headwater ingest flights --partition-by time_hour
      headwater ingest orders --partition-by created_at
    """
    from headwater.stages.ingest import IngestOptions

    headwater = Headwater(ctx.obj)
    options = IngestOptions(table_name, partition_by, name)
    if dry_run:
        emit(headwater.ingest_plan(options), as_json, _plan_lines)
        return
    with progress(as_json) as on_progress:
        report = headwater.ingest(options, on_progress)
    emit(report, as_json, _lines)


def _plan_lines(plan: IngestPlan) -> Iterator[str]:
    yield f"would copy {plan.rows:,} rows of {plan.source_label} to {plan.location}"
    days = f"{plan.first_day} to {plan.last_day}, " if plan.first_day else ""
    yield f"into {plan.athena_database}.{plan.lake_table}, {days}{plan.partitions_at_most:,} partitions at most"
    yield f"partitioned by {', '.join(plan.partition_keys)} (the day of {plan.partition_by}, UTC)"
    if plan.replaces:
        yield f"in place of run {plan.replaces}"
    rows = [[column.source, column.source_type, column.name, column.type.name] for column in plan.columns]
    yield from table(["column", "PostgreSQL", "in the lake", "type"], rows)


def _lines(report: IngestReport) -> Iterator[str]:
    yield f"{report.source} -> {report.table}: {report.rows:,} rows in {report.seconds:.1f} s"
    yield f"  {report.partitions:,} partitions, {report.files:,} files, {size(report.bytes)} in {report.location}"
    yield "  rows counted in PostgreSQL's snapshot, in the Parquet files and in Athena: equal"
    if report.removed_files:
        yield f"  {report.removed_files:,} files of earlier runs removed"

"""``headwater upload``: sync output/ to the lake, then list and verify it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from headwater.cli.output import emit, json_option, progress, size, table
from headwater.pipeline import Headwater

if TYPE_CHECKING:
    from headwater.stages.upload import UploadPlan, UploadReport

SHOWN = 10


@click.command()
@click.option("--delete", is_flag=True, help="Remove orders and events from the lake that are no longer in output/.")
@click.option("--dry-run", is_flag=True, help="Only show what would be uploaded and deleted.")
@json_option
@click.pass_context
def upload(ctx: click.Context, delete: bool, dry_run: bool, as_json: bool) -> None:
    """Sync output/ to the lake, then list and verify it.

    Only files whose checksum differs are sent. An interrupted upload is completed by the next one.

    \b
    Example:
      headwater upload
      headwater upload --delete --dry-run
    """
    project = Headwater(ctx.obj)
    if dry_run:
        emit(project.upload_plan(delete=delete), as_json, _plan)
        return
    with progress(as_json) as on_progress:
        report = project.upload(delete=delete, on_progress=on_progress)
    emit(report, as_json, _report)


def _plan(plan: UploadPlan) -> Iterator[str]:
    yield (
        f"{len(plan.transfers)} files ({size(plan.bytes_to_send)}) would be uploaded to "
        f"s3://{plan.bucket}/{plan.prefix}/, {plan.unchanged} are there"
    )
    yield from _some([f"{transfer.why}: {transfer.key}" for transfer in plan.transfers])
    if plan.extra:
        yield f"{len(plan.extra)} objects are not in output/ and would be " + (
            "deleted" if plan.delete else "left alone"
        )
        yield from _some(plan.extra)


def _report(report: UploadReport) -> Iterator[str]:
    yield (
        f"{report.uploaded} files ({size(report.uploaded_bytes)}) uploaded to "
        f"s3://{report.bucket}/{report.prefix}/, {report.unchanged} unchanged"
    )
    if report.deleted:
        yield f"{report.deleted} objects deleted that are not in output/"
    if report.extra:
        yield f"{len(report.extra)} objects are not in output/ (`--delete` removes them)"
        yield from _some(report.extra)
    yield "in the lake now:"
    rows = [[f"  {listing.table}", f"{listing.objects:,}", size(listing.size)] for listing in report.tables]
    yield from table(["  table", "objects", "size"], rows)
    yield f"verified: {report.verified} files have the same size and checksum in S3"


def _some(names: Sequence[str]) -> Iterator[str]:
    for name in names[:SHOWN]:
        yield f"  {name}"
    if len(names) > SHOWN:
        yield f"  … and {len(names) - SHOWN} more"

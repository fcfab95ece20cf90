"""``headwater bucket``: create the S3 bucket, or adopt it when it is yours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from headwater.cli.output import emit, json_option, progress
from headwater.pipeline import Headwater

if TYPE_CHECKING:
    from headwater.stages.bucket import BucketPlan, BucketReport


@click.command()
@click.option("--dry-run", is_flag=True, help="Only show what would be changed.")
@json_option
@click.pass_context
def bucket(ctx: click.Context, dry_run: bool, as_json: bool) -> None:
    """Create the S3 bucket, or adopt it when it is yours.

    Blocks public access, encrypts by default, disables access control lists, refuses connections without TLS (other
    statements of the bucket's policy stay), and reads it all back. A second run changes nothing.

    \b
    Example:
      headwater bucket
      headwater bucket --dry-run
    """
    project = Headwater(ctx.obj)
    if dry_run:
        emit(project.bucket_plan(), as_json, _plan)
        return
    with progress(as_json) as on_progress:
        report = project.bucket(on_progress=on_progress)
    emit(report, as_json, _report)


def _plan(plan: BucketPlan) -> Iterator[str]:
    if not plan.changes:
        yield f"bucket {plan.bucket} in {plan.region} is as it should be"
        return
    yield f"bucket {plan.bucket} in {plan.region} would be {'changed' if plan.exists else 'created'}"
    for change in plan.changes:
        yield f"  {change.what}"


def _report(report: BucketReport) -> Iterator[str]:
    if report.created:
        yield f"created bucket {report.bucket} in {report.region}"
    else:
        yield f"bucket {report.bucket} in {report.region} is yours" + ("" if report.changes else ", nothing to change")
    for change in report.changes:
        yield f"  {change}"
    yield "verified: private, encrypted, TLS only"

"""``headwater check``: is everything in place, and if not, what to do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from headwater.cli.output import emit, json_option
from headwater.pipeline import Headwater

if TYPE_CHECKING:
    from headwater.stages.check import CheckReport

_MARKS = {"ok": ("ok    ", "green"), "warning": ("later ", "yellow"), "failed": ("FAILED", "red")}


@click.command()
@json_option
@click.pass_context
def check(ctx: click.Context, as_json: bool) -> None:
    """Check every prerequisite, with the remedy for each failure.

    Looks at PostgreSQL, pg_dump, the AWS identity, the bucket and Athena; changes nothing. Exits with 10 if a
    prerequisite is not met. A bucket that is not there yet is no failure: `headwater bucket` creates it.

    \b
    Example:
      headwater check
      headwater check --json | jq .passed
    """
    from headwater.stages.check import require

    report = Headwater(ctx.obj).check()
    emit(report, as_json, _lines)
    require(report)


def _lines(report: CheckReport) -> Iterator[str]:
    width = max(len(finding.name) for finding in report.findings)
    for finding in report.findings:
        text, colour = _MARKS[finding.status]
        yield f"{click.style(text, fg=colour)}  {finding.name:<{width}}  {finding.detail}"
        if finding.remedy:
            yield f"{'':<{width + 8}}  -> {finding.remedy}"

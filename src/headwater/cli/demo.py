"""``headwater demo``: run the whole pipeline on the embedded stack."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from headwater.cli.output import emit, json_option, progress, size, table
from headwater.pipeline import Headwater

if TYPE_CHECKING:
    from headwater.demo import DemoReport, Step


@click.command()
@json_option
@click.pass_context
def demo(ctx: click.Context, as_json: bool) -> None:
    """Run the whole pipeline on the embedded stack.

    Setup, check, bucket, generate, upload, catalog, query, backup, restore into a second database and compare; then
    336,776 real flights through PostgreSQL into the lake, with Athena's answers checked against the source file.

    \b
    Example:
      headwater demo
    """
    from headwater.demo import run

    def on_step(step: Step) -> None:
        if not as_json:
            click.echo(f"{step.name:<14} {step.seconds:5.1f} s   {step.facts[0]}")
            for fact in step.facts[1:]:
                click.echo(f"{'':<25}{fact}")

    with progress(as_json) as on_progress:
        report = run(Headwater(ctx.obj), on_step, on_progress)
    emit(report, as_json, _summary)


def _summary(report: DemoReport) -> Iterator[str]:
    yield ""
    rows = [
        [
            step.name,
            f"{step.seconds:.1f}",
            f"{step.rows:,}" if step.rows else None,
            size(step.bytes_scanned) if step.bytes_scanned else None,
        ]
        for step in report.steps
    ]
    total = ["total", f"{report.seconds:.1f}", None, size(report.bytes_scanned)]
    yield from table(["step", "seconds", "rows", "scanned"], [*rows, total])
    yield f"On AWS these queries would have cost {report.price_usd:f} USD."
    yield ""
    yield f"The stack is running: S3, Glue and Athena at {report.endpoint_url}, PostgreSQL at {report.postgres}. Next:"
    yield "  . .venv/bin/activate       if `headwater` is not on your PATH yet"
    for line in report.next:
        yield f"  {line}"

"""``headwater backup lifecycle``: let S3 itself expire old backups, or no longer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from headwater.cli.output import emit, json_option, plain, table
from headwater.pipeline import Headwater

if TYPE_CHECKING:
    from headwater.stages.backup import LifecyclePlan, LifecycleReport


@click.group()
def lifecycle() -> None:
    """Let S3 expire old backups by lifecycle rules, beside those of other programs.

    \b
    Example:
      headwater backup lifecycle plan
      headwater backup lifecycle apply
    """


@lifecycle.command()
@click.option("--remove", is_flag=True, help="What `remove` would change instead.")
@json_option
@click.pass_context
def plan(ctx: click.Context, remove: bool, as_json: bool) -> None:
    """Print how the bucket's rules would change; change nothing.

    \b
    Example:
      headwater backup lifecycle plan
    """
    emit(Headwater(ctx.obj).backup_lifecycle_plan(remove=remove), as_json, _plan_lines)


@lifecycle.command()
@json_option
@click.pass_context
def apply(ctx: click.Context, as_json: bool) -> None:
    """Write our rules among the others, and protect the newest verified backup from them.

    Backups expire a day after RETENTION_DAYS, unfinished uploads after two days. With RETENTION_RULES, S3 expires no
    backups: an age cannot say what those rules keep.

    \b
    Example:
      headwater backup lifecycle apply
    """
    emit(Headwater(ctx.obj).backup_lifecycle(), as_json, _report_lines)


@lifecycle.command()
@json_option
@click.pass_context
def remove(ctx: click.Context, as_json: bool) -> None:
    """Take our rules out again; the others stay.

    \b
    Example:
      headwater backup lifecycle remove
    """
    emit(Headwater(ctx.obj).backup_lifecycle(remove=True), as_json, _report_lines)


def _plan_lines(plan: LifecyclePlan) -> Iterator[str]:
    yield f"lifecycle rules of bucket {plan.bucket}" + ("" if plan.changed else ": nothing to do")
    yield from table(["rule", "action", "what"], [[c.id, c.action, c.text] for c in plan.changes])
    if plan.protected:
        yield f"never expires: backup {plan.protected}"
    yield from plan.notes


def _report_lines(report: LifecycleReport) -> Iterator[str]:
    import json

    yield from table(["rule", "action", "what"], [[c.id, c.action, c.text] for c in report.changes])
    if report.protected:
        yield f"never expires: backup {report.protected}"
    for rule in report.vanished:
        text = json.dumps(plain(rule))
        yield f"WARNING: another program's rule was there meanwhile and is gone; if it should be there, add it: {text}"

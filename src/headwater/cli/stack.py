"""``headwater up``, ``down``, ``status`` and ``env``: run the embedded stack and point other tools at it."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headwater.cli.output import emit, json_option
from headwater.errors import Refused, StackError

if TYPE_CHECKING:
    from headwater.connections import Connections


@dataclass(frozen=True)
class StackReport:
    """Whether the stack runs, and where."""

    running: bool
    folder: Path
    endpoint_url: str | None = None
    postgres: str | None = None
    pid: int | None = None
    seconds: float | None = None


def _connections(project: Path | None) -> Connections:
    from headwater.connections import Connections
    from headwater.settings import load

    settings = load(project)
    if settings.target == "aws":
        raise Refused("the embedded stack belongs to TARGET = 'local'", hint="set HEADWATER_TARGET=local")
    return Connections(settings)


def _report(connections: Connections, seconds: float | None = None) -> StackReport:
    folder = connections.settings.layout.state
    stack = connections.running_stack()
    if stack is None:
        return StackReport(False, folder)
    login = stack.postgres
    return StackReport(True, folder, stack.endpoint_url, f"{login.user}@{login.host}:{login.port}", stack.pid, seconds)


def _lines(report: StackReport) -> Iterator[str]:
    if not report.running:
        yield f"stopped  ({report.folder}); headwater up starts it"
        return
    took = "" if report.seconds is None else f", ready after {report.seconds:.1f} s"
    yield f"running  (process {report.pid}, {report.folder}{took})"
    yield f"AWS      {report.endpoint_url}   S3, STS, Glue, Athena"
    yield f"Postgres {report.postgres}"
    yield 'Point other tools at it with:  eval "$(headwater env)"'


@click.command()
@json_option
@click.pass_obj
def up(project: Path | None, as_json: bool) -> None:
    """Start the embedded stack: PostgreSQL, S3, STS, Glue and Athena on 127.0.0.1.

    \b
    Example:
      headwater up && eval "$(headwater env)" && aws s3 ls
    """
    connections = _connections(project)
    began = time.monotonic()
    _ = connections.stack
    emit(_report(connections, time.monotonic() - began), as_json, _lines)


@click.command()
@json_option
@click.pass_obj
def down(project: Path | None, as_json: bool) -> None:
    """Stop the embedded stack. Its data stays; `headwater up` brings it back.

    \b
    Example:
      headwater down
    """
    connections = _connections(project)
    stopped = connections.stop_stack()
    said = "stopped" if stopped else "it was not running"
    emit(_report(connections), as_json, lambda _: [said])


@click.command()
@json_option
@click.pass_obj
def status(project: Path | None, as_json: bool) -> int:
    """Show whether the embedded stack runs, and where. Exit code 11 when it does not.

    \b
    Example:
      headwater status --json
    """
    report = _report(_connections(project))
    emit(report, as_json, _lines)
    return 0 if report.running else StackError.exit_code


@click.command()
@json_option
@click.pass_obj
def env(project: Path | None, as_json: bool) -> None:
    """Print variables that point other tools at the stack, started if need be.

    \b
    Example:
      eval "$(headwater env)"
      aws athena list-work-groups; psql
    """
    import json

    connections = _connections(project)
    variables = connections.environment()
    if as_json:
        click.echo(json.dumps(variables, indent=2))
        return
    # A profile or token of a real account would be mixed with the stack's keys.
    click.echo("unset AWS_PROFILE AWS_SESSION_TOKEN")
    for name, value in variables.items():
        click.echo(f"export {name}={shlex.quote(value)}")

"""How commands talk: reports on stdout as text or JSON, progress on stderr as a bar or plain lines."""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import click

from headwater.errors import Refused
from headwater.model import OnProgress, Progress, no_progress

Command = TypeVar("Command", bound=Callable[..., Any])
T = TypeVar("T")

PLAIN_LINE_SECONDS = 5.0


def json_option(command: Command) -> Command:
    """Add ``--json``, which every command has."""
    return click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")(command)


def emit(report: T, as_json: bool, text: Callable[[T], Iterable[str]]) -> None:
    """Print a report (a dataclass) as JSON, or as the lines that ``text`` makes of it."""
    if as_json:
        click.echo(json.dumps(plain(report), indent=2, ensure_ascii=False))
        return
    for line in text(report):
        click.echo(line)


def confirm(name: str, question: str, done: str) -> None:
    """Have a name typed, on stderr. Raises Refused unless it is: nothing was ``done``."""
    try:
        answer = click.prompt(question, err=True)
    except click.Abort:
        click.echo(err=True)
        if sys.stdin.isatty():  # Ctrl-C
            raise
        raise Refused(f"nobody typed {name!r}: nothing was {done}", hint="--yes does not ask") from None
    if answer != name:
        raise Refused(f"{answer!r} is not {name!r}: nothing was {done}")


def plain(value: Any) -> Any:
    """A report as JSON types: dataclasses to objects (with their public properties left out), dates to ISO 8601."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value) if f.repr}
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, (Decimal, Path)):
        return str(value)
    return value


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """Lines of an aligned table; numbers to the right.

    >>> list(table(["name", "rows"], [["orders", 12]]))
    ['name    rows', 'orders    12']
    """
    cells = [[str(h) for h in headers], *[["" if c is None else str(c) for c in row] for row in rows]]
    numeric = [all(_is_number(row[i]) for row in cells[1:]) and len(cells) > 1 for i in range(len(headers))]
    widths = [max(len(row[i]) for row in cells) for i in range(len(headers))]
    for row in cells:
        padded = (c.rjust(w) if right else c.ljust(w) for c, w, right in zip(row, widths, numeric, strict=True))
        yield "  ".join(padded).rstrip()


def _is_number(text: str) -> bool:
    return not text or text.replace(",", "").replace(".", "", 1).lstrip("-").isdigit()


def size(count: int) -> str:
    """A number of bytes for people.

    >>> size(1536)
    '1.5 KiB'
    """
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024 or unit == "GiB":
            break
        value /= 1024
    return f"{count} B" if unit == "B" else f"{value:.1f} {unit}"


@contextmanager
def progress(as_json: bool) -> Iterator[OnProgress]:
    """What to give a stage as ``on_progress``: a bar on a terminal, a line every few seconds elsewhere, on stderr."""
    if as_json:
        yield no_progress
    elif sys.stderr.isatty():
        with _bars() as on_progress:
            yield on_progress
    else:
        yield _plain_lines()


@contextmanager
def _bars() -> Iterator[OnProgress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[unit]}"))
    with Bars(*columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, Any] = {}

        def on_progress(step: Progress) -> None:
            if step.stage not in tasks:
                tasks[step.stage] = bars.add_task(step.stage, total=step.total, unit=step.unit)
            bars.update(tasks[step.stage], completed=step.done, total=step.total, unit=step.unit)

        yield on_progress


def _plain_lines() -> OnProgress:
    """A line every few seconds; work that is done sooner leaves it to its report to say so."""
    last: dict[str, float] = {}

    def on_progress(step: Progress) -> None:
        now = time.monotonic()
        if now - last.setdefault(step.stage, now) < PLAIN_LINE_SECONDS:
            return
        last[step.stage] = now
        of = "" if step.total is None else f" of {step.total:,}"
        click.echo(f"{step.stage}: {step.done:,}{of} {step.unit}", err=True)

    return on_progress

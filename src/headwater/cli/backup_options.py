"""Options and words that the commands of logical and of physical backups share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from headwater.services.storage import Storage
    from headwater.services.verification import Verification, VerifyReport
    from headwater.stages.backup import Watch

Command = TypeVar("Command", bound=Callable[..., Any])

_KEEP = (
    ("last", "Keep the newest N."),
    ("hourly", "Keep the newest of each of the last N hours."),
    ("daily", "... of each of the last N days."),
    ("weekly", "... of each of the last N weeks."),
    ("monthly", "... of each of the last N months."),
    ("yearly", "... of each of the last N years."),
    ("within", "Keep what is at most N days old (default: RETENTION_DAYS)."),
    ("minimum", "Never keep fewer than N."),
)


def watch_options(command: Command) -> Command:
    """Add ``--metrics`` and ``--ping``."""
    file = click.Path(dir_okay=False, path_type=Path)
    command = click.option("--ping", metavar="URL", help="GET this URL afterwards; URL/fail if it failed.")(command)
    return click.option("--metrics", type=file, help="Write a Prometheus text file.")(command)


def watch_of(metrics: Path | None, ping: str | None) -> Watch:
    """What ``watch_options`` were given."""
    from headwater.stages.backup import Watch

    return Watch(metrics, ping)


def identity_option(command: Command) -> Command:
    """Add ``--identity``."""
    file = click.Path(dir_okay=False, path_type=Path)
    return click.option("--identity", type=file, help="File with the age key.")(command)


def keep_options(command: Command) -> Command:
    """Add ``--keep-last`` and the other retention rules, and ``--orphans-after``."""
    command = click.option(
        "--orphans-after", metavar="AGE", default="2d", show_default=True, help="Remove dumps without a manifest."
    )(command)
    for name, text in reversed(_KEEP):
        least = 0 if name == "within" else 1
        command = click.option(f"--keep-{name}", type=click.IntRange(least), help=text)(command)
    return command


def rules_of(keep: dict[str, int | None]) -> str:
    """The retention rules that ``keep_options`` were given, as RETENTION_RULES has them."""
    return " ".join(f"{name.removeprefix('keep_')}={number}" for name, number in keep.items() if number is not None)


def storage_options(command: Command) -> Command:
    """Add how objects are encrypted, kept and sent: the options that every kind of backup has."""
    modes = click.Choice(["GOVERNANCE", "COMPLIANCE"])
    for option in (
        click.option(
            "--limit-rate", type=click.IntRange(1), metavar="KIB", help="Upload at most so many KiB a second."
        ),
        click.option("--lock-mode", type=modes, help="With --lock-days; default: GOVERNANCE."),
        click.option("--lock-days", type=click.IntRange(1, 36500), help="Object Lock for so many days."),
        click.option("--kms-key", metavar="KEY", help="Encrypt with this AWS KMS key (SSE-KMS)."),
        click.option("--storage-class", metavar="CLASS", help="Such as STANDARD_IA or GLACIER_IR."),
        click.option("--encrypt-to", multiple=True, metavar="RECIPIENT", help="Encrypt to this age or SSH public key."),
    ):
        command = option(command)
    return command


def storage_of(given: dict[str, Any]) -> Storage:
    """The storage that ``storage_options`` were given."""
    from headwater.services.storage import Storage

    return Storage(given["storage_class"], given["kms_key"], given["lock_days"], given["lock_mode"])


def rate_of(given: dict[str, Any]) -> int | None:
    """Bytes a second, as ``storage_options`` were given."""
    rate = given["limit_rate"]
    return None if rate is None else int(rate) * 1024


def age_text(seconds: float) -> str:
    """An age for people."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def proof_text(problem: str, last: Verification | None, now: datetime) -> str:
    """Verified when and how, for a list."""
    if problem:
        return f"PROBLEM: {problem}"
    if last is None:
        return "never"
    outcome = "" if last.passed else "FAILED "
    return f"{outcome}{last.level}, {age_text((now - last.at).total_seconds())} ago"


def verify_lines(report: VerifyReport) -> list[str]:
    """A verification's outcome, backup by backup."""
    lines = [
        f"backup {result.id}: {result.level} {'passed' if result.passed else 'FAILED'} in {result.seconds:.1f} s:"
        f" {result.detail}"
        for result in report.results
    ]
    return lines or ["no backup is in this subset"]

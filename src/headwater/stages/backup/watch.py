"""Says whether the backups are fresh, proven and of their usual size: for cron, monitors and Prometheus."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Literal
from urllib.error import URLError
from urllib.parse import urlsplit, urlunsplit
from urllib.request import Request, urlopen

from headwater import recoverability
from headwater.connections import Connections
from headwater.errors import HeadwaterError, InputError, SettingsError, StaleBackup
from headwater.recoverability import WalStatus
from headwater.services import recoverable
from headwater.services.backups import Backups, list_backups
from headwater.stages.backup.create import size_alarms

PING_SECONDS = 10
CLOCK_TOLERANCE = timedelta(minutes=5)
MAX_AGE = timedelta(hours=26)
log = logging.getLogger(__name__)
_NO_PHYSICAL = "there is no usable physical backup of this cluster"
_UNITS = {"m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


@dataclass(frozen=True)
class Watch:
    """Who is told how a command ended: a Prometheus text file, and a URL to ping (see ``ping``)."""

    metrics: Path | None = None
    ping: str | None = None
    max_age: timedelta = MAX_AGE


@dataclass
class Outcome:
    """How the watched block ended, apart from exceptions: for what fails without one, such as a verification."""

    failed: bool = False


@contextmanager
def watched(watch: Watch, *connections: Connections) -> Iterator[Outcome]:
    """Run the block, and tell ``watch`` that it begins and how it ended: the metrics are of each connection's database.

    That telling failed is logged and fails nothing else.
    """
    if watch.ping is not None:
        check_url(watch.ping)
        ping(watch.ping, "start")  # not every monitor knows that: what comes afterwards counts
    outcome = Outcome()
    try:
        yield outcome
    except BaseException:
        _tell(connections, watch, failed=True)
        raise
    _tell(connections, watch, failed=outcome.failed)


def tell_status(report: StatusReport, watch: Watch) -> None:
    """Write the metrics and ping, then raise StaleBackup if the report names a problem."""
    _report(metrics(datetime.now(timezone.utc), report), watch, failed=not report.healthy)
    require_healthy(report)


def tell_cluster(report: WalStatus, watch: Watch) -> None:
    """The same for one cluster's physical backups."""
    _report(recoverability.metrics([report]), watch, failed=bool(report.problems))
    if report.problems:
        raise StaleBackup(
            f"the physical backups are not as they should be: {'; '.join(report.problems)}",
            hint="`headwater backup create --physical`, then `headwater backup physical verify`",
        )


def _report(text: str, watch: Watch, *, failed: bool) -> None:
    if watch.metrics is not None:
        write_metrics(watch.metrics, text)
    if watch.ping is not None and (problem := ping(watch.ping, "fail" if failed else "")):
        log.warning("%s", problem)


def _tell(connections: Sequence[Connections], watch: Watch, *, failed: bool) -> None:
    if watch.ping is not None and (problem := ping(watch.ping, "fail" if failed else "")):
        log.warning("%s", problem)
    if watch.metrics is not None:
        now = datetime.now(timezone.utc)
        try:
            reports = [status(each, now, Bounds(watch.max_age)) for each in connections]
            write_metrics(watch.metrics, metrics(now, *reports))
        except HeadwaterError as error:
            log.warning("%s", error)


def require_healthy(report: StatusReport) -> None:
    """Raise StaleBackup if the report names a problem."""
    if not report.healthy:
        raise StaleBackup(
            f"the backups of {report.database} are not as they should be: {'; '.join(report.problems)}",
            hint=_remedy(report),
        )


def _remedy(report: StatusReport) -> str:
    """For the kind that is at fault: a cluster that is backed up physically may have no other backups."""
    physical = {text for item in report.clusters for text in item.problems}
    if all(text in physical or text == _NO_PHYSICAL for text in report.problems):
        return "`headwater backup create --physical`, then `headwater backup physical verify`"
    return "`headwater backup create`, then `headwater backup verify`"


@dataclass(frozen=True)
class StatusReport:
    """How the backups stand. Ages are in seconds, None if there is nothing to be old; ``problems`` is empty if all
    is well. ``verified`` is the id of the newest backup that a full or restore verification has proven.
    """

    database: str
    healthy: bool
    problems: tuple[str, ...]
    backups: int
    newest: str | None
    newest_age: float | None
    newest_size: int | None
    newest_seconds: float | None
    verified: str | None
    verified_age: float | None
    verified_at: datetime | None
    verified_level: str | None
    max_age: float
    total_bytes: int
    clusters: tuple[WalStatus, ...] = ()  # those with physical backups: until when each could be recovered


def parse_age(text: str) -> timedelta:
    """Read ``26h``, ``90m``, ``2d`` or ``1w``. Raises SettingsError.

    >>> parse_age("26h")
    datetime.timedelta(days=1, seconds=7200)
    """
    named = re.fullmatch(r"(\d{1,6})([mhdw])", text)
    if named is None or int(named[1]) == 0:
        raise SettingsError(f"{text!r} is not an age", hint="a number and m, h, d or w, for example 26h")
    return timedelta(seconds=int(named[1]) * _UNITS[named[2]])


@dataclass(frozen=True)
class Bounds:
    """``max_age``: of the newest verified backup; ``max_rpo``: how long ago the last recoverable moment may be (None:
    as ``max_age``), where there are physical backups; ``max_size_drop``: a share, against the backup before;
    ``required``: the kinds, ``logical`` and ``physical``, that there have to be (none named: either).
    """

    max_age: timedelta = MAX_AGE
    max_rpo: timedelta | None = None
    max_size_drop: float = 0.5
    required: tuple[str, ...] = ()


def status(connections: Connections, now: datetime, bounds: Bounds) -> StatusReport:
    """Look at the backups, the physical ones included. Raises AwsError, BackupError."""
    settings = connections.settings
    found = list_backups(connections.s3, settings.layout, settings.db_name)
    address = connections.postgres("postgres")
    clusters = tuple(
        recoverability.judged(item, bounds.max_age, bounds.max_rpo)
        for item in recoverable.statuses(connections.s3, settings.layout, address, now)
    )
    report = judge(found, now, bounds)
    problems = (
        *_lacking(found, clusters, bounds.required),
        *report.problems,
        *(text for item in clusters for text in item.problems),
    )
    return replace(report, clusters=clusters, problems=problems, healthy=not problems)


def _lacking(found: Backups, clusters: Sequence[WalStatus], required: Sequence[str]) -> tuple[str, ...]:
    """What there is no backup of at all. A physical one of the present cluster holds this database, too."""
    physical = any(item.current and item.backup for item in clusters)
    lacking = []
    if not found.whole and ("logical" in required or not physical):
        kind = "logical backup" if required else "backup"
        parts = f" of the whole database, only {len(found.usable)} of a part" if found.usable else ""
        lacking.append(f"there is no {kind}{parts}")
    if "physical" in required and not physical:
        lacking.append(_NO_PHYSICAL)
    return tuple(lacking)


def judge(found: Backups, now: datetime, bounds: Bounds) -> StatusReport:
    """The status that follows from the logical backups, if there are any: pure. The age that counts is the verified
    backup's own.
    """
    newest = found.whole[0] if found.whole else None
    proven = found.newest_proven
    proof = proven.proof if proven else None
    problems = [f"backup {backup.manifest.id}: {backup.problem}" for backup in found.backups if backup.problem]
    problems += [f"unreadable: {reason}" for reason in found.unreadable]
    problems += [
        f"backup {backup.manifest.id} was taken in the future: check the clocks"
        for backup in found.backups
        if backup.manifest.taken - now > CLOCK_TOLERANCE
    ]
    for backup in found.whole:
        last = backup.last_verification
        if last is not None and not last.passed:
            problems.append(f"backup {backup.manifest.id} failed its verification: {last.detail}")
    if newest is not None and proven is None:
        problems.append("no backup has been verified (`headwater backup verify`)")
    elif proven is not None and now - proven.manifest.taken > bounds.max_age:
        age, most = _text(now - proven.manifest.taken), _text(bounds.max_age)
        problems.append(f"the newest verified backup, {proven.manifest.id}, is {age} old; at most {most}")
    if newest is not None:
        before = [backup.manifest for backup in found.whole[1:]]
        alarms = size_alarms(newest.manifest, before, bounds.max_size_drop)
        problems += [f"backup {newest.manifest.id} is {alarm}" for alarm in alarms]
    return StatusReport(
        database=found.database,
        healthy=not problems,
        problems=tuple(problems),
        backups=len(found.usable),
        newest=newest.manifest.id if newest else None,
        newest_age=_seconds(now, newest.manifest.taken) if newest else None,
        newest_size=newest.manifest.dump.size if newest else None,
        newest_seconds=newest.manifest.seconds if newest else None,
        verified=proven.manifest.id if proven else None,
        verified_age=_seconds(now, proven.manifest.taken) if proven else None,
        verified_at=proof.at if proof else None,
        verified_level=proof.level if proof else None,
        max_age=bounds.max_age.total_seconds(),
        total_bytes=sum(backup.manifest.dump.size for backup in found.usable),
    )


def _seconds(now: datetime, then: datetime) -> float:
    return round((now - then).total_seconds(), 3)


def _text(age: timedelta) -> str:
    hours = age.total_seconds() / 3600
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.1f} days"


def metrics(now: datetime, *reports: StatusReport) -> str:
    """The reports in Prometheus' text format; what there is no value for is left out, so that ``absent()`` can tell."""
    values = [_values(report, now.timestamp()) for report in reports]
    lines = []
    for number, (name, text, _) in enumerate(values[0] if values else ()):
        lines += [f"# HELP headwater_backup_{name} {text}", f"# TYPE headwater_backup_{name} gauge"]
        for report, found in zip(reports, values, strict=True):
            if (value := found[number][2]) is not None:
                label = report.database.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
                lines.append(f'headwater_backup_{name}{{database="{label}"}} {value}')
    return "\n".join(lines) + "\n" + recoverability.metrics(reports[0].clusters if reports else ())


def _values(report: StatusReport, stamp: float) -> list[tuple[str, str, float | None]]:
    return [
        ("last_success_timestamp_seconds", "when the newest backup began", _stamp(stamp, report.newest_age)),
        (
            "last_verified_timestamp_seconds",
            "when the newest verified backup began",
            _stamp(stamp, report.verified_age),
        ),
        (
            "last_verification_timestamp_seconds",
            "when that was verified",
            report.verified_at.timestamp() if report.verified_at else None,
        ),
        ("size_bytes", "stored bytes of the newest backup", report.newest_size),
        ("duration_seconds", "how long the newest backup took", report.newest_seconds),
        ("stored_bytes", "stored bytes of all backups", report.total_bytes),
        ("backups", "usable backups", report.backups),
        ("healthy", "1 if `headwater backup status` finds nothing wrong", int(report.healthy)),
    ]


def _stamp(now: float, age: float | None) -> float | None:
    return None if age is None else round(now - age, 3)


def write_metrics(file: Path, text: str) -> None:
    """Replace the file at once: a collector never reads half of it. Raises InputError."""
    try:
        with NamedTemporaryFile("w", dir=file.parent, prefix=f".{file.name}.", delete=False) as made:
            made.write(text)
        Path(made.name).chmod(0o644)
        Path(made.name).replace(file)
    except OSError as error:
        raise InputError(f"cannot write {file}: {error.strerror or error}", hint="is the folder there?") from error


def ping(url: str, signal: Literal["", "start", "fail"]) -> str:
    """Tell a monitor (healthchecks.io's convention: ``/start`` and ``/fail`` behind the path). Why it could not be
    told, or nothing.

    >>> ping("http://127.0.0.1:1/", "").startswith("could not ping http://127.0.0.1:1/")
    True
    """
    check_url(url)
    target = url
    if signal:
        parts = urlsplit(url)
        target = urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{signal}"))
    try:
        with urlopen(Request(target, method="GET"), timeout=PING_SECONDS):  # noqa: S310 - the scheme is checked above
            return ""
    except (URLError, OSError, ValueError) as error:
        return f"could not ping {target}: {error}"


def check_url(url: str) -> None:
    """Raise SettingsError for something that cannot be pinged."""
    if not url.startswith(("https://", "http://")):
        raise SettingsError(f"{url!r} is not a URL to ping", hint="it begins with https://")

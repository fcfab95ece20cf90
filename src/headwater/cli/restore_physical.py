"""``headwater restore --data-directory``: a physical backup and its log into a data directory, up to a moment."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headwater.cli.backup_physical import allow_only
from headwater.cli.output import emit, progress
from headwater.errors import SettingsError
from headwater.pipeline import Headwater

if TYPE_CHECKING:
    from headwater.stages.physical import RecoverPlan, RecoverReport, Target


@dataclass(frozen=True)
class PhysicalTarget:
    """What the command line was given."""

    backup: str
    at: str | None
    point: str | None
    timeline: int | None
    folder: Path | None
    cluster: str | None
    identity: Path | None
    tablespaces: tuple[str, ...] = ()


def restore_physical(ctx: click.Context, wanted: PhysicalTarget, *, dry_run: bool, as_json: bool) -> None:
    """What ``restore --at``, ``--restore-point`` and ``--data-directory`` do."""
    from headwater.stages.physical import RecoverOptions

    allow_only(
        ctx,
        "backup",
        "at",
        "restore_point",
        "timeline",
        "tablespaces",
        "tablespaces",
        "data_directory",
        "cluster",
        "identity",
        "dry_run",
        "as_json",
    )
    headwater = Headwater(ctx.obj)
    if wanted.folder is None:
        raise SettingsError("--at needs --data-directory: a moment is recovered for the whole cluster, not a database")
    options = RecoverOptions(
        folder=wanted.folder,
        target=_target(wanted),
        cluster=wanted.cluster,
        backup=wanted.backup,
        timeline=wanted.timeline,
        identity=wanted.identity,
        tablespaces=_mapping(wanted.tablespaces),
    )
    plan = headwater.physical.recover_plan(options)
    if dry_run:
        emit(plan, as_json, lambda plan: _plan_lines(plan, "would rebuild"))
        return
    for line in () if as_json else _plan_lines(plan, "rebuilding"):
        click.echo(line)
    with progress(as_json) as on_progress:
        report = headwater.physical.recover(options, on_progress, plan=plan)
    emit(report, as_json, _lines)


def _target(wanted: PhysicalTarget) -> Target:
    """A time, a log position such as 0/3000148, ``latest``, or a restore point."""
    from headwater.stages.physical import Target

    text = wanted.at
    if text in (None, "latest"):
        return Target(point=wanted.point)
    if re.fullmatch(r"[0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8}", text or ""):
        return Target(lsn=text, point=wanted.point)
    return Target(at=_moment(text or ""), point=wanted.point)


def _mapping(texts: tuple[str, ...]) -> dict[str, Path]:
    """New places of tablespaces by their former ones."""
    found = {}
    for text in texts:
        old, separator, new = text.partition("=")
        if not separator or not old or not new:
            raise SettingsError(f"--tablespace-mapping {text}: not OLD=NEW")
        found[old] = Path(new)
    return found


def _moment(text: str) -> datetime:
    """A moment in ISO 8601; without a zone it is UTC."""
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError as error:
        raise SettingsError(
            f"--at {text}: not a time",
            hint="write it like 2025-01-15T10:30:00Z, as a log position (0/3000148), or latest",
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def _plan_lines(plan: RecoverPlan, verb: str) -> Iterator[str]:
    yield f"{verb} cluster {plan.cluster} in {plan.folder}, up to {plan.target}, on timeline {plan.timeline}"
    yield f"from s3://{plan.bucket}: {', '.join(manifest.id for manifest in plan.chain)}"
    yield f"with {len(plan.segments)} segments of its log in {plan.log_folder}"


def _lines(report: RecoverReport) -> Iterator[str]:
    yield f"cluster {report.cluster} is rebuilt in {report.folder} from {report.backup}, {report.segments} segments"
    yield f"it recovers up to {report.target} when it is first started, as its owner (PostgreSQL does not run as root):"
    yield f"  {report.start}"
    yield from (f"  tablespace {oid}: {path}" for oid, path in report.tablespaces.items())
    yield f"once it takes writes, {report.log_folder} can go"

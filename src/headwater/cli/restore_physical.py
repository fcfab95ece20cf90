"""``headwater restore --data-directory``: a physical backup and its log into a data directory, up to a moment."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headwater.cli.backup_physical import allow_only
from headwater.cli.output import emit, progress
from headwater.errors import SettingsError
from headwater.pipeline import Headwater

if TYPE_CHECKING:
    from headwater.stages.physical import RecoverPlan, RecoverReport


def restore_physical(
    ctx: click.Context, backup: str, at: str | None, folder: Path | None, *, dry_run: bool, as_json: bool
) -> None:
    """What ``restore --at`` and ``restore --data-directory`` do."""
    from headwater.stages.physical import RecoverOptions

    allow_only(ctx, "backup", "at", "data_directory", "dry_run", "as_json")
    headwater = Headwater(ctx.obj)
    if folder is None:
        raise SettingsError("--at needs --data-directory: a moment is recovered for the whole cluster, not a database")
    options = RecoverOptions(folder, _moment(at) if at else None, backup=backup)
    if dry_run:
        emit(headwater.physical.recover_plan(options), as_json, _plan_lines)
        return
    with progress(as_json) as on_progress:
        report = headwater.physical.recover(options, on_progress)
    emit(report, as_json, _lines)


def _moment(text: str) -> datetime:
    """A moment in ISO 8601; without a zone it is UTC."""
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError as error:
        raise SettingsError(f"--at {text}: not a time", hint="write it like 2025-01-15T10:30:00Z") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def _plan_lines(plan: RecoverPlan) -> Iterator[str]:
    to = plan.at.isoformat() if plan.at else "the end of the archived log"
    yield f"would rebuild cluster {plan.cluster} in {plan.folder}, up to {to}"
    yield f"from s3://{plan.bucket}: {', '.join(manifest.id for manifest in plan.chain)}"
    yield f"with {len(plan.segments)} segments of its log in {plan.log_folder}"


def _lines(report: RecoverReport) -> Iterator[str]:
    to = report.at.isoformat() if report.at else "the end of the archived log"
    yield f"cluster {report.cluster} is rebuilt in {report.folder} from {report.backup}, {report.segments} segments"
    yield f"it recovers up to {to} when it is first started, as its owner (PostgreSQL does not run as root):"
    yield f"  {report.start}"
    yield f"once it takes writes, {report.log_folder} can go"

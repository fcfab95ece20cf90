"""Carry out a restore: verified archive, database, pg_restore, contents compared; all of it or nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from headwater.connections import Connections
from headwater.errors import BackupError, VerificationError
from headwater.manifest import BackupManifest
from headwater.model import OnProgress, PostgresAddress, Progress, no_progress
from headwater.services import codec, postgres, restoring
from headwater.services.dangling import shown
from headwater.services.postgres import TableContent
from headwater.services.restoring import Load
from headwater.services.toc import Choice
from headwater.stages.restore import tables
from headwater.stages.restore.fetch import fetched
from headwater.stages.restore.plan import RestorePlan
from headwater.stages.restore.properties import take_over
from headwater.stages.restore.roles import restore_roles


@dataclass(frozen=True)
class RestoreReport:
    """What was restored. ``compared``: whether the row counts were equal to the manifest's (False: it has none).

    ``hashes_compared``: whether content hashes were, too. ``roles``: those that were made. ``left_out``: what
    belongs to the chosen tables, or to those of a partial backup, and needs others, such as a foreign key.
    ``passed_over``: newer backups that cannot be used. ``warnings``: what is left to do.
    """

    backup: str
    database: str
    rows: Mapping[str, int]
    compared: bool
    bytes_restored: int
    seconds: float
    hashes_compared: bool = False
    roles: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    passed_over: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def apply(plan: RestorePlan, connections: Connections, on_progress: OnProgress = no_progress) -> RestoreReport:
    """Restore. A backup that does not verify touches nothing; a restore that fails drops the database that it made,
    and leaves one that was there as it was.

    Raises VerificationError, BackupError, PostgresError, AwsError.
    """
    started = time.monotonic()
    address = connections.postgres(restoring.unfinished_name(plan.to) if plan.new else plan.to)
    identities = codec.age_identities(plan.identity) if plan.identity else []
    expected, choice = plan.backup, None
    with fetched(connections, plan.backup, identities, on_progress) as archive:
        if not plan.new:
            restoring.decode(plan.tool, archive)
        if plan.tables:
            choice = tables.choose(plan, archive)
            expected = tables.expected(plan.backup, choice)
        made = restore_roles(connections, plan.backup, identities) if plan.roles else ()
        with _database(plan, connections):
            on_progress(Progress("restore", 0, None, "pg_restore"))
            load = Load(plan.tool, archive, address, _flags(plan))
            contents, incomplete, dangling = _restore(plan, load, choice, expected)
            whole = plan.new and not plan.tables
            undone = take_over(load, connections.postgres("postgres"), owner=plan.owner) if whole else ()
    return RestoreReport(
        backup=plan.backup.id,
        database=plan.to,
        rows={name: content.rows for name, content in contents.items()},
        compared=expected.row_counts is not None,
        bytes_restored=plan.backup.dump.raw_size,
        seconds=round(time.monotonic() - started, 3),
        hashes_compared=expected.content_hashes is not None,
        roles=made,
        left_out=(*(choice.left_out if choice else ()), *dangling),
        passed_over=plan.passed_over,
        warnings=(*((incomplete,) if incomplete else ()), *undone),
    )


def _analyzed_contents(expected: BackupManifest, address: PostgresAddress) -> tuple[dict[str, TableContent], str]:
    """What is there, and why the statistics are incomplete. The archive has none; without them, plans are guesses."""
    with ThreadPoolExecutor(1, "headwater-analyze") as beside:  # both read all: at the same time they read it once
        analyzed = beside.submit(postgres.analyze, address)
        contents = restoring.contents_like(expected, address)
        return contents, analyzed.result()


@contextmanager
def _database(plan: RestorePlan, connections: Connections) -> Iterator[None]:
    if plan.new:
        with restoring.new_database(connections.postgres("postgres"), plan.to, plan.backup.source):
            yield
    else:
        yield


def _flags(plan: RestorePlan) -> tuple[str, ...]:
    owner = () if plan.owner else ("--no-owner", "--no-privileges")
    # One transaction: a database that was there before is changed whole or not at all.
    how = f"--jobs={plan.jobs}" if plan.new else "--single-transaction"
    return (*owner, how, *(("--clean", "--if-exists") if plan.clean else ()))


def _restore(
    plan: RestorePlan, load: Load, choice: Choice | None, expected: BackupManifest
) -> tuple[dict[str, TableContent], str, tuple[str, ...]]:
    """What is in the database afterwards, as far as it is the backup's, why its statistics are incomplete, and what was
    left out because a partial backup does not have what it leads to.
    """

    def check() -> tuple[dict[str, TableContent], str]:
        contents, incomplete = _analyzed_contents(expected, load.address)
        return _compared(plan, expected, contents), incomplete

    try:
        wanted = tables.wanted(plan, choice, load)
        return (*restoring.fill(load, wanted.entries, check), wanted.left_out)
    except BackupError as error:
        left = f"database {plan.to} was dropped again" if plan.new else f"database {plan.to} is as it was"
        lacks = (
            f"the backup lacks what it needs: {shown(plan.lacks)}; --into a database that has it" if plan.lacks else ""
        )
        raise BackupError(f"{error}; {left}", hint=error.hint or lacks) from error


def _compared(
    plan: RestorePlan, expected: BackupManifest, contents: dict[str, TableContent]
) -> dict[str, TableContent]:
    """The contents as far as they are the backup's. Raises VerificationError if they are not what it says."""
    if (plan.tables or not plan.new) and expected.row_counts is not None:  # what else is there is not the backup's
        contents = {name: content for name, content in contents.items() if name in expected.row_counts}
    if wrong := restoring.differences(expected, contents):
        left = "it was dropped again" if plan.new else f"database {plan.to} has them now"
        raise VerificationError(
            f"the restored rows are not those of backup {plan.backup.id} ({', '.join(wrong[:5])}); {left}"
        )
    return contents

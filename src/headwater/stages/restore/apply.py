"""Carry out a restore: verified archive, database, pg_restore, contents compared; all of it or nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from psycopg import sql

from headwater.connections import Connections
from headwater.errors import BackupError, VerificationError
from headwater.manifest import BackupManifest
from headwater.model import OnProgress, PostgresAddress, Progress, no_progress
from headwater.services import codec, postgres, restoring
from headwater.services.postgres import TableContent
from headwater.stages.restore.fetch import fetched
from headwater.stages.restore.plan import RestorePlan
from headwater.stages.restore.roles import restore_roles


@dataclass(frozen=True)
class RestoreReport:
    """What was restored. ``compared``: whether the row counts were equal to the manifest's (False: it has none).

    ``hashes_compared``: whether content hashes were, too. ``roles``: those that were made.
    """

    backup: str
    database: str
    rows: Mapping[str, int]
    compared: bool
    bytes_restored: int
    seconds: float
    hashes_compared: bool = False
    roles: tuple[str, ...] = ()


def apply(plan: RestorePlan, connections: Connections, on_progress: OnProgress = no_progress) -> RestoreReport:
    """Restore. A backup that does not verify touches nothing; a restore that fails drops the database that it made,
    and leaves one that was there as it was.

    Raises VerificationError, BackupError, PostgresError, AwsError.
    """
    started = time.monotonic()
    address = connections.postgres(restoring.unfinished_name(plan.to) if plan.new else plan.to)
    identities = codec.age_identities(plan.identity) if plan.identity else []
    expected = _expected(plan)
    with fetched(connections, plan.backup, identities, on_progress) as archive:
        if not plan.new:
            restoring.decode(plan.tool, archive)
        made = restore_roles(connections, plan.backup, identities) if plan.roles else ()
        with _database(plan, connections):
            on_progress(Progress("restore", 0, None, "pg_restore"))
            _restore(plan, address, archive)
            contents = _analyzed_contents(expected, address)
            _compare(plan, expected, contents)
    return RestoreReport(
        backup=plan.backup.id,
        database=plan.to,
        rows={name: content.rows for name, content in contents.items()},
        compared=expected.row_counts is not None,
        bytes_restored=plan.backup.dump.raw_size,
        seconds=round(time.monotonic() - started, 3),
        hashes_compared=expected.content_hashes is not None,
        roles=made,
    )


def _analyzed_contents(expected: BackupManifest, address: PostgresAddress) -> dict[str, TableContent]:
    """Both read all of the database: at the same time they read it once."""

    def analyze() -> None:
        with postgres.connect(address, autocommit=True) as connection:
            connection.execute("ANALYZE")  # the archive has no statistics; without them, plans are guesses

    with ThreadPoolExecutor(1, "headwater-analyze") as beside:
        analyzed = beside.submit(analyze)
        contents = restoring.contents_like(expected, address)
        analyzed.result()
    return contents


@contextmanager
def _database(plan: RestorePlan, connections: Connections) -> Iterator[None]:
    if plan.new:
        with restoring.new_database(connections.postgres("postgres"), plan.to, plan.backup.source):
            yield
    else:
        yield


def _restore(plan: RestorePlan, address: PostgresAddress, archive: Path) -> None:
    flags = [] if plan.owner else ["--no-owner", "--no-privileges"]
    # One transaction: a database that was there before is changed whole or not at all.
    flags += ["--single-transaction"] if not plan.new else [f"--jobs={plan.jobs}"]
    flags += ["--clean", "--if-exists"] if plan.clean else []
    try:
        if not plan.tables:
            restoring.into_database(plan.tool, address, archive, flags)
            return
        _make_schemas(plan, address)
        for schema, table in plan.tables:
            restoring.into_database(plan.tool, address, archive, [*flags, f"--schema={schema}", f"--table={table}"])
    except BackupError as error:
        left = f"database {plan.to} was dropped again" if plan.new else f"database {plan.to} is as it was"
        raise BackupError(f"{error}; {left}", hint=error.hint) from error


def _make_schemas(plan: RestorePlan, address: PostgresAddress) -> None:
    """pg_restore restores a chosen table, not the schema that it is in."""
    with postgres.connect(address) as connection:
        for schema in sorted({schema for schema, _ in plan.tables}):
            connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))


def _expected(plan: RestorePlan) -> BackupManifest:
    """The manifest as far as the chosen tables go. Raises BackupError for a table that the backup does not have."""
    manifest = plan.backup
    if not plan.tables or manifest.row_counts is None:
        return manifest
    chosen = [postgres.table_label(schema, table) for schema, table in plan.tables]
    if missing := [name for name in chosen if name not in manifest.row_counts]:
        raise BackupError(
            f"backup {manifest.id} has no table {', '.join(missing)}",
            hint=f"it has {', '.join(sorted(manifest.row_counts)[:20])}",
        )
    hashes = manifest.content_hashes
    return replace(
        manifest,
        row_counts={name: manifest.row_counts[name] for name in chosen},
        content_hashes=None if hashes is None else {name: hashes[name] for name in chosen},
    )


def _compare(plan: RestorePlan, expected: BackupManifest, contents: Mapping[str, TableContent]) -> None:
    if not plan.new and expected.row_counts is not None:  # tables that the backup does not know were there before
        contents = {name: content for name, content in contents.items() if name in expected.row_counts}
    if wrong := restoring.differences(expected, contents):
        left = "it was dropped again" if plan.new else f"database {plan.to} has them now"
        raise VerificationError(
            f"the restored rows are not those of backup {plan.backup.id} ({', '.join(wrong[:5])}); {left}"
        )

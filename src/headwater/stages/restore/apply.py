"""Carry out a restore: verified archive, new database, pg_restore, counts compared; all of it or nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

from psycopg.conninfo import make_conninfo

from headwater.connections import Connections
from headwater.errors import BackupError, HeadwaterError, VerificationError
from headwater.manifest import BackupManifest, SourceDatabase
from headwater.model import OnProgress, PostgresAddress, Progress, no_progress
from headwater.services import postgres
from headwater.services.tools import login
from headwater.stages.restore.fetch import fetched
from headwater.stages.restore.plan import RestorePlan


@dataclass(frozen=True)
class RestoreReport:
    """What was restored. ``compared``: whether the row counts were equal to the manifest's (False: it has none)."""

    backup: str
    database: str
    rows: Mapping[str, int]
    compared: bool
    bytes_restored: int
    seconds: float


def apply(plan: RestorePlan, connections: Connections, on_progress: OnProgress = no_progress) -> RestoreReport:
    """Restore. A backup that does not verify touches nothing; a restore that fails drops the database that it made.

    Raises VerificationError, BackupError, PostgresError, AwsError.
    """
    started = time.monotonic()
    manifest, address = plan.backup, connections.postgres(_unfinished_name(plan.to))
    maintenance = connections.postgres("postgres")
    with fetched(connections, manifest, on_progress) as archive, _new_database(maintenance, plan.to, manifest.source):
        on_progress(Progress("restore", 0, None, "pg_restore"))
        _pg_restore(plan, address, archive)
        with postgres.connect(address, autocommit=True) as connection:
            connection.execute("ANALYZE")  # the archive has no statistics; without them, plans are guesses
            rows = postgres.count_all_tables(connection)
        _compare(manifest, rows)
    return RestoreReport(
        backup=manifest.id,
        database=plan.to,
        rows=rows,
        compared=manifest.row_counts is not None,
        bytes_restored=manifest.dump.raw_size,
        seconds=round(time.monotonic() - started, 3),
    )


@contextmanager
def _new_database(maintenance: PostgresAddress, name: str, source: SourceDatabase) -> Iterator[None]:
    """An empty database like the source, ``name`` only when the block ended well; gone if it fails, Ctrl-C included."""
    locale = postgres.DatabaseLocale(
        source.encoding, source.collate, source.ctype, source.locale_provider, source.locale
    )
    unfinished = _unfinished_name(name)
    postgres.drop_idle_database(maintenance, unfinished)  # what a killed restore left behind
    postgres.create_empty_database(maintenance, unfinished, locale)
    try:
        yield
        postgres.rename_database(maintenance, unfinished, name)
    except BaseException:
        with suppress(HeadwaterError):  # what failed first says more
            postgres.drop_database(maintenance, unfinished)
        raise


def _unfinished_name(name: str) -> str:
    """What the database is called until its rows have been compared: a kill -9 must not leave half of one as ``name``.

    >>> _unfinished_name("app_restored")
    'app_restored (restoring)'
    """
    ending = " (restoring)"
    return name.encode()[: 63 - len(ending)].decode(errors="ignore") + ending


def _pg_restore(plan: RestorePlan, address: PostgresAddress, archive: Path) -> None:
    arguments = [
        str(plan.tool.path),
        f"--jobs={plan.jobs}",
        "--exit-on-error",
        "--no-password",
        # Only a connection string takes any name as it is; the login comes from the environment.
        f"--dbname={make_conninfo(dbname=address.database)}",
        *([] if plan.owner else ["--no-owner", "--no-privileges"]),
        str(archive),
    ]
    with TemporaryFile() as complaints:  # a file never fills up like a pipe would
        process = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=complaints,
            env=dict(login(address)),
            start_new_session=True,
        )
        try:
            code = process.wait()
        except BaseException:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # its parallel workers too
            process.wait()
            raise
        complaints.seek(0)
        said = complaints.read(64 * 1024).decode("utf-8", "replace")
    if code != 0:
        raise _failed(plan, code, said)


def _failed(plan: RestorePlan, code: int, said: str) -> BackupError:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if "error:" in line] or lines[-1:]
    how = f"was killed by signal {-code}" if code < 0 else f"failed with exit code {code}"
    missing_role = "role" in said and "does not exist" in said
    return BackupError(
        f"pg_restore {how}: {'; '.join(errors[:3])}; database {plan.to} was dropped again",
        hint="create the missing roles first, or restore with --no-owner" if missing_role else "",
    )


def _compare(manifest: BackupManifest, rows: Mapping[str, int]) -> None:
    expected = manifest.row_counts
    if expected is None or dict(expected) == dict(rows):
        return
    names = sorted(name for name in {*expected, *rows} if expected.get(name) != rows.get(name))
    shown = ", ".join(f"{name}: {rows.get(name, 'missing')} of {expected.get(name, 'none')}" for name in names[:5])
    raise VerificationError(f"the restored rows are not those of backup {manifest.id} ({shown}); it was dropped again")

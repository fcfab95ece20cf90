"""Backs up several databases of one server in one run: one that fails does not keep the others from being made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from headwater.connections import Connections
from headwater.errors import BackupError, HeadwaterError
from headwater.services import postgres
from headwater.stages.backup.create import CreateReport


@dataclass(frozen=True)
class Failure:
    """A database that could not be backed up, why, and what to do next."""

    database: str
    error: str
    exit_code: int
    hint: str = ""


@dataclass(frozen=True)
class ManyReport:
    """What was made, and what was not."""

    made: tuple[CreateReport, ...]
    failed: tuple[Failure, ...]


def all_databases(connections: Connections) -> tuple[str, ...]:
    """Every database of the server that one can connect to, without templates and what a restore has not finished.

    ``postgres``, which every server has, only if there is a table in it. Raises PostgresError, BackupError if none is
    left.
    """
    with postgres.connect(connections.postgres("postgres")) as connection:
        rows = connection.execute(
            "SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate"
            " AND datname NOT LIKE '%% (restoring)' AND datname !~ '^headwater_verify_[0-9a-f]{8}_' ORDER BY 1"
        ).fetchall()
        used = bool(postgres.user_tables(connection))
    names = tuple(str(row[0]) for row in rows if used or row[0] != "postgres")
    if not names:
        raise BackupError("the server has no database to back up", hint="name one with --database")
    return names


def create_many(databases: Sequence[Connections], create: Callable[[Connections], CreateReport]) -> ManyReport:
    """Call ``create`` with each database's connections."""

    def one(connections: Connections) -> CreateReport | Failure:
        try:
            return create(connections)
        except HeadwaterError as error:
            return Failure(connections.settings.db_name, str(error), error.exit_code, error.hint)

    ended = [one(connections) for connections in databases]
    return ManyReport(
        tuple(report for report in ended if isinstance(report, CreateReport)),
        tuple(report for report in ended if isinstance(report, Failure)),
    )


def require_all(report: ManyReport) -> None:
    """Raise BackupError if a database could not be backed up."""
    if report.failed:
        texts = "; ".join(f"{failure.database}: {failure.error}" for failure in report.failed)
        raise BackupError(f"{len(report.failed)} of {len(report.failed) + len(report.made)} failed: {texts}")

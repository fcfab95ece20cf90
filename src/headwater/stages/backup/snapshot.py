"""One moment of the database that pg_dump and our own counting both look at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import psycopg

from headwater.manifest import SourceDatabase
from headwater.model import PostgresAddress
from headwater.services import postgres


@dataclass
class Snapshot:
    """An exported snapshot; it lives as long as the transaction that exported it."""

    id: str
    source: SourceDatabase
    _connection: psycopg.Connection[Any] = field(repr=False)
    _executor: ThreadPoolExecutor = field(repr=False)
    _counts: Future[dict[str, int]] | None = field(default=None, repr=False)

    def start_counting(self) -> None:
        """Count every table's rows in the background; call it when pg_dump has its locks.

        Earlier, a waiting ALTER TABLE could come between our lock and pg_dump's, and neither would ever end.
        """
        if self._counts is None:
            self._counts = self._executor.submit(postgres.count_all_tables, self._connection)

    def counts(self) -> Mapping[str, int] | None:
        """Exact row counts by ``schema.table``; None if a table could not be counted. Waits for the counting."""
        if self._counts is None:
            return None
        try:
            return self._counts.result()
        except psycopg.Error:
            return None  # a lock, a missing permission: the dump is none the worse for it


@contextmanager
def export_snapshot(address: PostgresAddress) -> Iterator[Snapshot]:
    """Begin a read-only transaction and export its snapshot. Raises PostgresError."""
    with postgres.connect(address, autocommit=True) as connection, ThreadPoolExecutor(1, "headwater-count") as executor:
        # A dump may take hours, and this connection mostly waits: none of the server's time-outs may end it.
        connection.execute("SET idle_in_transaction_session_timeout = 0; SET statement_timeout = 0")
        connection.execute("SET lock_timeout = '10s'; SET row_security = off")
        # Counting is not urgent: workers for it would only take the processor away from the dump.
        connection.execute("SET max_parallel_workers_per_gather = 0")
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        row = connection.execute("SELECT pg_export_snapshot()").fetchone()
        snapshot = Snapshot(str(row[0]) if row else "", _source(connection), connection, executor)
        try:
            yield snapshot
        except BaseException:
            with suppress(psycopg.Error):  # what ended the backup says more
                connection.cancel_safe()
            raise
        with suppress(psycopg.Error):  # pg_dump is done: if this idle connection was cut meanwhile, nothing is lost
            connection.execute("COMMIT")


def _source(connection: psycopg.Connection[Any]) -> SourceDatabase:
    major = postgres.server_major(connection)
    # The locale of other providers than libc has moved: none before 15, daticulocale in 15 and 16, datlocale since.
    locale = "d.datlocale" if major >= 17 else "d.daticulocale" if major >= 15 else "NULL"
    provider = "d.datlocprovider" if major >= 15 else "'c'"
    row = connection.execute(
        f"""
        SELECT d.datname, pg_encoding_to_char(d.encoding), d.datcollate, d.datctype,
            {provider}, {locale}, pg_database_size(d.oid)
        FROM pg_database AS d WHERE d.datname = current_database()
        """.encode()  # noqa: S608 - constants from just above
    ).fetchone()
    assert row is not None  # noqa: S101 - we are connected to it
    name, encoding, collate, ctype, provider_code, locale_name, size = row
    return SourceDatabase(
        name=name,
        server_version=postgres.server_version_text(connection),
        server_major=major,
        system_identifier=_system_identifier(connection),
        encoding=encoding,
        collate=collate,
        ctype=ctype,
        locale_provider={"c": "libc", "i": "icu", "b": "builtin"}.get(provider_code, "libc"),
        locale=locale_name,
        size=size,
    )


def _system_identifier(connection: psycopg.Connection[Any]) -> str:
    """What tells two clusters apart; empty where the login may not ask for it."""
    try:
        with connection.transaction():
            row = connection.execute("SELECT system_identifier FROM pg_control_system()").fetchone()
    except psycopg.errors.InsufficientPrivilege:
        return ""
    return str(row[0]) if row else ""

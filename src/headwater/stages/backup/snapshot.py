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
from headwater.services.postgres import TableContent


@dataclass
class Snapshot:
    """An exported snapshot; it lives as long as the transaction that exported it.

    ``contents``: every table's rows and, if ``hashed``, hash; None until counted, or if a table could not be read.
    """

    id: str
    source: SourceDatabase
    extensions: Mapping[str, str]
    collation_versions: Mapping[str, str]
    _connection: psycopg.Connection[Any] = field(repr=False)
    _executor: ThreadPoolExecutor = field(repr=False)
    _counting: Future[dict[str, TableContent]] | None = field(default=None, repr=False)
    contents: Mapping[str, TableContent] | None = None
    hashed: bool = False

    def start_counting(self, *, hashes: bool = False) -> None:
        """Count every table's rows in the background; call it when pg_dump has its locks.

        Earlier, a waiting ALTER TABLE could come between our lock and pg_dump's, and neither would ever end.
        """
        if self._counting is None:
            self._counting = self._executor.submit(self._hash if hashes else _counted, self._connection)

    def _hash(self, connection: psycopg.Connection[Any]) -> dict[str, TableContent]:
        """Hash every table; only count if a row cannot be read whole (a virtual column whose expression fails)."""
        with suppress(psycopg.Error), connection.transaction():
            found = postgres.all_contents(connection)
            self.hashed = True
            return found
        return _counted(connection)

    def finish_counting(self) -> None:
        """Wait for the counting; a lock or a missing permission leaves ``contents`` None: the dump is as good."""
        if self._counting is not None:
            with suppress(psycopg.Error):
                self.contents = self._counting.result()


def _counted(connection: psycopg.Connection[Any]) -> dict[str, TableContent]:
    return {name: TableContent(rows, 0) for name, rows in postgres.count_all_tables(connection).items()}


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
        found = (_source(connection), _extensions(connection), _collation_versions(connection))
        snapshot = Snapshot(str(row[0]) if row else "", *found, connection, executor)
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


def _extensions(connection: psycopg.Connection[Any]) -> dict[str, str]:
    """The extensions and their versions: a server to restore to has to offer them."""
    return {str(n): str(v) for n, v in connection.execute("SELECT extname, extversion FROM pg_extension ORDER BY 1")}


def _collation_versions(connection: psycopg.Connection[Any]) -> dict[str, str]:
    """The versions of the collations in use: under another one, restored text indexes are built differently."""
    found = {}
    if postgres.server_major(connection) >= 15:
        row = connection.execute("SELECT datcollversion FROM pg_database WHERE datname = current_database()").fetchone()
        if row and row[0]:
            found["(database)"] = str(row[0])
    rows = connection.execute(
        """
        SELECT DISTINCT c.collname, c.collversion FROM pg_collation AS c
        JOIN pg_attribute AS a ON a.attcollation = c.oid JOIN pg_class AS t ON t.oid = a.attrelid
        WHERE c.collversion IS NOT NULL AND t.relnamespace <> 'pg_catalog'::regnamespace ORDER BY 1
        """
    )
    return found | {str(name): str(version) for name, version in rows}


def _system_identifier(connection: psycopg.Connection[Any]) -> str:
    """What tells two clusters apart; empty where the login may not ask for it."""
    try:
        with connection.transaction():
            row = connection.execute("SELECT system_identifier FROM pg_control_system()").fetchone()
    except psycopg.errors.InsufficientPrivilege:
        return ""
    return str(row[0]) if row else ""

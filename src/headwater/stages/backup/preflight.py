"""What is looked at before a dump begins, so that it fails in its first second and not in its last hour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg

from headwater.errors import BackupError
from headwater.services import postgres
from headwater.services.preflight import MOST_BYTES

LOCK_SHARE = 0.8


@dataclass(frozen=True)
class ServerFacts:
    """What the server says about itself; ``lock_slots``: how many locks fit into its shared table, about."""

    major: int
    version: str
    size: int
    relations: int
    lock_slots: int
    standby: bool
    standby_delay: str


def server_facts(connection: psycopg.Connection[Any]) -> ServerFacts:
    """Ask the server. Raises psycopg's errors."""
    row = connection.execute(
        """
        SELECT (SELECT count(*) FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'S', 'f')),
            current_setting('max_locks_per_transaction')::bigint
                * (current_setting('max_connections')::bigint + current_setting('max_prepared_transactions')::bigint),
            pg_is_in_recovery(), current_setting('max_standby_streaming_delay')
        """
    ).fetchone()
    assert row is not None  # noqa: S101 - no FROM: always one row
    return ServerFacts(
        major=postgres.server_major(connection),
        version=postgres.server_version_text(connection),
        size=postgres.database_size(connection),
        relations=int(row[0]),
        lock_slots=int(row[1]),
        standby=bool(row[2]),
        standby_delay=str(row[3]),
    )


def judge(server: ServerFacts, client_major: int) -> tuple[str, ...]:
    """Warnings, in words. Raises BackupError for what cannot work.

    >>> judge(ServerFacts(18, "18.1", 10, 50, 6400, False, "30s"), 18)
    ()
    """
    if server.size > MOST_BYTES:
        raise BackupError(
            f"a database of {server.size >> 40} TiB may not fit into one S3 object",
            hint="back it up in parts with --schema or --table",
        )
    warnings = []
    if server.relations > server.lock_slots * LOCK_SHARE:
        warnings.append(
            f"pg_dump locks all {server.relations:,} relations at once, the server has room for about"
            f" {server.lock_slots:,}: raise max_locks_per_transaction"
        )
    if client_major > server.major:
        warnings.append(
            f"pg_dump {client_major} is newer than the server: what it writes may not restore into a server"
            f" {server.major}; install PostgreSQL {server.major}'s client programs"
        )
    if server.standby:
        warnings.append(
            "the server is a standby: replay may cancel the dump after max_standby_streaming_delay"
            f" ({server.standby_delay})"
        )
    return tuple(warnings)

"""What physical backups ask a PostgreSQL cluster: who it is, where its log stands, and a slot that keeps the log."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from headwater.errors import BackupError
from headwater.model import PostgresAddress
from headwater.services import postgres

MORE_SENDERS = "set max_wal_senders higher in postgresql.conf, by two for Headwater, and restart the server"


@dataclass(frozen=True)
class Cluster:
    """A running cluster. ``size``: bytes of all its databases; ``summarizes``: whether incremental backups can be made.

    ``now`` is its own clock, which commits are stamped with.
    """

    identifier: str
    server_version: str
    server_major: int
    timeline: int
    segment_size: int
    size: int
    summarizes: bool
    standby: bool
    tablespaces: int
    now: datetime


@dataclass(frozen=True)
class Slot:
    """A physical replication slot. ``status`` is PostgreSQL's: ``reserved``, ``extended``, ``unreserved``, ``lost``.

    ``active_pid``: the server process that serves whoever uses it.
    """

    name: str
    active: bool
    status: str
    restart_lsn: str | None
    retained_bytes: int
    active_pid: int | None = None


def observe(address: PostgresAddress) -> Cluster:
    """Ask the cluster. Raises PostgresError, BackupError (the login may not replicate, or wal_level is minimal)."""
    with postgres.connect(address, autocommit=True) as connection:
        _require_replication(connection)
        major = postgres.server_major(connection)
        row = _row(
            connection,
            """
            SELECT s.system_identifier::text,
                -- The control file says so only from the first checkpoint after a promotion on.
                CASE WHEN pg_is_in_recovery() THEN c.timeline_id
                    ELSE ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int END,
                (SELECT setting::bigint FROM pg_settings WHERE name = 'wal_segment_size'),
                (SELECT sum(pg_database_size(oid)) FROM pg_database)::bigint,
                coalesce((SELECT setting = 'on' FROM pg_settings WHERE name = 'summarize_wal'), false),
                pg_is_in_recovery(), (SELECT count(*) FROM pg_tablespace) - 2, clock_timestamp()
            FROM pg_control_system() AS s, pg_control_checkpoint() AS c
            """,
        )
        version = postgres.server_version_text(connection)
    return Cluster(str(row[0]), version, major, *row[1:])


def _require_replication(connection: psycopg.Connection[Any]) -> None:
    role = _row(connection, "SELECT rolreplication OR rolsuper, rolname FROM pg_roles WHERE rolname = current_user")
    if not role[0]:
        raise BackupError(
            f"{role[1]} may not replicate, which physical backups need",
            hint=f'let a superuser run: ALTER ROLE "{role[1]}" REPLICATION; GRANT pg_monitor TO "{role[1]}"',
        )
    level = _row(connection, "SHOW wal_level")[0]
    if level == "minimal":
        raise BackupError(
            "the server's wal_level is minimal, which physical backups cannot be made with",
            hint="set wal_level = replica in postgresql.conf and restart the server",
        )
    senders = _row(
        connection,
        "SELECT setting::int, (SELECT count(*) FROM pg_stat_replication) FROM pg_settings"
        " WHERE name = 'max_wal_senders'",
    )
    if senders[1] >= senders[0]:
        raise BackupError(
            f"{senders[1]} of the server's {senders[0]} max_wal_senders are in use, so that none is left",
            hint=MORE_SENDERS,
        )


def require_switch(address: PostgresAddress) -> None:
    """Raise BackupError unless the login may end segments, and there is a replication slot left. Raises PostgresError.

    Asked before a slot is made: one that nobody uses fills the server's disk.
    """
    with postgres.connect(address, autocommit=True) as connection:
        may, role = _row(
            connection, "SELECT has_function_privilege('pg_catalog.pg_switch_wal()', 'EXECUTE'), current_user"
        )
        slots = _row(
            connection,
            "SELECT setting::int, (SELECT count(*) FROM pg_replication_slots WHERE slot_name <> 'headwater_wal')"
            " FROM pg_settings WHERE name = 'max_replication_slots'",
        )
    if not may:
        raise BackupError(
            f"{role} may not end segments, which archiving needs",
            hint=f'let a superuser run: GRANT EXECUTE ON FUNCTION pg_switch_wal() TO "{role}"'
            " (in the database postgres)",
        )
    if slots[1] >= slots[0]:
        raise BackupError(
            f"all {slots[0]} of the server's max_replication_slots are in use",
            hint="drop one that nobody needs, or set max_replication_slots higher and restart the server",
        )


def with_remedy(error: BackupError, address: PostgresAddress) -> BackupError:
    """What a replication program complained about, with what to do."""
    said, hint = str(error), error.hint
    if "no pg_hba.conf entry for replication" in said:
        hint = (
            f'add to the server\'s pg_hba.conf, and reload it: host replication "{address.user}" ADDRESS scram-sha-256'
        )
    elif 'exceeds "max_wal_senders"' in said:
        hint = MORE_SENDERS
    return BackupError(said, hint=hint)


def identifier(address: PostgresAddress) -> str:
    """The cluster's system identifier. Raises PostgresError."""
    with postgres.connect(address, autocommit=True) as connection:
        return str(_row(connection, "SELECT system_identifier::text FROM pg_control_system()")[0])


def server_clock(address: PostgresAddress) -> datetime:
    """The server's time. Raises PostgresError."""
    with postgres.connect(address, autocommit=True) as connection:
        moment: datetime = _row(connection, "SELECT clock_timestamp()")[0]
    return moment


def ensure_slot(address: PostgresAddress, name: str) -> Slot:
    """The slot, created if need be; from now on the server keeps what we have not fetched. Raises PostgresError."""
    found = find_slot(address, name)
    if found is None:
        with postgres.connect(address, autocommit=True) as connection:
            connection.execute("SELECT pg_create_physical_replication_slot(%s, true)", (name,))
        found = find_slot(address, name)
    if found is None:
        raise BackupError(f"replication slot {name} was created and is not there", hint="did somebody drop it?")
    return found


def find_slot(address: PostgresAddress, name: str) -> Slot | None:
    """The slot, or None. Raises PostgresError."""
    with postgres.connect(address, autocommit=True) as connection:
        row = connection.execute(
            """
            SELECT slot_name::text, active, coalesce(wal_status, ''), restart_lsn::text,
                coalesce(pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn()
                    ELSE pg_current_wal_lsn() END, restart_lsn), 0)::bigint, active_pid
            FROM pg_replication_slots WHERE slot_name = %s AND slot_type = 'physical'
            """,
            (name,),
        ).fetchone()
    return Slot(*row) if row else None


def drop_slot(address: PostgresAddress, name: str) -> bool:
    """Drop the slot; whether there was one. Raises PostgresError, also while it is in use."""
    if find_slot(address, name) is None:
        return False
    with postgres.connect(address, autocommit=True) as connection:
        connection.execute("SELECT pg_drop_replication_slot(%s)", (name,))
    return True


def log_position(address: PostgresAddress) -> str:
    """Where the log ends now. Raises PostgresError."""
    with postgres.connect(address, autocommit=True) as connection:
        return str(_row(connection, "SELECT pg_current_wal_insert_lsn()::text")[0])


@dataclass(frozen=True)
class ClosedSegment:
    """``position``: up to where the log is then complete; ``until``: a moment that it can be recovered to, as there is
    a commit after it (the server's clock).
    """

    position: str
    until: datetime


def close_segment(address: PostgresAddress) -> ClosedSegment:
    """Stamp the log with a commit and end the segment. Raises PostgresError.

    The commit changes nothing. It is there because recovery stops at commits only: without one after the wanted
    moment it could not know that it got there.
    """
    with postgres.connect(address, autocommit=True) as connection:
        stamp = "pg_current_xact_id()" if postgres.server_major(connection) >= 13 else "txid_current()"
        until = _row(connection, f"SELECT clock_timestamp(), {stamp}")[0]
        return ClosedSegment(str(_row(connection, "SELECT pg_switch_wal()::text")[0]), until)


def _row(connection: psycopg.Connection[Any], query: str) -> tuple[Any, ...]:
    row: tuple[Any, ...] | None = connection.execute(query.encode()).fetchone()
    assert row is not None  # noqa: S101 - these questions always have an answer
    return row

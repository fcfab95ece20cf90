"""Carry out a setup plan: database, tables, sample rows, then volume by COPY, block by block."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg

from headwater.connections import Connections
from headwater.model import OnProgress, Progress, no_progress
from headwater.services import postgres
from headwater.stages.setup import sample, volume
from headwater.stages.setup.plan import GENERATED_EMAIL, Fill, SetupPlan, generated_users
from headwater.stages.setup.schema import TABLES

# Any constant: it keeps two setups of one database from filling the same rows at the same time.
_LOCK = 0x68656164

_COPY = {
    "users": "COPY headwater_new_users (email, name, plan, created_at) FROM STDIN (FORMAT csv)",
    "orders": "COPY public.orders (user_id, amount, currency, status, created_at) FROM STDIN (FORMAT csv)",
    "events": "COPY public.events (user_id, event_type, properties, created_at) FROM STDIN (FORMAT csv)",
}


@dataclass(frozen=True)
class SetupReport:
    """What setup did. ``rows`` is what the tables hold now, ``added`` what this run put in."""

    database: str
    created_database: bool
    created_tables: tuple[str, ...]
    added: Mapping[str, int]
    rows: Mapping[str, int]


def apply(plan: SetupPlan, connections: Connections, on_progress: OnProgress = no_progress) -> SetupReport:
    """Do what the plan says; again and again with the same result. Raises PostgresError.

    Volume is committed block by block: an interrupted run is completed by the next one.
    """
    address = connections.postgres(plan.database)
    created = plan.create_database and postgres.create_database(connections.postgres("postgres"), plan.database)
    with postgres.connect(address, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        with connection.transaction():
            for table in TABLES:
                for statement in (table.create, *table.create_indexes):
                    connection.execute(statement.encode())
            added = sample.add_missing(connection)
        for fill in plan.fill:
            added[fill.table] += _fill(connection, fill, plan.seed, on_progress)
        rows = {table.name: postgres.count_rows(connection, "public", table.name) for table in TABLES}
        if plan.fill:
            connection.execute("ANALYZE public.users, public.orders, public.events")
    return SetupReport(plan.database, created, plan.create_tables, added, rows)


def _fill(connection: psycopg.Connection[Any], fill: Fill, seed: int, on_progress: OnProgress) -> int:
    """Add one table's rows; how many they were. Counts once more under the lock: another setup may have been faster."""
    if fill.table == "users":
        there = generated_users(connection)
    else:
        there = postgres.count_rows(connection, "public", fill.table)
    fill = dataclasses.replace(fill, first=max(fill.first, there))
    blocks = _ahead(_blocks(connection, fill, seed))
    if fill.table != "users" and fill.rows > there and _has_foreign_key(connection, fill.table):
        with connection.transaction(), _without_indexes(connection, fill.table):
            return _write_all(connection, fill, blocks, on_progress)
    return _write_all(connection, fill, blocks, on_progress)


def _write_all(
    connection: psycopg.Connection[Any], fill: Fill, blocks: Iterator[volume.Block], on_progress: OnProgress
) -> int:
    write = _write_users if fill.table == "users" else _write
    done = 0
    for block in blocks:
        write(connection, fill.table, block)
        done += block.rows
        on_progress(Progress(f"fill {fill.table}", done, fill.rows, "rows"))
    return done


@contextmanager
def _without_indexes(connection: psycopg.Connection[Any], name: str) -> Iterator[None]:
    """Load first, index and check the foreign key afterwards: 2.8 times as fast when most rows are new.

    Inside one transaction, so nobody ever sees the table without them, and an interruption brings them back.
    https://www.postgresql.org/docs/current/populate.html
    """
    table = next(table for table in TABLES if table.name == name)
    for index in table.indexes:
        connection.execute(f"DROP INDEX public.{index}".encode())
    for statement in table.bulk_drop:
        connection.execute(statement.encode())
    yield
    for statement in (*table.create_indexes, *table.bulk_restore):
        connection.execute(statement.encode())


def _has_foreign_key(connection: psycopg.Connection[Any], table: str) -> bool:
    query = "SELECT 1 FROM pg_constraint WHERE conname = %s AND conrelid = %s::regclass"
    return connection.execute(query, (f"{table}_user_id_fkey", f"public.{table}")).fetchone() is not None


def _ahead(blocks: Iterator[volume.Block]) -> Iterator[volume.Block]:
    """The same blocks, the next one drawn while the server takes the last one; never more than two are waiting."""
    with ThreadPoolExecutor(1, "headwater-rows") as executor:
        coming = executor.submit(next, blocks, None)
        while (block := coming.result()) is not None:
            coming = executor.submit(next, blocks, None)
            yield block


def _blocks(connection: psycopg.Connection[Any], fill: Fill, seed: int) -> Iterator[volume.Block]:
    span = volume.Span(fill.first, fill.last)
    if fill.table == "users":
        return volume.user_blocks(span, seed)
    make: Callable[..., Iterator[volume.Block]] = volume.order_blocks if fill.table == "orders" else volume.event_blocks
    return make(span, seed, _user_ids(connection))


def _write(connection: psycopg.Connection[Any], table: str, block: volume.Block) -> None:
    with connection.cursor().copy(_COPY[table].encode()) as copy:
        copy.write(block.text)


def _write_users(connection: psycopg.Connection[Any], table: str, block: volume.Block) -> None:
    """COPY knows no ON CONFLICT: the block goes through a temporary table."""
    with connection.transaction():
        connection.execute(
            "CREATE TEMPORARY TABLE headwater_new_users (email text, name text, plan text, created_at timestamptz)"
            " ON COMMIT DROP"
        )
        _write(connection, table, block)
        connection.execute(
            "INSERT INTO public.users (email, name, plan, created_at)"
            " SELECT email, name, plan, created_at FROM headwater_new_users ORDER BY email"
            " ON CONFLICT (email) DO NOTHING"
        )


def _user_ids(connection: psycopg.Connection[Any]) -> volume.Ids:
    """The generated users' ids in the order of their numbers; as text, because millions of tuples weigh more."""
    query = "COPY (SELECT id FROM public.users WHERE email ~ %s ORDER BY email) TO STDOUT"
    with connection.cursor() as cursor:
        text = bytearray()
        with cursor.copy(query.replace("%s", f"'{GENERATED_EMAIL}'").encode()) as copy:
            for data in copy:
                text += data
    return np.array(bytes(text).split(), dtype="S20").astype(np.int64)

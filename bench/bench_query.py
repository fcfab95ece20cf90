"""A one-day query over a 365-partition lake through the Athena API, against bare DuckDB on the same files."""

from __future__ import annotations

import tempfile
from pathlib import Path

import duckdb

from bench.timing import best, note, ratio
from headwater import Headwater
from headwater.services import athena
from headwater.services.athena import Workspace
from headwater.settings import load

ROWS_PER_DAY = 20_000
ONE_DAY = (
    "SELECT status, count(*) AS orders, sum(amount) AS revenue FROM {orders}"
    " WHERE year = 2025 AND month = 7 AND day = 4 GROUP BY status ORDER BY status"
)
ALL_DAYS = "SELECT status, count(*) AS orders, sum(amount) AS revenue FROM {orders} GROUP BY status ORDER BY status"


def main(rows_per_day: int = ROWS_PER_DAY) -> None:
    """Build the lake in a stack of its own, compare the answers, then time both sides in turns.

    ``python -m bench query:80000`` builds a lake of about a gigabyte.
    """
    with tempfile.TemporaryDirectory(prefix="headwater-bench-") as folder:
        headwater = Headwater(settings=load(Path(folder), environ={}))
        try:
            _measure(headwater, rows_per_day)
        finally:
            headwater.connections.stop_stack(remove=True)


def _measure(headwater: Headwater, rows_per_day: int) -> None:
    headwater.bucket()
    headwater.generate(first="2025-01-01", last="2025-12-31", rows_per_day=rows_per_day)
    headwater.upload()
    headwater.catalog()
    settings = headwater.settings
    workspace = Workspace(settings.athena_database, settings.layout.athena_results)
    # The very files that the stack's S3 serves.
    files = settings.layout.state / "s3" / "000000000000" / settings.bucket_name / "datalake" / "orders"
    bare = duckdb.connect()
    size = sum(path.stat().st_size for path in files.rglob("*.parquet"))
    note(f"365 partitions, {365 * rows_per_day:,} rows of orders, {size / 1e6:,.0f} MB")

    for name, query, glob, target in (
        ("one day", ONE_DAY, "year=2025/month=07/day=04/*.parquet", "<= 60 ms more"),
        ("full scan", ALL_DAYS, "**/*.parquet", "<= 1.15x"),
    ):
        read = f"read_parquet('{files}/{glob}', hive_partitioning=true)"

        def through_the_api(text: str = query.format(orders="orders")) -> list[tuple[str | None, ...]]:
            client = headwater.connections.athena
            return list(athena.Result(client, athena.run(client, text, workspace)).texts())

        def through_duckdb(text: str = query.format(orders=read)) -> list[tuple[object, ...]]:
            return bare.execute(text).fetchall()

        expected = [tuple(str(value) for value in row) for row in through_duckdb()]
        answer = [tuple(row) for row in through_the_api()]
        assert answer == expected, (answer, expected)
        times = best({"api": through_the_api, "duckdb": through_duckdb}, rounds=15)
        note(f"{name}: API {times['api'] * 1000:.1f} ms, DuckDB {times['duckdb'] * 1000:.1f} ms")
        note(f"{name}: {(times['api'] - times['duckdb']) * 1000:.1f} ms over bare DuckDB")
        ratio(f"{name}: API / bare DuckDB", times["api"] / times["duckdb"], target)

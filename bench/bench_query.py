"""One day of a 365-partition lake, and all of it, through the Athena API: against MiniStack's and bare DuckDB."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import duckdb

from bench.peer import ministack
from bench.project import project
from bench.timing import best, note, ratio
from headwater import Headwater
from headwater.services import athena
from headwater.services.athena import Workspace

ROWS_PER_DAY = 20_000
ROUNDS, PEER_ROUNDS = 11, 3
ONE_DAY = (
    "SELECT status, count(*) AS orders, sum(amount) AS revenue FROM {orders}"
    " WHERE year = 2025 AND month = 7 AND day = 4 GROUP BY status ORDER BY status"
)
ALL_DAYS = "SELECT status, count(*) AS orders, sum(amount) AS revenue FROM {orders} GROUP BY status ORDER BY status"
Rows = list[tuple[str | None, ...]]


def main(rows_per_day: int = ROWS_PER_DAY) -> None:
    """Build the lake in a stack of its own, compare the answers, then time the three in turns.

    ``python -m bench query:400000`` builds a table of 1.1 GB (and needs 5 GB of disk for a while).
    """
    with project() as headwater:
        headwater.bucket()
        headwater.generate(first="2025-01-01", last="2025-12-31", rows_per_day=rows_per_day)
        headwater.upload()
        headwater.catalog()
        with ministack(headwater, headwater.settings.layout.project) as peer:
            _measure(headwater, peer)


def _measure(headwater: Headwater, peer: Any) -> None:
    settings = headwater.settings
    # The very files that the stack's S3 serves.
    files = settings.layout.state / "s3" / "000000000000" / settings.bucket_name / "datalake" / "orders"
    paths = list(files.rglob("*.parquet"))
    note(f"orders: {sum(path.stat().st_size for path in paths) / 1e6:,.0f} MB in {len(paths)} partitions")
    workspace = Workspace(settings.athena_database, settings.layout.athena_results)
    bare = duckdb.connect()

    def through(client: Any, query: str) -> Callable[[], Rows]:
        text = query.format(orders="orders")
        return lambda: list(athena.Result(client, athena.run(client, text, workspace)).texts())

    for name, query, glob, over, times_as_long in (
        ("one day", ONE_DAY, "year=2025/month=07/day=04/*.parquet", "<= 50", "reported"),
        ("full scan", ALL_DAYS, "**/*.parquet", "reported", "<= 1.15 (at 1.1 GB)"),
    ):
        text = query.format(orders=f"read_parquet('{files}/{glob}', hive_partitioning=true)")
        # MiniStack leaves what it has copied in memory and on disk: it has its turns after the other two.
        ours, theirs = through(headwater.connections.athena, query), through(peer, query)
        answer = [tuple(str(value) for value in row) for row in bare.execute(text).fetchall()]
        assert ours() == answer, (ours(), answer)
        assert theirs() == answer, (theirs(), answer)
        times = best({"ours": ours, "duckdb": lambda text=text: bare.execute(text).fetchall()}, ROUNDS)
        times |= best({"peer": theirs, "ours beside": ours}, PEER_ROUNDS)
        note(", ".join(f"{who} {seconds * 1000:.1f} ms" for who, seconds in times.items()))
        ratio(f"{name}: ms over bare DuckDB", (times["ours"] - times["duckdb"]) * 1000, over)
        ratio(f"{name}: time / bare DuckDB", times["ours"] / times["duckdb"], times_as_long)
        ratio(f"{name}: time / MiniStack's Athena", times["ours"] / times["peer"], "< 1")

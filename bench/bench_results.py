"""A result of a million rows: how fast its CSV is written, and what that costs in memory."""

from __future__ import annotations

import time

from bench.memory import family, peak
from bench.project import project
from bench.timing import note, ratio
from headwater.services import athena
from headwater.services.athena import Workspace

ROWS = 1_000_000
TEXT = (
    "SELECT a * 1000 + b AS id, CAST(a AS varchar) || '-' || CAST(b AS varchar) AS name,"
    " CAST(b AS decimal(10, 2)) / 3 AS amount, date_add('second', b, TIMESTAMP '2025-01-01 00:00:00') AS at"
    " FROM UNNEST(sequence(1, 1000)) x(a) CROSS JOIN UNNEST(sequence(1, 1000)) y(b)"
)


def main() -> None:
    """Run one query that makes its rows itself, through the API."""
    with project() as headwater:
        headwater.bucket()
        headwater.catalog()
        settings = headwater.settings
        workspace = Workspace(settings.athena_database, settings.layout.athena_results)
        stack = headwater.connections.stack
        assert stack is not None
        athena.run(headwater.connections.athena, "SELECT 1", workspace)
        idle = _peak(stack.pid)
        began = time.perf_counter()
        athena.run(headwater.connections.athena, TEXT, workspace)
        seconds = time.perf_counter() - began
        ratio("rows a second into the result CSV, stored and all", ROWS / seconds, ">= 300000")
        note(f"peak memory of the stack's largest process: {idle} MiB before, {_peak(stack.pid)} MiB after")


def _peak(pid: int) -> int:
    """The largest of the stack's processes; PostgreSQL's do nothing here."""
    return max(peak(one) for one, name in family(pid).items() if not name.startswith("postgres"))

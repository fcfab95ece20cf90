"""Fifty queries at once: none fails, and S3 answers beside them."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from bench.probe import probing, report
from bench.project import project
from bench.timing import note
from headwater import Headwater
from headwater.services import athena
from headwater.services.athena import Workspace

QUERIES = 50
ALONE_SECONDS = 3.0
ROWS_PER_DAY = 5_000
TEXT = "SELECT status, count(*), sum(amount) FROM orders WHERE day <= {day} GROUP BY status ORDER BY status"


def main() -> None:
    """Probe S3 alone, then while the queries run."""
    with project() as headwater:
        _measure(headwater)


def _measure(headwater: Headwater) -> None:
    headwater.bucket()
    headwater.generate(first="2025-01-01", last="2025-03-31", rows_per_day=ROWS_PER_DAY)
    headwater.upload()
    headwater.catalog()
    settings = headwater.settings
    workspace = Workspace(settings.athena_database, settings.layout.athena_results)
    client, stack = headwater.connections.athena, headwater.connections.stack
    assert stack is not None
    with probing(stack.endpoint_url, settings.bucket_name) as alone:
        time.sleep(ALONE_SECONDS)
    with probing(stack.endpoint_url, settings.bucket_name) as beside:
        began = time.perf_counter()
        with ThreadPoolExecutor(QUERIES) as pool:
            texts = [TEXT.format(day=1 + number % 28) for number in range(QUERIES)]
            states = list(pool.map(lambda text: athena.run(client, text, workspace).state, texts))
        seconds = time.perf_counter() - began
    assert states == ["SUCCEEDED"] * QUERIES, states
    note(f"{QUERIES} queries at once: {seconds:.2f} s, all succeeded")
    report(alone, beside, f"{QUERIES} queries")

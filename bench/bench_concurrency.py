"""Fifty queries at once: none fails, and S3 answers beside them."""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.timing import note, ratio
from headwater import Headwater
from headwater.services import athena
from headwater.services.athena import Workspace
from headwater.settings import load

QUERIES = 50
ROWS_PER_DAY = 5_000
TEXT = "SELECT status, count(*), sum(amount) FROM orders WHERE day <= {day} GROUP BY status ORDER BY status"


def main() -> None:
    """Measure small reads from S3 alone, then while the queries run."""
    with tempfile.TemporaryDirectory(prefix="headwater-bench-") as folder:
        headwater = Headwater(settings=load(Path(folder), environ={}))
        try:
            _measure(headwater)
        finally:
            headwater.connections.stop_stack(remove=True)


def _measure(headwater: Headwater) -> None:
    headwater.bucket()
    headwater.generate(first="2025-01-01", last="2025-03-31", rows_per_day=ROWS_PER_DAY)
    headwater.upload()
    headwater.catalog()
    settings = headwater.settings
    workspace = Workspace(settings.athena_database, settings.layout.athena_results)
    s3, client = headwater.connections.s3, headwater.connections.athena
    s3.put_object(Bucket=settings.bucket_name, Key="small", Body=b"x" * 1000)

    def read() -> float:
        began = time.perf_counter()
        s3.get_object(Bucket=settings.bucket_name, Key="small")["Body"].read()
        return time.perf_counter() - began

    alone = statistics.median(read() for _ in range(100))
    beside: list[float] = []
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            beside.append(read())
            time.sleep(0.005)

    watcher = threading.Thread(target=watch)
    watcher.start()
    began = time.perf_counter()
    with ThreadPoolExecutor(QUERIES) as pool:
        texts = [TEXT.format(day=1 + number % 28) for number in range(QUERIES)]
        states = list(pool.map(lambda text: athena.run(client, text, workspace).state, texts))
    seconds = time.perf_counter() - began
    done.set()
    watcher.join()
    assert states == ["SUCCEEDED"] * QUERIES, states
    note(f"{QUERIES} queries at once: {seconds:.2f} s, all succeeded")
    note(f"a small GET: {alone * 1000:.1f} ms alone, {statistics.median(beside) * 1000:.1f} ms beside the queries")
    ratio("S3 latency beside 50 queries / alone (median)", statistics.median(beside) / alone, "<= 3")

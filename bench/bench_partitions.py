"""A table of 100,000 partitions: MSCK REPAIR, and queries that prune it to one partition or a thousand."""

from __future__ import annotations

import time
from pathlib import Path

import duckdb

from bench.project import project
from bench.timing import best, note, ratio
from headwater import Headwater
from headwater.services import athena
from headwater.services.athena import Workspace

PARTITIONS = 100_000
DDL = (
    "CREATE EXTERNAL TABLE many (id bigint) PARTITIONED BY (tenant int, day string) STORED AS PARQUET"
    " LOCATION 's3://{bucket}/many/'"
)


def main() -> None:
    """Lay the files where the stack's S3 keeps its objects, because 100,000 uploads are not what is measured."""
    with project() as headwater:
        _measure(headwater)


def _measure(headwater: Headwater) -> None:
    headwater.bucket()
    headwater.catalog()
    settings = headwater.settings
    root = settings.layout.state / "s3" / "000000000000" / settings.bucket_name
    _lay(root / "many")
    workspace = Workspace(settings.athena_database, settings.layout.athena_results)
    client = headwater.connections.athena

    def run(text: str) -> list[tuple[str | None, ...]]:
        return list(athena.Result(client, athena.run(client, text, workspace)).texts())

    run(DDL.format(bucket=settings.bucket_name))
    began = time.perf_counter()
    run("MSCK REPAIR TABLE many")
    ratio(f"MSCK REPAIR of {PARTITIONS:,} partitions, seconds", time.perf_counter() - began, "<= 60")
    one = "SELECT count(*) FROM many WHERE tenant = 7 AND day = '2025-01-08'"
    thousand = "SELECT count(*) FROM many WHERE tenant = 7"
    assert run(one) == [("1",)], run(one)
    assert run(thousand) == [("1000",)], run(thousand)
    times = best({"one": lambda: run(one), "thousand": lambda: run(thousand)}, rounds=7)
    ratio("prune to one partition, ms", times["one"] * 1000, "<= 100")
    note(f"prune to a thousand: {times['thousand'] * 1000:.0f} ms")


def _lay(table: Path) -> None:
    """The same file in each partition's folder."""
    table.mkdir(parents=True)
    source = table.parent.parent / "one.parquet"
    duckdb.execute(f"COPY (SELECT 1::BIGINT AS id) TO '{source}'")
    body = source.read_bytes()
    source.unlink()
    for number in range(PARTITIONS):
        tenant, day = divmod(number, 1000)
        folder = (
            table / f"tenant={tenant}" / f"day={2025 + day // 365}-{day % 365 // 31 + 1:02d}-{day % 365 % 31 + 1:02d}"
        )
        folder.mkdir(parents=True)
        (folder / "part.parquet").write_bytes(body)

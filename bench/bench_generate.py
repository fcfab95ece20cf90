"""Generating orders and events into zstd Parquet on one core, against DuckDB's SQL and against writing alone."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from bench.timing import best, note, ratio
from headwater.stages.generate import GenerateOptions, apply, decide
from headwater.stages.generate.apply import WRITER_OPTIONS
from headwater.stages.generate.rows import BLOCK_ROWS, SCHEMAS, blocks

ROWS = 1_000_000  # of each table
DAY = date(2025, 1, 15)

# The same columns, types, value ranges and order as ours, as one would write them in DuckDB's SQL.
_TIME = "TIMESTAMP '2025-01-15' + to_microseconds((i * 86400000000 // {rows} + (random() * 80000)::BIGINT))"
_USER = "1 + (power(random(), 2) * 4999)::INT"
_PEER = {
    "orders": f"""
        SELECT printf('ORD-20250115-%08d', i + 1) AS order_id, {_USER} AS user_id,
               ([9.99, 49.00, 499.00][1 + (random() * 2)::INT] * (1 + (random() * 7)::INT))::DECIMAL(10,2) AS amount,
               ['USD', 'EUR', 'GBP'][1 + (random() * 2)::INT] AS currency,
               ['completed', 'pending', 'refunded', 'failed'][1 + (random() * 3)::INT] AS status,
               {_TIME} AS created_at
        FROM range({{rows}}) AS t(i)""",
    "events": f"""
        SELECT event_id, user_id, printf('user%08d@example.net', user_id) AS user_email, event_type,
               printf('{{{{"page": "/docs", "duration_ms": %d}}}}', n) AS properties, created_at
        FROM (SELECT printf('EVT-20250115-%08d', i + 1) AS event_id, {_USER} AS user_id,
                     ['page_view', 'login', 'purchase', 'signup'][1 + (random() * 3)::INT] AS event_type,
                     250 * (1 + (random() * 239)::INT) AS n, {_TIME} AS created_at
              FROM range({{rows}}) AS t(i))""",
}


def main() -> None:
    """Print rows a second, the ratios, and that memory does not follow the number of rows."""
    with tempfile.TemporaryDirectory(prefix="headwater-bench-") as name:
        folder = Path(name)
        plan = decide(folder / "ours", GenerateOptions((DAY,), ROWS), ())
        ready = {table: list(blocks(table, DAY, ROWS, 0)) for table in SCHEMAS}

        def ours() -> None:
            for path in (folder / "ours").rglob("*.parquet"):
                path.unlink()
            apply(plan, workers=1)

        times = best(
            {"ours": ours, "DuckDB": lambda: _peer(folder), "writing": lambda: _write(folder, ready)}, rounds=3
        )
        speed = {name: 2 * ROWS / seconds / 1e6 for name, seconds in times.items()}
        sizes = {name: sum(p.stat().st_size for p in (folder / name).rglob("*.parquet")) for name in ("ours", "DuckDB")}
    note(", ".join(f"{name} {rows:.2f} M rows/s" for name, rows in speed.items()))
    note(", ".join(f"{name} {size / 2 / ROWS:.1f} bytes a row" for name, size in sizes.items()))
    ratio("generate, M rows/s on one core", speed["ours"], ">= 1.5")
    ratio("generate: time / DuckDB SQL's on one thread", times["ours"] / times["DuckDB"], "<= 1.0")
    ratio("generate: time / writing ready-made rows alone", times["ours"] / times["writing"], "<= 2.0")
    ratio("memory: peak with 8x the rows / with 1x", _peak(8 * ROWS) / _peak(ROWS), "<= 1.2")


def _peer(folder: Path) -> None:
    (folder / "DuckDB").mkdir(exist_ok=True)
    with duckdb.connect() as engine:
        engine.execute("SET threads = 1")
        engine.execute("SELECT setseed(0.5)")
        for table, query in _PEER.items():
            options = f"FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE {BLOCK_ROWS}"
            target = folder / "DuckDB" / f"{table}.parquet"
            engine.execute(f"COPY ({query.format(rows=ROWS)}) TO '{target}' ({options})")


def _write(folder: Path, ready: dict[str, list[pa.Table]]) -> None:
    for table, tables in ready.items():
        with pq.ParquetWriter(folder / f"{table}.parquet", SCHEMAS[table], **WRITER_OPTIONS[table]) as writer:
            for rows in tables:
                writer.write_table(rows)


def _peak(rows: int) -> int:
    """Kilobytes of a process that generates a day of each table, one after the other."""
    code = (
        "import resource, tempfile; from datetime import date; from pathlib import Path\n"
        "from headwater.stages.generate import GenerateOptions, apply, decide\n"
        "with tempfile.TemporaryDirectory() as folder:\n"
        f"    apply(decide(Path(folder), GenerateOptions((date(2025, 1, 15),), {rows}), ()), workers=1)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    return int(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    main()

"""Carry out an ingest: one snapshot, files under a run's own folder, then the catalog changes over, then the old go.

Readers never see a row twice or half a table: the new files lie where no partition points until all of them are
there and the run's manifest is written; then Glue moves the partitions, a hundred at a time, and the files of
earlier runs are deleted. A run that is interrupted leaves the table as it was, and files that the next run removes.
"""

from __future__ import annotations

import json
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import date, datetime, timezone
from functools import partial
from typing import Any

import psycopg

from headwater.connections import Connections
from headwater.errors import TransferError, VerificationError
from headwater.model import LakeColumn, OnProgress, Progress, no_progress
from headwater.services import athena, lake_tables, objects, postgres
from headwater.services.athena import Workspace
from headwater.services.objects import WriteOptions
from headwater.stages.ingest import source
from headwater.stages.ingest.files import DayFiles, WrittenFile
from headwater.stages.ingest.plan import RUN_PARAMETER, SOURCE_PARAMETER, IngestPlan
from headwater.stages.ingest.rows import RowReader

NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"
MANIFEST_SCHEMA_VERSION = 1
BATCHES_AHEAD = 2


@dataclass(frozen=True)
class IngestReport:
    """What is in the lake now. ``rows`` is equal in PostgreSQL's snapshot, the Parquet footers and Athena."""

    source: str
    table: str
    location: str
    run: str
    rows: int
    partitions: int
    files: int
    bytes: int
    removed_files: int
    seconds: float


def apply(
    plan: IngestPlan, connections: Connections, now: datetime, on_progress: OnProgress = no_progress
) -> IngestReport:
    """Copy the table; a second run replaces the first one's files. ``now`` names the run.

    Raises PostgresError, InputError (a value that its lake type cannot hold), AwsError, QueryError, TransferError,
    VerificationError, Refused (another ingest of this table is under way).
    """
    started = time.monotonic()
    run = now.astimezone(timezone.utc).strftime("%Y%m%dT%H%M%S%fZ")
    with source.only_ingest(connections.postgres(plan.database), plan.source_label) as connection:
        with source.snapshot(connection):
            files, rows = _copy(plan, connections, connection, run, on_progress)
        _commit(plan, connections, run, rows, files)
        # Still marked: two runs of one table must not publish at the same time.
        partitions = _publish(plan, connections, run, files)
        _count_in_athena(plan, connections, rows)
        removed = _remove_other_runs(plan, connections, run)
    return IngestReport(
        source=plan.source_label,
        table=f"{plan.athena_database}.{plan.lake_table}",
        location=_run_location(plan, connections, run),
        run=run,
        rows=rows,
        partitions=partitions,
        files=len(files),
        bytes=sum(file.bytes for file in files),
        removed_files=removed,
        seconds=round(time.monotonic() - started, 3),
    )


def _copy(
    plan: IngestPlan, connections: Connections, connection: psycopg.Connection[Any], run: str, on_progress: OnProgress
) -> tuple[list[WrittenFile], int]:
    """Stream the table into files; they and the number of rows, which is the snapshot's own count."""
    layout, s3 = connections.settings.layout, connections.s3
    prefix = layout.ingest_run_prefix(plan.lake_table, run)
    expected = postgres.count_rows(connection, plan.schema, plan.table)
    reader = RowReader(plan.columns)
    by = next(column.name for column in plan.columns if column.source == plan.partition_by)
    selected = [(column.source, column.type) for column in plan.columns]
    done = 0

    def upload(path: str, data: bytes) -> None:
        objects.put_bytes(s3, layout.bucket, prefix + path, data, WriteOptions())

    with DayFiles(reader.schema, by, partial(_folder, plan.partition_keys), upload) as files:

        def take(block: bytes) -> int:
            rows = reader.read(block)
            files.add(rows)
            return int(rows.num_rows)

        # One thread reads from PostgreSQL while the other parses, compresses and hands over.
        with ThreadPoolExecutor(1, "headwater-ingest-write") as writer:
            pending: deque[Future[int]] = deque()
            for block in source.batches(connection, (plan.schema, plan.table), selected, plan.partition_by):
                pending.append(writer.submit(take, block))
                if len(pending) > BATCHES_AHEAD:
                    done += pending.popleft().result()
                    on_progress(Progress("ingest", done, expected, "rows"))
            done += sum(future.result() for future in pending)
    written = sum(file.rows for file in files.files)
    if not expected == done == written:
        raise VerificationError(
            f"{plan.source_label} has {expected:,} rows, {done:,} were read, {written:,} written; nothing was published"
        )
    on_progress(Progress("ingest", done, expected, "rows"))
    return files.files, done


def _values(day: date | None) -> tuple[str, str, str]:
    """A day's partition values as the catalog has them: whole numbers, zero-padded as in the folder's name."""
    if day is None:
        return (NULL_PARTITION,) * 3
    return f"{day.year:04d}", f"{day.month:02d}", f"{day.day:02d}"


def _folder(keys: tuple[str, ...], day: date | None) -> str:
    return "/".join(f"{key}={value}" for key, value in zip(keys, _values(day), strict=True))


def _run_location(plan: IngestPlan, connections: Connections, run: str) -> str:
    layout = connections.settings.layout
    return f"s3://{layout.bucket}/{layout.ingest_run_prefix(plan.lake_table, run)}"


def _commit(plan: IngestPlan, connections: Connections, run: str, rows: int, files: list[WrittenFile]) -> None:
    """Write the run's manifest: from here on, its files are known to be all there."""
    layout = connections.settings.layout
    body = {
        "schema_version": MANIFEST_SCHEMA_VERSION,
        "run": run,
        "source": plan.source_label,
        "partition_by": plan.partition_by,
        "columns": [
            {"source": c.source, "source_type": c.source_type, "name": c.name, "type": c.type.name}
            for c in plan.columns
        ],
        "rows": rows,
        "files": [{**asdict(file), "day": file.day.isoformat() if file.day else None} for file in files],
    }
    objects.put_bytes(
        connections.s3,
        layout.bucket,
        layout.ingest_manifest_key(plan.lake_table, run),
        json.dumps(body, indent=1, ensure_ascii=False).encode(),
        WriteOptions(content_type="application/json", if_none_match=True),
    )


def _publish(plan: IngestPlan, connections: Connections, run: str, files: list[WrittenFile]) -> int:
    """Let the catalog show this run; how many partitions it has."""
    results = connections.settings.layout.athena_results
    location = _run_location(plan, connections, run)
    create = f"CREATE DATABASE IF NOT EXISTS `{plan.athena_database}`"
    athena.run(connections.athena, create, Workspace(None, results))
    days = {file.day for file in files}
    table = lake_tables.ParquetTable(
        database=plan.athena_database,
        name=plan.lake_table,
        columns=plan.lake_columns,
        partition_keys=tuple(LakeColumn(key, "int") for key in plan.partition_keys),
        location=location,
        parameters={SOURCE_PARAMETER: plan.source_label, RUN_PARAMETER: run, "parquet.compression": "ZSTD"},
        partitions={_values(day): f"{location}{_folder(plan.partition_keys, day)}/" for day in days},
    )
    lake_tables.publish(connections.glue, table)
    return len(days)


def _count_in_athena(plan: IngestPlan, connections: Connections, rows: int) -> None:
    """What Athena sees has to be what was read. Costs nothing: a count reads Parquet's footers only."""
    workspace = Workspace(plan.athena_database, connections.settings.layout.athena_results)
    execution = athena.run(connections.athena, f'SELECT count(*) FROM "{plan.lake_table}"', workspace)  # noqa: S608 - a lake name: letters, digits, underscores
    seen = next(athena.Result(connections.athena, execution).rows())[0]
    if seen != rows:
        raise VerificationError(f"Athena counts {seen} rows in {plan.lake_table}, {rows:,} were ingested")


def _remove_other_runs(plan: IngestPlan, connections: Connections, run: str) -> int:
    """Delete the files of earlier runs, finished or not; how many Parquet files they were."""
    layout, s3 = connections.settings.layout, connections.s3
    prefix, own = layout.table_prefix(plan.lake_table), layout.ingest_run_prefix(plan.lake_table, run)
    others = (
        item.key
        for item in objects.list_objects(s3, layout.bucket, f"{prefix}run=")
        if not item.key.startswith(own) and layout.is_ours(item.key)
    )
    keys = list(others)
    result = objects.delete(s3, layout.bucket, keys)
    if result.failures:
        failure = result.failures[0]
        raise TransferError(
            f"{len(result.failures)} files of earlier runs could not be deleted, the first is {failure.key}:"
            f" {failure.code}: {failure.message}",
            hint="the new run is in place; the next one tries again",
        )
    return sum(key.endswith(".parquet") for key in keys)

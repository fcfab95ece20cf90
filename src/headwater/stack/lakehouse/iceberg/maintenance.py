"""OPTIMIZE and VACUUM: fewer, larger files; and nothing left of what no snapshot needs."""

# ruff: noqa: S608 - writing SQL is what this module is for; names in it are quoted, conditions were parsed
from __future__ import annotations

from datetime import datetime, timedelta, timezone

from pyiceberg.table import Table
from sqlglot import exp

from headwater.stack.lakehouse.errors import QueryFailed
from headwater.stack.lakehouse.iceberg.create import select_stored
from headwater.stack.lakehouse.iceberg.files import replace_files, write_files
from headwater.stack.lakehouse.iceberg.scan import read_current
from headwater.stack.lakehouse.iceberg.tables import IcebergTables
from headwater.stack.lakehouse.model import GlueJson
from headwater.stack.lakehouse.sql.expression import quote_name, quote_text
from headwater.stack.lakehouse.sql.parse import parse_query
from headwater.stack.lakehouse.sql.query import OutputColumn
from headwater.stack.lakehouse.writes.ast import Optimize, QueryText
from headwater.stack.lakehouse.writes.context import Prepared, WriteContext, WriteResult

_DAYS = 5 * 24 * 3600


def optimize(statement: Optimize, glue: GlueJson, context: WriteContext) -> WriteResult:
    """Rewrite the data files of a table (or of the partitions that WHERE names) into as few as partitions allow."""
    table = IcebergTables(context.catalog, context.storage, context.scope).open(glue)
    read = read_current(table)
    name = f"{quote_name(glue['DatabaseName'])}.{quote_name(glue['Name'])}"
    tasks = read.tasks()
    if statement.condition is not None:
        wanted = _whole_files(statement.condition, name, table, context)
        tasks = [task for task in tasks if task.file.file_path in wanted]
    if len(tasks) > 1 or any(task.delete_files for task in tasks):
        columns = tuple(OutputColumn(n, k) for n, k in zip(read.names, read.types, strict=True))
        paths = ", ".join(quote_text(task.file.file_path) for task in tasks)
        prepared = _prepare(f'SELECT * FROM {name} WHERE "$path" IN ({paths})', context)
        rows = context.engine.batches(select_stored(Prepared(prepared.sql, columns)))
        files, _ = write_files(table, rows)
        replace_files(table, [task.file for task in tasks], files)
    return WriteResult()


def _whole_files(condition: str, name: str, table: Table, context: WriteContext) -> set[str]:
    """The files all of whose rows satisfy the condition, which may speak of partition columns only."""
    sources = {table.schema().find_column_name(field.source_id) or "" for field in table.spec().fields}
    used = {column.name.lower() for column in parse_query(f"SELECT {condition}").find_all(exp.Column)}
    counts = f'SELECT "$path", count(*), count_if({condition}) FROM {name} GROUP BY 1'
    found: set[str] = set()
    refusal = "Unexpected FilterNode found in plan; probably connector was not able to handle provided WHERE expression"
    if not used <= {source.lower() for source in sources}:
        raise QueryFailed(f"NOT_SUPPORTED: {refusal}")
    for batch in context.engine.batches(_prepare(counts, context).sql):
        for path, rows, matching in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            if matching == rows:
                found.add(path)
            elif matching:
                raise QueryFailed(f"NOT_SUPPORTED: {refusal}")
    return found


def _prepare(text: str, context: WriteContext) -> Prepared:
    return context.engine.prepare(QueryText.read(text))


def vacuum(glue: GlueJson, context: WriteContext) -> WriteResult:
    """Forget snapshots that are older than the table keeps them, and delete the data files that only they had."""
    tables = IcebergTables(context.catalog, context.storage, context.scope)
    table = tables.open(glue)
    properties = table.metadata.properties
    age = int(properties.get("vacuum_max_snapshot_age_seconds", _DAYS))
    least = int(properties.get("vacuum_min_snapshots_to_keep", 1))
    now = datetime.fromtimestamp(context.clock(), timezone.utc)
    limit = int((now - timedelta(seconds=age)).timestamp() * 1000)
    ordered = sorted(table.metadata.snapshots, key=lambda snapshot: snapshot.timestamp_ms, reverse=True)
    kept = {snapshot.snapshot_id for snapshot in ordered[:least]} | {table.metadata.current_snapshot_id}
    old = [s.snapshot_id for s in ordered if s.timestamp_ms < limit and s.snapshot_id not in kept]
    if old:
        before = {path for number in old for path in _paths(table, number)}
        table.maintenance.expire_snapshots().by_ids(old).commit()
        for path in before - {path for s in table.metadata.snapshots for path in _paths(table, s.snapshot_id)}:
            table.io.delete(path)
    return WriteResult()


def _paths(table: object, snapshot: int) -> list[str]:
    return [task.file.file_path for task in table.scan(snapshot_id=snapshot).plan_files()]  # type: ignore[attr-defined]

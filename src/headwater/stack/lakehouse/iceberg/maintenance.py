"""OPTIMIZE and VACUUM: fewer, larger files; and nothing left of what no snapshot needs."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.iceberg.create import select_stored
from headwater.stack.lakehouse.iceberg.files import write_files
from headwater.stack.lakehouse.iceberg.scan import read_current
from headwater.stack.lakehouse.iceberg.tables import IcebergTables
from headwater.stack.lakehouse.model import GlueJson
from headwater.stack.lakehouse.sql.expression import quote_name
from headwater.stack.lakehouse.sql.query import OutputColumn
from headwater.stack.lakehouse.writes.ast import Optimize, QueryText
from headwater.stack.lakehouse.writes.context import Prepared, WriteContext, WriteResult

_DAYS = 5 * 24 * 3600


def optimize(statement: Optimize, glue: GlueJson, context: WriteContext) -> WriteResult:
    """Rewrite the data files of a table that has several into as few as its partitions allow."""
    if statement.condition is not None:
        raise Unsupported("OPTIMIZE … WHERE")
    tables = IcebergTables(context.catalog, context.storage, context.scope)
    table = tables.open(glue)
    read = read_current(table)
    tasks = read.tasks()
    if len(tasks) > 1 or any(task.delete_files for task in tasks):
        columns = tuple(OutputColumn(n, k) for n, k in zip(read.names, read.types, strict=True))
        text = f"SELECT * FROM {quote_name(glue['DatabaseName'])}.{quote_name(glue['Name'])}"  # noqa: S608 - quoted
        prepared = Prepared(context.engine.prepare(QueryText.read(text)).sql, columns)
        files, _ = write_files(table, context.engine.batches(select_stored(prepared)))
        with table.transaction() as transaction, transaction.update_snapshot().overwrite() as snapshot:
            for task in tasks:
                snapshot.delete_data_file(task.file)
            for file in files:
                snapshot.append_data_file(file)
    return WriteResult("OPTIMIZE")


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
    return WriteResult("VACUUM")


def _paths(table: object, snapshot: int) -> list[str]:
    return [task.file.file_path for task in table.scan(snapshot_id=snapshot).plan_files()]  # type: ignore[attr-defined]

"""Opens an Iceberg table as it was at a moment."""

from __future__ import annotations

from datetime import datetime

from headwater.stack.lakehouse.errors import QueryFailed
from headwater.stack.lakehouse.iceberg.scan import IcebergRead, read_current
from headwater.stack.lakehouse.iceberg.tables import IcebergTables
from headwater.stack.lakehouse.model import GlueJson
from headwater.stack.lakehouse.sql.context import Moment


def open_snapshot(tables: IcebergTables, glue: GlueJson, at: Moment) -> IcebergRead:
    """The table at a moment, in the schema that it had then. Raises ``QueryFailed`` when there is no such version."""
    table = tables.open(glue)
    if at is None:
        return read_current(table)
    if isinstance(at, datetime):
        limit = int(at.timestamp() * 1000)
        earlier = [entry for entry in table.metadata.snapshot_log if entry.timestamp_ms <= limit]
        if not earlier:
            shown = at.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
            raise QueryFailed(f"INVALID_ARGUMENTS: No version history table {table.name()[-1]} at or before {shown}Z")
        number = max(earlier, key=lambda entry: entry.timestamp_ms).snapshot_id
    elif isinstance(at, str):
        reference = table.metadata.refs.get(at)
        if reference is None:
            raise QueryFailed(f"INVALID_ARGUMENTS: Cannot find snapshot with reference name: {at}")
        number = reference.snapshot_id
    else:
        number = at
    snapshot = table.snapshot_by_id(number)
    if snapshot is None:
        raise QueryFailed(f"INVALID_ARGUMENTS: Iceberg snapshot ID does not exists: {number}")
    schema = table.schemas().get(snapshot.schema_id or 0, table.schema())
    return IcebergRead(table, schema, number)

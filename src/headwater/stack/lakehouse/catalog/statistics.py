"""Column statistics of tables and partitions: kept as they were put, because only their users know what they mean."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence

from headwater.stack.lakehouse.catalog.partitions import find_partition, statistics_owner
from headwater.stack.lakehouse.catalog.tables import TableRow
from headwater.stack.lakehouse.model import GlueJson


def read_statistics(connection: sqlite3.Connection, table: TableRow, values: Sequence[str] | None) -> list[GlueJson]:
    """All statistics of a table, or of one of its partitions."""
    _require(connection, table, values)
    found = connection.execute(
        "SELECT body FROM column_statistics WHERE table_id = ? AND owner = ? ORDER BY column_name",
        (table.id, statistics_owner(values)),
    ).fetchall()
    return [json.loads(body) for (body,) in found]


def write_statistics(
    connection: sqlite3.Connection, table: TableRow, values: Sequence[str] | None, given: Iterable[GlueJson]
) -> None:
    """Add or replace."""
    _require(connection, table, values)
    connection.executemany(
        "INSERT OR REPLACE INTO column_statistics (table_id, owner, column_name, body) VALUES (?, ?, ?, ?)",
        [(table.id, statistics_owner(values), item["ColumnName"].lower(), json.dumps(item)) for item in given],
    )


def delete_statistics(
    connection: sqlite3.Connection, table: TableRow, values: Sequence[str] | None, column: str
) -> None:
    """Forget one column's, if there are any: Glue does not complain (https://github.com/floci-io/floci/issues/1319)."""
    _require(connection, table, values)
    connection.execute(
        "DELETE FROM column_statistics WHERE table_id = ? AND owner = ? AND column_name = ?",
        (table.id, statistics_owner(values), column.lower()),
    )


def _require(connection: sqlite3.Connection, table: TableRow, values: Sequence[str] | None) -> None:
    if values is not None:
        find_partition(connection, table, values)

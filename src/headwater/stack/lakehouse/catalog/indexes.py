"""Partition indexes: kept by name for those who ask for them. Queries need none, because every key is indexed here."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

from headwater.stack.lakehouse import errors
from headwater.stack.lakehouse.catalog.tables import TableRow
from headwater.stack.lakehouse.model import GlueJson

_MOST = 3


def add_index(connection: sqlite3.Connection, table: TableRow, name: str, keys: Sequence[str]) -> None:
    """Note an index on some of the partition keys. Raises ``ApiError`` with Glue's codes."""
    known = {key.lower() for key, _ in table.key_types}
    wanted = [key.lower() for key in keys]
    strange = next((key for key in wanted if key not in known), None)
    if strange is not None or not wanted:
        raise errors.invalid_input(
            f"Partition index {name}: {strange or 'nothing'} is no partition key of {table.name}."
        )
    if len(set(wanted)) < len(wanted):
        raise errors.invalid_input(f"Partition index {name}: a key is given twice.")
    present = read_indexes(connection, table)
    if any(index["IndexName"] == name for index in present):
        raise errors.already_exists(f"Partition index {name} already exists on table {table.name}.")
    if len(present) == _MOST:
        message = f"Table {table.name} has {_MOST} partition indexes, which is the most that a table can have."
        raise errors.ApiError("ResourceNumberLimitExceededException", message)
    connection.execute(
        "INSERT INTO partition_indexes (table_id, name, keys) VALUES (?, ?, ?)", (table.id, name, json.dumps(wanted))
    )


def read_indexes(connection: sqlite3.Connection, table: TableRow) -> list[GlueJson]:
    """The API's ``PartitionIndexDescriptor`` objects, oldest first."""
    found = connection.execute(
        "SELECT name, keys FROM partition_indexes WHERE table_id = ? ORDER BY rowid", (table.id,)
    ).fetchall()
    kinds = {key.lower(): kind for key, kind in table.key_types}
    return [
        {
            "IndexName": name,
            "Keys": [{"Name": key, "Type": kinds.get(key, "string")} for key in json.loads(keys)],
            "IndexStatus": "ACTIVE",
        }
        for name, keys in found
    ]


def delete_index(connection: sqlite3.Connection, table: TableRow, name: str) -> None:
    """Forget an index. Raises ``EntityNotFoundException``."""
    gone = connection.execute(
        "DELETE FROM partition_indexes WHERE table_id = ? AND name = ?", (table.id, name)
    ).rowcount
    if not gone:
        raise errors.not_found(f"Partition index {name} not found on table {table.name}.")

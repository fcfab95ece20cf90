"""Partition rows: 100,000 of them are added in seconds, and a condition on any key finds its few in milliseconds."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice

from headwater.stack.lakehouse import errors
from headwater.stack.lakehouse.catalog.filters import comparable
from headwater.stack.lakehouse.catalog.sqlite import KEY_COLUMNS
from headwater.stack.lakehouse.catalog.tables import TableRow, complete_descriptor
from headwater.stack.lakehouse.model import GlueJson

_BATCH = 2_000
_KEY_NAMES = ", ".join(f"k{i}" for i in range(KEY_COLUMNS))
_INSERT = (
    f"INSERT OR IGNORE INTO partitions (table_id, sort_key, location, created, body_id, {_KEY_NAMES})"  # noqa: S608  # constant column names
    f" VALUES ({', '.join('?' * (5 + KEY_COLUMNS))})"
)


def sort_key(values: Sequence[str]) -> bytes:
    """One byte string per tuple of values, ordered as the tuples are.

    >>> sort_key(["2025", "01"]) < sort_key(["2025", "02"]) < sort_key(["20250", "01"])
    True
    """
    # A NUL ends a value; the NUL and 0x01 that a value may hold itself become pairs that sort where they did.
    escaped = [value.replace("\x01", "\x01\x02").replace("\x00", "\x01\x01") for value in values]
    try:
        return "\x00".join(escaped).encode()
    except UnicodeEncodeError as error:
        raise errors.invalid_input(f"Partition values {list(values)!r} are not valid Unicode.") from error


def values_of(key: bytes) -> tuple[str, ...]:
    """The values that ``sort_key`` encoded.

    >>> values_of(sort_key(["a", "", "c"]))
    ('a', '', 'c')
    """
    parts = key.decode().split("\x00")
    return tuple(
        part.replace("\x01\x01", "\x00").replace("\x01\x02", "\x01") if "\x01" in part else part for part in parts
    )


def statistics_owner(values: Sequence[str] | None) -> bytes:
    """What column statistics belong to: a partition, or the table itself for ``None``."""
    return b"table" if values is None else b"partition " + sort_key(values)


@dataclass
class PartitionWriter:
    """Adds partitions to one table inside the caller's transaction."""

    connection: sqlite3.Connection
    table: TableRow
    now: float
    _bodies: dict[bytes, int] = field(default_factory=dict)

    def add(self, inputs: Iterable[GlueJson], ignore_existing: bool) -> int:
        """Insert every ``PartitionInput`` and return how many were new. Raises ``AlreadyExistsException``."""
        remaining = iter(inputs)
        added = 0
        while batch := [self._row(item) for item in islice(remaining, _BATCH)]:
            inserted = self.connection.executemany(_INSERT, batch).rowcount
            if inserted != len(batch) and not ignore_existing:
                raise errors.already_exists("Partition already exists.")
            added += inserted
        return added

    def _row(self, partition_input: GlueJson) -> tuple[object, ...]:
        values = checked_values(self.table, partition_input.get("Values"))
        location, body_id = self.body(partition_input)
        return (
            self.table.id,
            sort_key(values),
            location,
            self.now,
            body_id,
            *key_columns(values, self.table.key_types),
        )

    def body(self, partition_input: GlueJson) -> tuple[str, int]:
        """The location, and the id of the row with all that other partitions may share."""
        shared = {name: value for name, value in partition_input.items() if name != "Values"}
        location = ""
        if shared.get("StorageDescriptor") is not None:
            descriptor = complete_descriptor(shared["StorageDescriptor"])
            location = descriptor.pop("Location", None) or ""
            shared["StorageDescriptor"] = descriptor
        text = json.dumps(shared)
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
        if digest not in self._bodies:
            self._bodies[digest] = self._body_id(digest, text)
        return location, self._bodies[digest]

    def _body_id(self, digest: bytes, text: str) -> int:
        found = self.connection.execute(
            "SELECT id FROM partition_bodies WHERE table_id = ? AND digest = ?", (self.table.id, digest)
        ).fetchone()
        if found is not None:
            return int(found[0])
        inserted = self.connection.execute(
            "INSERT INTO partition_bodies (table_id, digest, body) VALUES (?, ?, ?) RETURNING id",
            (self.table.id, digest, text),
        ).fetchone()
        return int(inserted[0])


def checked_values(table: TableRow, values: object) -> tuple[str, ...]:
    """The values as a tuple, or Glue's ``InvalidInputException`` if they do not fit the table's keys."""
    if not isinstance(values, list | tuple) or not all(isinstance(value, str) for value in values):
        raise errors.invalid_input("Partition values must be a list of strings.")
    if len(values) != len(table.key_types):
        raise errors.invalid_input("The number of partition keys do not match the number of partition values")
    return tuple(values)


def key_columns(values: Sequence[str], key_types: Sequence[tuple[str, str]]) -> list[int | float | str | None]:
    """The values of the columns k0, k1 …: NULL where a key has no comparable value, and past the last key."""
    known = [bindable(comparable(value, kind)) for value, (_, kind) in zip(values, key_types, strict=False)]
    return (known + [None] * KEY_COLUMNS)[:KEY_COLUMNS]


def bindable(value: int | str | None) -> int | float | str | None:
    """SQLite's integers have 64 bits; it compares larger ones correctly as floating point."""
    return float(value) if isinstance(value, int) and not -(2**63) <= value < 2**63 else value


def partition_json(table: TableRow, values: Sequence[str], location: str, created: float, body: GlueJson) -> GlueJson:
    """The API's ``Partition`` object."""
    partition = {
        **body,
        "Values": list(values),
        "DatabaseName": table.database,
        "TableName": table.name,
        "CreationTime": created,
        "CatalogId": table.account,
    }
    descriptor = body.get("StorageDescriptor")
    if descriptor is not None:
        partition["StorageDescriptor"] = {**descriptor, "Location": location} if location else dict(descriptor)
    return partition


def find_partition(connection: sqlite3.Connection, table: TableRow, values: Sequence[str]) -> GlueJson:
    """One partition by its values. Raises ``EntityNotFoundException``."""
    found = get_partition(connection, table, values)
    if found is None:
        raise errors.not_found("Cannot find partition.")
    return found


def get_partition(connection: sqlite3.Connection, table: TableRow, values: Sequence[str]) -> GlueJson | None:
    """One partition by its values, if it exists."""
    row = connection.execute(
        "SELECT p.location, p.created, b.body FROM partitions p JOIN partition_bodies b ON b.id = p.body_id"
        " WHERE p.table_id = ? AND p.sort_key = ?",
        (table.id, sort_key(checked_values(table, values))),
    ).fetchone()
    if row is None:
        return None
    return partition_json(table, values, row[0], row[1], json.loads(row[2]))


def replace_partition(writer: PartitionWriter, values: Sequence[str], partition_input: GlueJson) -> None:
    """Put ``partition_input`` in the place of the partition with ``values``; it may carry other values (a rename)."""
    table, connection = writer.table, writer.connection
    previous = connection.execute(
        "SELECT body_id FROM partitions WHERE table_id = ? AND sort_key = ?",
        (table.id, sort_key(checked_values(table, values))),
    ).fetchone()
    if previous is None:
        raise errors.not_found("Cannot find partition.")
    new_values = checked_values(table, partition_input.get("Values") or list(values))
    location, body_id = writer.body(partition_input)
    try:
        connection.execute(
            f"UPDATE partitions SET (sort_key, location, body_id, {_KEY_NAMES})"  # noqa: S608  # constant column names
            f" = ({', '.join('?' * (3 + KEY_COLUMNS))}) WHERE table_id = ? AND sort_key = ?",
            (
                sort_key(new_values),
                location,
                body_id,
                *key_columns(new_values, table.key_types),
                table.id,
                sort_key(values),
            ),
        )
    except sqlite3.IntegrityError as error:
        raise errors.already_exists("Partition already exists.") from error
    _drop_unused_bodies(connection, {previous[0]})


def remove_partitions(
    connection: sqlite3.Connection, table: TableRow, wanted: Iterable[Sequence[str]]
) -> list[tuple[str, ...]]:
    """Delete partitions by their values, and return the values that were not found."""
    missing: list[tuple[str, ...]] = []
    bodies: set[int] = set()
    for values in wanted:
        deleted = connection.execute(
            "DELETE FROM partitions WHERE table_id = ? AND sort_key = ? RETURNING body_id",
            (table.id, sort_key(checked_values(table, values))),
        ).fetchall()
        connection.execute(
            "DELETE FROM column_statistics WHERE table_id = ? AND owner = ?", (table.id, statistics_owner(values))
        )
        bodies.update(body_id for (body_id,) in deleted)
        if not deleted:
            missing.append(tuple(values))
    _drop_unused_bodies(connection, bodies)
    return missing


def _drop_unused_bodies(connection: sqlite3.Connection, candidates: Iterable[int]) -> None:
    connection.executemany(
        "DELETE FROM partition_bodies WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM partitions WHERE body_id = ?1)",
        [(body_id,) for body_id in candidates],
    )


def reindex(connection: sqlite3.Connection, table: TableRow) -> None:
    """Recompute the comparable key values after the types of the keys changed."""
    assignments = ", ".join(f"k{i} = ?" for i in range(KEY_COLUMNS))
    stored = connection.execute("SELECT id, sort_key FROM partitions WHERE table_id = ?", (table.id,)).fetchall()
    connection.executemany(
        f"UPDATE partitions SET {assignments} WHERE id = ?",  # noqa: S608  # constant column names
        [(*key_columns(values_of(key), table.key_types), row_id) for row_id, key in stored],
    )

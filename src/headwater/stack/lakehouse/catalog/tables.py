"""Table rows: how a Glue table, with its versions, lies in SQLite and reads back in the shape of the API."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from headwater.stack.lakehouse import errors
from headwater.stack.lakehouse.model import GlueJson, Scope

_COLUMNS = "id, account, region, database, name, created, updated, version, body"


@dataclass(frozen=True)
class TableRow:
    """One table as stored; ``body`` is the ``TableInput`` that was put last."""

    id: int
    account: str
    region: str
    database: str
    name: str
    created: float
    updated: float
    version: int
    body: GlueJson

    @property
    def key_types(self) -> tuple[tuple[str, str], ...]:
        """The partition keys in order, each with its type."""
        return tuple((key["Name"], key.get("Type") or "string") for key in self.body.get("PartitionKeys") or ())

    def to_glue(self) -> GlueJson:
        """The API's ``Table`` object."""
        return {
            **self.body,
            "Name": self.name,
            "DatabaseName": self.database,
            "CreateTime": self.created,
            "UpdateTime": self.updated,
            "CreatedBy": f"arn:aws:iam::{self.account}:root",
            "IsRegisteredWithLakeFormation": False,
            "IsMultiDialectView": False,
            "CatalogId": self.account,
            "VersionId": str(self.version),
        }


_INPUT_FIELDS = (
    *("Name", "Description", "Owner", "LastAccessTime", "LastAnalyzedTime", "Retention", "StorageDescriptor"),
    *("PartitionKeys", "ViewOriginalText", "ViewExpandedText", "TableType", "Parameters", "TargetTable"),
    "ViewDefinition",
)


def table_input(table: GlueJson) -> GlueJson:
    """The ``TableInput`` that would make this ``Table`` again: what it has without what Glue added."""
    return {name: value for name, value in table.items() if name in _INPUT_FIELDS}


def complete_table(given: GlueJson) -> GlueJson:
    """What Glue stores for a ``TableInput``: a lower-case name, and defaults where the input is silent."""
    stored = {"Retention": 0, "PartitionKeys": [], **given, "Name": str(given["Name"]).lower()}
    if stored.get("StorageDescriptor") is not None:
        stored["StorageDescriptor"] = complete_descriptor(stored["StorageDescriptor"])
    return stored


def complete_descriptor(descriptor: GlueJson) -> GlueJson:
    """A ``StorageDescriptor`` with the defaults that Glue answers for what the caller left out."""
    return {"Compressed": False, "NumberOfBuckets": 0, "SortColumns": [], "StoredAsSubDirectories": False, **descriptor}


def insert_table(connection: sqlite3.Connection, scope: Scope, database: str, body: GlueJson, now: float) -> None:
    """Store a new table, or raise Glue's ``AlreadyExistsException``."""
    try:
        connection.execute(
            "INSERT INTO tables (account, region, database, name, created, updated, version, body)"
            " VALUES (?, ?, ?, ?, ?, ?, 0, ?)",
            (scope.account, scope.region, database, body["Name"], now, now, json.dumps(body)),
        )
    except sqlite3.IntegrityError as error:
        raise errors.already_exists("Table already exists.") from error


def find_table(connection: sqlite3.Connection, scope: Scope, database: str, name: str) -> TableRow:
    """The table, or Glue's ``EntityNotFoundException`` for the database or the table."""
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM tables WHERE account = ? AND region = ? AND database = ? AND name = ?",  # noqa: S608  # a constant list of columns
        (scope.account, scope.region, database.lower(), name.lower()),
    ).fetchone()
    if row is None:
        require_database(connection, scope, database)
        raise errors.not_found(f"Table {name.lower()} not found.")
    return _table_row(row)


def list_tables(connection: sqlite3.Connection, scope: Scope, database: str) -> list[TableRow]:
    """All tables of a database by name."""
    require_database(connection, scope, database)
    found = connection.execute(
        f"SELECT {_COLUMNS} FROM tables WHERE account = ? AND region = ? AND database = ? ORDER BY name",  # noqa: S608  # a constant list of columns
        (scope.account, scope.region, database.lower()),
    ).fetchall()
    return [_table_row(row) for row in found]


def require_database(connection: sqlite3.Connection, scope: Scope, name: str) -> None:
    """Raise Glue's ``EntityNotFoundException`` unless the database exists."""
    found = connection.execute(
        "SELECT 1 FROM databases WHERE account = ? AND region = ? AND name = ?",
        (scope.account, scope.region, name.lower()),
    ).fetchone()
    if found is None:
        raise errors.not_found(f"Database {name.lower()} not found.")


def replace_table(connection: sqlite3.Connection, row: TableRow, body: GlueJson, now: float, archive: bool) -> None:
    """Make ``body`` the next version of the table; the one before stays readable if ``archive``."""
    if archive:
        connection.execute(
            "INSERT OR REPLACE INTO table_versions (table_id, version, updated, body) VALUES (?, ?, ?, ?)",
            (row.id, row.version, row.updated, json.dumps(row.body)),
        )
    try:
        connection.execute(
            "UPDATE tables SET name = ?, updated = ?, version = ?, body = ? WHERE id = ?",
            (body["Name"], now, row.version + 1, json.dumps(body), row.id),
        )
    except sqlite3.IntegrityError as error:
        raise errors.already_exists("Table already exists.") from error


def rename_table(connection: sqlite3.Connection, row: TableRow, database: str, name: str, now: float) -> None:
    """Give the table another name or database; its versions and partitions go with it."""
    body = {**row.body, "Name": name}
    try:
        connection.execute(
            "UPDATE tables SET database = ?, name = ?, updated = ?, version = ?, body = ? WHERE id = ?",
            (database, name, now, row.version + 1, json.dumps(body), row.id),
        )
    except sqlite3.IntegrityError as error:
        raise errors.already_exists("Table already exists.") from error


def table_versions(connection: sqlite3.Connection, row: TableRow) -> Iterator[TableRow]:
    """The current version and then the archived ones, newest first."""
    yield row
    archived = connection.execute(
        "SELECT version, updated, body FROM table_versions WHERE table_id = ? ORDER BY version DESC", (row.id,)
    ).fetchall()
    for version, updated, body in archived:
        stored: GlueJson = json.loads(body)
        yield TableRow(
            row.id, row.account, row.region, row.database, stored["Name"], row.created, updated, version, stored
        )


def delete_version(connection: sqlite3.Connection, row: TableRow, version: int) -> None:
    """Forget one archived version."""
    if version == row.version:
        raise errors.invalid_input(f"Version {version} of table {row.name} is the current one and cannot be deleted.")
    deleted = connection.execute(
        "DELETE FROM table_versions WHERE table_id = ? AND version = ?", (row.id, version)
    ).rowcount
    if not deleted:
        raise errors.not_found(f"Version {version} of table {row.name} not found.")


def _table_row(row: tuple[int, str, str, str, str, float, float, int, str]) -> TableRow:
    return TableRow(*row[:8], json.loads(row[8]))

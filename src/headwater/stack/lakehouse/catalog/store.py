"""The durable Glue catalog: databases, tables and partitions in SQLite, so that metadata survives any crash."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from headwater.stack.lakehouse import errors
from headwater.stack.lakehouse.catalog import partitions as partition_rows
from headwater.stack.lakehouse.catalog import statistics
from headwater.stack.lakehouse.catalog import tables as table_rows
from headwater.stack.lakehouse.catalog import tags as tag_rows
from headwater.stack.lakehouse.catalog.indexes import add_index, delete_index, read_indexes
from headwater.stack.lakehouse.catalog.pruning import Selection, select_partitions
from headwater.stack.lakehouse.catalog.sqlite import Connections
from headwater.stack.lakehouse.model import GlueJson, KeyFilter, Partition, Scope

_EVERYTHING = [{"Principal": {"DataLakePrincipalIdentifier": "IAM_ALLOWED_PRINCIPALS"}, "Permissions": ["ALL"]}]
"""What may be done with new tables of a database, unless it says something else."""
_NONE: Mapping[str, Sequence[str]] = MappingProxyType({})


class Catalog:
    """Databases, tables and partitions per account and region. Every method may be called from any thread.

    What a method wrote is durable when it returns. Errors are ``errors.ApiError`` with Glue's codes and messages.

    >>> import tempfile
    >>> catalog = Catalog(Path(tempfile.mkdtemp()) / "catalog.db")
    >>> scope = Scope("000000000000", "us-east-1")
    >>> catalog.create_database(scope, {"Name": "Sales"})
    >>> catalog.get_database(scope, "sales")["Name"]
    'sales'
    >>> catalog.close()
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._connections = Connections(path)
        self._clock = clock

    def close(self) -> None:
        """Release the file."""
        self._connections.close()

    # Databases

    def create_database(self, scope: Scope, database_input: GlueJson) -> None:
        """Add a database. Raises ``AlreadyExistsException``."""
        body = {**database_input, "Name": _name(database_input)}
        with self._connections.write() as connection:
            inserted = connection.execute(
                "INSERT OR IGNORE INTO databases (account, region, name, created, body) VALUES (?, ?, ?, ?, ?)",
                (scope.account, scope.region, body["Name"], self._clock(), json.dumps(body)),
            ).rowcount
        if not inserted:
            raise errors.already_exists("Database already exists.")

    def get_database(self, scope: Scope, name: str) -> GlueJson:
        """The API's ``Database`` object. Raises ``EntityNotFoundException``."""
        with self._connections.read() as connection:
            row = connection.execute(
                "SELECT created, body FROM databases WHERE account = ? AND region = ? AND name = ?",
                (scope.account, scope.region, name.lower()),
            ).fetchone()
        if row is None:
            raise errors.not_found(f"Database {name.lower()} not found.")
        return _database_json(scope, *row)

    def databases(self, scope: Scope) -> list[GlueJson]:
        """All databases by name."""
        with self._connections.read() as connection:
            found = connection.execute(
                "SELECT created, body FROM databases WHERE account = ? AND region = ? ORDER BY name",
                (scope.account, scope.region),
            ).fetchall()
        return [_database_json(scope, *row) for row in found]

    def update_database(self, scope: Scope, name: str, database_input: GlueJson) -> None:
        """Replace a database's description. Its name stays, as in Glue. Raises ``EntityNotFoundException``."""
        body = {**database_input, "Name": name.lower()}
        with self._connections.write() as connection:
            table_rows.require_database(connection, scope, name)
            connection.execute(
                "UPDATE databases SET body = ? WHERE account = ? AND region = ? AND name = ?",
                (json.dumps(body), scope.account, scope.region, name.lower()),
            )

    def delete_database(self, scope: Scope, name: str) -> None:
        """Remove a database with all its tables, as Glue does. Raises ``EntityNotFoundException``."""
        with self._connections.write() as connection:
            table_rows.require_database(connection, scope, name)
            owner = (scope.account, scope.region, name.lower())
            connection.execute("DELETE FROM tables WHERE account = ? AND region = ? AND database = ?", owner)
            connection.execute("DELETE FROM databases WHERE account = ? AND region = ? AND name = ?", owner)
            tag_rows.forget_tags(connection, scope, f":database/{name.lower()}", f":table/{name.lower()}/")

    # Tables

    def create_table(
        self, scope: Scope, database: str, table_input: GlueJson, indexes: Mapping[str, Sequence[str]] = _NONE
    ) -> None:
        """Add a table. Raises ``EntityNotFoundException`` (database) or ``AlreadyExistsException``."""
        name = _name(table_input)
        with self._connections.write() as connection:
            table_rows.require_database(connection, scope, database)
            table_rows.insert_table(
                connection, scope, database.lower(), table_rows.complete_table(table_input), self._clock()
            )
            for index, keys in indexes.items():
                add_index(connection, table_rows.find_table(connection, scope, database, name), index, keys)

    def get_table(self, scope: Scope, database: str, name: str) -> GlueJson:
        """The API's ``Table`` object. Raises ``EntityNotFoundException``."""
        return self._table(scope, database, name).to_glue()

    def tables(self, scope: Scope, database: str) -> list[GlueJson]:
        """All tables of a database by name. Raises ``EntityNotFoundException`` (database)."""
        with self._connections.read() as connection:
            return [row.to_glue() for row in table_rows.list_tables(connection, scope, database)]

    def update_table(
        self,
        scope: Scope,
        database: str,
        table_input: GlueJson,
        version_id: str | None = None,
        skip_archive: bool = False,
    ) -> None:
        """Replace the table that ``table_input`` names.

        With ``version_id`` only if that is still the current version, else ``ConcurrentModificationException``.
        Partitions stay as they are. Raises ``EntityNotFoundException``.
        """
        body = table_rows.complete_table({**table_input, "Name": _name(table_input)})
        with self._connections.write() as connection:
            row = table_rows.find_table(connection, scope, database, body["Name"])
            if version_id is not None and version_id != str(row.version):
                raise errors.ApiError(
                    "ConcurrentModificationException",
                    f"Update table failed due to concurrent modifications. Version {version_id} was expected,"
                    f" the table is at version {row.version}.",
                )
            table_rows.replace_table(connection, row, body, self._clock(), archive=not skip_archive)
            changed = table_rows.find_table(connection, scope, database, body["Name"])
            if changed.key_types != row.key_types:
                partition_rows.reindex(connection, changed)

    def rename_table(self, scope: Scope, database: str, name: str, to_database: str, to_name: str) -> None:
        """Rename or move a table. Raises ``EntityNotFoundException`` or ``AlreadyExistsException``."""
        with self._connections.write() as connection:
            row = table_rows.find_table(connection, scope, database, name)
            table_rows.require_database(connection, scope, to_database)
            table_rows.rename_table(connection, row, to_database.lower(), to_name.lower(), self._clock())

    def delete_table(self, scope: Scope, database: str, name: str) -> None:
        """Remove a table with its partitions and versions. Raises ``EntityNotFoundException``."""
        with self._connections.write() as connection:
            row = table_rows.find_table(connection, scope, database, name)
            connection.execute("DELETE FROM tables WHERE id = ?", (row.id,))
            tag_rows.forget_tags(connection, scope, f":table/{row.database}/{row.name}")

    def table_versions(self, scope: Scope, database: str, name: str) -> list[GlueJson]:
        """The API's ``TableVersion`` objects, newest first."""
        with self._connections.read() as connection:
            row = table_rows.find_table(connection, scope, database, name)
            versions = table_rows.table_versions(connection, row)
            return [{"Table": version.to_glue(), "VersionId": str(version.version)} for version in versions]

    def delete_table_version(self, scope: Scope, database: str, name: str, version_id: str) -> None:
        """Forget an archived version. Raises ``EntityNotFoundException``."""
        with self._connections.write() as connection:
            row = table_rows.find_table(connection, scope, database, name)
            if not version_id.isascii() or not version_id.isdigit():
                raise errors.invalid_input(f"{version_id!r} is not a table version.")
            table_rows.delete_version(connection, row, int(version_id))

    # Partitions

    def add_partitions(
        self, scope: Scope, database: str, table: str, inputs: Iterable[GlueJson], ignore_existing: bool
    ) -> int:
        """Add partitions in one transaction and return how many were new.

        ``inputs`` is consumed as a stream inside the transaction, so it must not write to the catalog itself.
        Raises ``AlreadyExistsException`` (and adds none) unless ``ignore_existing``.
        """
        with self._connections.write() as connection:
            return self._writer_in(connection, scope, database, table).add(inputs, ignore_existing)

    def get_partition(self, scope: Scope, database: str, table: str, values: Sequence[str]) -> GlueJson:
        """The API's ``Partition`` object. Raises ``EntityNotFoundException``."""
        with self._connections.read() as connection:
            row = table_rows.find_table(connection, scope, database, table)
            return partition_rows.find_partition(connection, row, values)

    def get_partitions(
        self, scope: Scope, database: str, table: str, wanted: Iterable[Sequence[str]]
    ) -> list[GlueJson]:
        """Those of the wanted partitions that exist, as the API's ``Partition`` objects."""
        with self._connections.read() as connection:
            row = table_rows.find_table(connection, scope, database, table)
            found = [partition_rows.get_partition(connection, row, values) for values in wanted]
        return [partition for partition in found if partition is not None]

    def partitions(
        self,
        scope: Scope,
        database: str,
        table: str,
        filters: Sequence[KeyFilter] = (),
        after: Sequence[str] | None = None,
        limit: int | None = None,
    ) -> Iterator[Partition]:
        """Partitions that satisfy all filters, ordered by values, from the first after the values ``after``.

        Raises ``EntityNotFoundException``, and ``InvalidInputException`` for a filter on what is no key, at once.
        """
        selection = Selection.of(self._table(scope, database, table), filters)
        return select_partitions(self._connections, selection, after, limit)

    def update_partition(
        self, scope: Scope, database: str, table: str, values: Sequence[str], partition_input: GlueJson
    ) -> None:
        """Replace a partition; other ``Values`` in the input rename it. Raises ``EntityNotFoundException``."""
        with self._connections.write() as connection:
            partition_rows.replace_partition(
                self._writer_in(connection, scope, database, table), values, partition_input
            )

    def delete_partition(self, scope: Scope, database: str, table: str, values: Sequence[str]) -> None:
        """Remove one partition. Raises ``EntityNotFoundException``."""
        if self.delete_partitions(scope, database, table, [values]):
            raise errors.not_found("Cannot find partition.")

    def delete_partitions(
        self, scope: Scope, database: str, table: str, values: Iterable[Sequence[str]]
    ) -> list[tuple[str, ...]]:
        """Remove partitions in one transaction, and return the values of those that did not exist."""
        with self._connections.write() as connection:
            row = table_rows.find_table(connection, scope, database, table)
            return partition_rows.remove_partitions(connection, row, values)

    # Column statistics, of a table or (with values) of one of its partitions

    def column_statistics(
        self, scope: Scope, database: str, table: str, values: Sequence[str] | None = None
    ) -> list[GlueJson]:
        """The API's ``ColumnStatistics`` objects by column name."""
        with self._connections.read() as connection:
            row = table_rows.find_table(connection, scope, database, table)
            return statistics.read_statistics(connection, row, values)

    def update_column_statistics(
        self,
        scope: Scope,
        database: str,
        table: str,
        given: Iterable[GlueJson],
        values: Sequence[str] | None = None,
    ) -> None:
        """Add or replace the statistics of columns."""
        with self._connections.write() as connection:
            row = table_rows.find_table(connection, scope, database, table)
            statistics.write_statistics(connection, row, values, given)

    def delete_column_statistics(
        self, scope: Scope, database: str, table: str, column: str, values: Sequence[str] | None = None
    ) -> None:
        """Forget the statistics of one column. Raises ``EntityNotFoundException`` for the table or the partition."""
        with self._connections.write() as connection:
            row = table_rows.find_table(connection, scope, database, table)
            statistics.delete_statistics(connection, row, values, column)

    # Partition indexes

    def partition_indexes(self, scope: Scope, database: str, table: str) -> list[GlueJson]:
        """The API's ``PartitionIndexDescriptor`` objects."""
        with self._connections.read() as connection:
            return read_indexes(connection, table_rows.find_table(connection, scope, database, table))

    def create_partition_index(self, scope: Scope, database: str, table: str, name: str, keys: Sequence[str]) -> None:
        """Note an index on partition keys. Raises ``ApiError`` with Glue's codes."""
        with self._connections.write() as connection:
            add_index(connection, table_rows.find_table(connection, scope, database, table), name, keys)

    def delete_partition_index(self, scope: Scope, database: str, table: str, name: str) -> None:
        """Forget an index. Raises ``EntityNotFoundException``."""
        with self._connections.write() as connection:
            delete_index(connection, table_rows.find_table(connection, scope, database, table), name)

    # Tags

    def tags(self, scope: Scope, arn: str) -> dict[str, str]:
        """The tags of a resource."""
        with self._connections.read() as connection:
            return tag_rows.read_tags(connection, scope, arn)

    def tag(self, scope: Scope, arn: str, tags_to_add: Mapping[str, str]) -> None:
        """Add or replace tags of a resource."""
        with self._connections.write() as connection:
            tag_rows.write_tags(connection, scope, arn, tags_to_add)

    def untag(self, scope: Scope, arn: str, names: Iterable[str]) -> None:
        """Remove tags of a resource."""
        with self._connections.write() as connection:
            tag_rows.delete_tags(connection, scope, arn, names)

    def _table(self, scope: Scope, database: str, name: str) -> table_rows.TableRow:
        with self._connections.read() as connection:
            return table_rows.find_table(connection, scope, database, name)

    def _writer_in(
        self, connection: sqlite3.Connection, scope: Scope, database: str, table: str
    ) -> partition_rows.PartitionWriter:
        row = table_rows.find_table(connection, scope, database, table)
        return partition_rows.PartitionWriter(connection, row, self._clock())


def _name(value: GlueJson) -> str:
    name = value.get("Name")
    if not isinstance(name, str) or not name:
        raise errors.invalid_input("Name must not be empty.")
    return name.lower()


def _database_json(scope: Scope, created: float, body: str) -> GlueJson:
    stored: GlueJson = json.loads(body)
    return {"CreateTableDefaultPermissions": _EVERYTHING, **stored, "CreateTime": created, "CatalogId": scope.account}

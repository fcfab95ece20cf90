"""What a DDL statement runs in and what it returns, with Athena's words for the errors that all statements share."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from headwater.stack.lakehouse.catalog.store import Catalog
from headwater.stack.lakehouse.errors import ApiError, QueryFailed
from headwater.stack.lakehouse.hive.ast import PartitionSpec, TableName
from headwater.stack.lakehouse.model import Column, GlueJson, Scope, Storage

_TASK = "FAILED: Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask."
DEFAULT_DATABASE = "default"

ViewColumns = Callable[[str, str, str], Sequence[Column]]
"""The output columns of a view (its query, the current database, its own full name), with Trino types."""


@dataclass(frozen=True)
class DdlContext:
    """Whose catalog and storage a statement works on; ``database`` is the current one.

    Without ``view_columns`` CREATE VIEW is refused, because only a SELECT engine can tell the types of its columns.
    """

    scope: Scope
    catalog: Catalog
    storage: Storage
    database: str = DEFAULT_DATABASE
    clock: Callable[[], float] = time.time
    view_columns: ViewColumns | None = None

    def database_of(self, table: TableName) -> str:
        """The database that a table name means."""
        return table.database or self.database.lower()

    def prepare(self, database: str) -> None:
        """Athena always has a database ``default``; the catalog gets it when it is first written to."""
        if database == DEFAULT_DATABASE:
            with suppress(ApiError):  # it exists: it did before, or another statement was faster
                self.catalog.create_database(self.scope, {"Name": DEFAULT_DATABASE, "Description": "default database"})

    def table(self, name: TableName) -> GlueJson:
        """The table that a statement names. Raises ``QueryFailed`` as Hive does."""
        try:
            return self.catalog.get_table(self.scope, self.database_of(name), name.name)
        except ApiError as error:
            raise table_not_found(self.database_of(name), name.name) from error


@dataclass(frozen=True)
class DdlResult:
    """The outcome: ``rows`` are the lines of Athena's ``.txt`` result, each as one text in a tuple.

    ``columns`` names what a line holds; DESCRIBE has three columns in one tab-separated line, as Athena has.
    """

    columns: tuple[Column, ...] = ()
    rows: Sequence[tuple[str | None, ...]] = ()


def task_failed(message: str) -> QueryFailed:
    """Hive's error of a DDL statement that was understood, and could not be carried out."""
    return QueryFailed(f"{_TASK} {message}")


def table_not_found(database: str, name: str) -> QueryFailed:
    """Hive's error for a table that does not exist."""
    return QueryFailed(f"FAILED: SemanticException [Error 10001]: Table not found {database}.{name}", error_type=1301)


def database_not_found(name: str) -> QueryFailed:
    """Hive's error for a database that does not exist."""
    return QueryFailed(f"FAILED: SemanticException [Error 10072]: Database does not exist: {name}", error_type=1301)


def partition_keys(table: GlueJson) -> tuple[Column, ...]:
    """The partition keys of a Glue table."""
    return tuple(Column(key["Name"], key.get("Type") or "string") for key in table.get("PartitionKeys") or ())


def spec_values(table: GlueJson, spec: PartitionSpec) -> tuple[str, ...]:
    """The values of a full partition specification in the order of the keys. Raises ``QueryFailed``."""
    keys = [key.name.lower() for key in partition_keys(table)]
    check_keys(table, list(spec.values))
    if len(spec.values) != len(keys):
        shown = ", ".join(f"{key}={value}" for key, value in spec.values.items())
        raise QueryFailed(
            f"FAILED: ValidationFailureSemanticException partition spec {{{shown}}} doesn't contain all"
            f" ({len(keys)}) partition columns"
        )
    return tuple(spec.values[key] for key in keys)


def check_keys(table: GlueJson, names: Sequence[str]) -> None:
    """Refuse names that are no partition keys of the table."""
    keys = [key.name.lower() for key in partition_keys(table)]
    if not keys:
        raise task_failed(f"Table {table['Name']} is not a partitioned table")
    for name in names:
        if name not in keys:
            raise QueryFailed(
                "FAILED: SemanticException [Error 10098]: Non-Partition column appears in the partition"
                f" specification:  {name}"
            )

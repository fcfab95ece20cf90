"""What a statement that writes runs in, and what it leaves."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from headwater.stack.lakehouse.catalog.store import Catalog
from headwater.stack.lakehouse.errors import AccessDenied, NoSuchBucket, QueryFailed
from headwater.stack.lakehouse.hive.ast import TableName
from headwater.stack.lakehouse.hive.context import DEFAULT_DATABASE
from headwater.stack.lakehouse.model import Scope, Storage, split_s3_uri
from headwater.stack.lakehouse.sql.failures import SqlError
from headwater.stack.lakehouse.sql.query import OutputColumn
from headwater.stack.lakehouse.writes.ast import QueryText
from headwater.stack.lakehouse.writes.partitioned import Place


@dataclass(frozen=True)
class Prepared:
    """A query that is ready to run: DuckDB SQL with columns ``c0``, ``c1`` …, and what they are to the user."""

    sql: str
    columns: tuple[OutputColumn, ...]


class QueryEngine(Protocol):
    """The SELECT engine, as far as writing needs it."""

    def prepare(self, query: QueryText) -> Prepared:
        """Translate a query and open its tables. Raises ``QueryFailed``."""
        ...

    def batches(self, sql: str) -> Iterator[pa.RecordBatch]:
        """Run it and stream the rows."""
        ...

    def materialize(self, sql: str) -> str:
        """Run it, keep its rows until the statement ends, and return the name of the table that has them."""
        ...


@dataclass(frozen=True)
class WriteContext:
    """Whose data is written and where to.

    ``output`` is the result location without an extension, empty if Athena keeps results to itself.
    """

    scope: Scope
    catalog: Catalog
    storage: Storage
    engine: QueryEngine
    scratch: Path
    identifier: str
    output: str
    database: str = DEFAULT_DATABASE
    clock: Callable[[], float] = time.time

    def database_of(self, table: TableName) -> str:
        """The database that a table name means."""
        return table.database or self.database

    def place(self) -> Place:
        """Where files go; their names start with the time and the execution, as Athena's do."""
        moment = time.strftime("%Y%m%d_%H%M%S", time.gmtime(self.clock()))
        return Place(self.storage, self.scope, self.scratch, moment, self.identifier)

    def check_empty(self, location: str, what: str) -> None:
        """Refuse a location that holds objects, as Athena does: it never writes over data."""
        bucket, prefix = split_s3_uri(location)
        try:
            found = next(iter(self.storage.objects(self.scope, bucket, prefix.rstrip("/") + "/")), None)
        except (NoSuchBucket, AccessDenied) as error:
            raise QueryFailed(f"HIVE_FILESYSTEM_ERROR: {type(error).__name__}: {location}") from error
        if found is not None:
            raise QueryFailed(f"HIVE_PATH_ALREADY_EXISTS: Target directory for {what} already exists: {location}")


@dataclass(frozen=True)
class WriteResult:
    """The outcome: rows written, and the files that the manifest names."""

    rows: int = 0
    files: Sequence[str] = ()


def check_columns(columns: Sequence[OutputColumn]) -> None:
    """Refuse what no table can hold: columns without a name, of no type, or of one name. Positions count from 1."""
    seen: set[str] = set()
    for place, column in enumerate(columns, 1):
        if not column.name:
            raise SqlError("MISSING_COLUMN_NAME", f"Column name not specified at position {place}", (1, 1))
        if column.type.name == "unknown":
            raise SqlError("COLUMN_TYPE_UNKNOWN", f"Column type is unknown: {column.name}", (1, 1))
        if column.name.lower() in seen:
            raise SqlError("DUPLICATE_COLUMN_NAME", f"Column name '{column.name}' specified more than once", (1, 1))
        seen.add(column.name.lower())

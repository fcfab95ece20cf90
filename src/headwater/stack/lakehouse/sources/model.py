"""The files of one scan and the partition values that each carries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import duckdb

from headwater.stack.lakehouse.model import Partition, StoredObject, Table
from headwater.stack.lakehouse.sql import types as t


@dataclass(frozen=True)
class DataFile:
    """One object of a partition; ``uri`` is what ``"$path"`` shows.

    ``long_lines`` says that a line of text may be longer than a mebibyte.
    """

    stored: StoredObject
    uri: str
    partition: Partition
    long_lines: bool = False


class Reader(Protocol):
    """The session that reads, for formats that DuckDB reads through Python."""

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """The DuckDB instance."""
        ...

    def expect(self, files: Iterable[StoredObject]) -> None:
        """Say which Parquet files a scan reads, before it is bound."""
        ...

    def register(self, data: object) -> str:
        """Make Arrow data a table for the rest of the query, and return its name."""
        ...

    def materialize(self, sql: str) -> str:
        """Keep a query's rows for the rest of the query, and return the table that has them."""
        ...

    def scratch_file(self) -> Path:
        """A place for a file that goes when the query ends; reading it counts for nothing."""
        ...

    def count(self, read: int) -> None:
        """Bytes that are read past DuckDB's own files."""
        ...


@dataclass(frozen=True)
class Source:
    """A table with the files that a scan reads. ``column_types`` and ``key_types`` are in catalog order."""

    table: Table
    files: Sequence[DataFile]
    column_types: Sequence[t.Type]
    key_types: Sequence[t.Type]

"""SQLite for the catalog: the schema, and connections that several threads can borrow."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

KEY_COLUMNS = 8
"""How many partition keys have an index; conditions on further keys are checked row by row."""

_KEYS = [f"k{i}" for i in range(KEY_COLUMNS)]
_SCHEMA_VERSION = 2
_INDEXES = """
CREATE TABLE partition_indexes (
  table_id INTEGER NOT NULL REFERENCES tables (id) ON DELETE CASCADE,
  name TEXT NOT NULL, keys TEXT NOT NULL,
  PRIMARY KEY (table_id, name)
)"""
_SCHEMA = f"""
CREATE TABLE databases (
  account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, created REAL NOT NULL, body TEXT NOT NULL,
  PRIMARY KEY (account, region, name)
) WITHOUT ROWID;

CREATE TABLE tables (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  account TEXT NOT NULL, region TEXT NOT NULL, database TEXT NOT NULL, name TEXT NOT NULL,
  created REAL NOT NULL, updated REAL NOT NULL, version INTEGER NOT NULL, body TEXT NOT NULL,
  UNIQUE (account, region, database, name)
);

CREATE TABLE table_versions (
  table_id INTEGER NOT NULL REFERENCES tables (id) ON DELETE CASCADE,
  version INTEGER NOT NULL, updated REAL NOT NULL, body TEXT NOT NULL,
  PRIMARY KEY (table_id, version)
) WITHOUT ROWID;

-- Partitions of a table differ in little but their values and location: what they share is kept once, so that
-- 100,000 partitions are 20 MB instead of 200.
CREATE TABLE partition_bodies (
  id INTEGER PRIMARY KEY,
  table_id INTEGER NOT NULL REFERENCES tables (id) ON DELETE CASCADE,
  digest BLOB NOT NULL, body TEXT NOT NULL,
  UNIQUE (table_id, digest)
);

-- The columns k0, k1 … hold the key values as they compare: integers for integer keys, text for all others.
CREATE TABLE partitions (
  id INTEGER PRIMARY KEY,
  table_id INTEGER NOT NULL REFERENCES tables (id) ON DELETE CASCADE,
  sort_key BLOB NOT NULL, location TEXT NOT NULL, created REAL NOT NULL,
  body_id INTEGER NOT NULL REFERENCES partition_bodies (id),
  {", ".join(_KEYS)}
);
CREATE UNIQUE INDEX partitions_by_values ON partitions (table_id, sort_key);
CREATE INDEX partitions_by_body ON partitions (body_id);
CREATE INDEX partitions_by_keys ON partitions (table_id, {", ".join(_KEYS)}) WHERE k0 IS NOT NULL;
{"".join(f"CREATE INDEX partitions_by_{k} ON partitions (table_id, {k}) WHERE {k} IS NOT NULL;" for k in _KEYS[1:])}

CREATE TABLE column_statistics (
  table_id INTEGER NOT NULL REFERENCES tables (id) ON DELETE CASCADE,
  owner BLOB NOT NULL, column_name TEXT NOT NULL, body TEXT NOT NULL,
  PRIMARY KEY (table_id, owner, column_name)
) WITHOUT ROWID;

CREATE TABLE tags (
  account TEXT NOT NULL, region TEXT NOT NULL, arn TEXT NOT NULL, tag TEXT NOT NULL, value TEXT NOT NULL,
  PRIMARY KEY (account, region, arn, tag)
) WITHOUT ROWID;
{_INDEXES};
PRAGMA user_version = {_SCHEMA_VERSION};
"""


class Connections:
    """A pool of connections to one file: a thread borrows one for the length of one read or one transaction."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._idle: list[sqlite3.Connection] = []
        self._lock = Lock()
        self._closed = False
        with self.read() as connection:
            # The file remembers it; SQLite does not wait for a lock when the mode changes, so it is done once.
            connection.execute("PRAGMA journal_mode = WAL")
            _create_schema(connection)

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection in autocommit mode: each statement sees the latest commit."""
        with self._lock:
            connection = self._idle.pop() if self._idle else None
        if connection is None:
            connection = _connect(self._path)
        try:
            yield connection
        finally:
            with self._lock:
                keep = not self._closed
                if keep:
                    self._idle.append(connection)
            if not keep:
                connection.close()

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection inside one transaction: all of it happens, or nothing."""
        with self.read() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def close(self) -> None:
        """Close the idle connections now, and those on loan when they come back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()


def _connect(path: Path) -> sqlite3.Connection:
    # The pool hands a connection to one thread at a time, which is all that SQLite asks for.
    connection = sqlite3.connect(path, timeout=60, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def _create_schema(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN EXCLUSIVE")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == 0:
        # executescript() would commit the transaction that makes the creation atomic.
        for statement in _SCHEMA.split(";"):
            connection.execute(statement)
    if version == 1:
        connection.execute(_INDEXES)
        connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
    connection.execute("COMMIT")
    if version not in (0, 1, _SCHEMA_VERSION):
        raise RuntimeError(f"the catalog file has schema version {version}; this Headwater reads {_SCHEMA_VERSION}")

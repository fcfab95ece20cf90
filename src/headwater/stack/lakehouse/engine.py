"""DuckDB for many queries at once: a bounded set of warm, locked-down instances, each used by one query at a time."""

from __future__ import annotations

import json
import os
import queue
import re
import tempfile
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from headwater.stack.lakehouse.sql.macros import MACROS
from headwater.stack.lakehouse.sql.routines import registry as routines

_BATCH_ROWS = 16_384
_READ = re.compile(r'"path":"(.*)","op":"READ","bytes":"(\d+)","pos":"(\d+)"')
# Parsed here and not by duckdb_logs_parsed(), which takes three times as long.
_READS = 'SELECT message, count(*) FROM duckdb_logs WHERE contains(message, \'"op":"READ"\') GROUP BY message'
_FOOTER_END = 8


@dataclass(frozen=True)
class EngineSettings:
    """``slots`` queries run at once; ``memory_bytes`` is what they use together before they spill to ``scratch``."""

    scratch: Path
    slots: int = 4
    threads: int = 0
    memory_bytes: int = 2 * 1024**3


def _scanned(reads: Iterable[tuple[str, int]], scratch: str) -> int:
    """The bytes of logged reads, each with its number of times.

    A query reads a Parquet footer several times (to know the columns, to bind, to run), which counts once: the last
    eight bytes of the file, and what ends where they begin. Column data that is read twice, as by a self-join, counts
    twice.
    """
    files: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
    hidden = json.dumps(scratch)[1:-1]
    for message, times in reads:
        found = _READ.search(message)
        if found is not None and not found[1].startswith(hidden):
            files[found[1]].append((int(found[3]), int(found[2]), times))
    total = 0
    for spans in files.values():
        size = max(position + count for position, count, _ in spans)
        has_footer = any(position == size - _FOOTER_END and count == _FOOTER_END for position, count, _ in spans)
        for position, count, times in spans:
            footer = has_footer and position + count >= size - _FOOTER_END
            total += count if footer else count * times
    return total


class Session:
    """One DuckDB instance, held by one query. ``interrupt`` may be called from any thread."""

    def __init__(self, settings: EngineSettings) -> None:
        self._scratch = settings.scratch
        self._registered: list[str] = []
        self._kept: list[str] = []
        self._files: list[Path] = []
        self._counted = 0
        self.connection = duckdb.connect(":memory:")
        threads = settings.threads or (os.cpu_count() or 1)
        for statement in (
            f"SET threads = {threads}",
            f"SET memory_limit = '{settings.memory_bytes // settings.slots // 1024}KiB'",
            f"SET temp_directory = '{str(settings.scratch).replace(chr(39), chr(39) * 2)}'",
            "SET preserve_insertion_order = true",
            "SET TimeZone = 'UTC'",
            "SET Calendar = 'gregorian'",
            # What is cached would not show up in the DataScannedInBytes of the next query.
            "SET enable_external_file_cache = false",
            "SET parquet_metadata_cache = false",
            "SET autoinstall_known_extensions = false",
            "SET autoload_known_extensions = false",
            "SET python_enable_replacements = false",
            "SET default_null_order = 'nulls_last'",
            "SET ieee_floating_point_ops = true",
            "SET integer_division = false",
            "CALL enable_logging('FileSystem')",
            *MACROS,
            "SET lock_configuration = true",
        ):
            self.connection.execute(statement)
            if statement is MACROS[-1]:
                routines.register(self.connection)

    def batches(self, sql: str) -> Iterator[pa.RecordBatch]:
        """Run a query and stream its result; memory holds one batch."""
        yield from self.connection.execute(sql).to_arrow_reader(_BATCH_ROWS)

    def bytes_read(self) -> int:
        """Bytes that this session has read from data files since the last ``reset`` (spilled data is not counted)."""
        return self._bytes_read(self.connection)

    def register(self, data: object) -> str:
        """Make Arrow data a table until ``reset``, and return its name."""
        name = f"registered{len(self._registered)}"
        self.connection.register(name, data)
        self._registered.append(name)
        return name

    def materialize(self, sql: str) -> str:
        """Keep a query's rows (on disk, if they are many) until ``reset``, and return the table that has them."""
        name = f"kept{len(self._kept)}"
        self.connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {sql}")
        self._kept.append(name)
        return name

    def scratch_file(self) -> Path:
        """A place for a file that goes at the next ``reset``; reading it counts for nothing."""
        handle, name = tempfile.mkstemp(dir=self._scratch)
        os.close(handle)
        self._files.append(Path(name))
        return self._files[-1]

    def count(self, read: int) -> None:
        """Add bytes that are read past DuckDB."""
        self._counted += read

    def bytes_read_beside(self) -> int:
        """``bytes_read`` for another thread, while a query runs."""
        with closing(self.connection.cursor()) as beside:
            return self._bytes_read(beside)

    def _bytes_read(self, connection: duckdb.DuckDBPyConnection) -> int:
        return self._counted + _scanned(connection.execute(_READS).fetchall(), str(self._scratch))

    def reset(self) -> None:
        """Forget what was read."""
        self.connection.execute("CALL truncate_duckdb_logs()")
        self._counted = 0
        while self._files:
            self._files.pop().unlink(missing_ok=True)
        while self._kept:
            self.connection.execute(f"DROP TABLE IF EXISTS {self._kept.pop()}")
        while self._registered:
            self.connection.unregister(self._registered.pop())

    def interrupt(self) -> None:
        """Make the running query fail with ``duckdb.InterruptException``."""
        self.connection.interrupt()

    def close(self) -> None:
        """Release the instance."""
        self.connection.close()


class Engine:
    """Lends sessions. Instances are made when first needed and kept warm."""

    def __init__(self, settings: EngineSettings) -> None:
        settings.scratch.mkdir(parents=True, exist_ok=True)
        self._settings = settings
        self._idle: queue.LifoQueue[Session | None] = queue.LifoQueue()
        for _ in range(settings.slots):
            self._idle.put(None)
        self._closing = threading.Event()

    @property
    def slots(self) -> int:
        """How many queries run at once."""
        return self._settings.slots

    def warm(self) -> None:
        """Make one instance ahead of the first query, and load what DuckDB imports for Arrow (a fifth of a second)."""
        with self.session() as session:
            session.connection.register("hw_warm", pa.table({"i": pa.array([1])}))
            session.connection.unregister("hw_warm")
            list(session.batches("SELECT 1"))

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Borrow an instance, waiting for a free one. One that a query left unusable is replaced."""
        session = self._idle.get()
        if session is None:
            session = Session(self._settings)
        try:
            yield session
        finally:
            self._idle.put(self._kept(session))

    def _kept(self, session: Session) -> Session | None:
        if not self._closing.is_set():
            try:
                session.reset()
                return session
            except duckdb.Error:
                # A fatal error (DuckDB's word) ends an instance; the next query gets a new one.
                pass
        session.close()
        return None

    def close(self) -> None:
        """Close idle instances now, and borrowed ones when they come back."""
        self._closing.set()
        for _ in range(self._settings.slots):
            try:
                session = self._idle.get_nowait()
            except queue.Empty:
                break
            if session is not None:
                session.close()

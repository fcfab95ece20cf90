"""DuckDB for many queries at once: a bounded set of warm, locked-down instances, each used by one query at a time."""

from __future__ import annotations

import json
import os
import queue
import re
import shutil
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from headwater.stack.lakehouse.model import EngineSettings, StoredObject
from headwater.stack.lakehouse.sql.macros import MACROS
from headwater.stack.lakehouse.sql.routines import registry as routines

_BATCH_ROWS = 16_384
_READ = re.compile(r'"path":"(.*)","op":"READ","bytes":"(\d+)","pos":"(\d+)"')
# Parsed here and not by duckdb_logs_parsed(), which takes three times as long.
_READS = 'SELECT message, count(*) FROM duckdb_logs WHERE contains(message, \'"op":"READ"\') GROUP BY message'
_FOOTER_END = 8
_WHOLE_CHUNKS = "prefetch_all_parquet_files"
_MOST_FOOTERS = 100_000


@dataclass(frozen=True)
class _Footer:
    """The end of a Parquet file: its schema, statistics and places of data."""

    size: int
    modified: float
    length: int


def _footer(stored: StoredObject) -> _Footer:
    """The last eight bytes of a file say how long the footer before them is."""
    try:
        with stored.path.open("rb") as file:
            file.seek(-min(_FOOTER_END, stored.size), os.SEEK_END)
            end = file.read()
    except OSError:  # it is gone, which DuckDB will say
        end = b""
    length = int.from_bytes(end[:4], "little") + _FOOTER_END if end.endswith(b"PAR1") else len(end)
    return _Footer(stored.size, stored.modified, min(length, stored.size))


def _scanned(reads: Iterable[tuple[str, int]], scratch: str, footers: Mapping[str, _Footer]) -> int:
    """The bytes of logged reads, each with its number of times, and of the files' footers.

    DuckDB reads a footer several times, with more than the footer, or finds it in its cache: it counts once, as long
    as it is. Column data that is read twice, as by a self-join, counts twice.
    """
    total = sum(footer.length for footer in footers.values())
    for message, times in reads:
        found = _READ.search(message)
        if found is None:
            continue
        path: str = json.loads(f'"{found[1]}"') if "\\" in found[1] else found[1]
        end, footer = int(found[2]) + int(found[3]), footers.get(path)
        of_data = footer is None or end <= footer.size - _FOOTER_END
        if of_data and not path.startswith(scratch):
            total += int(found[2]) * times
    return total


_KINDS: Mapping[str, type[duckdb.Error]] = {
    "Conversion": duckdb.ConversionException,
    "INTERRUPT": duckdb.InterruptException,
    "Invalid Input": duckdb.InvalidInputException,
    "IO": duckdb.IOException,
    "Out of Memory": duckdb.OutOfMemoryException,
    "Out of Range": duckdb.OutOfRangeException,
}


def _raised(error: OSError) -> duckdb.Error:
    """DuckDB's own error for one between two batches, of which Arrow's reader keeps the text only.

    >>> _raised(OSError("Conversion Error: no number"))
    ConversionException('Conversion Error: no number')
    """
    return _KINDS.get(str(error).split(" Error: ", maxsplit=1)[0], duckdb.Error)(str(error))


class Session:
    """One DuckDB instance, held by one query. ``interrupt`` may be called from any thread."""

    def __init__(self, settings: EngineSettings) -> None:
        # Instances that spill into one folder write into each other's files, and crash.
        self._scratch = Path(tempfile.mkdtemp(prefix="engine-", dir=settings.scratch))
        self._registered: list[str] = []
        self._kept: list[str] = []
        self._files: list[Path] = []
        self._counted = 0
        self._refused: list[str] = []
        self._interrupted = threading.Event()
        self._footers: dict[str, _Footer] = {}
        self._known_footers: dict[str, _Footer] = {}
        self._whole_chunks = True
        self.connection = duckdb.connect(":memory:")
        processors = os.cpu_count() or 1
        threads = settings.threads or processors
        memory = settings.memory_bytes // settings.slots
        # The same for instances of fewer threads: how a file is read must not depend on where a query runs.
        self._most_bytes = memory // (4 * max(threads, processors))
        for statement in (
            f"SET threads = {threads}",
            f"SET memory_limit = '{memory // 1024}KiB'",
            f"SET temp_directory = '{str(self._scratch).replace(chr(39), chr(39) * 2)}'",
            "SET preserve_insertion_order = true",
            "SET TimeZone = 'UTC'",
            "SET Calendar = 'gregorian'",
            # Data that is cached would not show up in the DataScannedInBytes of the next query; footers count anyway.
            "SET enable_external_file_cache = false",
            "SET parquet_metadata_cache = true",
            f"SET {_WHOLE_CHUNKS} = true",
            "SET autoinstall_known_extensions = false",
            "SET autoload_known_extensions = false",
            "SET python_enable_replacements = false",
            "SET default_null_order = 'nulls_last'",
            "SET order_by_non_integer_literal = true",
            "SET ieee_floating_point_ops = true",
            "SET integer_division = false",
            # A WITH query that uses the one before takes two levels: enough for 500 of them.
            "SET max_expression_depth = 1200",
            "CALL enable_logging('FileSystem')",
            *MACROS,
            f"SET allowed_configs = ['{_WHOLE_CHUNKS}']",
            "SET lock_configuration = true",
        ):
            self.connection.execute(statement)
            if statement is MACROS[-1]:
                routines.register(self.connection, self._refused.append)

    def batches(self, sql: str) -> Iterator[pa.RecordBatch]:
        """Run a query and stream its result; memory holds one batch."""
        reader = self.connection.execute(sql).to_arrow_reader(_BATCH_ROWS)
        try:
            yield from reader
        except OSError as error:
            raised = _raised(error)
            if isinstance(raised, duckdb.InterruptException) and not self._interrupted.is_set():
                # The thread that failed stops the others; once in a while the reader is told of these only.
                self.materialize(sql)
            raise raised from error

    def expect(self, files: Iterable[StoredObject]) -> None:
        """Say which Parquet files a scan reads, before it is bound; the footer of each counts once.

        From small ones whole column chunks are read. Page by page is twenty times as many reads, whose log takes a
        tenth of a scan's time; but a column chunk of a large file may not fit into the memory.
        """
        for stored in files:
            path = str(stored.path)
            footer = self._known_footers.get(path)
            if footer is None or (footer.size, footer.modified) != (stored.size, stored.modified):
                footer = self._known_footers[path] = _footer(stored)
            self._footers[path] = footer
            if self._whole_chunks and stored.size > self._most_bytes:
                self._read_whole_chunks(False)

    def _read_whole_chunks(self, whole: bool) -> None:
        self._whole_chunks = whole
        self.connection.execute(f"SET {_WHOLE_CHUNKS} = {str(whole).lower()}")

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
        return self._counted + _scanned(connection.execute(_READS).fetchall(), str(self._scratch), self._footers.copy())

    def refusal(self) -> str | None:
        """What the query met that is not supported, also where TRY made NULL of it."""
        return self._refused[0] if self._refused else None

    def reset(self) -> None:
        """Forget what was read."""
        self._refused.clear()
        self._interrupted.clear()
        self.connection.execute("CALL truncate_duckdb_logs()")
        self._counted = 0
        self._footers = {}
        if len(self._known_footers) > _MOST_FOOTERS:
            self._known_footers = {}
        if not self._whole_chunks:
            self._read_whole_chunks(True)
        while self._files:
            self._files.pop().unlink(missing_ok=True)
        while self._kept:
            self.connection.execute(f"DROP TABLE IF EXISTS {self._kept.pop()}")
        while self._registered:
            self.connection.unregister(self._registered.pop())

    def interrupt(self) -> None:
        """Make the running query fail with ``duckdb.InterruptException``."""
        self._interrupted.set()
        self.connection.interrupt()

    def close(self) -> None:
        """Release the instance, and what it spilled."""
        self.connection.close()
        shutil.rmtree(self._scratch, ignore_errors=True)


class Engine:
    """Lends sessions. Instances are made when first needed and kept warm."""

    def __init__(self, settings: EngineSettings) -> None:
        shutil.rmtree(settings.scratch, ignore_errors=True)  # what a killed process left
        settings.scratch.mkdir(parents=True)
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

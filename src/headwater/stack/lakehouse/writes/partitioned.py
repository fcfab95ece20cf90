"""Writes a query's rows as files below a location, one directory for each partition, and puts them into the storage."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path

import pyarrow as pa

from headwater.stack.lakehouse.catalog.paths import DEFAULT_PARTITION
from headwater.stack.lakehouse.errors import AccessDenied, NoSuchBucket, QueryFailed
from headwater.stack.lakehouse.hive.buckets import Bucketing, Value, bucket_of, hash_of
from headwater.stack.lakehouse.model import Column, Scope, Storage, split_s3_uri
from headwater.stack.lakehouse.sql.query import OutputColumn
from headwater.stack.lakehouse.sql.scans import column_type
from headwater.stack.lakehouse.writes import values
from headwater.stack.lakehouse.writes.files import Sink, open_sink
from headwater.stack.lakehouse.writes.formats import FileFormat

MAX_PARTITIONS = 100
_BUFFER_BYTES = 64 * 1024**2

Key = tuple[str, ...]
_Group = tuple[Key, int | None]


@dataclass(frozen=True)
class Target:
    """What is written: the columns of the files in order, then the partition keys; ``locate`` gives directories.

    With ``buckets`` each directory gets a file for each bucket that has rows.
    """

    form: FileFormat
    columns: tuple[Column, ...]
    keys: tuple[Column, ...]
    locate: Callable[[Key], str]
    buckets: Bucketing | None = None


@dataclass(frozen=True)
class Written:
    """What was written: rows, the URIs of the files, and the location of each partition."""

    rows: int
    files: tuple[str, ...]
    partitions: Mapping[Key, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Place:
    """Where files go: through ``scratch`` into the storage; ``moment`` and ``identifier`` start each file's name."""

    storage: Storage
    scope: Scope
    scratch: Path
    moment: str
    identifier: str

    def file_name(self, number: int, bucket: int | None) -> str:
        """The name of a file without its suffix; a bucket's is in the form that Trino and Hive read buckets from."""
        if bucket is None:
            return f"{self.moment}_{self.identifier}_{number:05}"
        return f"{self.moment}_00000_{self.identifier[:5]}_bucket-{bucket:05}"


def select_for(target: Target, sql: str, columns: Sequence[OutputColumn]) -> str:
    """The query whose batches ``write`` takes: stored columns (or one of text lines), keys as text, bucket columns."""
    data = len(target.columns)
    if target.form.name in ("json", "textfile"):
        named = [(c.name, f"q.c{i}", columns[i].type) for i, c in enumerate(target.columns)]
        parts = [f"{values.line(named, target.form)} || chr(10) AS d0"]
    else:
        parts = [f"{values.stored(f'q.c{i}', columns[i].type)} AS d{i}" for i in range(data)]
    for i in range(len(target.keys)):
        text = values.partition_text(f"q.c{data + i}", columns[data + i].type)
        parts.append(f"coalesce(nullif(CAST({text} AS VARCHAR), ''), '{DEFAULT_PARTITION}') AS k{i}")
    if target.buckets is not None:
        names = [column.name for column in target.columns]
        parts += [f"q.c{names.index(name)} AS b{i}" for i, name in enumerate(target.buckets.columns)]
    return f"SELECT {', '.join(parts)} FROM ({sql}) AS q"  # noqa: S608 - built from translated expressions


def write(batches: Iterable[pa.RecordBatch], target: Target, place: Place) -> Written:
    """Write all rows and store the files. Nothing is stored before the last row was read."""
    writers: dict[_Group, _Writer] = {}
    rows = 0
    try:
        for batch in batches:
            rows += batch.num_rows
            for key, part in _split(batch, target):
                writer = writers.get(key)
                if writer is None:
                    if len(writers) == MAX_PARTITIONS:
                        message = f"Exceeded limit of {MAX_PARTITIONS} open writers for partitions/buckets"
                        raise QueryFailed(f"HIVE_TOO_MANY_OPEN_PARTITIONS: {message}")
                    path = place.scratch / f"{place.identifier}-{len(writers)}"
                    writer = writers[key] = _Writer(path, target)
                writer.add(part, _BUFFER_BYTES // max(len(writers), 8))
        for writer in writers.values():
            writer.close()
        return _store(writers, rows, target, place)
    finally:
        for writer in writers.values():
            writer.path.unlink(missing_ok=True)


def _split(batch: pa.RecordBatch, target: Target) -> Iterator[tuple[_Group, pa.RecordBatch]]:
    """The rows of each partition (and bucket) in a batch, without the columns that say which it is."""
    keys, hashed = len(target.keys), len(target.buckets.columns) if target.buckets else 0
    if keys + hashed == 0:
        if batch.num_rows:
            yield ((), None), batch
        return
    data = batch.select(list(range(batch.num_columns - keys - hashed)))
    columns = [column.to_pylist() for column in batch.columns[data.num_columns :]]
    numbers = _bucket_numbers(columns[keys:], target.columns, target.buckets) if target.buckets else repeat(None)
    found: dict[_Group, list[int]] = {}
    for row, (*key, number) in enumerate(zip(*columns[:keys], numbers, strict=False)):
        found.setdefault((tuple(key), number), []).append(row)
    for group, places in found.items():
        yield group, data if len(places) == batch.num_rows else data.take(pa.array(places))


def _bucket_numbers(
    values_of: Sequence[list[Value | None]], columns: Sequence[Column], buckets: Bucketing
) -> Iterable[int | None]:
    """The bucket of each row; each distinct value is hashed once."""
    kinds = {column.name: column_type(column).name for column in columns}
    hashes = []
    for name, found in zip(buckets.columns, values_of, strict=True):
        known = {value: hash_of(value, kinds[name]) for value in set(found)}
        hashes.append([known[value] for value in found])
    return [bucket_of(row, buckets.count) for row in zip(*hashes, strict=True)]


class _Writer:
    """One file with a buffer before it, so that row groups are not as small as batches."""

    def __init__(self, path: Path, target: Target) -> None:
        self.path = path
        self._sink: Sink = open_sink(path, target.form, target.columns)
        self._pending: list[pa.RecordBatch] = []
        self._bytes = 0

    def add(self, batch: pa.RecordBatch, most: int) -> None:
        """Take rows; write when ``most`` bytes wait."""
        self._pending.append(batch)
        self._bytes += batch.nbytes
        if self._bytes >= most:
            self._flush()

    def close(self) -> None:
        """Complete the file."""
        self._flush()
        self._sink.close()

    def _flush(self) -> None:
        if self._pending:
            whole = pa.Table.from_batches(self._pending).combine_chunks()
            for batch in whole.to_batches():
                self._sink.write(batch)
        self._pending, self._bytes = [], 0


def _store(writers: Mapping[_Group, _Writer], rows: int, target: Target, place: Place) -> Written:
    files: list[str] = []
    partitions: dict[Key, str] = {}
    for number, ((key, bucket_number), writer) in enumerate(writers.items()):
        location = target.locate(key)
        uri = f"{location.rstrip('/')}/{place.file_name(number, bucket_number)}{target.form.suffix}"
        bucket, object_key = split_s3_uri(uri)
        try:
            place.storage.put(place.scope, bucket, object_key, writer.path, "application/octet-stream")
        except (NoSuchBucket, AccessDenied) as error:
            raise QueryFailed(f"HIVE_WRITER_OPEN_ERROR: Error creating file {uri}: {type(error).__name__}") from error
        files.append(uri)
        if target.keys:
            partitions[key] = location
    return Written(rows, tuple(files), partitions)

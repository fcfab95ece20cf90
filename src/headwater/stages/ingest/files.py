"""Cuts rows that come in the order of their days into Parquet files, and uploads each while the next one fills."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from headwater.errors import VerificationError

ROW_GROUP_ROWS = 131_072
ROW_GROUP_BYTES = 32 * 1024 * 1024
FILE_BYTES = 64 * 1024 * 1024
IN_FLIGHT_BYTES = 96 * 1024 * 1024
IN_FLIGHT_FILES = 64
UPLOADS = 8
DAY_MICROSECONDS = 86_400_000_000
EPOCH = date(1970, 1, 1)
# Days are counted from the epoch; rows without one come last and sort there.
NO_DAY = int(np.iinfo(np.int64).max)

Upload = Callable[[str, bytes], None]


@dataclass(frozen=True)
class WrittenFile:
    """One Parquet file of the lake. ``day`` is None for the rows without one; ``path`` is below the run's folder."""

    path: str
    day: date | None
    rows: int
    bytes: int


class DayFiles:
    """A context manager with ``add(table)``: rows must come in the order of ``by``, those without a day last.

    ``folder(day)`` names a day's Hive directory; ``upload(path, data)`` is called from several threads. Memory holds
    one row group, one file and at most 96 MiB of files under way, however many rows and days there are.
    """

    def __init__(self, schema: Any, by: str, folder: Callable[[date | None], str], upload: Upload) -> None:
        self._schema, self._by, self._folder, self._upload = schema, by, folder, upload
        self._threads = ThreadPoolExecutor(UPLOADS, "headwater-ingest-upload")
        self._under_way: dict[Future[None], int] = {}
        self._day: int | None = None
        self._group: list[Any] = []
        self._group_rows = self._group_bytes = self._file_rows = self._number = 0
        self._sink: Any = None
        self._writer: Any = None
        self.files: list[WrittenFile] = []

    def __enter__(self) -> DayFiles:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._end_file()
                for future in list(self._under_way):
                    future.result()
        finally:
            self._threads.shutdown(wait=True, cancel_futures=True)

    def add(self, table: Any) -> None:
        """Take rows. Raises whatever an earlier upload raised."""
        days = _days(table.column(self._by))
        edges = [0, *(np.flatnonzero(np.diff(days)) + 1).tolist(), len(days)]
        for start, stop in pairwise(edges):
            if stop > start:
                self._add_day(int(days[start]), table.slice(start, stop - start))

    def _add_day(self, day: int, rows: Any) -> None:
        if day != self._day:
            self._end_file()
            self._day, self._number = day, 0
        self._group.append(rows)
        self._group_rows += rows.num_rows
        self._group_bytes += rows.nbytes
        if self._group_rows >= ROW_GROUP_ROWS or self._group_bytes >= ROW_GROUP_BYTES:
            self._end_group()
            if self._sink.tell() >= FILE_BYTES:
                self._end_file()

    def _end_group(self) -> None:
        if not self._group:
            return
        if self._writer is None:
            self._sink = pa.BufferOutputStream()
            self._writer = parquet.ParquetWriter(
                self._sink, self._schema, compression="zstd", compression_level=3, store_schema=False
            )
        self._writer.write_table(pa.concat_tables(self._group), row_group_size=max(self._group_rows, 1))
        self._file_rows += self._group_rows
        self._group.clear()
        self._group_rows = self._group_bytes = 0

    def _end_file(self) -> None:
        self._end_group()
        if self._writer is None:
            return
        self._writer.close()
        data = self._sink.getvalue()
        day = None if self._day == NO_DAY else EPOCH + timedelta(days=self._day or 0)
        path = f"{self._folder(day)}/part-{self._number:05d}.parquet"
        footer = parquet.read_metadata(pa.BufferReader(data))
        if footer.num_rows != self._file_rows:
            raise VerificationError(
                f"{path}: {self._file_rows:,} rows were written, its footer says {footer.num_rows:,}"
            )
        self.files.append(WrittenFile(path, day, footer.num_rows, data.size))
        self._send(path, data.to_pybytes())
        self._writer = self._sink = None
        self._file_rows = 0
        self._number += 1

    def _send(self, path: str, data: bytes) -> None:
        while self._under_way and (
            len(self._under_way) >= IN_FLIGHT_FILES or sum(self._under_way.values()) + len(data) > IN_FLIGHT_BYTES
        ):
            done, _ = wait(self._under_way, return_when=FIRST_COMPLETED)
            for future in done:
                del self._under_way[future]
                future.result()
        self._under_way[self._threads.submit(self._upload, path, data)] = len(data)


def _days(column: Any) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The day of each row as days since 1970-01-01, NO_DAY for null."""
    if pa.types.is_date32(column.type):
        numbers, unit = column.cast(pa.int32()).cast(pa.int64()), 1
    else:
        numbers, unit = column.cast(pa.int64()), DAY_MICROSECONDS
    known = numbers.is_valid().to_numpy()
    days = numbers.fill_null(0).to_numpy() // unit  # floor, also before 1970
    return np.where(known, days, NO_DAY)

"""Rows of a query as data files of an Iceberg table, partitioned as the table says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa
from pyiceberg.io.pyarrow import _dataframe_to_data_files, schema_to_pyarrow
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table

from headwater.stack.lakehouse.iceberg.tables import new_identifier

_CHUNK_BYTES = 128 * 1024**2


def write_files(table: Table, batches: Iterable[pa.RecordBatch]) -> tuple[list[DataFile], int]:
    """Data files for the rows, which are not part of the table before a snapshot names them; and how many rows."""
    schema = schema_to_pyarrow(table.schema())
    written: list[DataFile] = []
    rows = 0
    for chunk in _chunks(batches, schema):
        rows += chunk.num_rows
        written += _dataframe_to_data_files(table.metadata, chunk, table.io, write_uuid=new_identifier())
    return written, rows


def _chunks(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    pending: list[pa.RecordBatch] = []
    size = 0
    for batch in batches:
        if batch.num_rows:
            pending.append(_conform(batch, schema))
            size += batch.nbytes
        if size >= _CHUNK_BYTES:
            yield pa.Table.from_batches(pending)
            pending, size = [], 0
    if pending:
        yield pa.Table.from_batches(pending)


def _conform(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The batch in the table's own types; instants travel through DuckDB without their zone, which is UTC."""
    arrays = []
    for column, field in zip(batch.columns, schema, strict=True):
        if pa.types.is_timestamp(field.type) and field.type.tz and not column.type.tz:
            column = column.cast(pa.timestamp("us")).view(pa.int64()).view(field.type)  # noqa: PLW2901
        arrays.append(column.cast(field.type))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)

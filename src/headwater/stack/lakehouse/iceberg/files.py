"""Rows of a query as data files of an Iceberg table, partitioned as the table says.

pyiceberg's own appends are not used, because they change what is written: a NULL list of structs or map to structs
becomes an empty one (https://github.com/apache/arrow/issues/38809), and nested fields get other names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa
from pyarrow import parquet
from pyiceberg.exceptions import CommitFailedException, ValidationException
from pyiceberg.io.pyarrow import (
    _determine_partitions,
    _get_parquet_writer_kwargs,
    compute_statistics_plan,
    data_file_statistics_from_parquet_metadata,
    parquet_path_to_id_mapping,
    schema_to_pyarrow,
)
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
from pyiceberg.partitioning import PartitionKey
from pyiceberg.table import Table
from pyiceberg.table.locations import load_location_provider
from pyiceberg.typedef import Record

from headwater.stack.lakehouse.errors import QueryFailed
from headwater.stack.lakehouse.iceberg.conform import check_required, conform, relaxed
from headwater.stack.lakehouse.iceberg.tables import commit_error, new_identifier

_CHUNK_BYTES = 128 * 1024**2


def write_files(
    table: Table, batches: Iterable[pa.RecordBatch], most_partitions: int | None = None
) -> tuple[list[DataFile], int]:
    """Data files for the rows, which are not part of the table before a snapshot names them; and how many rows."""
    written: list[DataFile] = []
    partitions: set[str] = set()
    rows = 0
    try:
        for chunk in _chunks(batches, schema_to_pyarrow(table.schema())):
            rows += chunk.num_rows
            for key, part in _partitions(table, chunk):
                partitions.add(str(key.partition) if key else "")
                if most_partitions is not None and len(partitions) > most_partitions:
                    message = f"Exceeded limit of {most_partitions} open writers for partitions"
                    raise QueryFailed(f"ICEBERG_TOO_MANY_OPEN_PARTITIONS: {message}")
                written.append(_write(table, part, key))
    except BaseException:
        for useless in written:
            table.io.delete(useless.file_path)
        raise
    return written, rows


def _partitions(table: Table, rows: pa.Table) -> Iterator[tuple[PartitionKey | None, pa.Table]]:
    spec = table.metadata.spec()
    if spec.is_unpartitioned():
        yield None, rows
        return
    for partition in _determine_partitions(spec, table.schema(), rows):
        yield partition.partition_key, partition.arrow_table_partition


def _write(table: Table, rows: pa.Table, key: PartitionKey | None) -> DataFile:
    """One Parquet file; its columns carry the numbers by which Iceberg knows them."""
    properties = table.metadata.properties
    provider = load_location_provider(table.metadata.location, properties)
    output = table.io.new_output(provider.new_data_location(f"00000-0-{new_identifier()}.parquet", key))
    options = _get_parquet_writer_kwargs(properties)
    with output.create(overwrite=True) as stream:
        writer = parquet.ParquetWriter(stream, rows.schema, store_decimal_as_integer=True, **options)
        with writer:
            writer.write_table(rows)
    statistics = data_file_statistics_from_parquet_metadata(
        writer.writer.metadata,
        compute_statistics_plan(table.schema(), properties),
        parquet_path_to_id_mapping(table.schema()),
    )
    return DataFile.from_args(
        content=DataFileContent.DATA,
        file_path=output.location,
        file_format=FileFormat.PARQUET,
        partition=key.partition if key else Record(),
        file_size_in_bytes=len(output),
        sort_order_id=None,
        spec_id=table.metadata.default_spec_id,
        equality_ids=None,
        key_metadata=None,
        **statistics.to_serialized_dict(),
    )


def replace_files(table: Table, removed: Iterable[DataFile], added: Iterable[DataFile]) -> None:
    """Files in the place of others, as one snapshot. Raises ``QueryFailed`` if others changed the table meanwhile."""
    try:
        with table.transaction() as transaction, transaction.update_snapshot().overwrite() as snapshot:
            for file in removed:
                snapshot.delete_data_file(file)
            for file in added:
                snapshot.append_data_file(file)
    except (CommitFailedException, ValidationException) as error:
        raise commit_error(table.name()[-1]) from error


def _chunks(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    written = relaxed(schema)
    pending: list[pa.RecordBatch] = []
    size = 0
    for batch in batches:
        if batch.num_rows:
            rows = conform(batch, written)
            check_required(rows, schema)
            pending.append(rows)
            size += batch.nbytes
        if size >= _CHUNK_BYTES:
            yield pa.Table.from_batches(pending)
            pending, size = [], 0
    if pending:
        yield pa.Table.from_batches(pending)

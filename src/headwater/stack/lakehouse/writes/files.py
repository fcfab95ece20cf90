"""Record batches to files on the local disk, one kind of writer for each format; the storage takes them when whole."""

from __future__ import annotations

import bz2
import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Protocol, cast

import pyarrow as pa
import zstandard

from headwater.stack.lakehouse.hive import types as hive
from headwater.stack.lakehouse.hive.types import parse_type
from headwater.stack.lakehouse.model import Column
from headwater.stack.lakehouse.writes.avro import AvroSink
from headwater.stack.lakehouse.writes.formats import FileFormat

_SIMPLE = {
    "tinyint": pa.int8(),
    "smallint": pa.int16(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "boolean": pa.bool_(),
    "float": pa.float32(),
    "double": pa.float64(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
    "string": pa.string(),
    "binary": pa.binary(),
}


class Sink(Protocol):
    """A file that is being written."""

    def write(self, batch: pa.RecordBatch) -> None:
        """Add rows."""
        ...

    def close(self) -> None:
        """Complete the file."""
        ...


def open_sink(path: Path, form: FileFormat, columns: Sequence[Column]) -> Sink:
    """A new file. Text formats take batches with one column of whole lines."""
    if form.name == "parquet":
        return ParquetSink(path, arrow_schema(columns), form.compression)
    if form.name == "avro":
        return AvroSink(path, columns, form.compression)
    if form.name == "orc":
        return OrcSink(path, arrow_schema(columns), form.compression)
    return LineSink(path, form.compression)


def arrow_schema(columns: Sequence[Column]) -> pa.Schema:
    """The Arrow schema of Hive columns."""
    return pa.schema([pa.field(column.name, arrow_type(parse_type(column.type))) for column in columns])


def arrow_type(kind: hive.HiveType) -> pa.DataType:
    """The Arrow type of a Hive type.

    >>> str(arrow_type(parse_type("map<string,array<int>>")))
    'map<string, list<element: int32>>'
    """
    if isinstance(kind, hive.Decimal):
        return pa.decimal128(kind.precision, kind.scale)
    if isinstance(kind, hive.Text):
        return pa.string()
    if isinstance(kind, hive.Array):
        return pa.list_(pa.field("element", arrow_type(kind.element)))
    if isinstance(kind, hive.Map):
        return pa.map_(arrow_type(kind.key), arrow_type(kind.value))
    if isinstance(kind, hive.Struct):
        return pa.struct([pa.field(f.name, arrow_type(f.type)) for f in kind.fields])
    return _SIMPLE[kind.name]


def conform(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The batch with the schema's names and types."""
    arrays = [column.cast(field.type) for column, field in zip(batch.columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


class ParquetSink:
    """Parquet as Athena writes it: timestamps as INT96, which every reader of Hive tables takes."""

    def __init__(self, path: Path, schema: pa.Schema, compression: str) -> None:
        from pyarrow import parquet

        self._schema = schema
        self._writer = parquet.ParquetWriter(
            path, schema, compression=compression, use_deprecated_int96_timestamps=True, store_schema=False
        )

    def write(self, batch: pa.RecordBatch) -> None:
        """Add rows as one row group."""
        self._writer.write_batch(conform(batch, self._schema))

    def close(self) -> None:
        """Write the footer."""
        self._writer.close()


class OrcSink:
    """ORC."""

    def __init__(self, path: Path, schema: pa.Schema, compression: str) -> None:
        from pyarrow import orc

        self._schema = schema
        codec = "uncompressed" if compression == "none" else compression
        self._writer = orc.ORCWriter(str(path), compression=codec)

    def write(self, batch: pa.RecordBatch) -> None:
        """Add rows."""
        self._writer.write(pa.Table.from_batches([conform(batch, self._schema)]))

    def close(self) -> None:
        """Write the footer."""
        self._writer.close()


class LineSink:
    """Lines of text, compressed as the name of the file says."""

    def __init__(self, path: Path, compression: str) -> None:
        self._file = _open_text(path, compression)

    def write(self, batch: pa.RecordBatch) -> None:
        """Add lines; the only column holds them with their ends."""
        self._file.write("".join(batch.column(0).to_pylist()).encode())

    def close(self) -> None:
        """Complete the file."""
        self._file.close()


class _Text(Protocol):
    def write(self, data: bytes, /) -> object: ...

    def close(self) -> None: ...


class _HadoopSnappy:
    """Snappy in Hadoop's blocks: how long a block is when unpacked, how long packed, and its data."""

    _BLOCK = 256 * 1024

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._kept = bytearray()

    def write(self, data: bytes, /) -> None:
        """Add bytes; whole blocks go to the file."""
        self._kept += data
        while len(self._kept) >= self._BLOCK:
            self._put(self._BLOCK)

    def close(self) -> None:
        """Write what is left."""
        if self._kept:
            self._put(len(self._kept))
        self._file.close()

    def _put(self, size: int) -> None:
        packed = bytes(pa.Codec("snappy").compress(bytes(self._kept[:size])))
        self._file.write(size.to_bytes(4, "big") + len(packed).to_bytes(4, "big") + packed)
        del self._kept[:size]


def _open_text(path: Path, compression: str) -> _Text:
    if compression == "gzip":
        return gzip.open(path, "wb", compresslevel=6)
    if compression == "bzip2":
        return bz2.open(path, "wb")
    if compression == "snappy":
        return _HadoopSnappy(path)
    if compression == "zstd":
        return cast(BinaryIO, zstandard.open(path, "wb"))
    return path.open("wb")

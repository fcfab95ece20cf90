"""Turns CSV from COPY into Arrow columns without losing anything on the way: digits, nulls, empty strings, bytes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from pyarrow import csv

from headwater.errors import InputError
from headwater.stages.ingest.plan import IngestColumn

_ARROW = {
    "boolean": pa.bool_(),
    "smallint": pa.int16(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "date": pa.date32(),
    # Without a zone: Athena's timestamp has none, and all of ours are UTC.
    "timestamp": pa.timestamp("us"),
    "string": pa.string(),
    "binary": pa.binary(),
}


class RowReader:
    """Parses blocks of whole CSV rows for one table."""

    def __init__(self, columns: Sequence[IngestColumn]) -> None:
        self._columns = columns
        self.schema = pa.schema([(column.name, arrow_type(column.type.name)) for column in columns])
        self._parse = csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False)
        # COPY tells NULL (nothing) from the empty string (""), and so do we.
        self._convert = csv.ConvertOptions(
            column_types={
                column.name: pa.string() if column.type.decode == "hex" else arrow_type(column.type.name)
                for column in columns
            },
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            true_values=["t"],
            false_values=["f"],
        )

    def read(self, block: bytes) -> Any:
        """The block's rows as a pyarrow Table. Raises InputError that names the column of a value with no place."""
        options = csv.ReadOptions(
            column_names=self.schema.names, block_size=max(len(block) + 1, 1024), use_threads=False
        )
        try:
            table = csv.read_csv(pa.BufferReader(block), options, self._parse, self._convert)
        except pa.ArrowInvalid as error:
            raise self._no_place(str(error)) from error
        for index, column in enumerate(self._columns):
            if column.type.decode == "hex":
                table = table.set_column(index, column.name, _unhex(table.column(index)))
        return table

    def _no_place(self, message: str) -> InputError:
        match = re.search(r"column #(\d+): (?:CSV conversion error to (\S+): )?(.*)", message, re.DOTALL)
        if not match:
            return InputError(f"a row cannot be read as CSV: {message}")
        column = self._columns[int(match[1])]
        return InputError(
            f"column {column.source} ({column.source_type}): {column.type.name} in the lake cannot hold {match[3]}",
            hint="correct it, or make a view that casts the column to text, and ingest the view",
        )


def arrow_type(lake: str) -> Any:
    """The Arrow type of a lake type.

    >>> str(arrow_type("decimal(10,2)")), str(arrow_type("timestamp"))
    ('decimal128(10, 2)', 'timestamp[us]')
    """
    match = re.fullmatch(r"decimal\((\d+),(\d+)\)", lake)
    return pa.decimal128(int(match[1]), int(match[2])) if match else _ARROW[lake]


def _unhex(column: Any) -> Any:
    return pa.array([None if text is None else bytes.fromhex(text) for text in column.to_pylist()], pa.binary())

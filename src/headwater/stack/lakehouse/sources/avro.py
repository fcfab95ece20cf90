"""Avro as Athena reads it: columns by name, through fastavro and Arrow, because DuckDB's own reader is an extension."""

# ruff: noqa: S608 - writing SQL is what this module is for; values and names in it are quoted or fixed
from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import fastavro
import pyarrow as pa
from fastavro.read import SchemaResolutionError
from fastavro.schema import SchemaParseException

from headwater.stack.lakehouse.errors import QueryFailed, Unsupported
from headwater.stack.lakehouse.model import Table
from headwater.stack.lakehouse.sources.keys import per_file_columns
from headwater.stack.lakehouse.sources.model import DataFile, Reader, Source
from headwater.stack.lakehouse.sources.parquet import Physical, converted
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.expression import quote_name

_BATCH_ROWS = 10_000
_PLAIN: Mapping[str, Any] = {
    "boolean": pa.bool_(),
    "int": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "bytes": pa.binary(),
    "string": pa.string(),
    "enum": pa.string(),
    "fixed": pa.binary(),
}
_LOGICAL: Mapping[str, Any] = {
    "date": pa.date32(),
    "timestamp-millis": pa.timestamp("us"),
    "timestamp-micros": pa.timestamp("us"),
    "local-timestamp-millis": pa.timestamp("us"),
    "local-timestamp-micros": pa.timestamp("us"),
}


def avro_relation(source: Source, reader: Reader) -> str:
    """``(SELECT … AS c0, …)`` over the files; a field that a file lacks is NULL."""
    parts = []
    declared = _declared(source.table)
    for number, file in enumerate(source.files):
        table = _loaded(file, declared, reader)
        described = reader.connection.execute(f"SELECT * FROM {table} LIMIT 0").description or []
        present = {str(name).lower(): (str(name), kind) for name, kind, *_ in described}
        columns = []
        for i, (column, wanted) in enumerate(zip(source.table.columns, source.column_types, strict=True)):
            name, physical = present.get(column.name.lower(), ("", None))
            value = f"CAST(NULL AS {t.to_duckdb(wanted)})"
            if physical is not None:
                found = _promoted(quote_name(name), physical, wanted)
                if found is None:
                    raise QueryFailed(f"HIVE_BAD_DATA: Avro field {name} of type {physical} cannot be read as {wanted}")
                value = found
            columns.append(f"{value} AS c{i}")
        parts.append(f"SELECT {', '.join([*columns, f'{number} AS file_index'])} FROM {table}")
    names = [f"c{i}" for i in range(len(source.column_types))]
    union = " UNION ALL ".join(parts)
    return f"(SELECT {', '.join([*names, *per_file_columns(source, 'file_index')])} FROM ({union}))"


def _declared(table: Table) -> Any:
    """The schema that a table gives its files: it renames fields, and has values for those that a file lacks."""
    name = "avro.schema.literal"
    text = table.serde_parameters.get(name) or table.parameters.get(name)
    if not text:
        return None
    try:
        return fastavro.parse_schema(json.loads(text))
    except (ValueError, KeyError, TypeError, SchemaParseException) as error:
        raise QueryFailed(f"HIVE_INVALID_METADATA: Invalid Avro schema in {name}: {error}") from error


def _loaded(file: DataFile, declared: Any, reader: Reader) -> str:
    """The file's records as a table that DuckDB can spill; memory holds one batch."""
    reader.count(file.stored.size)
    try:
        with file.stored.path.open("rb") as stream:
            records = fastavro.reader(stream, reader_schema=declared)
            schema = _schema(declared or records.writer_schema)
            batches = pa.RecordBatchReader.from_batches(schema, _batches(records, schema))
            return reader.materialize(f"SELECT * FROM {reader.register(batches)}")
    except SchemaResolutionError as error:
        raise QueryFailed(f"HIVE_BAD_DATA: {file.uri} does not fit the table's avro.schema.literal: {error}") from error
    except (ValueError, EOFError, pa.ArrowInvalid) as error:
        if "codec" in str(error):
            raise Unsupported(f"the compression of the Avro file {file.uri}") from error
        raise QueryFailed(f"HIVE_BAD_DATA: Not a valid Avro file: {file.uri}") from error


def _promoted(sql: str, physical: Physical, wanted: t.Type) -> str | None:
    """Avro also reads whole numbers as fractions."""
    if wanted.name in t.APPROXIMATE and physical.id.lower() in ("integer", "bigint"):
        return f"CAST({sql} AS {t.to_duckdb(wanted)})"
    return converted(sql, physical, wanted)


def _batches(records: Iterator[Any], schema: Any) -> Iterator[Any]:
    while rows := list(islice(records, _BATCH_ROWS)):
        yield pa.RecordBatch.from_pylist([_plain_times(row) for row in rows], schema=schema)


def _plain_times(value: Any) -> Any:
    """Instants without their zone, which is always UTC: Athena's timestamps have none."""
    if isinstance(value, dict):
        return {name: _plain_times(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain_times(item) for item in value]
    return value.replace(tzinfo=None) if getattr(value, "tzinfo", None) is not None else value


def _schema(record: Any) -> Any:
    if not isinstance(record, dict) or record.get("type") != "record":
        raise Unsupported("an Avro file whose schema is no record")
    return pa.schema([pa.field(field["name"], _type(field["type"])) for field in record["fields"]])


def _type(kind: Any) -> Any:
    """The Arrow type of an Avro type; of a union only one type and null."""
    if isinstance(kind, list):
        others = [item for item in kind if item != "null"]
        if len(others) != 1:
            raise Unsupported("an Avro union of several types")
        return _type(others[0])
    if isinstance(kind, str):
        if kind not in _PLAIN:
            raise Unsupported(f"the Avro type {kind}")
        return _PLAIN[kind]
    logical, name = kind.get("logicalType"), kind["type"]
    if logical == "decimal":
        return pa.decimal128(kind["precision"], kind.get("scale", 0))
    if logical in _LOGICAL:
        return _LOGICAL[logical]
    if logical in ("uuid", None) and isinstance(name, str):
        if name == "record":
            return pa.struct([pa.field(field["name"], _type(field["type"])) for field in kind["fields"]])
        if name == "array":
            return pa.list_(_type(kind["items"]))
        if name == "map":
            return pa.map_(pa.string(), _type(kind["values"]))
        return _type(name)
    raise Unsupported(f"the Avro logical type {logical}")

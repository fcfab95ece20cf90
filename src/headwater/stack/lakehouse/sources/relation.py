"""A scan as a DuckDB relation: its surviving partitions, their files, and the reader of the table's format."""

# ruff: noqa: S608 - writing SQL is what this module is for; values and names in it are quoted or fixed
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.model import Partition, Scope, Storage, Table
from headwater.stack.lakehouse.sources.avro import avro_relation
from headwater.stack.lakehouse.sources.buckets import in_wanted_buckets
from headwater.stack.lakehouse.sources.delimited import lazy_simple_relation
from headwater.stack.lakehouse.sources.files import data_files
from headwater.stack.lakehouse.sources.grok import grok_relation
from headwater.stack.lakehouse.sources.jsonlines import CLOUD_TRAIL, json_relation
from headwater.stack.lakehouse.sources.keys import empty_relation
from headwater.stack.lakehouse.sources.links import SYMLINKS, followed
from headwater.stack.lakehouse.sources.model import Reader, Source
from headwater.stack.lakehouse.sources.opencsv import open_csv_relation
from headwater.stack.lakehouse.sources.orc import orc_relation
from headwater.stack.lakehouse.sources.parquet import parquet_relation
from headwater.stack.lakehouse.sources.partitions import by_serde, check_schemas
from headwater.stack.lakehouse.sources.regex import regex_relation
from headwater.stack.lakehouse.sources.unpack import unpacked
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.candidates import (
    NULL_PARTITION,
    PartitionCatalog,
    check_values,
    key_value,
    surviving,
)
from headwater.stack.lakehouse.sql.context import Scan
from headwater.stack.lakehouse.sql.expression import quote_text
from headwater.stack.lakehouse.sql.scans import column_type

_TEXT: Mapping[str, Callable[[Source], str]] = {
    "lazysimpleserde": lazy_simple_relation,
    "opencsvserde": open_csv_relation,
    "jsonserde": json_relation,
    "cloudtrailserde": json_relation,
    "regexserde": regex_relation,
    "grokserde": grok_relation,
}
_LINES = ("", "org.apache.hadoop.mapred.TextInputFormat", SYMLINKS)
_THROUGH_PYTHON: Mapping[str, Callable[[Source, Reader], str]] = {"orcserde": orc_relation, "avroserde": avro_relation}


@dataclass(frozen=True)
class Lake:
    """Where a query's data comes from: the catalog's partitions and the objects in storage, as an account sees them."""

    catalog: PartitionCatalog
    storage: Storage
    scope: Scope
    now: datetime

    def relation(self, scan: Scan, reader: Reader) -> str:
        """The FROM item of a scan; only the surviving partitions are listed, and nothing else is opened."""
        if scan.snapshot is not None:
            return scan.snapshot.relation(reader)
        partitions = surviving(scan, self.catalog, self.scope, self.now, reader.connection)
        table = scan.table
        keys = [scan.key_types[key.name.lower()] for key in table.partition_keys]
        if scan.partitions_only:
            return _partition_rows(table, partitions, keys)
        check_schemas(table, partitions)
        below = "" if scan.predicates else table.location
        listed = data_files(self.storage, self.scope, partitions, below=below)
        found = followed(listed, table, (self.storage, self.scope), reader)
        files = in_wanted_buckets(table, found, scan.pins)
        source = Source(table, files, [column_type(c) for c in table.columns], keys)
        if not files:
            return _with_raw(empty_relation(source), source)
        groups = by_serde(table, files)
        parts = [_read(form, replace(source, table=form, files=own), reader) for form, own in groups]
        return parts[0] if len(parts) == 1 else f"({' UNION ALL BY NAME '.join(f'FROM {part}' for part in parts)})"


def _read(table: Table, source: Source, reader: Reader) -> str:
    serde = table.serde.rsplit(".", 1)[-1].lower()
    if serde == "parquethiveserde" or "parquet" in table.input_format.lower():
        return parquet_relation(source, reader)
    through_python = _THROUGH_PYTHON.get(serde)
    if through_python is not None:
        return _with_raw(through_python(source, reader), source)
    relation = _TEXT.get(serde)
    cloud_trail = table.input_format == CLOUD_TRAIL and relation is json_relation
    if table.input_format not in _LINES and not cloud_trail:
        raise Unsupported(f"the input format {table.input_format}")
    if relation is None:
        raise Unsupported(f"SerDe {table.serde or table.input_format}")
    return _with_raw(relation(unpacked(source, reader)), source)


def _with_raw(relation: str, source: Source) -> str:
    """With each timestamp once more, under the name that conditions on the file's own values use."""
    raw = [f"c{i} AS raw{i}" for i, kind in enumerate(source.column_types) if kind == t.TIMESTAMP]
    return f"(SELECT {', '.join(['*', *raw])} FROM {relation})" if raw else relation


def _partition_rows(table: Table, partitions: list[Partition], kinds: list[t.Type]) -> str:
    for i, (key, kind) in enumerate(zip(table.partition_keys, kinds, strict=True)):
        check_values(key.name, kind, {partition.values[i] for partition in partitions})
    names = ", ".join(f"v{i}" for i in range(len(kinds)))
    typed = ", ".join(f"{key_value(f'v{i}', kind)} AS k{i}" for i, kind in enumerate(kinds))
    if not partitions:
        nulls = ", ".join(f"CAST(NULL AS {t.to_duckdb(kind)}) AS k{i}" for i, kind in enumerate(kinds))
        return f"(SELECT {nulls} WHERE false)"
    rows = ", ".join(
        f"({', '.join('NULL' if v == NULL_PARTITION else quote_text(v) for v in p.values)})" for p in partitions
    )
    return f"(SELECT {typed} FROM (VALUES {rows}) AS v({names}))"

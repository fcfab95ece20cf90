"""What a partition says of itself beside its place: the types of its columns, and the SerDe that its files want."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace

from headwater.stack.lakehouse.catalog.paths import partition_path
from headwater.stack.lakehouse.errors import QueryFailed, Unsupported
from headwater.stack.lakehouse.hive.types import TypeSyntaxError, parse_type
from headwater.stack.lakehouse.model import Column, GlueJson, Partition, Table
from headwater.stack.lakehouse.sources.model import DataFile
from headwater.stack.lakehouse.sql import types as t

_WIDER = {
    "tinyint": ("smallint", "integer", "bigint", "varchar"),
    "smallint": ("integer", "bigint", "varchar"),
    "integer": ("bigint", "varchar"),
    "bigint": ("varchar",),
    "real": ("double", "decimal"),
    "double": ("real", "decimal"),
    "decimal": ("decimal", "real", "double", "varchar"),
    "varchar": ("varchar", *t.INTEGERS),
    "char": ("char",),
}
"""Which types of a partition's columns Trino's Hive connector converts into which of the table's."""


def check_schemas(table: Table, partitions: Iterable[Partition]) -> None:
    """Refuse partitions that declare a column in a type that is not the table's. Raises ``QueryFailed``.

    Parquet's columns (and ORC's, read by name) are compared by name, those of other formats by place.
    """
    known: set[int] = set()
    for partition in partitions:
        columns = (partition.glue.get("StorageDescriptor") or {}).get("Columns") or []
        if id(columns) not in known:  # partitions share what they have in common
            known.add(id(columns))
            for ours, theirs in _pairs(table, columns):
                _check(table, partition, ours, theirs)


def _pairs(table: Table, columns: Sequence[GlueJson]) -> Iterable[tuple[Column, Column]]:
    declared = [Column(c["Name"], c.get("Type") or "string") for c in columns]
    if _by_name(table):
        named = {column.name.lower(): column for column in declared}
        return [(c, named[c.name.lower()]) for c in table.columns if c.name.lower() in named]
    return list(zip(table.columns, declared, strict=False))


def _by_name(table: Table) -> bool:
    index_access = {"parquet": "parquet.column.index.access", "orc": "orc.column.index.access"}
    for form, parameter in index_access.items():
        if form in table.serde.lower() or form in table.input_format.lower():
            default = "true" if form == "orc" else "false"
            return table.serde_parameters.get(parameter, default).strip().lower() == "false"
    return False


def _check(table: Table, partition: Partition, ours: Column, theirs: Column) -> None:
    if ours.type == theirs.type:
        return
    try:
        wanted, have = t.from_hive(parse_type(ours.type)), t.from_hive(parse_type(theirs.type))
    except TypeSyntaxError:
        return  # reading the column says so
    where = partition_path([key.name for key in table.partition_keys], partition.values)
    if not _converts(have, wanted):
        raise QueryFailed(
            "HIVE_PARTITION_SCHEMA_MISMATCH: There is a mismatch between the table and partition schemas. The types "
            f"are incompatible and cannot be coerced. The column '{ours.name}' in table "
            f"'{table.database}.{table.name}' is declared as type '{ours.type}', but partition '{where}' declared "
            f"column '{theirs.name}' as type '{theirs.type}'."
        )
    if t.is_text(wanted) and not t.is_text(have) and not _by_name(table):
        # Trino reads the number first, so that 007 becomes 7.
        raise Unsupported(f"column {ours.name} of type {ours.type} that partition {where} declares as {theirs.type}")


def _converts(have: t.Type, wanted: t.Type) -> bool:
    if have == wanted:
        return True
    if have.items and have.name == wanted.name:
        names = zip(have.names, wanted.names, strict=False)
        parts = zip(have.items, wanted.items, strict=False)
        return all(a == b for a, b in names) and all(_converts(a, b) for a, b in parts)
    return wanted.name in _WIDER.get(have.name, ())


def by_serde(table: Table, files: Iterable[DataFile]) -> list[tuple[Table, list[DataFile]]]:
    """The files by the SerDe that their partitions name; the table is in each case as its partition has it."""
    forms: dict[int, str] = {}
    found: dict[str, tuple[Table, list[DataFile]]] = {}
    for file in files:
        descriptor = file.partition.glue.get("StorageDescriptor") or {}
        serde = descriptor.get("SerdeInfo") or {}
        key = forms.get(id(serde))
        if key is None or not serde:
            key = forms[id(serde)] = json.dumps([serde, descriptor.get("InputFormat")], sort_keys=True)
        if key not in found:
            found[key] = (_as_partition(table, serde, descriptor.get("InputFormat") or ""), [])
        found[key][1].append(file)
    return list(found.values())


def _as_partition(table: Table, serde: GlueJson, input_format: str) -> Table:
    library = serde.get("SerializationLibrary")
    if not library:
        return table
    form = input_format or table.input_format
    return replace(table, serde=library, serde_parameters=serde.get("Parameters") or {}, input_format=form)

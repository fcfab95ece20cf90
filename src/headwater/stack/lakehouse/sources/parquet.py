"""Parquet as Athena reads it: columns by name or place, a missing one is NULL, an incompatible one fails where used."""

# ruff: noqa: S608 - writing SQL is what this module is for; values and names in it are quoted or fixed
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

import duckdb

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.sources.alike import alike
from headwater.stack.lakehouse.sources.keys import path_list, per_file_columns
from headwater.stack.lakehouse.sources.model import DataFile, Reader, Source
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.expression import fail, quote_name, quote_text


class Physical(Protocol):
    """A DuckDB type, of which only the shape is needed."""

    @property
    def id(self) -> str:
        """Its kind."""
        ...

    @property
    def children(self) -> list[tuple[str, Any]]:
        """Its parts by name."""
        ...


_INTEGERS = ("tinyint", "smallint", "integer", "bigint", "utinyint", "usmallint", "uinteger", "ubigint")
_TIMESTAMPS = ("timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns")
_PHYSICAL = {
    "decimal": "FIXED_LEN_BYTE_ARRAY",
    "varchar": "BINARY",
    "blob": "BINARY",
    "bigint": "INT64",
    "integer": "INT32",
}

_TEXT: Physical = duckdb.sqltypes.VARCHAR


def parquet_relation(source: Source, reader: Reader) -> str:
    """``(SELECT … AS c0, … FROM read_parquet(…))`` over the files, each column in its catalog type."""
    if source.table.serde_parameters.get("parquet.column.index.access", "false").strip().lower() == "true":
        return _by_place(source, reader)
    groups = [replace(source, files=files) for files in _alike(source, reader)]
    parts = [_select(group, reader, per_file_columns(group, "file_index")) for group in groups]
    return f"({' UNION ALL '.join(parts)})"


def _alike(source: Source, reader: Reader) -> list[Sequence[DataFile]]:
    reader.expect(file.stored for file in source.files)
    return alike(source, reader)


def _by_place(source: Source, reader: Reader) -> str:
    """Each file by itself: what the columns are called there does not matter."""
    parts = []
    for number, file in enumerate(source.files):
        one = replace(source, files=[file])
        parts.append(_select(one, reader, per_file_columns(source, str(number)), by_place=True))
    return f"({' UNION ALL '.join(parts)})"


def _select(source: Source, reader: Reader, more: list[str], *, by_place: bool = False) -> str:
    by_name = "true" if len(source.files) > 1 else "false"
    files = f"read_parquet({path_list(source)}, union_by_name={by_name}, hive_partitioning=false)"
    reader.expect(file.stored for file in source.files)
    described = reader.connection.execute(f"SELECT * FROM {files} LIMIT 0").description or []
    present = {str(name).lower(): (str(name), kind) for name, kind, *_ in described}
    if "file_index" in present:
        raise Unsupported("a Parquet file with a column named file_index")
    columns = []
    for i, (column, wanted) in enumerate(zip(source.table.columns, source.column_types, strict=True)):
        found = present.get(column.name.lower())
        if by_place:
            found = (str(described[i][0]), described[i][1]) if i < len(described) else None
        if found is None:
            columns += [f"CAST(NULL AS {t.to_duckdb(wanted)}) AS {name}" for name in _names(i, wanted)]
            continue
        value = converted(quote_name(found[0]), found[1], wanted)
        if value is None:
            value = _incompatible(source, column.name, str(found[1]), wanted)
        columns.append(f"{value} AS c{i}")
        if wanted == t.TIMESTAMP:
            columns.append(f"{quote_name(found[0]) if found[1].id == 'timestamp' else value} AS raw{i}")
    return f"SELECT {', '.join([*columns, *more])} FROM {files}"


def _names(index: int, wanted: t.Type) -> list[str]:
    """A column's names in the relation: a timestamp is there rounded and as the file has it."""
    return [f"c{index}", f"raw{index}"] if wanted == t.TIMESTAMP else [f"c{index}"]


def _incompatible(source: Source, name: str, physical: str, wanted: t.Type) -> str:
    """A value that fails the query which reads it; one that reads other columns only does not mind."""
    shown = _PHYSICAL.get(physical.split("(", maxsplit=1)[0].lower(), physical)
    where = source.files[0].uri
    message = f"Malformed Parquet file. Field {name}'s type {shown} in parquet file {where}"
    message = f"HIVE_BAD_DATA: {message} is incompatible with type {wanted} defined in table schema"
    return fail(quote_text(message), wanted, "file_index")


def converted(sql: str, physical: Physical, wanted: t.Type) -> str | None:
    """The physical value in the wanted type, or ``None`` where Athena refuses."""
    have = physical.id.lower()
    if wanted.name in ("array", "map", "row"):
        return _nested(sql, physical, wanted)
    if str(physical).upper() == t.to_duckdb(wanted).upper() and wanted.name not in ("timestamp", "char", "varchar"):
        return sql
    allowed = {
        "varchar": ("varchar", "blob", "json"),
        "char": ("varchar", "blob"),
        "varbinary": ("blob", "varchar"),
        "decimal": ("decimal", *_INTEGERS),
        "real": ("float",),
        "double": ("float", "double"),
        **dict.fromkeys(t.INTEGERS, _INTEGERS),
    }.get(wanted.name, ())
    if wanted.name == "timestamp":
        return _timestamp(sql, have)
    if (wanted.name, have) == ("date", "integer"):
        return f"DATE '1970-01-01' + {sql}"
    if have not in allowed:
        return None
    if have == "blob" and t.is_text(wanted):
        return converted(f"decode({sql})", _TEXT, wanted)
    if have == "varchar":
        return {
            "varbinary": f"encode({sql})",
            "char": f"rpad({sql}, {wanted.params[0] if wanted.params else 1}, ' ')",
            "varchar": f"left({sql}, {wanted.params[0]})" if wanted.params else sql,
        }.get(wanted.name, sql)
    return f"CAST({sql} AS {t.to_duckdb(wanted)})"


def _timestamp(sql: str, have: str) -> str | None:
    """Athena's timestamp has milliseconds, rounded half up from what the file has."""
    if have == "timestamp with time zone":
        sql = f"make_timestamp(epoch_us({sql}))"
    elif have in ("timestamp_s", "timestamp_ms"):
        return f"CAST({sql} AS TIMESTAMP)"
    elif have == "timestamp_ns":
        sql = f"CAST({sql} AS TIMESTAMP)"
    elif have not in _TIMESTAMPS:
        return None
    return f"hw_milliseconds({sql})"


def _nested(sql: str, physical: Physical, wanted: t.Type) -> str | None:
    if wanted.name == "array" and physical.id == "list":
        inner = converted("e", dict(physical.children)["child"], wanted.items[0])
        return None if inner is None else f"list_transform({sql}, lambda e: {inner})"
    if wanted.name == "map" and physical.id == "map":
        key = converted("e", dict(physical.children)["key"], wanted.items[0])
        value = converted("e", dict(physical.children)["value"], wanted.items[1])
        if key is None or value is None:
            return None
        keys, values = (
            f"list_transform(map_keys({sql}), lambda e: {key})",
            f"list_transform(map_values({sql}), lambda e: {value})",
        )
        return f"CASE WHEN {sql} IS NOT NULL THEN map({keys}, {values}) END"
    if wanted.name == "row" and physical.id == "struct":
        present = {str(name).lower(): (str(name), kind) for name, kind in physical.children}
        parts = []
        for i, (name, kind) in enumerate(zip(wanted.names, wanted.items, strict=True)):
            found = present.get((name or "").lower())
            inner = f"CAST(NULL AS {t.to_duckdb(kind)})"
            if found is not None:
                value = converted(f"struct_extract({sql}, {quote_text(found[0])})", found[1], kind)
                if value is None:
                    return None
                inner = value
            parts.append(f"f{i} := {inner}")
        return f"CASE WHEN {sql} IS NOT NULL THEN struct_pack({', '.join(parts)}) END"
    return None

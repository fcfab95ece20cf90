"""Parquet files that hold a column in different types: they are read apart, each as Athena reads it.

Read together, DuckDB would give all of them the widest type: a number would be text where another file has text, and a
condition would be rounded to each file's own type.
"""

# ruff: noqa: S608 - writing SQL is what this module is for; the list of files is quoted
from __future__ import annotations

from collections.abc import Sequence

from headwater.stack.lakehouse.sources.keys import path_list
from headwater.stack.lakehouse.sources.model import DataFile, Reader, Source


def alike(source: Source, reader: Reader) -> list[Sequence[DataFile]]:
    """The files in groups, such that no two files of a group have a field of one name in different types."""
    if len(source.files) < 2:
        return [source.files]
    fields = f"(SELECT file_name, lower(name) AS name, duckdb_type FROM parquet_schema({path_list(source)}))"
    mixed = f"(SELECT name FROM {fields} GROUP BY ALL HAVING count(DISTINCT duckdb_type) > 1)"
    types = "string_agg(DISTINCT name || ' ' || duckdb_type, ',' ORDER BY name || ' ' || duckdb_type)"
    sql = f"SELECT file_name, {types} FROM {fields} WHERE name IN {mixed} GROUP BY ALL"
    known = dict(reader.connection.execute(sql).fetchall())
    groups: dict[str | None, list[DataFile]] = {}
    for file in source.files:
        groups.setdefault(known.get(str(file.stored.path)), []).append(file)
    return list(groups.values())

"""Reads data files that do not carry Iceberg's field numbers: files of others that were added to a table as they are.

The table's property ``schema.name-mapping.default`` says under which names they have the columns
(https://iceberg.apache.org/spec/#name-mapping-serialization). Without it, Trino finds no column in such files either.
"""

# ruff: noqa: S608 - writing SQL is what this module is for; values and names in it are quoted or fixed
from __future__ import annotations

from collections.abc import Iterable, Sequence

from pyiceberg.partitioning import PartitionSpec
from pyiceberg.table import Table
from pyiceberg.table.name_mapping import MappedField
from pyiceberg.transforms import IdentityTransform

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.sources.model import Reader
from headwater.stack.lakehouse.sql.expression import quote_text


def unnumbered(table: Table, paths: Sequence[str], reader: Reader) -> set[str]:
    """The files of those that have to be read by the table's name mapping."""
    if table.name_mapping() is None:
        return set()
    listed = ", ".join(map(quote_text, paths))
    sql = f"SELECT file_name FROM parquet_schema([{listed}]) GROUP BY file_name HAVING count(field_id) = 0"
    return {str(name) for (name,) in reader.connection.execute(sql).fetchall()}


def mapped_names(table: Table) -> dict[int, tuple[str, ...]]:
    """The names that each column may have in such files, in lower case."""
    mapping = table.name_mapping()
    fields = list(mapping) if mapping is not None else []
    _check_nested(table, fields)
    return {f.field_id: tuple(name.lower() for name in f.names) for f in fields if f.field_id is not None}


def _check_nested(table: Table, fields: Iterable[MappedField]) -> None:
    """Parts of nested columns are read by their names in the schema: the mapping has to give them the same."""
    known = dict(_nested(fields))
    schema = table.schema()
    top = {field.field_id for field in schema.fields}
    for number in schema.field_ids:
        name = schema.find_field(number).name
        if number not in top and name not in known.get(number, ()):
            raise Unsupported(f"an Iceberg table whose name mapping does not have the nested field {name}")


def _nested(fields: Iterable[MappedField]) -> Iterable[tuple[int, list[str]]]:
    for field in fields:
        for part in field.fields:
            if part.field_id is not None:
                yield part.field_id, part.names
        yield from _nested(field.fields)


def check_written(number: int, specs: Iterable[PartitionSpec]) -> None:
    """A file without a column may have its value in its partition alone, as Hive's files do."""
    for spec in specs:
        for field in spec.fields:
            if field.source_id == number and isinstance(field.transform, IdentityTransform):
                raise Unsupported("an Iceberg table whose files have partition columns only in their partitions' names")

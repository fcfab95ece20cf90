"""Reads an Iceberg table: the files of a snapshot as a DuckDB relation, columns found by their field numbers."""

# ruff: noqa: S608 - writing SQL is what this module is for; values and names in it are quoted or fixed
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pyiceberg import types as i
from pyiceberg.manifest import DataFileContent, FileFormat
from pyiceberg.schema import Schema, sanitize_column_names
from pyiceberg.table import FileScanTask, Table

from headwater.stack.lakehouse.errors import QueryFailed, Unsupported
from headwater.stack.lakehouse.iceberg.mapping import check_written, mapped_names, unnumbered
from headwater.stack.lakehouse.iceberg.storage import StorageFiles
from headwater.stack.lakehouse.iceberg.types import to_trino
from headwater.stack.lakehouse.model import StoredObject
from headwater.stack.lakehouse.sources.mixed import is_rounded, mixed_names, unfiltered
from headwater.stack.lakehouse.sources.model import Reader
from headwater.stack.lakehouse.sources.parquet import converted
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.expression import quote_name, quote_text

_Part = Sequence[tuple[FileScanTask, StoredObject]]


@dataclass(frozen=True)
class IcebergRead:
    """A snapshot of a table (``None``: of an empty one), in the schema that a query sees."""

    table: Table
    schema: Schema
    snapshot: int | None

    @property
    def types(self) -> tuple[t.Type, ...]:
        """The Trino types of the columns."""
        return tuple(to_trino(field.field_type) for field in self.schema.fields)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns, in lower case."""
        return tuple(field.name.lower() for field in self.schema.fields)

    def relation(self, reader: Reader) -> str:
        """The rows, as an item of FROM for DuckDB."""
        files = self.table.io
        if not isinstance(files, StorageFiles):
            raise TypeError("an Iceberg table of another storage")
        return iceberg_relation(self, reader, files)

    def tasks(self) -> list[FileScanTask]:
        """The data files with the delete files that apply to each."""
        if self.snapshot is None:
            return []
        try:
            return list(self.table.scan(snapshot_id=self.snapshot).plan_files())
        except ValueError as error:  # pyiceberg's word for what it cannot read, such as equality deletes
            raise Unsupported(f"this Iceberg table ({error})") from error


def read_current(table: Table) -> IcebergRead:
    """The table as it is now."""
    snapshot = table.metadata.current_snapshot_id
    return IcebergRead(table, table.schema(), snapshot)


def iceberg_relation(read: IcebergRead, reader: Reader, files: StorageFiles) -> str:
    """``(SELECT … AS c0, …, p0, p1, p2 FROM …)`` over the snapshot's files."""
    _check_nested_names(read.table)
    tasks = read.tasks()
    if not tasks:
        return _empty(read)
    for task in tasks:
        if task.file.file_format != FileFormat.PARQUET:
            raise Unsupported(f"an Iceberg table with {task.file.file_format} files")
    found = [(task, _stored(files, task.file.file_path)) for task in tasks]
    reader.expect(stored for _, stored in found)
    plain = unnumbered(read.table, [str(stored.path) for _, stored in found], reader)
    parts = []
    for by_name in (False, True):
        part = [(task, stored) for task, stored in found if (str(stored.path) in plain) is by_name]
        if part:
            columns, source = (_by_name if by_name else _by_number)(read, part, reader)
            left = _without_deleted([task for task, _ in part], files, reader)
            parts.append(f"SELECT {', '.join(columns + _file_columns(part))} FROM {source}{left}")
    return f"({' UNION ALL '.join(parts)})"


def _by_number(read: IcebergRead, part: _Part, reader: Reader) -> tuple[list[str], str]:
    """The columns of files that carry Iceberg's field numbers, and where from."""
    listed = _listed(part)
    fields = ", ".join(_mapped(field) for field in read.schema.fields)
    source = f"read_parquet([{listed}], schema=MAP {{{fields}}}, hive_partitioning=false)"
    _check_written_names(read.schema, listed, reader)
    physical = _described(source, reader)
    widened = _widened(read.table)
    columns = []
    for place, field in enumerate(read.schema.fields):
        name = f"i{field.field_id}"
        numbers = Schema(field).field_ids
        columns.append(_column(name, physical[name], place, read, mixed=not widened.isdisjoint(numbers)))
    return columns, source


def _widened(table: Table) -> set[int]:
    """The fields that had a narrower type once, which older files have still."""
    kinds: dict[int, set[i.IcebergType]] = {}
    for schema in table.metadata.schemas:
        for number in schema.field_ids:
            kind = schema.find_type(number)
            if kind.is_primitive:
                kinds.setdefault(number, set()).add(kind)
    return {number for number, found in kinds.items() if len(found) > 1}


def _by_name(read: IcebergRead, part: _Part, reader: Reader) -> tuple[list[str], str]:
    """The columns of files without numbers, by the table's name mapping; a missing one is NULL."""
    source = f"read_parquet([{_listed(part)}], union_by_name=true, hive_partitioning=false)"
    physical = {name.lower(): (name, kind) for name, kind in _described(source, reader).items()}
    names = mapped_names(read.table)
    mixed = mixed_names(f"[{_listed(part)}]", len(part), read.types, reader)
    columns = []
    for place, (field, wanted) in enumerate(zip(read.schema.fields, read.types, strict=True)):
        present = [physical[name] for name in names.get(field.field_id, ()) if name in physical]
        if present:
            columns.append(_column(*present[0], place, read, mixed=bool(mixed)))
            continue
        check_written(field.field_id, read.table.specs().values())
        columns.append(f"CAST(NULL AS {t.to_duckdb(wanted)}) AS c{place}")
    return columns, source


def _column(name: str, physical: object, place: int, read: IcebergRead, *, mixed: bool) -> str:
    wanted = read.types[place]
    sql = unfiltered(quote_name(name)) if mixed and is_rounded(wanted) else quote_name(name)
    value = _exact(sql, physical, wanted)
    if value is None:
        raise Unsupported(f"Iceberg type {read.schema.fields[place].field_type} in a column of type {physical}")
    return f"{value} AS c{place}"


def _described(source: str, reader: Reader) -> dict[str, object]:
    described = reader.connection.execute(f"SELECT * FROM {source} LIMIT 0").description or []
    return {str(name): kind for name, kind, *_ in described}


def _listed(part: _Part) -> str:
    return ", ".join(quote_text(str(stored.path)) for _, stored in part)


def _file_columns(part: _Part) -> list[str]:
    """The file of each row: its address, size and time."""
    stored = [found for _, found in part]
    return [
        f"{_by_file([quote_text(task.file.file_path) for task, _ in part], 'VARCHAR')} AS p0",
        f"{_by_file([str(s.size) for s in stored], 'BIGINT')} AS p1",
        f"make_timestamp({_by_file([str(int(s.modified * 1000) * 1000) for s in stored], 'BIGINT')}) AS p2",
    ]


def _exact(sql: str, physical: object, wanted: t.Type) -> str | None:
    if wanted.name == "timestamptz":
        return f"make_timestamp(epoch_us({sql}))"
    if wanted.name in ("timestamp", "time"):
        return f"CAST({sql} AS {t.to_duckdb(wanted)})"
    return converted(sql, physical, wanted)  # type: ignore[arg-type]  # duckdb ships no types


def _stored(files: StorageFiles, uri: str) -> StoredObject:
    found = files.find(uri)
    if found is None:
        raise QueryFailed(f"ICEBERG_CANNOT_OPEN_SPLIT: Error opening Iceberg split {uri}: the object does not exist")
    return found


def _mapped(field: i.NestedField) -> str:
    kind = quote_text(_duckdb_type(field.field_type))
    return f"{field.field_id}: {{name: 'i{field.field_id}', type: {kind}, default_value: NULL}}"


def _duckdb_type(kind: i.IcebergType) -> str:
    """The DuckDB type with the fields' own names, as files have them."""
    if isinstance(kind, i.StructType):
        return f"STRUCT({', '.join(f'{quote_name(f.name)} {_duckdb_type(f.field_type)}' for f in kind.fields)})"
    if isinstance(kind, i.ListType):
        return f"{_duckdb_type(kind.element_type)}[]"
    if isinstance(kind, i.MapType):
        return f"MAP({_duckdb_type(kind.key_type)}, {_duckdb_type(kind.value_type)})"
    if isinstance(kind, i.TimestamptzType):
        return "TIMESTAMP WITH TIME ZONE"
    return t.to_duckdb(to_trino(kind))


def _check_nested_names(table: Table) -> None:
    """Files have nested fields by name: a later name would read as NULL, an old one as the new field of that name."""
    names: dict[int, str] = {}
    numbers: dict[tuple[int, str], int] = {}
    for schema in table.metadata.schemas:
        for column in schema.fields:
            for parent, field in _nested(column):
                if names.setdefault(field.field_id, field.name) != field.name:
                    was = f"({names[field.field_id]} to {field.name})"
                    raise Unsupported(f"an Iceberg table with a renamed nested field {was}")
                if numbers.setdefault((parent, field.name.lower()), field.field_id) != field.field_id:
                    raise Unsupported(f"an Iceberg table with several nested fields {field.name.lower()} in one")


def _nested(field: i.NestedField) -> Iterator[tuple[int, i.NestedField]]:
    """The fields inside of a field at any depth, each with the number of the one that holds it."""
    for part in _parts(field.field_type):
        yield field.field_id, part
        yield from _nested(part)


def _parts(kind: i.IcebergType) -> Sequence[i.NestedField]:
    if isinstance(kind, i.StructType):
        return kind.fields
    if isinstance(kind, i.MapType):
        return (kind.key_field, kind.value_field)
    return (kind.element_field,) if isinstance(kind, i.ListType) else ()


def _check_written_names(schema: Schema, listed: str, reader: Reader) -> None:
    """Other writers replace characters in the names of nested fields; such a field would read as NULL."""
    top = {field.field_id for field in schema.fields}
    nested = {number: schema.find_field(number).name for number in schema.field_ids if number not in top}
    safe = sanitize_column_names(schema)
    replaced = {safe.find_field(number).name: name for number, name in nested.items()}
    replaced = {other: name for other, name in replaced.items() if other != name}
    if not replaced:
        return
    names = ", ".join(quote_text(other) for other in replaced)
    found = reader.connection.execute(f"SELECT name FROM parquet_schema([{listed}]) WHERE name IN ({names}) LIMIT 1")
    for (other,) in found.fetchall():
        raise Unsupported(f"an Iceberg table whose files call the nested field {replaced[other]} {other}")


def _by_file(values: Sequence[str], kind: str) -> str:
    if len(set(values)) == 1:
        return f"CAST({values[0]} AS {kind})"
    return f"list_extract(CAST([{', '.join(values)}] AS {kind}[]), CAST(file_index AS BIGINT) + 1)"


def _without_deleted(tasks: Sequence[FileScanTask], files: StorageFiles, reader: Reader) -> str:
    """A condition that leaves out the rows of position delete files."""
    deletes = {delete.file_path: delete for task in tasks for delete in task.delete_files}
    if not deletes:
        return ""
    for delete in deletes.values():
        if delete.content != DataFileContent.POSITION_DELETES or delete.file_format != FileFormat.PARQUET:
            raise Unsupported("an Iceberg table with equality deletes or deletion vectors")
    stored = [_stored(files, path) for path in deletes]
    reader.expect(stored)
    listed = ", ".join(quote_text(str(found.path)) for found in stored)
    own = _by_file([quote_text(task.file.file_path) for task in tasks], "VARCHAR")
    deleted = f"SELECT file_path, pos FROM read_parquet([{listed}], hive_partitioning=false)"
    return f" WHERE ({own}, file_row_number) NOT IN ({deleted})"


def _empty(read: IcebergRead) -> str:
    columns = [f"CAST(NULL AS {t.to_duckdb(kind)}) AS c{place}" for place, kind in enumerate(read.types)]
    columns += ["CAST(NULL AS VARCHAR) AS p0", "CAST(NULL AS BIGINT) AS p1", "CAST(NULL AS TIMESTAMP) AS p2"]
    return f"(SELECT {', '.join(columns)} WHERE false)"

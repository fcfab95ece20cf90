"""``DESCRIBE`` and ``SHOW CREATE TABLE`` of an Iceberg table: its hidden partitioning is not in Glue."""

from __future__ import annotations

from pyiceberg.table import Table
from pyiceberg.transforms import BucketTransform, IdentityTransform, TruncateTransform

from headwater.stack.lakehouse.hive.lexer import quote, quote_name
from headwater.stack.lakehouse.iceberg.create import PROPERTIES
from headwater.stack.lakehouse.iceberg.types import to_hive

# What of Iceberg's own properties Athena's CREATE TABLE has a name for.
_SHOWN = {"write.format.default": "format", "write.parquet.compression-codec": "write_compression"}


def create_statement(table: Table, name: str) -> str:
    """The ``CREATE TABLE`` statement that makes such a table."""
    columns = [
        f"  {quote_name(field.name)} {to_hive(field.field_type)}{f' COMMENT {quote(field.doc)}' if field.doc else ''}"
        for field in table.schema().fields
    ]
    parts = [f"CREATE TABLE {name} (\n{_list(columns)})"]
    keys = _partitioning(table)
    if keys:
        parts.append(f"PARTITIONED BY ({', '.join(keys)})")
    parts.append(f"LOCATION {quote(table.location())}")
    settings = {"table_type": "iceberg"} | _settings(table)
    parts.append(f"TBLPROPERTIES (\n{_list([f'  {quote(key)}={quote(value)}' for key, value in settings.items()])}\n)")
    return "\n".join(parts)


def description(table: Table, name: str, *, formatted: bool) -> list[str]:
    """The lines of ``DESCRIBE``: three cells each, without the padding of Hive's."""
    schema = table.schema()
    lines = ["# Table schema:\t\t", "# col_name\tdata_type\tcomment"]
    lines += [f"{field.name}\t{to_hive(field.field_type)}\t{field.doc or ''}" for field in schema.fields]
    lines += ["\t\t", "# Partition spec:\t\t", "# field_name\tfield_transform\tcolumn_name"]
    for key in table.spec().fields:
        lines.append(f"{key.name}\t{key.transform}\t{schema.find_column_name(key.source_id)}")
    if not formatted:
        return lines
    lines += ["\t\t", f"Name:\t{name}\t", f"Location:\t{table.location()}\t"]
    for title, shown in (
        ("# Table properties:", {"format": "PARQUET"} | _settings(table)),
        ("# Iceberg storage table properties:", {k: v for k, v in table.properties.items() if k.startswith("write.")}),
    ):
        lines += ["\t\t", f"{title}\t\t", "# key\tvalue\t", *(f"{key}\t{value}\t" for key, value in shown.items())]
    return lines


def _settings(table: Table) -> dict[str, str]:
    """The properties as CREATE TABLE names them."""
    named = {_SHOWN.get(key, key): value for key, value in table.properties.items()}
    return {key: named[key] for key in sorted(named) if key in PROPERTIES}


def _list(lines: list[str]) -> str:
    return ",\n".join(lines)


def _partitioning(table: Table) -> list[str]:
    found = []
    for field in table.spec().fields:
        column, transform = quote_name(table.schema().find_field(field.source_id).name), field.transform
        if isinstance(transform, IdentityTransform):
            found.append(column)
        elif isinstance(transform, BucketTransform):
            found.append(f"bucket({transform.num_buckets}, {column})")
        elif isinstance(transform, TruncateTransform):
            found.append(f"truncate({transform.width}, {column})")
        else:
            found.append(f"{transform}({column})")
    return found

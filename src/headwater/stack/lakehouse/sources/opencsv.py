"""CSV as OpenCSVSerde reads it: quoted fields, every column text that is then read as its type."""

# ruff: noqa: S608 - writing SQL is what this module is for; values and names in it are quoted or fixed
from __future__ import annotations

import mmap
from pathlib import Path

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.sources.keys import per_file_columns
from headwater.stack.lakehouse.sources.lines import line_reader
from headwater.stack.lakehouse.sources.model import Source
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.expression import fail, quote_text


def open_csv_relation(source: Source) -> str:
    """``(SELECT … AS c0, …)`` over the records.

    The SerDe reads line by line, so that a line end inside quotes ends the record there too; its own escape
    character (a backslash unless set otherwise) is refused when a file holds it.
    """
    parameters = source.table.serde_parameters
    separator = parameters.get("separatorChar", ",") or ","
    quote = parameters.get("quoteChar", '"') or '"'
    escape = parameters.get("escapeChar", "\\") or "\\"
    separator = {"\\t": "\t", "\\u0001": "\x01"}.get(separator, separator)
    if len(separator) != 1 or len(quote) != 1:
        raise Unsupported("OpenCSVSerde with a separator or quote of several characters")
    if escape not in (quote, ""):
        _refuse_escapes(source, escape[:1])
    lines = line_reader(source)
    fields = f"hw_opencsv(line, {quote_text(separator)}, {quote_text(quote)})"
    columns = [f"{_value(f'list_extract(v, {i + 1})', kind)} AS c{i}" for i, kind in enumerate(source.column_types)]
    columns += per_file_columns(source, "file_index")
    return f"(SELECT {', '.join(columns)} FROM (SELECT {fields} AS v, file_index FROM {lines}))"


def _refuse_escapes(source: Source, escape: str) -> None:
    for file in source.files:
        if not file.stored.key.endswith((".gz", ".zst")) and _holds(file.stored.path, escape.encode()):
            raise Unsupported(f"OpenCSVSerde's escape character in {file.uri}")


def _holds(path: Path, text: bytes) -> bool:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find(text) >= 0


def _value(sql: str, kind: t.Type) -> str:
    """An empty field is an empty text, NULL for the other types; what doesn't read fails the query."""
    if t.is_text(kind):
        return sql
    name = kind.name
    if name not in (*t.INTEGERS, *t.APPROXIMATE, "boolean", "decimal", "date", "timestamp"):
        raise Unsupported(f"type {kind} with OpenCSVSerde")
    if name in ("date", "timestamp"):
        # The SerDe wants days and milliseconds since 1970.
        number = f"CAST({sql} AS BIGINT)"
        value = (
            f"DATE '1970-01-01' + CAST({number} AS INTEGER)" if name == "date" else f"make_timestamp({number} * 1000)"
        )
        pattern = "-?[0-9]+"
    else:
        value = f"CAST({sql} AS {t.to_duckdb(kind)})"
        pattern = "(?i)true|false" if name == "boolean" else "[+-]?[0-9.]+([eE][+-]?[0-9]+)?"
    message = f"'HIVE_BAD_DATA: Error Parsing a column in the table: ' || {sql}"
    checked = (
        f"CASE WHEN regexp_full_match({sql}, {quote_text(pattern)}) THEN {value} ELSE {fail(message, kind, sql)} END"
    )
    return f"CASE WHEN {sql} <> '' THEN {checked} END"

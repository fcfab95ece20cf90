"""CSV as OpenCSVSerde reads it: quoted fields, every column text that is then read as its type."""

# ruff: noqa: S608 - writing SQL is what this module is for; values and names in it are quoted or fixed
from __future__ import annotations

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.sources.keys import per_file_columns
from headwater.stack.lakehouse.sources.lines import line_reader
from headwater.stack.lakehouse.sources.model import Source
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.expression import fail, quote_text


def open_csv_relation(source: Source) -> str:
    """``(SELECT … AS c0, …)`` over the records.

    The SerDe reads line by line, so that a line end inside quotes ends the record there too. Its escape character is
    a backslash, also where a quote is given for it.
    """
    parameters = source.table.serde_parameters
    separator = parameters.get("separatorChar", ",") or ","
    quote = parameters.get("quoteChar", '"') or '"'
    escape = parameters.get("escapeChar", "\\") or "\\"
    separator = {"\\t": "\t", "\\u0001": "\x01"}.get(separator, separator)
    escape = "\\" if escape in ("\\\\", '"') else escape
    if len({separator, quote, escape}) != 3:
        raise Unsupported("OpenCSVSerde with the same character in two roles")
    if any(len(character) != 1 for character in (separator, quote, escape)):
        raise Unsupported("OpenCSVSerde with a separator, quote or escape of several characters")
    lines = line_reader(source)
    fields = f"hw_opencsv(line, {', '.join(map(quote_text, (separator, quote, escape)))})"
    columns = [f"{_value(f'list_extract(v, {i + 1})', kind)} AS c{i}" for i, kind in enumerate(source.column_types)]
    columns += per_file_columns(source, "file_index")
    return f"(SELECT {', '.join(columns)} FROM (SELECT {fields} AS v, file_index FROM {lines}))"


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

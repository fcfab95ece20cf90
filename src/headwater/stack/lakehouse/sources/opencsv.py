"""CSV as OpenCSVSerde reads it: quoted fields, every column text that is then read as its type."""

# ruff: noqa: S608 - writing SQL is what this module is for; values and names in it are quoted or fixed
from __future__ import annotations

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.sources.hivetext import text_value
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
    # DuckDB reads a statement up to a NUL, which as the quote stands for none.
    signs = ("chr(0)" if sign == "\0" else quote_text(sign) for sign in (separator, quote, escape))
    fields = f"hw_opencsv(line, {', '.join(signs)})"
    lenient = source.table.parameters.get("use.null.for.invalid.data", "false").strip().lower() == "true"
    columns = []
    for i, kind in enumerate(source.column_types):
        columns.append(f"{_value(f'list_extract(v, {i + 1})', kind, lenient=lenient)} AS c{i}")
    columns += per_file_columns(source, "file_index")
    return f"(SELECT {', '.join(columns)} FROM (SELECT {fields} AS v, file_index FROM {lines}))"


def _value(sql: str, kind: t.Type, *, lenient: bool) -> str:
    """What doesn't read fails the query, an empty field too; if ``lenient``, it is NULL. An empty boolean is NULL."""
    if t.is_text(kind):
        return text_value(sql, kind)
    name = kind.name
    if name not in (*t.INTEGERS, *t.APPROXIMATE, "boolean", "decimal", "date", "timestamp"):
        raise Unsupported(f"type {kind} with OpenCSVSerde")
    if name in ("date", "timestamp"):
        # The SerDe wants days and milliseconds since 1970.
        number = f"TRY_CAST({sql} AS BIGINT)"
        value = (
            f"DATE '1970-01-01' + TRY_CAST({sql} AS INTEGER)" if name == "date" else f"make_timestamp({number} * 1000)"
        )
        pattern = "-?[0-9]+"
    else:
        value = f"TRY_CAST({sql} AS {t.to_duckdb(kind)})"
        pattern = "(?i)true|false" if name == "boolean" else "[+-]?[0-9.]+([eE][+-]?[0-9]+)?"
        pattern = "[+-]?[0-9]+" if name in t.INTEGERS else pattern
    read = f"CASE WHEN regexp_full_match({sql}, {quote_text(pattern)}) THEN {value} END"
    if lenient:
        return read
    message = f"'HIVE_BAD_DATA: Error Parsing a column in the table: For input string: \"' || {sql} || '\"'"
    missing = f"{sql} IS NULL" if name != "boolean" else f"{sql} IS NULL OR {sql} = ''"
    return f"CASE WHEN {missing} THEN NULL ELSE coalesce({read}, {fail(message, kind, sql)}) END"

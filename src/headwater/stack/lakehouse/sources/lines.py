"""Lines of text files, and text as Hive takes it for a value: a bad value is NULL."""

# ruff: noqa: S608 - writing SQL is what this module is for; values and names in it are quoted or fixed
from __future__ import annotations

from dataclasses import replace

from headwater.stack.lakehouse.errors import QueryFailed, Unsupported
from headwater.stack.lakehouse.sources.keys import path_list
from headwater.stack.lakehouse.sources.model import DataFile, Source
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.expression import fail, quote_text

_COMPRESSED = {".gz": "gzip", ".zst": "zstd"}
_UNREADABLE = (".snappy", ".lz4", ".lzo")
# No text file holds this sequence of control characters; one that did would fail the query, not give a wrong row.
_NEVER = "\x1e\x1f\x1e\x1d"


def line_reader(source: Source) -> str:
    """A relation with ``line`` and ``file_index``: every line of every file, without the header lines."""
    skip = source.table.parameters.get(
        "skip.header.line.count", source.table.serde_parameters.get("skip.header.line.count", "0")
    )
    if not skip.strip().isdigit():
        raise QueryFailed(f"HIVE_INVALID_METADATA: Invalid value for skip.header.line.count: {skip}")
    if source.table.parameters.get("skip.footer.line.count", "0").strip() not in ("", "0"):
        raise Unsupported("skip.footer.line.count")
    message = "'NOT_SUPPORTED: a text file with bare carriage returns is not supported by the local Athena'"
    bare = "regexp_replace(coalesce(line, ''), '\r$', '')"
    line = f"CASE WHEN contains({bare}, chr(13)) THEN {fail(message, t.VARCHAR, 'line')} ELSE {bare} END"
    parts = [_group(source, kind, int(skip), line) for kind in sorted({_compression(file) for file in source.files})]
    return f"({' UNION ALL '.join(parts)})"


def _compression(file: DataFile) -> str:
    suffix = "." + file.stored.key.rpartition(".")[2]
    if suffix in _UNREADABLE:
        raise Unsupported(f"text compressed as {suffix}")
    return _COMPRESSED.get(suffix, "none")


def _group(source: Source, compression: str, skip: int, line: str) -> str:
    """The lines of the files of one compression; a file keeps its number among all files."""
    numbers = [i for i, file in enumerate(source.files) if _compression(file) == compression]
    some = replace(source, files=[source.files[i] for i in numbers])
    number = f"list_extract({numbers}, CAST(file_index AS BIGINT) + 1)"
    number = "file_index" if len(numbers) == len(source.files) else number
    options = f"delim={quote_text(_NEVER)}, quote='', escape='', header=false, skip={skip}, auto_detect=false, "
    options += f"encoding={quote_text(_encoding(source))}, strict_mode=true, "
    options += f"compression={quote_text(compression)}, hive_partitioning=false"
    reader = f"read_csv({path_list(some)}, columns={{'line': 'VARCHAR'}}, {options})"
    return f"SELECT {line} AS line, {number} AS file_index FROM {reader}"


def _encoding(source: Source) -> str:
    """DuckDB's name of the text's encoding, which a SerDe property names as Java does."""
    given = source.table.serde_parameters.get("serialization.encoding", "UTF-8")
    known = {"utf8": "utf-8", "usascii": "utf-8", "iso88591": "latin-1", "latin1": "latin-1"}
    found = known.get(given.lower().replace("-", "").replace("_", ""))
    if found is None:
        raise Unsupported(f"text in the encoding {given}")
    return found


def formatted(sql: str, formats: str) -> str:
    """The timestamp that a text is by one of a SerDe's formats, or NULL."""
    return f"hw_round_timestamp(hw_formatted_timestamp({sql}, {quote_text(formats)}), 1000)"


def hive_value(sql: str, kind: t.Type, formats: str = "") -> str:
    """Text as a column's value, by Hive's lenient rules: what doesn't read is NULL.

    ``formats`` are the SerDe's ``timestamp.formats``.
    """
    if t.is_text(kind):
        return f"left({sql}, {kind.params[0]})" if kind.params else sql
    if kind.name in t.INTEGERS:
        return f"CASE WHEN regexp_full_match({sql}, '[+-]?[0-9]+') THEN TRY_CAST({sql} AS {t.to_duckdb(kind)}) END"
    if kind.name in (*t.APPROXIMATE, "decimal"):
        return f"TRY_CAST(trim({sql}) AS {t.to_duckdb(kind)})"
    if kind.name == "boolean":
        return f"CASE lower({sql}) WHEN 'true' THEN true WHEN 'false' THEN false END"
    if kind.name == "date":
        pattern = "[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}"
        return f"CASE WHEN regexp_full_match({sql}, {quote_text(pattern)}) THEN TRY_CAST({sql} AS DATE) END"
    if kind.name == "timestamp":
        pattern = r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2} [0-9]{1,2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?"
        rounded = f"hw_round_timestamp(TRY_CAST({sql} AS TIMESTAMP), 1000)"
        plain = f"CASE WHEN regexp_full_match({sql}, {quote_text(pattern)}) THEN {rounded} END"
        return plain if not formats else f"coalesce({formatted(sql, formats)}, {plain})"
    if kind.name == "varbinary":
        # What is no base64 is taken as it stands.
        return f"coalesce(TRY(from_base64({sql})), encode({sql}))"
    raise Unsupported(f"type {kind} in a delimited text file")

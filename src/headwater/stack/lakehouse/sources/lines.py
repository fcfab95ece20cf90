"""Lines of text files, without those that begin and end a file, however it is compressed."""

# ruff: noqa: S608 - writing SQL is what this module is for; values and names in it are quoted or fixed
from __future__ import annotations

from dataclasses import replace

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.sources.keys import path_list
from headwater.stack.lakehouse.sources.model import Source
from headwater.stack.lakehouse.sources.unpack import Margins
from headwater.stack.lakehouse.sql.expression import quote_text

# No text file holds this sequence of control characters; one that did would fail the query, not give a wrong row.
_NEVER = "\x1e\x1f\x1e\x1d"
# DuckDB expects 2 MB at the most. The buffers are as large as they are by default; in less than twice the longest
# line DuckDB 1.5.5 loses lines.
_LONG_LINES = f", max_line_size={16 * 1024**2}, buffer_size={32 * 1024**2}"


def line_reader(source: Source) -> str:
    """A relation with ``line`` and ``file_index``: every line of every (unpacked) file, without the header lines."""
    skip = Margins.of(source.table).header
    kinds = sorted({file.long_lines for file in source.files})
    return f"({' UNION ALL '.join(_group(source, long, skip) for long in kinds)})"


def _group(source: Source, long: bool, skip: int) -> str:
    """The lines of the files with lines of one size; a file keeps its number among all files."""
    numbers = [i for i, file in enumerate(source.files) if file.long_lines == long]
    some = replace(source, files=[source.files[i] for i in numbers])
    number = f"list_extract({numbers}, CAST(file_index AS BIGINT) + 1)"
    number = "file_index" if len(numbers) == len(source.files) else number
    options = f"delim={quote_text(_NEVER)}, quote='', escape='', header=false, skip={skip}, auto_detect=false, "
    options += f"encoding={quote_text(_encoding(source))}, strict_mode=true, "
    options += f"compression='none', hive_partitioning=false{_LONG_LINES if long else ''}"
    reader = f"read_csv({path_list(some)}, columns={{'line': 'VARCHAR'}}, {options})"
    return f"SELECT coalesce(line, '') AS line, {number} AS file_index FROM {reader}"


def _encoding(source: Source) -> str:
    """DuckDB's name of the text's encoding, which a SerDe property names as Java does."""
    given = source.table.serde_parameters.get("serialization.encoding", "UTF-8")
    known = {"utf8": "utf-8", "usascii": "utf-8", "iso88591": "latin-1", "latin1": "latin-1"}
    found = known.get(given.lower().replace("-", "").replace("_", ""))
    if found is None:
        raise Unsupported(f"text in the encoding {given}")
    return found

"""Lines that a Grok pattern takes apart, as Athena's GrokSerDe reads them: each named part is a column."""

# ruff: noqa: S608 - writing SQL is what this module is for; values and names in it are quoted or fixed
from __future__ import annotations

from headwater.stack.lakehouse.errors import QueryFailed, Unsupported
from headwater.stack.lakehouse.sources.grokfields import part_names
from headwater.stack.lakehouse.sources.hivetext import group_value
from headwater.stack.lakehouse.sources.keys import per_file_columns
from headwater.stack.lakehouse.sources.lines import line_reader
from headwater.stack.lakehouse.sources.model import Source
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.expression import fail, quote_text
from headwater.stack.lakehouse.sql.routines.model import RoutineFailed

_PLAIN = (*t.INTEGERS, *t.APPROXIMATE, "boolean", "varchar", "char")


def grok_relation(source: Source) -> str:
    """``(SELECT … AS c0, …)``; a line that the pattern doesn't find is a row of NULLs.

    Parts go to columns by their places. Those that a line lacks are passed over, unless the columns are called like the
    parts: then they are NULL.
    """
    parameters = source.table.serde_parameters
    pattern = parameters.get("input.format", "")
    if not pattern.strip():
        raise QueryFailed("HIVE_INVALID_METADATA: Schema does not have required 'input.format' property")
    custom = parameters.get("input.grokCustomPatterns", "")
    try:
        names = [name.lower() for name in part_names(pattern, custom)]
    except RoutineFailed as error:
        raise QueryFailed(str(error)) from error
    by_name = names == [column.name.lower() for column in source.table.columns]
    fields = f"hw_grok_fields(line, {', '.join(map(quote_text, (pattern, custom, str(by_name).lower())))})"
    columns = [f"{_value(i, kind)} AS c{i}" for i, kind in enumerate(source.column_types)]
    columns += per_file_columns(source, "file_index")
    return f"(SELECT {', '.join(columns)} FROM (SELECT {fields} AS v, file_index FROM {line_reader(source)}))"


def _value(place: int, kind: t.Type) -> str:
    if kind.name not in _PLAIN:
        raise Unsupported(f"type {kind} with GrokSerDe")
    message = f"'HIVE_CURSOR_ERROR: Index {place} out of bounds for length ' || len(v)"
    missing = fail(message, t.VARCHAR, "CAST(v AS VARCHAR)")
    return group_value(f"CASE WHEN len(v) <= {place} THEN {missing} ELSE list_extract(v, {place + 1}) END", kind)

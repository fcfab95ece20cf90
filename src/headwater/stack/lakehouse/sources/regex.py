"""Lines that a regular expression takes apart, as Hive's RegexSerDe reads them: each group is a column."""

# ruff: noqa: S608 - writing SQL is what this module is for; values and names in it are quoted or fixed
from __future__ import annotations

from headwater.stack.lakehouse.errors import QueryFailed
from headwater.stack.lakehouse.sources.hivetext import group_value
from headwater.stack.lakehouse.sources.keys import per_file_columns
from headwater.stack.lakehouse.sources.lines import line_reader
from headwater.stack.lakehouse.sources.model import Source
from headwater.stack.lakehouse.sql.expression import quote_text
from headwater.stack.lakehouse.sql.routines.model import RoutineFailed
from headwater.stack.lakehouse.sql.routines.patterns import compiled


def regex_relation(source: Source) -> str:
    """``(SELECT … AS c0, …)``; a line that the whole expression doesn't match is a row of NULLs."""
    parameters = source.table.serde_parameters
    pattern = parameters.get("input.regex", "")
    if not pattern:
        raise QueryFailed('HIVE_INVALID_METADATA: This table does not have serde property "input.regex"!')
    if parameters.get("input.regex.case.insensitive", "false").lower() == "true":
        pattern = f"(?i){pattern}"
    try:
        groups = compiled(pattern).groups
    except RoutineFailed as error:
        raise QueryFailed(str(error)) from error
    if groups < len(source.column_types):
        message = f"Number of matching groups doesn't match the number of columns: {groups}"
        raise QueryFailed(f"HIVE_CURSOR_ERROR: {message}")
    columns = [
        f"{group_value(f'list_extract(v, {i + 1})', kind)} AS c{i}" for i, kind in enumerate(source.column_types)
    ]
    columns += per_file_columns(source, "file_index")
    fields = f"hw_regexp_fields(line, {quote_text(pattern)})"
    return f"(SELECT {', '.join(columns)} FROM (SELECT {fields} AS v, file_index FROM {line_reader(source)}))"

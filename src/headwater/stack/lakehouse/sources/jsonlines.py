"""JSON lines as Athena's two JSON SerDes read them: one object a line, keys without regard to case."""

# ruff: noqa: S608 - writing SQL is what this module is for; values and names in it are quoted or fixed
from __future__ import annotations

from headwater.stack.lakehouse.sources.jsonkeys import Keys
from headwater.stack.lakehouse.sources.jsonvalues import json_value
from headwater.stack.lakehouse.sources.keys import per_file_columns
from headwater.stack.lakehouse.sources.lines import line_reader
from headwater.stack.lakehouse.sources.model import Source
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.expression import fail

CLOUD_TRAIL = "com.amazon.emr.cloudtrail.CloudTrailInputFormat"
"""Each line is one object, whose ``Records`` are the rows."""
_AS_JSON = {
    **{name: name for name in ("requestparameters", "responseelements", "additionaleventdata", "serviceeventdetails")},
    "useridentity_as_string": "useridentity",
}
"""Columns of those records that show a value as JSON, whatever it is, and the keys that they show."""


def json_relation(source: Source) -> str:
    """``(SELECT … AS c0, …)`` over the lines; a key that a line lacks is NULL, a line that is no object fails.

    OpenX's SerDe takes the columns from an array by their places, and any line that begins neither an object nor an
    array, such as an empty one, for a row of NULLs.
    """
    parameters = source.table.serde_parameters
    keys = Keys.of(source.table.serde, parameters)
    lenient = parameters.get("ignore.malformed.json", "false").lower() == "true"
    lines = line_reader(source)
    cloud_trail = source.table.input_format == CLOUD_TRAIL
    if cloud_trail:
        # A line that is no such object is passed over.
        records = "unnest(CASE WHEN json_valid(line) THEN json_extract(line, '$.Records[*]') END)"
        lines = f"(SELECT CAST({records} AS VARCHAR) AS line, file_index FROM {lines})"
    lines = f"(SELECT {_document(keys, lenient=lenient)} AS j, file_index FROM {lines})"
    columns = []
    for i, (column, kind) in enumerate(zip(source.table.columns, source.column_types, strict=True)):
        member = keys.member("j", column.name)
        digits = f"hw_json_number(j, {keys.path('j', column.name)})"
        if keys.openx:
            listed = "json_type(j) = 'ARRAY'"
            member = f"CASE WHEN {listed} THEN json_extract(j, '$[{i}]') ELSE {member} END"
            digits = f"hw_json_number(j, CASE WHEN {listed} THEN '$[{i}]' ELSE {keys.path('j', column.name)} END)"
        if cloud_trail and t.is_text(kind) and column.name.lower() in _AS_JSON:
            document = keys.member("j", _AS_JSON[column.name.lower()])
            columns.append(f"CASE WHEN json_type({document}) <> 'NULL' THEN CAST({document} AS VARCHAR) END AS c{i}")
            continue
        columns.append(f"{json_value(member, kind, keys, digits)} AS c{i}")
    columns += per_file_columns(source, "file_index")
    return f"(SELECT {', '.join(columns)} FROM {lines})"


def _document(keys: Keys, *, lenient: bool) -> str:
    """The line as JSON, NULL for a row of NULLs; a key twice is an error, because a column could be either."""
    reason = "'HIVE_CURSOR_ERROR: Row is not a valid JSON Object - JSONException: '"
    bad = "NULL" if lenient else fail(f"{reason} || left(line, 80)", t.VARCHAR, "line")
    twice = fail(f"{reason} || 'Duplicate key \"' || {keys.repeated('line')} || '\"'", t.VARCHAR, "line")
    wanted = "regexp_matches(line, '^\\s*\\{')"
    checked = (
        f"CASE WHEN NOT (json_valid(line) AND {wanted}) THEN {bad} "
        f"WHEN {keys.repeated('line')} IS NOT NULL THEN {'NULL' if lenient else twice} ELSE line END"
    )
    if not keys.openx:
        return checked
    return (
        f"CASE WHEN regexp_matches(line, '^\\s*\\[') AND json_valid(line) THEN line "
        f"WHEN regexp_matches(line, '^\\s*[\\[{{]') THEN {checked} END"
    )

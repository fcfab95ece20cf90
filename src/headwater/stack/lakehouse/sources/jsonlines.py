"""JSON lines as Athena's two JSON SerDes read them: one object a line, keys without regard to case."""

# ruff: noqa: S608 - writing SQL is what this module is for; values and names in it are quoted or fixed
from __future__ import annotations

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.sources.keys import per_file_columns
from headwater.stack.lakehouse.sources.lines import line_reader
from headwater.stack.lakehouse.sources.model import Source
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.casts import cast
from headwater.stack.lakehouse.sql.expression import Expr, fail, quote_text

_POSITION = (1, 1)


def json_relation(source: Source) -> str:
    """``(SELECT … AS c0, …)`` over the lines; a key that a line lacks is NULL, a line that is no object fails."""
    parameters = {key.lower(): value for key, value in source.table.serde_parameters.items()}
    lenient = parameters.get("ignore.malformed.json", "false").lower() == "true"
    if any(key.startswith("mapping.") for key in parameters):
        raise Unsupported("the JSON SerDe's mapping properties")
    message = (
        "'HIVE_BAD_DATA: Error parsing a JSON line: Row is not a valid JSON Object - JSONException: ' || left(line, 80)"
    )
    bad = "NULL" if lenient else fail(message, t.VARCHAR)
    checked = f"CASE WHEN json_valid(line) THEN line ELSE {bad} END"
    lines = f"(SELECT {checked} AS j, file_index FROM {line_reader(source)} WHERE trim(line) <> '')"
    columns = []
    for i, (column, kind) in enumerate(zip(source.table.columns, source.column_types, strict=True)):
        columns.append(f"{_value(_member('j', column.name), kind, _digits('j', column.name))} AS c{i}")
    columns += per_file_columns(source, "file_index")
    return f"(SELECT {', '.join(columns)} FROM {lines})"


def _member(sql: str, name: str) -> str:
    """The value of a key: written exactly so, or else in any case."""
    exact = f"json_extract({sql}, {quote_text(_path(name))})"
    key = f"list_filter(json_keys({sql}), lambda k: lower(k) = {quote_text(name.lower())})[1]"
    other = f"json_extract({sql}, '$.\"' || replace({key}, '\"', '\\\"') || '\"')"
    return f"coalesce({exact}, {other})"


def _digits(sql: str, name: str) -> str:
    """The value of a key as it is written in the file: DuckDB would write 10.00 as 10.0."""
    key = f"list_filter(json_keys({sql}), lambda k: lower(k) = {quote_text(name.lower())})[1]"
    return f"hw_json_number({sql}, '$.\"' || {key} || '\"')"


def _path(name: str) -> str:
    return '$."' + name.replace('"', '\\"') + '"'


def _value(sql: str, kind: t.Type, digits: str = "") -> str:
    """A JSON value as a column's value: text of anything, numbers also from text, nested types by name."""
    if t.is_text(kind):
        message = (
            "'NOT_SUPPORTED: a number with a fraction in a nested text column is not supported by the local Athena'"
        )
        number = digits or fail(message, t.VARCHAR, sql)
        plain = f"json_extract_string({sql}, '$')"
        return f"CASE json_type({sql}) WHEN 'NULL' THEN NULL WHEN 'DOUBLE' THEN {number} ELSE {plain} END"
    if kind.name == "array":
        inner = _value("e", kind.items[0])
        return f"CASE WHEN json_type({sql}) = 'ARRAY' THEN list_transform(CAST({sql} AS JSON[]), lambda e: {inner}) END"
    if kind.name == "row":
        names = [name or "" for name in kind.names]
        parts = (
            f"f{i} := {_value(_member(sql, n), k)}" for i, (n, k) in enumerate(zip(names, kind.items, strict=True))
        )
        return f"CASE WHEN json_type({sql}) = 'OBJECT' THEN struct_pack({', '.join(parts)}) END"
    if kind.name == "map":
        if not t.is_text(kind.items[0]):
            raise Unsupported(f"type {kind} in a JSON file")
        inner = _value("e", kind.items[1])
        values = f"list_transform(map_values(CAST({sql} AS MAP(VARCHAR, JSON))), lambda e: {inner})"
        return f"CASE WHEN json_type({sql}) = 'OBJECT' THEN map(json_keys({sql}), {values}) END"
    if kind.name == "varbinary":
        raise Unsupported("type varbinary in a JSON file")
    text = f"json_extract_string({sql}, '$')"
    if kind.name == "timestamp":
        text = f"replace(regexp_replace({text}, 'Z$', ''), 'T', ' ')"
    value = cast(Expr(text, t.VARCHAR), kind, safe=False, position=_POSITION)
    return f"CASE WHEN json_type({sql}) <> 'NULL' THEN {value} END"

r"""Delimited text as LazySimpleSerDe reads it: by position, no quoting, ``\N`` is NULL, separators nest."""

# ruff: noqa: S608 - writing SQL is what this module is for; values and names in it are quoted or fixed
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.sources.hivetext import hive_value
from headwater.stack.lakehouse.sources.keys import per_file_columns
from headwater.stack.lakehouse.sources.lines import line_reader
from headwater.stack.lakehouse.sources.model import Source
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.expression import quote_text

_MAX_LEVELS = 8


@dataclass(frozen=True)
class Delimited:
    """How a table's lines are cut up. ``separators`` are those of fields, then of nested values level by level."""

    separators: Sequence[str]
    null: str
    escape: str | None
    timestamps: str = ""
    last_takes_rest: bool = False

    @classmethod
    def of(cls, parameters: Mapping[str, str]) -> Delimited:
        """What a SerDe's parameters say."""
        field = _character(parameters.get("field.delim") or parameters.get("serialization.format") or "\x01")
        items = _character(parameters.get("collection.delim") or parameters.get("colelction.delim") or "\x02")
        keys = _character(parameters.get("mapkey.delim") or "\x03")
        more = [chr(level) for level in range(4, _MAX_LEVELS + 1)]
        escape = parameters.get("escape.delim")
        null = parameters.get("serialization.null.format", "\\N")
        formats = parameters.get("timestamp.formats", "")
        if any(not "\0" < sign < "\x80" for sign in (field, items, keys, _character(escape or "\\"))):
            raise Unsupported("a delimited text file with a delimiter that is not of ASCII")
        rest = parameters.get("serialization.last.column.takes.rest", "").lower() == "true"
        return cls((field, items, keys, *more), null, _character(escape) if escape else None, formats, rest)


def lazy_simple_relation(source: Source) -> str:
    """``(SELECT … AS c0, …)`` over lines split at the delimiter; columns that a line lacks are NULL."""
    form = Delimited.of(source.table.serde_parameters)
    columns = []
    for i, kind in enumerate(source.column_types):
        value = f"list_extract(v, {i + 1})"
        if form.last_takes_rest and i == len(source.column_types) - 1:
            value = f"CASE WHEN len(v) > {i} THEN array_to_string(v[{i + 1}:], {quote_text(form.separators[0])}) END"
        if form.escape is None:
            value = f"CASE WHEN {value} <> {quote_text(form.null)} THEN {value} END"
        columns.append(f"{_value(value, kind, form, 1)} AS c{i}")
    columns += per_file_columns(source, "file_index")
    lines = f"(SELECT {_split(form)} AS v, file_index FROM {line_reader(source)})"
    return f"(SELECT {', '.join(columns)} FROM {lines})"


def _split(form: Delimited) -> str:
    delimiter = quote_text(form.separators[0])
    if form.escape is None:
        return f"string_split(line, {delimiter})"
    return f"hw_escaped_fields(line, {delimiter}, {quote_text(form.escape)}, {quote_text(form.null)})"


def _value(sql: str, kind: t.Type, form: Delimited, level: int) -> str:
    if not kind.items:
        return hive_value(sql, kind, form.timestamps)
    if form.escape is not None:
        raise Unsupported(f"type {kind} in a delimited text file with an escape character")
    if level + 1 >= len(form.separators):
        raise Unsupported(f"type {kind} nested so deeply in a delimited text file")
    item, parts = f"n{level}", f"string_split({sql}, {quote_text(form.separators[level])})"
    if kind.name == "array":
        inner = _value(_or_null(item, form), kind.items[0], form, level + 1)
        empty = f"CAST([] AS {t.to_duckdb(kind)})"
        return f"CASE WHEN {sql} = '' THEN {empty} ELSE list_transform({parts}, lambda {item}: {inner}) END"
    if kind.name == "row":
        fields = (
            f"f{i} := {_value(_or_null(f'list_extract({parts}, {i + 1})', form), inner, form, level + 1)}"
            for i, inner in enumerate(kind.items)
        )
        return f"CASE WHEN {sql} IS NOT NULL THEN struct_pack({', '.join(fields)}) END"
    pair = f"string_split({item}, {quote_text(form.separators[level + 1])})"
    key = _value(f"list_extract({pair}, 1)", kind.items[0], form, level + 2)
    value = _value(_or_null(f"list_extract({pair}, 2)", form), kind.items[1], form, level + 2)
    entries = f"list_transform({parts}, lambda {item}: struct_pack(k := {key}, v := {value}))"
    names = f"list_transform({entries}, lambda {item}: {item}.k)"
    # Of a key that comes twice, the first counts.
    first = f"{item}.k IS NOT NULL AND list_position({names}, {item}.k) = {item}i"
    known = f"list_filter({entries}, lambda {item}, {item}i: {first})"
    empty = f"CAST(MAP {{}} AS {t.to_duckdb(kind)})"
    whole = f"CASE WHEN {sql} = '' THEN {empty} ELSE map_from_entries({known}) END"
    return f"CASE WHEN {sql} IS NOT NULL THEN {whole} END"


def _or_null(sql: str, form: Delimited) -> str:
    return f"nullif({sql}, {quote_text(form.null)})"


def _character(text: str) -> str:
    """Hive writes control characters as ``\\t``, ``\\001`` or as their number."""
    if (text.isdigit() and len(text) > 1) or text in ("1", "2", "3", "4", "5", "6", "7", "8", "9"):
        return chr(int(text))
    escapes = {"\\t": "\t", "\\n": "\n", "\\u0001": "\x01", "\\001": "\x01", "\\u0009": "\t"}
    # The SerDe takes the first character of a longer text.
    return escapes.get(text, text[:1])

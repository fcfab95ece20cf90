"""Values as files hold them: DuckDB SQL that turns a query's columns into stored columns, text lines or JSON lines."""

from __future__ import annotations

import json as encoder
from collections.abc import Sequence

from headwater.stack.lakehouse.errors import QueryFailed, Unsupported
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.expression import quote_name, quote_text
from headwater.stack.lakehouse.sql.text import display_text, separated
from headwater.stack.lakehouse.writes.formats import FileFormat

_PARTITIONABLE = (*t.INTEGERS, "varchar", "char", "date", "timestamp", "boolean", "decimal", "real", "double")


def stored(sql: str, kind: t.Type, depth: int = 0) -> str:
    """The value with its row fields under their own names (inside a query they are ``f0``, ``f1`` …)."""
    if not _has_rows(kind):
        return sql
    item = f"s{depth}"
    if kind.name == "array":
        return f"list_transform({sql}, lambda {item}: {stored(item, kind.items[0], depth + 1)})"
    if kind.name == "map":
        keys = f"list_transform(map_keys({sql}), lambda {item}: {stored(item, kind.items[0], depth + 1)})"
        values = f"list_transform(map_values({sql}), lambda {item}: {stored(item, kind.items[1], depth + 1)})"
        return f"CASE WHEN {sql} IS NOT NULL THEN map({keys}, {values}) END"
    parts = (
        f"{quote_name(name or f'field{i}')} := {stored(_field(sql, i), inner, depth + 1)}"
        for i, (name, inner) in enumerate(zip(kind.names, kind.items, strict=True))
    )
    return f"CASE WHEN {sql} IS NOT NULL THEN struct_pack({', '.join(parts)}) END"


def _has_rows(kind: t.Type) -> bool:
    return kind.name == "row" or any(_has_rows(item) for item in kind.items)


def partition_text(sql: str, kind: t.Type) -> str:
    """The value as a partition directory shows it; NULL stays NULL."""
    if kind.name not in _PARTITIONABLE:
        raise QueryFailed(f"NOT_SUPPORTED: Unsupported type [{kind}] for partition")
    text = display_text(sql, kind)
    without_zeros = kind.name == "timestamp" and t.precision_of(kind) == 3
    return f"regexp_replace({text}, '\\.?0*$', '')" if without_zeros else text


def line(values: Sequence[tuple[str, str, t.Type]], form: FileFormat) -> str:
    """One text or JSON line of named values, without its end."""
    if form.name == "json":
        parts = [f"{quote_text(_json_name(name))} || coalesce({json(sql, kind)}, 'null')" for name, sql, kind in values]
        return f"'{{' || {separated(parts, ',')} || '}}'"
    parts = [f"coalesce({delimited(sql, kind)}, '\\N')" for _, sql, kind in values]
    return separated(parts, form.delimiter)


def delimited(sql: str, kind: t.Type, level: int = 2) -> str:
    """A value in Hive's delimited text: nested values are separated by the control characters 2, 3, 4 …"""
    item, separator = f"d{level}", f"chr({level})"
    if kind.name == "array":
        inner = delimited(item, kind.items[0], level + 1)
        return f"array_to_string(list_transform({sql}, lambda {item}: coalesce({inner}, '\\N')), {separator})"
    if kind.name == "map":
        key = delimited(f"{item}.key", kind.items[0], level + 2)
        value = delimited(f"{item}.value", kind.items[1], level + 2)
        entry = f"{key} || chr({level + 1}) || coalesce({value}, '\\N')"
        return f"array_to_string(list_transform(map_entries({sql}), lambda {item}: {entry}), {separator})"
    if kind.name == "row":
        fields = (_field(sql, i) for i in range(len(kind.items)))
        parts = [f"coalesce({delimited(f, k, level + 1)}, '\\N')" for f, k in zip(fields, kind.items, strict=True)]
        return f"CASE WHEN {sql} IS NOT NULL THEN {separated(parts, chr(level))} END"
    if kind.name == "varbinary":
        return f"base64({sql})"
    return partition_text(sql, kind)


def json(sql: str, kind: t.Type, depth: int = 0) -> str:
    """A value as JSON text; SQL NULL stays NULL."""
    item = f"j{depth}"
    if kind.name in (*t.INTEGERS, "boolean", "decimal"):
        return display_text(sql, kind)
    if kind.name in t.APPROXIMATE:
        text = display_text(sql, kind)
        return f"CASE WHEN isfinite({sql}) THEN {text} ELSE '\"' || {text} || '\"' END"
    if t.is_text(kind):
        return f"CAST(to_json({sql}) AS VARCHAR)"
    if kind.name == "array":
        inner = json(item, kind.items[0], depth + 1)
        return f"'[' || array_to_string(list_transform({sql}, lambda {item}: coalesce({inner}, 'null')), ',') || ']'"
    if kind.name == "map":
        value = json(f"{item}.value", kind.items[1], depth + 1)
        key = f"CAST(to_json({display_text(f'{item}.key', kind.items[0])}) AS VARCHAR)"
        entries = f"list_transform(map_entries({sql}), lambda {item}: {key} || ':' || coalesce({value}, 'null'))"
        return f"CASE WHEN {sql} IS NOT NULL THEN '{{' || array_to_string({entries}, ',') || '}}' END"
    if kind.name == "row":
        parts = (
            f"{quote_text(_json_name(name or f'field{i}'))} || "
            f"coalesce({json(_field(sql, i), inner, depth + 1)}, 'null')"
            for i, (name, inner) in enumerate(zip(kind.names, kind.items, strict=True))
        )
        return f"CASE WHEN {sql} IS NOT NULL THEN '{{' || {separated([*parts], ',')} || '}}' END"
    if kind.name == "varbinary":
        raise Unsupported("type varbinary in a JSON file")
    text = partition_text(sql, kind)
    return f"'\"' || {text} || '\"'"


def _json_name(name: str) -> str:
    return encoder.dumps(name, ensure_ascii=False) + ":"


def _field(sql: str, index: int) -> str:
    return f"struct_extract({sql}, 'f{index}')"

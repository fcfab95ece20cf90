"""``CAST(… AS JSON)``: each SQL type as JSON text, by Trino's rules (map keys are text, in order)."""

from __future__ import annotations

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.expression import quote_text
from headwater.stack.lakehouse.sql.text import display_text, separated


def json_text(sql: str, kind: t.Type, depth: int = 0) -> str:
    """The text of a value; NULL stays NULL.

    A row becomes an object of its field names (https://trino.io/docs/current/functions/json.html#cast-to-json).
    """
    item = f"j{depth}"
    if kind.name in (*t.INTEGERS, "boolean", "decimal"):
        return display_text(sql, kind)
    if kind.name in t.APPROXIMATE:
        text = display_text(sql, kind)
        return f"CASE WHEN isfinite({sql}) THEN {text} ELSE '\"' || {text} || '\"' END"
    if kind.name == "json":
        return f"CAST({sql} AS VARCHAR)"
    if t.is_text(kind) or kind.name in ("date", "timestamp"):
        return f"CAST(to_json({display_text(sql, kind)}) AS VARCHAR)"
    if kind.name == "unknown":
        return "NULL"
    if kind.name == "array":
        inner = json_text(item, kind.items[0], depth + 1)
        return f"'[' || array_to_string(list_transform({sql}, lambda {item}: coalesce({inner}, 'null')), ',') || ']'"
    if kind.name == "map":
        key = f"CAST(to_json({display_text(f'{item}.key', kind.items[0])}) AS VARCHAR)"
        value = json_text(f"{item}.value", kind.items[1], depth + 1)
        entries = f"list_transform(map_entries({sql}), lambda {item}: {key} || ':' || coalesce({value}, 'null'))"
        return f"CASE WHEN {sql} IS NOT NULL THEN '{{' || array_to_string(list_sort({entries}), ',') || '}}' END"
    if kind.name == "row":
        parts = []
        for i, (name, inner_kind) in enumerate(zip(kind.names, kind.items, strict=True)):
            inner = json_text(f"struct_extract({sql}, 'f{i}')", inner_kind, depth + 1)
            label = '"' + (name or "").replace("\\", "\\\\").replace('"', '\\"') + '":'
            parts.append(f"{quote_text(label)} || coalesce({inner}, 'null')")
        return f"CASE WHEN {sql} IS NOT NULL THEN '{{' || {separated(parts, ',')} || '}}' END"
    raise Unsupported(f"CAST from {kind} to json")

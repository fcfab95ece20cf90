"""Values as Athena writes them: one place, used by ``CAST(… AS varchar)`` and by the result files."""

from __future__ import annotations

from collections.abc import Sequence

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.expression import bound, quote_text
from headwater.stack.lakehouse.sql.nanoseconds import clock_text, is_nano, nano_text
from headwater.stack.lakehouse.sql.zonedtimes import local_time_of_day
from headwater.stack.lakehouse.sql.zones import wall_clock

_PLAIN = ("tinyint", "smallint", "integer", "bigint", "boolean", "varchar", "char", "json", "uuid")
_DEEP = 2
_DEEPEST = 16


def display_text(sql: str, kind: t.Type, depth: int = 0) -> str:
    """DuckDB SQL for the text form of a value (NULL stays NULL).

    >>> display_text("x", t.DOUBLE)
    'hw_double_text(x)'
    """
    if kind.name in _PLAIN:
        return sql if kind.name in ("varchar", "char") else f"CAST({sql} AS VARCHAR)"
    if kind.name == "date":
        return f"hw_date_text({sql})"
    if kind.name == "decimal":
        return decimal_text(sql, kind)
    if kind.name in t.APPROXIMATE:
        return f"hw_{kind.name}_text({sql})"
    if kind.name == "varbinary":
        return f"hw_hex_pairs({sql})"
    if kind.name in ("timestamp", "time"):
        return timestamp_text(sql, kind)
    if kind.name == "timestamptz":
        return _zoned_text(sql, kind)
    if kind.name == "timetz":
        clock = timestamp_text(local_time_of_day(sql, kind), t.Type("time", kind.params))
        return f"{clock} || {quote_text(kind.zone or '')}"
    if kind.name == "ipaddress":
        return f"hw_ip_text({sql})"
    if kind == t.DAY_TO_SECOND:
        return f"hw_day_interval_text({sql})"
    if kind == t.YEAR_TO_MONTH:
        return f"hw_month_interval_text({sql})"
    if kind.name == "unknown":
        return f"CAST({sql} AS VARCHAR)"
    return _nested_text(sql, kind, depth)


def decimal_text(sql: str, kind: t.Type) -> str:
    """``0.5``, which DuckDB writes ``.5`` when the type has no digit before the point.

    >>> decimal_text("x", t.decimal(1, 1))
    'CAST(CAST(x AS DECIMAL(2, 1)) AS VARCHAR)'
    """
    precision, scale = kind.params
    if precision > scale:
        return f"CAST({sql} AS VARCHAR)"
    if precision < t.MAX_PRECISION:
        return f"CAST(CAST({sql} AS DECIMAL({precision + 1}, {scale})) AS VARCHAR)"
    return f"regexp_replace(CAST({sql} AS VARCHAR), '^(-?)[.]', '\\10.')"


def timestamp_text(sql: str, kind: t.Type) -> str:
    """``2025-01-15 10:00:00.000``: as many fractional digits as the type has."""
    digits = t.precision_of(kind)
    if is_nano(kind):
        return nano_text(sql, kind)
    if kind.name == "time":
        text = f"CAST({sql} AS VARCHAR)"
        whole = f"left({text}, 8)"
        fraction = f"left(rpad(substr({text}, 10), 9, '0'), {digits})"
        return whole if digits == 0 else f"{whole} || '.' || {fraction}"
    return stamp_text(sql, " ", digits)


def stamp_text(sql: str, between: str, digits: int) -> str:
    """A timestamp's text with so many fractional digits (up to six) and what stands between date and time.

    >>> stamp_text("x", "T", 3)
    "hw_year_text(x, strftime(x, '%Y-%m-%dT%H:%M:%S.%g'))"
    """
    fraction = {0: "", 3: ".%g"}.get(digits, ".%f")
    text = f"hw_year_text({sql}, strftime({sql}, '%Y-%m-%d{between}%H:%M:%S{fraction}'))"
    return text if digits in (0, 3, 6) else f"left({text}, {digits - 6})"


def _zoned_text(sql: str, kind: t.Type) -> str:
    if kind.zone is None:
        raise Unsupported("showing a timestamp with time zone whose zone depends on the data")
    if is_nano(kind):
        return f"{clock_text(sql, kind)} || {quote_text(' ' + kind.zone)}"
    local = wall_clock(sql, kind.zone)
    return f"{timestamp_text(local, t.Type('timestamp', kind.params))} || {quote_text(' ' + kind.zone)}"


def _nested_text(sql: str, kind: t.Type, depth: int) -> str:
    """``[1, 2]`` and ``{a=1, b=null}``: text inside is not quoted, and NULL is written ``null``."""
    if depth > _DEEPEST and kind.name != "row":
        raise Unsupported(f"showing arrays and maps that are nested more than {_DEEPEST} deep")
    if kind.name == "array":
        item = f"e{depth}"
        inner = display_text(item, kind.items[0], depth + 1)
        items = f"list_transform({sql}, lambda {item}: coalesce({inner}, 'null'))"
        return f"'[' || {_joined(items, depth)} || ']'"
    if kind.name == "map":
        item = f"e{depth}"
        key = display_text(f"{item}.key", kind.items[0], depth + 1)
        value = display_text(f"{item}.value", kind.items[1], depth + 1)
        entries = f"list_transform(map_entries({sql}), lambda {item}: {key} || '=' || coalesce({value}, 'null'))"
        return f"CASE WHEN {sql} IS NOT NULL THEN '{{' || {_joined(entries, depth)} || '}}' END"
    if kind.name == "row":
        parts = []
        for i, (name, inner_kind) in enumerate(zip(kind.names, kind.items, strict=True)):
            inner = display_text(f"struct_extract({sql}, 'f{i}')", inner_kind, depth + 1)
            label = quote_text((name or f"field{i}") + "=")
            parts.append(f"{label} || coalesce({inner}, 'null')")
        return f"CASE WHEN {sql} IS NOT NULL THEN '{{' || {separated(parts, ', ')} || '}}' END"
    raise Unsupported(f"showing values of type {kind}")


def separated(texts: Sequence[str], between: str) -> str:
    """Texts, none of them NULL, with another between them; ``||`` would nest as deep as there are texts.

    >>> separated(["a", "b"], ",")
    "concat_ws(',', a, b)"
    """
    return f"concat_ws({quote_text(between)}, {', '.join(texts)})"


def _joined(texts: str, depth: int) -> str:
    if depth < _DEEP:
        return f"array_to_string({texts}, ', ')"
    # What DuckDB puts in its place holds the texts twice, which at each level doubles what is to be planned.
    return bound({"l": texts}, "CASE WHEN len(l) = 0 THEN '' ELSE list_aggr(l, 'string_agg', ', ') END")

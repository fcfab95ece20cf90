"""``CAST`` and ``TRY_CAST`` by Trino's rules: what is allowed, how it rounds, and which text is a number or a time."""

from __future__ import annotations

import re
from dataclasses import replace

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.clocktimes import MICROSECONDS, rounded_time, time_from_text
from headwater.stack.lakehouse.sql.coerce import can_coerce, coerce
from headwater.stack.lakehouse.sql.datazones import at_other_instant, moment_text, wall_clock_of, zoned
from headwater.stack.lakehouse.sql.expression import Expr, attempt, fail, null_of, quote_text
from headwater.stack.lakehouse.sql.failures import Position, SqlError
from headwater.stack.lakehouse.sql.jsonreads import nested_value
from headwater.stack.lakehouse.sql.jsonvalues import json_text
from headwater.stack.lakehouse.sql.nanoseconds import is_nano, nanos_from_text, with_digits
from headwater.stack.lakehouse.sql.text import display_text
from headwater.stack.lakehouse.sql.todecimal import double_to_decimal, real_to_decimal, text_to_decimal
from headwater.stack.lakehouse.sql.zonedtimes import local_time_of_day, to_time_with_zone
from headwater.stack.lakehouse.sql.zones import instant, zone_named

_NUMBER = r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?"
_TEXT_PATTERNS = {
    "integer": r"[+-]?[0-9]+",
    "decimal": _NUMBER,
    "double": rf"\s*[+-]?(NaN|Infinity|{_NUMBER[5:]})\s*",
    "date": r"\s*[+-]?[0-9]{4,}-[0-9]{1,2}-[0-9]{1,2}\s*",
    "timestamp": r"[0-9]{4,}-[0-9]{1,2}-[0-9]{1,2}( [0-9]{1,2}:[0-9]{1,2}(:[0-9]{1,2}(\.[0-9]{1,6})?)?)?",
    "uuid": r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
}
_JAVA_NAMES = {"integer": "INT", "bigint": "BIGINT", "smallint": "SMALLINT", "tinyint": "TINYINT"}


def cast(value: Expr, target: t.Type, *, safe: bool, position: Position) -> Expr:
    """``CAST(value AS target)``; ``safe`` is ``TRY_CAST``: NULL where the value does not fit."""
    source = value.type
    if source.name == "unknown":
        return null_of(target)
    if source == target and source.name != "timestamptz":
        return value
    if source.name == "json" or target.name == "json":
        return _json(value, target, safe=safe, position=position)
    moment = _to_moment(value, target, safe)
    if moment is not None:
        return moment
    if target.name == "timetz":
        zoned = to_time_with_zone(value, target, position)
        if zoned is not None:
            return zoned
    if "ipaddress" in (source.name, target.name):
        sql = _address(value, target, safe)
    elif t.is_text(source):
        sql = _from_text(value, target, safe)
    elif t.is_text(target):
        sql = _to_text(value, target)
    elif source.name in ("array", "map", "row") and source.name == target.name:
        # TRY_CAST of an array is NULL if one element does not fit, not an array with a NULL.
        sql = _nested(value, target, position=position)
        sql = attempt(sql) if safe and sql is not None else sql
    else:
        sql = _between(value, target, safe)
    if sql is None:
        raise SqlError("TYPE_MISMATCH", f"Cannot cast {source} to {target}", position)
    return Expr(sql, _result_type(source, target), constant=value.constant)


def _to_moment(value: Expr, target: t.Type, safe: bool) -> Expr | None:
    """Text as a ``timestamp with time zone``, and one whose zone depends on the data with other digits."""
    if target.name != "timestamptz":
        return None
    if value.type.name == "varchar":
        return _zoned(value, target, safe)
    if value.zoned is None:
        return None
    return at_other_instant(_with_digits(value.zoned.instant, value.type, target), value, target)


_NO_JSON = ("time", "timetz", "varbinary", "uuid", "ipaddress", t.DAY_TO_SECOND.name, t.YEAR_TO_MONTH.name)
_JSON_SCALARS = ("boolean", "varchar", "double", "real", "decimal", *t.INTEGERS)


def _json(value: Expr, target: t.Type, *, safe: bool, position: Position) -> Expr:
    """A SQL value as JSON, and JSON as a SQL value."""
    source = value.type
    if target.name == "json" and source.name in _NO_JSON:
        raise SqlError("TYPE_MISMATCH", f"Cannot cast {source} to {target}", position)
    if target.name == "json" and source.name in _JSON_SCALARS and source.name not in ("double", "real", "decimal"):
        return Expr(f"CASE WHEN {value} IS NOT NULL THEN to_json({value}) END", t.JSON)
    if target.name == "json" and not _is_json_key(source):
        raise SqlError("TYPE_MISMATCH", f"Cannot cast {source} to {target}", position)
    if target.name == "json":
        written = json_text(value.sql, source)
        return Expr(f"CASE WHEN {value} IS NOT NULL THEN CAST({written} AS JSON) END", t.JSON)
    if source.name == "json" and target.items:
        nested = nested_value(value.sql, target, lambda e, kind: cast(e, kind, safe=False, position=position))
        return Expr(attempt(nested) if safe else nested, target)
    if source.name != "json" or target.name not in _JSON_SCALARS:
        raise SqlError("TYPE_MISMATCH", f"Cannot cast {source} to {target}", position)
    return _scalar_of_json(value, target, safe=safe, position=position)


_JSON_KEYS = ("unknown", "boolean", "real", "double", "decimal", "varchar", *t.INTEGERS)


def _is_json_key(kind: t.Type) -> bool:
    """Whether all maps inside of a type have keys that a JSON object can have."""
    return (kind.name != "map" or kind.items[0].name in _JSON_KEYS) and all(map(_is_json_key, kind.items))


def _scalar_of_json(value: Expr, target: t.Type, *, safe: bool, position: Position) -> Expr:
    """A JSON scalar by its text; true is 1, and any number but 0 is true."""
    kind, written = f"json_type({value})", f"CAST({value} AS VARCHAR)"
    plain = f"json_extract_string({value}, '$')"
    number = _number_text(written, target, safe=safe, position=position)
    truth = plain if target.name in ("boolean", "varchar") else f"CASE {plain} WHEN 'true' THEN '1' ELSE '0' END"
    text = (
        f"CASE {kind} WHEN 'NULL' THEN NULL WHEN 'VARCHAR' THEN {plain} WHEN 'BOOLEAN' THEN {truth} ELSE {number} END"
    )
    message = f"'INVALID_CAST_ARGUMENT: Cannot cast to {target}. Expected a JSON scalar, got ' || {value}"
    otherwise = "NULL" if safe else fail(message, t.VARCHAR)
    checked = f"CASE WHEN {kind} IN ('ARRAY', 'OBJECT') THEN {otherwise} ELSE {text} END"
    if target.name == "varchar" and target.params:
        message = f"'INVALID_CAST_ARGUMENT: Cannot cast ' || chr(39) || {written} || chr(39) || ' to {target}'"
        long = "NULL" if safe else fail(message, t.VARCHAR, written)
        checked = f"CASE WHEN length({checked}) > {target.params[0]} THEN {long} ELSE {checked} END"
    if target.name == "decimal" and not safe:
        converted = cast(Expr(f"({checked})", t.VARCHAR), target, safe=True, position=position).sql
        wanted = _decimal_name(target).replace(", ", ",")
        refusal = fail(f"'INVALID_CAST_ARGUMENT: Cannot cast input json to {wanted}'", target, checked)
        return Expr(f"CASE WHEN {checked} IS NOT NULL THEN coalesce({converted}, {refusal}) END", target)
    return cast(Expr(f"({checked})", t.VARCHAR), target, safe=safe, position=position)


def _number_text(written: str, target: t.Type, *, safe: bool, position: Position) -> str:
    """A JSON number as text from which a cast makes the value."""
    fraction, double = f"regexp_matches({written}, '[.eE]')", f"CAST({written} AS DOUBLE)"
    if target.name == "boolean":
        whole = cast(Expr(written, t.VARCHAR), t.BIGINT, safe=safe, position=position).sql
        return f"CAST(CASE WHEN {fraction} THEN {double} <> 0 ELSE {whole} <> 0 END AS VARCHAR)"
    if target.name == "varchar":
        return f"CASE WHEN {fraction} THEN hw_double_text({double}) ELSE {written} END"
    if target.name not in t.INTEGERS:
        return written
    # 1.0 is a valid JSON number for an integer; text of it would not be.
    whole = f"{'TRY_CAST' if safe else 'CAST'}(round({double}) AS BIGINT)"
    return f"CASE WHEN {fraction} THEN CAST({whole} AS VARCHAR) ELSE {written} END"


def _result_type(source: t.Type, target: t.Type) -> t.Type:
    if target.name != "timestamptz":
        return target
    return t.Type("timestamptz", target.params, zone=source.zone if source.name == "timestamptz" else "UTC")


def _try(sql: str, target: t.Type, safe: bool) -> str:
    return f"{'TRY_CAST' if safe else 'CAST'}({sql} AS {t.to_duckdb(target)})"


def _from_text(value: Expr, target: t.Type, safe: bool) -> str | None:
    sql = value.sql
    if t.is_text(target):
        # CAST('abcdef' AS varchar(3)) keeps the first three characters.
        cut = f"left({sql}, {target.params[0]})" if target.params else sql
        return f"rpad({cut}, {target.params[0]}, ' ')" if target.name == "char" else cut
    if value.type.name == "char":
        raise Unsupported(f"CAST from {value.type} to {target}")
    if target.name == "varbinary":
        return f"encode({sql})"
    if target.name == "time":
        return time_from_text(sql, target, safe=safe)
    if target.name == "timestamp":
        return _timestamp_from_text(sql, target, safe)
    if target.name == "date":
        sql = f"replace({sql}, '+', '')"
    if target.name == "boolean":
        otherwise = (
            "NULL" if safe else fail(f"'INVALID_CAST_ARGUMENT: Cannot cast ''' || {sql} || ''' to BOOLEAN'", target)
        )
        return (
            f"CASE WHEN {sql} IS NULL THEN NULL WHEN lower({sql}) IN ('true', 't', '1') THEN true "
            f"WHEN lower({sql}) IN ('false', 'f', '0') THEN false ELSE {otherwise} END"
        )
    pattern = _pattern(target)
    if pattern is None:
        return None
    otherwise = "NULL" if safe else fail(_complaint(sql, target), target)
    reads = f"regexp_full_match({value.sql}, {quote_text(pattern)})"
    converted = text_to_decimal(sql, target, safe=safe) if target.name == "decimal" else _try(sql, target, safe)
    return f"CASE WHEN {reads} THEN {converted} WHEN {value.sql} IS NOT NULL THEN {otherwise} END"


_DAY = r"(?s)\s*[+]?(-?[0-9]{4,}-[0-9]{1,2}-[0-9]{1,2})"
_MOMENT = rf"{_DAY}(?: ([0-9]{{1,2}}:[0-9]{{1,2}}(?::[0-9]{{1,2}}(?:[.][0-9]{{1,6}})?)?)?.*)?\s*"
_ZONED = rf"{_DAY}(?: ([0-9]{{1,2}}:[0-9]{{1,2}}(?::[0-9]{{1,2}}(?:[.][0-9]+)?)?)?\s*(.+?)?)?\s*"


def _timestamp_from_text(sql: str, target: t.Type, safe: bool) -> str:
    """What follows the time, such as a zone, is read over as in Trino, and so are spaces around."""
    read = _micros_from_text(sql)
    if t.precision_of(target) == 6:
        read += f" + to_microseconds(CASE WHEN regexp_matches({sql}, '[.][0-9]{{6}}[5-9]') THEN 1 ELSE 0 END)"
    converted = nanos_from_text(read, sql, target) if is_nano(target) else _rounded(read, target)
    return converted if safe else _complained(converted, sql, target)


def _micros_from_text(sql: str) -> str:
    """The first six digits of the fraction; NULL for what is no timestamp."""
    bare = f"rtrim(regexp_replace({sql}, {quote_text(f'^{_MOMENT}$')}, '\\1 \\2'))"
    plain, any_form = (
        f"regexp_full_match({sql}, {quote_text(form)})" for form in (_TEXT_PATTERNS["timestamp"], _MOMENT)
    )
    return f"TRY_CAST(CASE WHEN {plain} THEN {sql} WHEN {any_form} THEN {bare} END AS TIMESTAMP)"


def _complained(converted: str, sql: str, target: t.Type) -> str:
    return f"CASE WHEN {sql} IS NOT NULL THEN coalesce({converted}, {fail(_complaint(sql, target), target)}) END"


def _address(value: Expr, target: t.Type, safe: bool) -> str | None:
    source, sql = value.type.name, value.sql
    if source == "varchar":
        return f"hw_try_ip({sql})" if safe else f"hw_ip({sql})"
    if source == "varbinary":
        converted = f"hw_ip_bytes({sql})"
        return attempt(converted) if safe else converted
    if target.name == "varbinary":
        return sql
    return _to_text(value, target) if t.is_text(target) else None


def _pattern(target: t.Type) -> str | None:
    if target.name in t.INTEGERS:
        return _TEXT_PATTERNS["integer"]
    return _TEXT_PATTERNS.get("double" if target.name == "real" else target.name)


def _complaint(sql: str, target: t.Type) -> str:
    prefix = "INVALID_CAST_ARGUMENT: "
    if target.name in ("date", "timestamp", "timestamptz"):
        return f"'{prefix}Value cannot be cast to {target.name.removesuffix('tz')}: ' || {sql}"
    if target.name == "decimal":
        return f"'{prefix}Cannot cast VARCHAR ''' || {sql} || ''' to {_decimal_name(target)}. Value is not a number.'"
    if target.name == "uuid":
        return f"'{prefix}Cannot cast value to UUID: ' || {sql}"
    return f"'{prefix}Cannot cast ''' || {sql} || ''' to {_JAVA_NAMES.get(target.name, target.name.upper())}'"


def _decimal_name(target: t.Type) -> str:
    return f"DECIMAL({target.params[0]}, {target.params[1]})"


def _rounded(sql: str, target: t.Type) -> str:
    """``timestamp(3)`` keeps milliseconds, rounded half up, where DuckDB keeps microseconds."""
    digits = t.precision_of(target)
    return sql if digits == 6 else f"hw_round_timestamp({sql}, {10 ** (6 - digits)})"


def _with_digits(sql: str, source: t.Type, target: t.Type) -> str:
    if is_nano(source) or is_nano(target):
        return with_digits(sql, source, target)
    return sql if t.precision_of(source) <= t.precision_of(target) else _rounded(sql, target)


def _to_text(value: Expr, target: t.Type) -> str | None:
    if value.type.name in ("array", "map", "row", "varbinary"):
        return None
    text = display_text(value.sql, value.type)
    if value.zoned is not None:
        text = moment_text(value.zoned, value.type)
    if target.name == "char":
        return f"rpad(left({text}, {target.params[0]}), {target.params[0]}, ' ')"
    if not target.params:
        return text
    message = f"'INVALID_CAST_ARGUMENT: Value ' || {text} || ' cannot be represented as varchar({target.params[0]})'"
    return f"CASE WHEN length({text}) > {target.params[0]} THEN {fail(message, t.VARCHAR)} ELSE {text} END"


def _between(value: Expr, target: t.Type, safe: bool) -> str | None:
    source, sql = value.type, value.sql
    if t.is_numeric(source) and t.is_numeric(target):
        if source.name in t.APPROXIMATE and target.name == "decimal":
            convert = double_to_decimal if source.name == "double" else real_to_decimal
            return convert(sql, target, safe=safe)
        if (source.name, target.name) == ("double", "real"):
            too_large = f"isfinite({sql}) AND abs({sql}) > 3.4028235677973364e38"
            return f"CASE WHEN {too_large} THEN sign({sql}) * CAST('inf' AS FLOAT) ELSE CAST({sql} AS FLOAT) END"
        # Trino rounds half away from zero; DuckDB rounds a double half to even.
        inner = f"round({sql})" if source.name in t.APPROXIMATE and target.name in t.INTEGERS else sql
        return _try(inner, target, safe)
    if (source.name, target.name) == ("varbinary", "uuid"):
        size = f"'INVALID_CAST_ARGUMENT: Invalid UUID binary length: ' || octet_length({sql})"
        made = f"CAST(lower(hex({sql})) AS UUID)"
        return f"CASE WHEN octet_length({sql}) = 16 THEN {made} WHEN {sql} IS NOT NULL THEN {fail(size, target)} END"
    if (source.name, target.name) == ("uuid", "varbinary"):
        return f"unhex(replace(CAST({sql} AS VARCHAR), '-', ''))"
    if "boolean" in (source.name, target.name):
        other = target if source.name == "boolean" else source
        return _try(sql, target, safe) if t.is_numeric(other) else None
    return _between_times(value, target)


def _between_times(value: Expr, target: t.Type) -> str | None:
    source = value.type
    if source.name == "timetz" and target.name == "time":
        value = Expr(local_time_of_day(value.sql, source), t.Type("time", source.params))
        source = value.type
    if is_nano(source) and target.name == "date":
        value = Expr(f"hw_micros({value.sql})", t.Type(source.name, (6,), zone=source.zone))
        source = value.type
    if source.name == "timestamptz" and target.name in ("date", "time", "timestamp"):
        value = Expr(wall_clock_of(value), t.Type("timestamp", source.params))
        source = value.type
    if source.name == target.name == "time":
        return rounded_time(value.sql, source, target)
    if source.name in ("timestamp", "timestamptz") and target.name in ("timestamp", "timestamptz"):
        # A timestamp with time zone is an instant in UTC, which is the session's zone.
        return _with_digits(value.sql, source, target)
    if source.name == "timestamp" and target.name == "date":
        return f"CAST({value.sql} AS DATE)"
    if source.name == "timestamp" and target.name == "time" and is_nano(source):
        return rounded_time(f"CAST({value.sql} AS TIME_NS)", t.Type("time", (9,)), target)
    if source.name == "timestamp" and target.name == "time":
        return rounded_time(f"CAST({value.sql} AS TIME)", MICROSECONDS, target)
    if can_coerce(source, target):
        return coerce(value, target).sql
    return None


_UTC = "((UTC|GMT|UT|Z)|(UTC|GMT|UT)?[+-]00?(:?00)?)?"


def _zoned(value: Expr, target: t.Type, safe: bool) -> Expr:
    """``TIMESTAMP '2020-01-01 00:00:00 Europe/Berlin'``, and texts that are known only when the query runs."""
    sql, exact = value.sql, t.Type("timestamptz", target.params)
    found = re.fullmatch(_ZONED, value.literal, re.ASCII) if isinstance(value.literal, str) else None
    zone = zone_named(found[3] or "UTC") if found else None
    local = _timestamp_from_text(sql, t.Type("timestamp", target.params), safe)
    if is_nano(target):
        # Zones are computed with in microseconds.
        local = _micros_from_text(sql) if safe else _complained(_micros_from_text(sql), sql, t.TIMESTAMP)
    at, shown = _zoned_text(sql, local, target, safe) if zone is None else (instant(local, zone), "")
    at = nanos_from_text(at, sql, target) if is_nano(target) else at
    return zoned(at, shown, exact) if zone is None else Expr(at, replace(exact, zone=zone), constant=True)


def _zoned_text(sql: str, local: str, target: t.Type, safe: bool) -> tuple[str, str]:
    """The instant and the zone of a text."""
    written = f"regexp_extract({sql}, {quote_text(f'^{_ZONED}$')}, 3)"
    in_utc = f"regexp_full_match({written}, {quote_text(_UTC)})"
    otherwise = "NULL" if safe else fail(_complaint(sql, target), t.TIMESTAMP)
    known = f"hw_try_zone({written})"
    elsewhere = f"WHEN {known} IS NOT NULL THEN hw_zone_instant({local}, {known})"
    at = f"CASE WHEN {in_utc} THEN {local} {elsewhere} WHEN {sql} IS NOT NULL THEN {otherwise} END"
    return at, f"CASE WHEN {in_utc} THEN 'UTC' ELSE {known} END"


def _nested(value: Expr, target: t.Type, *, position: Position) -> str | None:
    source = value.type
    if source.name == "row":
        if len(source.items) != len(target.items):
            return None
        parts = []
        for i, (inner, wanted) in enumerate(zip(source.items, target.items, strict=True)):
            field = Expr(f"struct_extract({value.sql}, {quote_text(f'f{i}')})", inner)
            parts.append(f"f{i} := {cast(field, wanted, safe=False, position=position).sql}")
        return f"CASE WHEN {value.sql} IS NULL THEN NULL ELSE struct_pack({', '.join(parts)}) END"
    if source.name == "array":
        body = cast(Expr("e", source.items[0]), target.items[0], safe=False, position=position)
        return f"list_transform({value.sql}, lambda e: {body.sql})"
    keys = cast(Expr("e", source.items[0]), target.items[0], safe=False, position=position)
    values = cast(Expr("e", source.items[1]), target.items[1], safe=False, position=position)
    made = f"list_transform(map_keys({value.sql}), lambda e: {keys.sql})"
    empty = fail("'INVALID_CAST_ARGUMENT: map key is null'", target, f"len({made})")
    twice = fail("'INVALID_CAST_ARGUMENT: duplicate keys'", target, f"len({made})")
    return (
        f"CASE WHEN {value.sql} IS NULL THEN NULL WHEN list_position({made}, NULL) IS NOT NULL THEN {empty} "
        f"WHEN len(list_distinct({made})) < len({made}) THEN {twice} "
        f"ELSE map({made}, list_transform(map_values({value.sql}), lambda e: {values.sql})) END"
    )

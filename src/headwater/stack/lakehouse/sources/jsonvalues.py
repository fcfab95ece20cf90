"""A JSON value as a column's value, by the rules of Athena's two JSON SerDes; what doesn't read fails the query."""

from __future__ import annotations

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.sources.hivetext import formatted, hive_date, iso_timestamp, text_value
from headwater.stack.lakehouse.sources.jsonkeys import Keys
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.casts import cast
from headwater.stack.lakehouse.sql.expression import Expr, fail, quote_text

_POSITION = (1, 1)
_WHOLE = "[+-]?(0|[1-9][0-9]*)"
_FRACTION = r"[+-]?[0-9]*\.?[0-9]+([eE][+-]?[0-9]+)?"


def json_value(sql: str, kind: t.Type, keys: Keys, digits: str = "") -> str:
    """Text of anything, numbers also from text, nested types by name; ``digits`` is a number as it is written."""
    if t.is_text(kind):
        return text_value(_text(sql, digits), kind)
    if kind.name == "varbinary" or (kind.name == "map" and not t.is_text(kind.items[0])):
        raise Unsupported(f"type {kind} in a JSON file")
    if kind.items:
        return _nested(sql, kind, keys)
    text = f"json_extract_string({sql}, '$')"
    value = _scalar(sql, text, kind, keys)
    return f"CASE WHEN json_type({sql}) <> 'NULL' THEN coalesce({value}, {_unreadable(text, kind)}) END"


def _text(sql: str, digits: str) -> str:
    message = "'NOT_SUPPORTED: a number with a fraction in a nested text column is not supported by the local Athena'"
    number = digits or fail(message, t.VARCHAR, sql)
    plain = f"json_extract_string({sql}, '$')"
    return f"CASE json_type({sql}) WHEN 'NULL' THEN NULL WHEN 'DOUBLE' THEN {number} ELSE {plain} END"


def _unreadable(text: str, kind: t.Type) -> str:
    message = f"'HIVE_BAD_DATA: Error Parsing a column in the table: For input string: \"' || left({text}, 80) || '\"'"
    return fail(message, kind, text)


def _scalar(sql: str, text: str, kind: t.Type, keys: Keys) -> str:
    """The value, NULL where the text is none."""
    if kind.name == "boolean":
        return f"CASE WHEN json_type({sql}) NOT IN ('OBJECT', 'ARRAY') THEN lower({text}) = 'true' END"
    if kind.name in t.INTEGERS:
        name = t.to_duckdb(kind)
        fraction = f"TRY_CAST(trunc(TRY_CAST({text} AS DECIMAL(38, 15))) AS {name})"
        whole = f"WHEN regexp_full_match({text}, '{_WHOLE}') THEN TRY_CAST({text} AS {name})"
        value = f"CASE {whole} WHEN regexp_full_match({text}, {quote_text(_FRACTION)}) THEN {fraction} END"
        # Hive's SerDe takes numbers only; OpenX's would read 010 as an octal number, which is refused here.
        return value if keys.openx else f"CASE WHEN json_type({sql}) <> 'VARCHAR' THEN {value} END"
    if kind.name == "timestamp":
        value = _timestamp(text, keys)
        return value if not keys.timestamps else f"coalesce({formatted(text, keys.timestamps)}, {value})"
    if kind.name == "date":
        days = f"DATE '1970-01-01' + TRY_CAST({text} AS INTEGER)"
        number = f"WHEN regexp_full_match({text}, '-?[0-9]+') THEN {days} " if keys.openx else ""
        return f"CASE {number}ELSE {hive_date(text)} END" if number else hive_date(text)
    return str(cast(Expr(text, t.VARCHAR), kind, safe=True, position=_POSITION))


def _timestamp(text: str, keys: Keys) -> str:
    """OpenX's SerDe also takes seconds and (from 13 digits on) milliseconds since 1970, and offsets from UTC.

    Seconds may have a fraction, which is cut to milliseconds.
    """
    if not keys.openx:
        return iso_timestamp(text)
    whole = f"regexp_replace({text}, '[zZ]$', '')"
    plain = f"replace({whole}, 'T', ' ')"
    number = f"TRY_CAST({text} AS BIGINT)"
    unit = f"CASE WHEN length({text}) >= 13 THEN 1000 ELSE 1000000 END"
    cut = f"CAST(trunc(CAST({text} AS DECIMAL(38, 15)) * 1000) AS BIGINT) * 1000"
    hours, minutes = (
        f"CAST(regexp_replace({plain}, '.*([+-])([0-9]{{2}}):?([0-9]{{2}})$', '\\1\\{group}') AS INTEGER)"
        for group in (2, 3)
    )
    local = f"TRY_CAST(regexp_replace({plain}, '[+-][0-9]{{2}}:?[0-9]{{2}}$', '') AS TIMESTAMP)"
    moment = f"{local} - to_minutes({hours} * 60 + {minutes})"
    return (
        f"CASE WHEN regexp_full_match({text}, '-?[0-9]+') THEN make_timestamp({number} * {unit}) "
        f"WHEN regexp_full_match({text}, '[+-]?[0-9]{{1,12}}[.][0-9]*') THEN make_timestamp({cut}) "
        f"WHEN regexp_full_match({text}, '.+:.+[+-][0-9]{{2}}:?[0-9]{{2}}') THEN hw_round_timestamp({moment}, 1000) "
        f"WHEN contains({text}, ':') THEN {iso_timestamp(whole)} END"
    )


def _nested(sql: str, kind: t.Type, keys: Keys) -> str:
    """An array, a row or a map. OpenX's SerDe makes an array of one value, and takes a row's fields from an array."""
    shape = f"json_type({sql})"
    text = f"json_extract_string({sql}, '$')"
    bad = _unreadable(text, kind)
    if kind.name == "array":
        inner = json_value("e", kind.items[0], keys)
        listed = f"list_transform(CAST({sql} AS JSON[]), lambda e: {inner})"
        if keys.openx:
            bad = f"CASE WHEN {text} <> '' THEN [{json_value(sql, kind.items[0], keys)}] END"
        return f"CASE {shape} WHEN 'NULL' THEN NULL WHEN 'ARRAY' THEN {listed} ELSE {bad} END"
    if kind.name == "row":
        return f"CASE {shape} WHEN 'NULL' THEN NULL WHEN 'OBJECT' THEN {_row(sql, kind, keys)} ELSE {bad} END"
    inner = json_value("e", kind.items[1], keys)
    values = f"list_transform(map_values(CAST({sql} AS MAP(VARCHAR, JSON))), lambda e: {inner})"
    made = f"map(json_keys({sql}), {values})"
    return f"CASE {shape} WHEN 'NULL' THEN NULL WHEN 'OBJECT' THEN {made} ELSE {bad} END"


def _row(sql: str, kind: t.Type, keys: Keys) -> str:
    names = [name or "" for name in kind.names]
    parts = (
        f"f{i} := {json_value(keys.member(sql, n), k, keys)}"
        for i, (n, k) in enumerate(zip(names, kind.items, strict=True))
    )
    return f"struct_pack({', '.join(parts)})"

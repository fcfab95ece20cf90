"""Times as texts: the patterns of MySQL and of Joda, and ISO 8601, each with its own rules for what fits."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.datazones import at_instant, zone_of, zoned
from headwater.stack.lakehouse.sql.expression import Expr, fail, quote_text
from headwater.stack.lakehouse.sql.failures import SqlError
from headwater.stack.lakehouse.sql.functions.datetime import local_clock
from headwater.stack.lakehouse.sql.functions.formats import from_joda, from_mysql
from headwater.stack.lakehouse.sql.functions.model import Call, Function, family
from headwater.stack.lakehouse.sql.routines.clockreads import joda_parts, parse_datetime
from headwater.stack.lakehouse.sql.routines.clocks import iso_timestamp
from headwater.stack.lakehouse.sql.routines.model import RoutineFailed
from headwater.stack.lakehouse.sql.text import stamp_text
from headwater.stack.lakehouse.sql.zones import instant, zone_or_refused

_f = family("date and time")


def _date_format(call: Call) -> str:
    moment, pattern = f"CAST({local_clock(call.arguments[0])} AS TIMESTAMP)", call.arguments[1]
    if not isinstance(pattern.literal, str):
        return f"hw_date_format({moment}, {pattern})"
    return f"strftime({moment}, {quote_text(from_mysql(pattern.literal))})"


def _joda(value: Expr, pattern: str) -> str:
    """By Joda's rules, in Python, with the zone that the value has."""
    local, ahead = local_clock(value), "0"
    if value.zoned is not None or value.type.zone not in (None, "UTC"):
        ahead = f"CAST((epoch_us({local}) - epoch_us({at_instant(value)})) // 60000000 AS BIGINT)"
    return f"hw_joda_text(CAST({local} AS TIMESTAMP), {pattern}, {zone_of(value)}, {ahead})"


def _format_datetime(call: Call) -> str:
    value, pattern = call.arguments
    if isinstance(pattern.literal, str):
        with suppress(Unsupported):
            text = quote_text(from_joda(pattern.literal))
            return f"strftime(CAST({local_clock(value)} AS TIMESTAMP), {text})"
    return _joda(value, pattern.sql)


def _parsed(call: Call, pattern: str) -> Expr:
    """A pattern that DuckDB reads as Joda does; a text that doesn't fit is an error."""
    text = call.arguments[0].sql
    message = f"'INVALID_FUNCTION_ARGUMENT: Invalid format: \"' || {text} || '\"'"
    parsed = f"try_strptime({text}, {quote_text(pattern)})"
    refusal = fail(message, t.TIMESTAMP)
    return Expr(f"CASE WHEN {text} IS NOT NULL THEN coalesce({parsed}, {refusal}) END", t.TIMESTAMP)


_PLAIN_MYSQL = re.compile(r"(?:%[YmdHisST]|[^%])*%Y(?:%[YmdHisST]|[^%])*")
_PLAIN_JODA = re.compile(r"(?:yyyy|MM|dd|HH|mm|ss|'[^']*'|[^A-Za-z'])*")


def _date_parse(call: Call) -> Expr:
    pattern = call.arguments[1]
    if isinstance(pattern.literal, str):
        native = from_mysql(pattern.literal)
        if _PLAIN_MYSQL.fullmatch(pattern.literal) and pattern.literal.count("%Y") == 1:
            return _parsed(call, native)
    return Expr(f"hw_date_parse({call.arguments[0]}, {pattern})", t.TIMESTAMP)


def _parse_datetime(call: Call) -> Expr:
    text, pattern = call.arguments
    if isinstance(pattern.literal, str):
        if _PLAIN_JODA.fullmatch(pattern.literal) and pattern.literal.count("yyyy") == 1:
            return replace(_parsed(call, from_joda(pattern.literal)), type=t.TIMESTAMPTZ)
        _refuse(lambda: joda_parts(str(pattern.literal)), call)
        if isinstance(text.literal, str):
            return _refuse(lambda: _read_before(str(text.literal), str(pattern.literal), call), call)
    given = f"{text}, {pattern}, {call.now.year}"
    zone = f"hw_zone(hw_parse_zone({given}))"
    value = zoned(f"hw_zone_instant(hw_parse_clock({given}), {zone})", zone, t.TIMESTAMPTZ)
    return replace(value, sql=f"hw_parse_datetime({given})")


def _read_before(text: str, pattern: str, call: Call) -> Expr:
    """A text that is written out, with the zone that it names."""
    moment, named = parse_datetime(text, pattern, call.now.year)
    zone = zone_or_refused(named or "UTC")
    local = f"CAST({quote_text(moment.isoformat(sep=' '))} AS TIMESTAMP)"
    return Expr(instant(local, zone), t.Type("timestamptz", (3,), zone=zone), constant=True)


_Read = TypeVar("_Read")


def _refuse(read: Callable[[], _Read], call: Call) -> _Read:
    """What a routine refuses, before the query runs."""
    try:
        return read()
    except RoutineFailed as error:
        code, _, message = str(error).partition(": ")
        raise SqlError(code, message) from error


_ISO = r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T([01][0-9]|2[0-3])(:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?)?)?"
_ISO_UTC, _ISO_AHEAD = rf"{_ISO}(Z|[+-]00:00)?", rf"{_ISO}[+-](0[0-9]|1[0-3]):[0-5][0-9]"


def _from_iso8601_timestamp(call: Call) -> Expr:
    """The value keeps its own offset."""
    text, literal = call.arguments[0].sql, call.arguments[0].literal
    if isinstance(literal, str):
        moment, named = _refuse(lambda: iso_timestamp(literal), call)
        zone = zone_or_refused(named or "UTC")
        local = f"CAST({quote_text(moment.isoformat(sep=' '))} AS TIMESTAMP)"
        return Expr(instant(local, zone), t.Type("timestamptz", (3,), zone=zone), constant=True)
    in_utc, ahead = (f"regexp_full_match({text}, {quote_text(form)})" for form in (_ISO_UTC, _ISO_AHEAD))
    utc = _iso_clock(f"regexp_replace({text}, '(Z|[+-]00:00)$', '')")
    shifted = f"{_iso_clock(f'left({text}, -6)')} - hw_ahead(right({text}, 6))"
    at = f"CASE WHEN {in_utc} THEN {utc} WHEN {ahead} THEN {shifted} ELSE hw_iso_instant({text}) END"
    zone = f"CASE WHEN {in_utc} THEN 'UTC' WHEN {ahead} THEN right({text}, 6) ELSE hw_iso_zone({text}) END"
    return zoned(at, zone, t.TIMESTAMPTZ, f"CASE WHEN {in_utc} THEN {utc} ELSE hw_iso_timestamp({text}) END")


def _from_iso8601_nanos(call: Call) -> Expr:
    text, literal = call.arguments[0].sql, call.arguments[0].literal
    kind, at = t.Type("timestamptz", (9,)), f"make_timestamp_ns(hw_iso_nanos({text}))"
    if isinstance(literal, str):
        named = _refuse(lambda: iso_timestamp(literal), call)[1]
        return Expr(at, replace(kind, zone=zone_or_refused(named or "UTC")), constant=True)
    return zoned(at, f"hw_iso_zone({text})", kind)


def _iso_clock(bare: str) -> str:
    """What follows the milliseconds is cut off, not rounded."""
    padded = f"replace({bare}, 'T', ' ') || CASE length({bare}) WHEN 13 THEN ':00' ELSE '' END"
    return f"date_trunc('millisecond', CAST({padded} AS TIMESTAMP))"


def _to_iso8601(call: Call) -> Expr:
    """Trino leaves room for a sign and six more digits of the year, and for the offset of a zone."""
    value = call.arguments[0]
    if value.type.name == "date":
        return Expr(f"hw_date_text({value})", t.varchar(16))
    digits = t.precision_of(value.type)
    text = stamp_text(local_clock(value), "T", digits)
    length = 22 + (1 + digits if digits else 0)
    if value.type.name == "timestamp":
        return Expr(text, t.varchar(length))
    offset = quote_text("Z") if value.type.zone == "UTC" else _joda(value, quote_text("ZZ"))
    if value.zoned is not None:
        offset = f"CASE WHEN {value.zoned.zone} = 'UTC' THEN 'Z' ELSE {_joda(value, quote_text('ZZ'))} END"
    return Expr(f"{text} || {offset}", t.varchar(length + 6))


FUNCTIONS: tuple[Function, ...] = (
    _f("date_format(D, varchar) -> varchar", _date_format),
    _f("date_parse(varchar, varchar) -> timestamp", _date_parse),
    _f("format_datetime(D, varchar) -> varchar", _format_datetime),
    _f("parse_datetime(varchar, varchar) -> timestamptz", _parse_datetime),
    _f("from_iso8601_timestamp(varchar) -> timestamptz", _from_iso8601_timestamp),
    _f("from_iso8601_timestamp_nanos(varchar) -> timestamptz", _from_iso8601_nanos),
    _f("from_iso8601_date(varchar) -> date", "hw_iso_date({0})"),
    _f("to_iso8601(D) -> varchar", _to_iso8601),
)

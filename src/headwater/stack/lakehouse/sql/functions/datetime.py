"""Date and time functions (https://trino.io/docs/current/functions/datetime.html)."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.casts import cast, local_time
from headwater.stack.lakehouse.sql.expression import Expr, fail, quote_text
from headwater.stack.lakehouse.sql.failures import SqlError
from headwater.stack.lakehouse.sql.functions.formats import from_joda, from_mysql
from headwater.stack.lakehouse.sql.functions.model import Builder, Call, Function, family
from headwater.stack.lakehouse.sql.routines.clockreads import joda_parts, parse_datetime
from headwater.stack.lakehouse.sql.routines.clocks import iso_timestamp
from headwater.stack.lakehouse.sql.routines.model import RoutineFailed
from headwater.stack.lakehouse.sql.zones import instant, zone_named

_f = family("date and time")
_DATE_UNITS = ("day", "week", "month", "quarter", "year")
_TIME_UNITS = ("millisecond", "second", "minute", "hour")
_MICROSECONDS = {"millisecond": 1000, "second": 1_000_000, "minute": 60_000_000, "hour": 3_600_000_000}


def _unit(call: Call, allowed: tuple[str, ...]) -> str:
    literal = call.arguments[0].literal
    if not isinstance(literal, str):
        raise Unsupported(f"{call.name} with a unit that is not a literal")
    unit = literal.lower()
    if unit not in allowed:
        kind = call.arguments[-1].type
        word = {"date": "DATE", "time": "Time"}.get(kind.name, "Timestamp")
        raise SqlError("INVALID_FUNCTION_ARGUMENT", f"'{literal}' is not a valid {word} field")
    return unit


def _units_of(kind: t.Type) -> tuple[str, ...]:
    if kind.name == "time":
        return _TIME_UNITS
    return _DATE_UNITS if kind.name == "date" else _TIME_UNITS + _DATE_UNITS


def _local(value: Expr) -> str:
    """The wall clock that the fields of a time are read from."""
    return local_time(value) if value.type.name == "timestamptz" else value.sql


def _back(local_sql: str, kind: t.Type) -> Expr:
    """A computed wall clock in the type that it came from."""
    if kind.name == "timestamptz":
        return Expr(instant(local_sql, kind.zone or "UTC"), kind)
    return Expr(f"CAST({local_sql} AS {t.to_duckdb(kind)})", kind)


def _trunc(call: Call) -> Expr:
    value = call.arguments[1]
    unit = _unit(call, _units_of(value.type))
    if value.type.name == "time":
        size = _MICROSECONDS[unit]
        return Expr(
            f"CAST(TIME '00:00:00' + to_microseconds(epoch_us({value}) // {size} * {size}) AS TIME)", value.type
        )
    return _back(f"date_trunc({quote_text(unit)}, {_local(value)})", value.type)


_STEPS = {
    "millisecond": "to_milliseconds({0})",
    "second": "to_seconds({0})",
    "minute": "to_minutes({0})",
    "hour": "to_hours({0})",
    "day": "to_days(CAST({0} AS INTEGER))",
    "week": "to_days(CAST(7 * {0} AS INTEGER))",
    "month": "to_months(CAST({0} AS INTEGER))",
    "quarter": "to_months(CAST(3 * {0} AS INTEGER))",
    "year": "to_months(CAST(12 * {0} AS INTEGER))",
}


def _add(call: Call) -> Expr:
    """Hours and less pass on every clock alike; days and more are those of the calendar in the value's zone."""
    _, amount, value = call.arguments
    unit = _unit(call, _units_of(value.type))
    step = _STEPS[unit].format(amount.sql)
    if unit in _TIME_UNITS:
        return Expr(f"CAST({value} + {step} AS {t.to_duckdb(value.type)})", value.type)
    return _back(f"{_local(value)} + {step}", value.type)


def _diff(call: Call) -> str:
    """Whole units between the two, towards zero; DuckDB's date_diff would count boundaries."""
    unit = _unit(call, _units_of(call.arguments[1].type))
    if call.arguments[1].type.name == "time":
        distance = f"(epoch_us({call.arguments[2]}) - epoch_us({call.arguments[1]}))"
        return f"CAST(sign({distance}) * (abs({distance}) // {_MICROSECONDS[unit]}) AS BIGINT)"
    a, b = (value.sql if unit in _TIME_UNITS else _local(value) for value in call.arguments[1:])
    return (
        f"CASE WHEN {a} <= {b} THEN date_sub({quote_text(unit)}, {a}, {b}) "
        f"ELSE -date_sub({quote_text(unit)}, {b}, {a}) END"
    )


def _field(part: str) -> Builder:
    """One calendar field."""

    def build(call: Call) -> str:
        return f"CAST({part.format(_local(call.arguments[0]))} AS BIGINT)"

    return build


def _now(kind: t.Type) -> Builder:
    """The start of the query, with as many digits as are asked for."""

    def build(call: Call) -> Expr:
        digits = call.arguments[0].literal if call.arguments else 3
        if not isinstance(digits, int) or not 0 <= digits <= 12:
            raise SqlError("INVALID_FUNCTION_ARGUMENT", "the precision has to be a number from 0 to 12", call.position)
        if digits > 6:
            raise Unsupported(f"{call.name}({digits}) (more than six fractional digits)")
        stamp = call.now.strftime("%Y-%m-%d %H:%M:%S.%f")[: 20 + digits].removesuffix(".")
        return Expr(f"CAST({quote_text(stamp)} AS TIMESTAMP)", replace(kind, params=(digits,)), constant=True)

    return build


def _to_date(call: Call) -> Expr:
    return cast(call.arguments[0], t.DATE, safe=False, position=call.position)


def _from_unixtime(call: Call) -> Expr:
    sql = f"make_timestamp(CAST(round({call.arguments[0]} * 1000) AS BIGINT) * 1000)"
    zone = "UTC"
    if len(call.arguments) == 3:
        hours, minutes = (argument.literal for argument in call.arguments[1:])
        if not isinstance(hours, int) or not isinstance(minutes, int):
            raise Unsupported("from_unixtime with an offset that is not a literal")
        ahead = hours * 60 + minutes
        zone = f"{'-' if ahead < 0 else '+'}{abs(ahead) // 60:02d}:{abs(ahead) % 60:02d}"
    elif len(call.arguments) > 1:
        literal = call.arguments[1].literal
        if not isinstance(literal, str):
            raise Unsupported("from_unixtime with a zone that is not a literal")
        zone = literal
    return Expr(sql, t.Type("timestamptz", (3,), zone=zone))


def _with_timezone(call: Call) -> Expr:
    value, zone = call.arguments
    if not isinstance(zone.literal, str):
        raise Unsupported(f"{call.name} with a zone that is not a literal")
    kind = t.Type("timestamptz", value.type.params, zone=zone.literal)
    return Expr(instant(value.sql, zone.literal) if value.type.name == "timestamp" else value.sql, kind)


def _literal_format(call: Call) -> str:
    literal = call.arguments[1].literal
    if not isinstance(literal, str):
        raise Unsupported(f"{call.name} with a format that is not a literal")
    return literal


def _date_format(call: Call) -> str:
    pattern = from_mysql(_literal_format(call))
    return f"strftime(CAST({_local(call.arguments[0])} AS TIMESTAMP), {quote_text(pattern)})"


def _joda(value: Expr, pattern: str) -> str:
    """By Joda's rules, in Python, with the zone that the value has."""
    local, zone = _local(value), value.type.zone or "UTC"
    ahead = f"CAST((epoch_us({local}) - epoch_us({value})) // 60000000 AS BIGINT)" if zone != "UTC" else "0"
    return f"hw_joda_text(CAST({local} AS TIMESTAMP), {pattern}, {quote_text(zone)}, {ahead})"


def _format_datetime(call: Call) -> str:
    value, pattern = call.arguments
    if isinstance(pattern.literal, str):
        with suppress(Unsupported):
            text = quote_text(from_joda(pattern.literal))
            return f"strftime(CAST({_local(value)} AS TIMESTAMP), {text})"
    return _joda(value, pattern.sql)


def _zone_field(divisor: int) -> Builder:
    """``timezone_hour`` and ``timezone_minute``: how far the zone is ahead, with the sign of the whole."""

    def build(call: Call) -> str:
        value = call.arguments[0]
        minutes = f"CAST((epoch_us({_local(value)}) - epoch_us({value})) // 60000000 AS BIGINT)"
        return f"({minutes} // 60)" if divisor == 60 else f"({minutes} % 60)"

    return build


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
    return Expr(f"hw_parse_datetime({text}, {pattern}, {call.now.year})", t.TIMESTAMPTZ)


def _read_before(text: str, pattern: str, call: Call) -> Expr:
    """A text that is written out, with the zone that it names."""
    moment, named = parse_datetime(text, pattern, call.now.year)
    zone = zone_named(named or "UTC")
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


_ISO = r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}(:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?)?)?(Z|[+-]00:00)?"


def _from_iso8601_timestamp(call: Call) -> Expr:
    """The value keeps its own offset in Trino; of data only UTC can be kept here, so another offset ends the query."""
    text, literal = call.arguments[0].sql, call.arguments[0].literal
    if isinstance(literal, str):
        moment, named = _refuse(lambda: iso_timestamp(literal), call)
        zone = zone_named(named or "UTC")
        local = f"CAST({quote_text(moment.isoformat(sep=' '))} AS TIMESTAMP)"
        return Expr(instant(local, zone), t.Type("timestamptz", (3,), zone=zone), constant=True)
    bare = f"regexp_replace({text}, '(Z|[+-]00:00)$', '')"
    padded = f"replace({bare}, 'T', ' ') || CASE length({bare}) WHEN 13 THEN ':00' ELSE '' END"
    value = f"hw_round_timestamp(CAST({padded} AS TIMESTAMP), 1000)"
    reads = f"regexp_full_match({text}, {quote_text(_ISO)})"
    return Expr(f"CASE WHEN {reads} THEN {value} ELSE hw_iso_timestamp({text}) END", t.TIMESTAMPTZ)


def _to_iso8601(call: Call) -> str:
    value = call.arguments[0]
    if value.type.name == "date":
        return f"CAST({value} AS VARCHAR)"
    digits = t.precision_of(value.type)
    text = f"left(strftime({_local(value)}, '%Y-%m-%dT%H:%M:%S.%f'), {20 + digits if digits else 19})"
    if value.type.name == "timestamp":
        return text
    return f"{text} || 'Z'" if value.type.zone == "UTC" else f"{text} || {_joda(value, quote_text('ZZ'))}"


def _human_seconds(call: Call) -> str:
    return f"epoch_us(CAST({call.arguments[0]} AS TIMESTAMP)) / 1e6"


def _parse_duration(call: Call) -> Expr:
    return Expr(f"hw_duration({call.arguments[0]})", t.DAY_TO_SECOND)


_FIELDS = {
    "year": "year({0})",
    "quarter": "quarter({0})",
    "month": "month({0})",
    "week": "week({0})",
    "week_of_year": "week({0})",
    "year_of_week": "isoyear({0})",
    "yow": "isoyear({0})",
    "day": "day({0})",
    "day_of_month": "day({0})",
    "day_of_week": "isodow({0})",
    "dow": "isodow({0})",
    "day_of_year": "dayofyear({0})",
    "doy": "dayofyear({0})",
}
_CLOCK_FIELDS = {
    "hour": "hour({0})",
    "minute": "minute({0})",
    "second": "second({0})",
    "millisecond": "millisecond({0}) % 1000",
}

_INTERVAL_FIELDS = {
    "year": (t.YEAR_TO_MONTH, 12, 0),
    "month": (t.YEAR_TO_MONTH, 1, 12),
    "day": (t.DAY_TO_SECOND, 86_400_000, 0),
    "hour": (t.DAY_TO_SECOND, 3_600_000, 24),
    "minute": (t.DAY_TO_SECOND, 60_000, 60),
    "second": (t.DAY_TO_SECOND, 1000, 60),
    "millisecond": (t.DAY_TO_SECOND, 1, 1000),
}


def _interval_field(name: str) -> Builder:
    """The sign of a field is that of the interval."""
    kind, unit, most = _INTERVAL_FIELDS[name]

    def build(call: Call) -> str:
        value = call.arguments[0]
        if value.type != kind:
            message = f"Unexpected parameters ({value.type}) for function {name}. Expected: {name}({kind})"
            raise SqlError("FUNCTION_NOT_FOUND", message, call.position)
        amount = f"(abs({value}) // {unit}){f' % {most}' if most else ''}"
        return f"CAST(sign({value}) * ({amount}) AS BIGINT)"

    return build


def _zone_name(call: Call) -> str:
    zone = call.arguments[0].type.zone
    if zone is None:
        raise Unsupported("timezone() of a timestamp whose zone depends on the data")
    return f"CASE WHEN {call.arguments[0]} IS NOT NULL THEN {quote_text(zone)} END"


FUNCTIONS: tuple[Function, ...] = (
    *(_f(f"{name}(D) -> bigint", _field(part)) for name, part in (_FIELDS | _CLOCK_FIELDS).items()),
    *(_f(f"{name}(time) -> bigint", f"CAST({part} AS BIGINT)") for name, part in _CLOCK_FIELDS.items()),
    *(_f(f"{name}(L) -> bigint", _interval_field(name)) for name in _INTERVAL_FIELDS),
    _f("timezone(timestamptz) -> varchar", _zone_name),
    _f("localtimestamp(bigint) -> timestamp", _now(t.TIMESTAMP)),
    _f("date_trunc(varchar, time) -> time", _trunc),
    _f("date_add(varchar, bigint, time) -> time", _add),
    _f("date_diff(varchar, time, time) -> bigint", _diff),
    _f("from_unixtime(double, bigint, bigint) -> timestamptz", _from_unixtime),
    _f("now() -> timestamptz", _now(t.TIMESTAMPTZ)),
    _f("current_timestamp(bigint) -> timestamptz", _now(t.TIMESTAMPTZ)),
    _f("current_timezone() -> varchar", "'UTC'"),
    _f("date(any) -> date", _to_date),
    _f("last_day_of_month(D) -> date", "last_day({0})"),
    _f("date_trunc(varchar, D) -> D", _trunc),
    _f("date_add(varchar, bigint, D) -> D", _add),
    _f("date_diff(varchar, D, D) -> bigint", _diff),
    _f("date_format(D, varchar) -> varchar", _date_format),
    _f("date_parse(varchar, varchar) -> timestamp", _date_parse),
    _f("format_datetime(D, varchar) -> varchar", _format_datetime),
    _f("parse_datetime(varchar, varchar) -> timestamptz", _parse_datetime),
    _f("from_unixtime(double) -> timestamptz", _from_unixtime),
    _f("from_unixtime(double, varchar) -> timestamptz", _from_unixtime),
    _f("to_unixtime(D) -> double", _human_seconds),
    _f("human_readable_seconds(double) -> varchar", "hw_human_seconds({0})"),
    _f("parse_duration(varchar) -> any", _parse_duration),
    _f("to_milliseconds(L) -> bigint", "CAST({0} AS BIGINT)"),
    _f("from_iso8601_timestamp(varchar) -> timestamptz", _from_iso8601_timestamp),
    _f("from_iso8601_date(varchar) -> date", "hw_iso_date({0})"),
    _f("timezone_hour(timestamptz) -> bigint", _zone_field(60)),
    _f("timezone_minute(timestamptz) -> bigint", _zone_field(1)),
    _f("to_iso8601(D) -> varchar", _to_iso8601),
    _f("with_timezone(D, varchar) -> timestamptz", _with_timezone),
    _f("at_timezone(D, varchar) -> timestamptz", _with_timezone),
)

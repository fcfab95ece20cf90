"""Date and time functions (https://trino.io/docs/current/functions/datetime.html)."""

from __future__ import annotations

from dataclasses import replace

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.casts import cast
from headwater.stack.lakehouse.sql.datazones import (
    at_clock,
    at_instant,
    at_other_instant,
    in_zone,
    wall_clock_of,
    zone_of,
    zoned,
)
from headwater.stack.lakehouse.sql.expression import Expr, fail, quote_text, refused
from headwater.stack.lakehouse.sql.failures import SqlError
from headwater.stack.lakehouse.sql.functions.model import Builder, Call, Function, family
from headwater.stack.lakehouse.sql.zonedtimes import local_time_of_day, time_at_zone
from headwater.stack.lakehouse.sql.zones import instant, wall_clock, zone_ahead_or_refused, zone_or_refused

_f = family("date and time")
_DATE_UNITS = ("day", "week", "month", "quarter", "year")
_TIME_UNITS = ("millisecond", "second", "minute", "hour")
_MICROSECONDS = {"millisecond": 1000, "second": 1_000_000, "minute": 60_000_000, "hour": 3_600_000_000}


def _unit(call: Call, allowed: tuple[str, ...]) -> str:
    unit = str(call.arguments[0].literal).lower()
    if unit not in allowed:
        raise SqlError("INVALID_FUNCTION_ARGUMENT", f"'{unit}' is not a valid {_field_word(call)} field")
    return unit


def _field_word(call: Call) -> str:
    return {"date": "DATE", "time": "Time", "timetz": "Time"}.get(call.arguments[-1].type.name, "Timestamp")


def _by_unit(build: Builder) -> Builder:
    """A unit that each row brings along."""

    def each(call: Call) -> Expr | str:
        unit, *others = call.arguments
        if isinstance(unit.literal, str):
            return build(call)
        named = [Expr(quote_text(name), t.VARCHAR, name) for name in _units_of(others[-1].type)]
        made = [build(replace(call, arguments=(name, *others))) for name in named]
        kind = next((one.type for one in made if isinstance(one, Expr)), call.result)
        whens = " ".join(f"WHEN {name} THEN {one}" for name, one in zip(named, made, strict=True))
        message = f"'INVALID_FUNCTION_ARGUMENT: ''' || lower({unit}) || ''' is not a valid {_field_word(call)} field'"
        refusal = fail(message, kind, unit.sql)
        return Expr(f"CASE lower({unit}) {whens} ELSE CASE WHEN {unit} IS NOT NULL THEN {refusal} END END", kind)

    return each


def _units_of(kind: t.Type) -> tuple[str, ...]:
    if kind.name in ("time", "timetz"):
        return _TIME_UNITS
    return _DATE_UNITS if kind.name == "date" else _TIME_UNITS + _DATE_UNITS


def local_clock(value: Expr) -> str:
    """The wall clock that the fields of a time are read from."""
    if value.type.name == "timetz":
        return local_time_of_day(value.sql, value.type)
    return wall_clock_of(value) if value.type.name == "timestamptz" else value.sql


def _back(local_sql: str, value: Expr) -> Expr:
    """A wall clock computed from that of a value, in its type; clocks that are shown twice keep the offset."""
    kind = value.type
    if kind.name == "timestamptz":
        return at_clock(f"({local_sql})", value)
    return Expr(f"CAST({local_sql} AS {t.to_duckdb(kind)})", kind)


def _trunc(call: Call) -> Expr:
    value = call.arguments[1]
    unit = _unit(call, _units_of(value.type))
    local = local_clock(value)
    if value.type.name in ("time", "timetz"):
        size = _MICROSECONDS[unit]
        cut = f"CAST(TIME '00:00:00' + to_microseconds(epoch_us({local}) // {size} * {size}) AS TIME)"
        return Expr(instant(cut, value.type.zone or "UTC") if value.type.name == "timetz" else cut, value.type)
    if value.type.name == "timestamptz" and unit in _TIME_UNITS:
        cut = f"({at_instant(value)} - ({local} - date_trunc({quote_text(unit)}, {local})))"
        return at_other_instant(cut, value, value.type)
    return _back(f"date_trunc({quote_text(unit)}, {local})", value)


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
        shifted = f"CAST({at_instant(value)} + {step} AS {t.to_duckdb(value.type)})"
        return at_other_instant(shifted, value, value.type) if value.zoned else Expr(shifted, value.type)
    return _back(f"{local_clock(value)} + {step}", value)


def _diff(call: Call) -> str:
    """Whole units between the two, towards zero; DuckDB's date_diff would count boundaries.

    Days and more are those of the calendar in the first one's zone.
    """
    first, last = call.arguments[1:]
    unit = _unit(call, _units_of(first.type))
    if first.type.name in ("time", "timetz"):
        distance = f"(epoch_us({last}) - epoch_us({first}))"
        return f"CAST(sign({distance}) * (abs({distance}) // {_MICROSECONDS[unit]}) AS BIGINT)"
    a, b = at_instant(first).sql, at_instant(last).sql
    if unit in _DATE_UNITS and first.type.name == "timestamptz":
        zone = first.type.zone or "UTC"
        a, b = wall_clock_of(first), f"hw_zone_clock({b}, {zone_of(first)})" if first.zoned else wall_clock(b, zone)
    if max(t.precision_of(first.type), t.precision_of(last.type)) > 3:
        a, b = f"date_trunc('millisecond', {a})", f"date_trunc('millisecond', {b})"
    return (
        f"CASE WHEN {a} <= {b} THEN date_sub({quote_text(unit)}, {a}, {b}) "
        f"ELSE -date_sub({quote_text(unit)}, {b}, {a}) END"
    )


def _field(part: str) -> Builder:
    """One calendar field."""

    def build(call: Call) -> str:
        return f"CAST({part.format(local_clock(call.arguments[0]))} AS BIGINT)"

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


def _last_day(call: Call) -> str:
    return f"last_day({local_clock(call.arguments[0])})"


def _from_unixtime(call: Call) -> Expr:
    """To the millisecond, half up as Java rounds."""
    millis = f"({call.arguments[0]} * 1000)"
    rounded = f"(floor({millis}) + CASE WHEN {millis} - floor({millis}) >= 0.5 THEN 1 ELSE 0 END)"
    sql = f"make_timestamp(CAST({rounded} AS BIGINT) * 1000)"
    kind = t.TIMESTAMPTZ
    if len(call.arguments) == 1:
        return Expr(sql, kind)
    if len(call.arguments) == 2:
        return _shown_in(sql, call.arguments[1], kind)
    hours, minutes = call.arguments[1:]
    if isinstance(hours.literal, int) and isinstance(minutes.literal, int):
        return Expr(sql, replace(kind, zone=zone_ahead_or_refused(hours.literal * 60 + minutes.literal)))
    return zoned(sql, f"hw_zone_ahead({hours} * 60 + {minutes})", kind)


def _from_nanos(call: Call) -> Expr:
    """A fraction of a nanosecond is rounded half up."""
    given, kind = call.arguments[0], t.Type("timestamptz", (9,), zone="UTC")
    whole = cast(given, t.decimal(38, 0), safe=False, position=call.position)
    what = "a timestamp outside of the years 1677 to 2262 is not supported by Headwater's local Athena: "
    message = f"{quote_text(what)} || CAST({whole} AS VARCHAR)"
    # What is constant is computed before it is asked whether it fits.
    refusal = fail(f"'NOT_SUPPORTED: ' || {message}", kind) if given.constant else refused(message, kind)
    fits = f"{whole} BETWEEN -9223286400000000000 AND 9223286400000000000"
    made = f"make_timestamp_ns(CAST({whole} AS BIGINT))"
    return Expr(f"CASE WHEN {fits} THEN {made} WHEN {whole} IS NOT NULL THEN {refusal} END", kind)


def _shown_in(instant_sql: str, zone: Expr, kind: t.Type) -> Expr:
    if not isinstance(zone.literal, str):
        return in_zone(instant_sql, zone, kind)
    return Expr(instant_sql, t.Type("timestamptz", kind.params, zone=zone_or_refused(zone.literal)))


def _with_timezone(call: Call) -> Expr:
    """``with_timezone`` reads a wall clock in the zone; ``at_timezone`` shows an instant there."""
    value, zone = call.arguments
    if zone.type == t.DAY_TO_SECOND:
        if not isinstance(zone.literal, int):
            raise Unsupported(f"{call.name} with an offset that is not a literal")
        ahead = zone_ahead_or_refused(int(zone.literal / 60_000))
        return Expr(at_instant(value).sql, t.Type("timestamptz", value.type.params, zone=ahead))
    if call.name == "at_timezone":
        return _shown_in(at_instant(value).sql, zone, value.type)
    if not isinstance(zone.literal, str):
        return in_zone(f"hw_zone_instant({value}, hw_zone({zone}))", zone, value.type)
    named = zone_or_refused(zone.literal)
    return Expr(instant(value.sql, named), t.Type("timestamptz", value.type.params, zone=named))


def _time_at_timezone(call: Call) -> Expr:
    value, zone = call.arguments
    return time_at_zone(value, zone, call.now)


def _zone_field(divisor: int) -> Builder:
    """``timezone_hour`` and ``timezone_minute``: how far the zone is ahead, with the sign of the whole."""

    def build(call: Call) -> str:
        value = call.arguments[0]
        if value.type.name == "timetz":
            return _offset_field(value, 0 if divisor == 60 else 1)
        minutes = f"CAST((epoch_us({local_clock(value)}) - epoch_us({at_instant(value)})) // 60000000 AS BIGINT)"
        return f"({minutes} // 60)" if divisor == 60 else f"({minutes} % 60)"

    return build


def _offset_field(value: Expr, place: int) -> str:
    if value.type.zone is None:
        raise Unsupported("reading a time with time zone whose offset depends on the data")
    amount = f"{value.type.zone[0]}{value.type.zone[1:].split(':')[place]}"
    return f"CASE WHEN {value} IS NOT NULL THEN CAST({amount} AS BIGINT) END"


def _human_seconds(call: Call) -> str:
    return f"epoch_us(CAST({at_instant(call.arguments[0])} AS TIMESTAMP)) / 1e6"


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
_CLOCKS = ("time", "timetz")

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
    value = call.arguments[0]
    if value.type.zone is None and value.zoned is None:
        raise Unsupported("timezone() of a timestamp whose zone depends on the data")
    return f"CASE WHEN {at_instant(value)} IS NOT NULL THEN {zone_of(value)} END"


FUNCTIONS: tuple[Function, ...] = (
    *(_f(f"{name}(D) -> bigint", _field(part)) for name, part in (_FIELDS | _CLOCK_FIELDS).items()),
    *(_f(f"{name}({kind}) -> bigint", _field(part)) for name, part in _CLOCK_FIELDS.items() for kind in _CLOCKS),
    *(_f(f"{name}(L) -> bigint", _interval_field(name)) for name in _INTERVAL_FIELDS),
    _f("timezone(timestamptz) -> varchar", _zone_name),
    _f("localtimestamp(bigint) -> timestamp", _now(t.TIMESTAMP)),
    *(_f(f"date_trunc(varchar, {kind}) -> {kind}", _by_unit(_trunc)) for kind in _CLOCKS),
    *(_f(f"date_add(varchar, bigint, {kind}) -> {kind}", _by_unit(_add)) for kind in _CLOCKS),
    *(_f(f"date_diff(varchar, {kind}, {kind}) -> bigint", _by_unit(_diff)) for kind in _CLOCKS),
    _f("from_unixtime(double, bigint, bigint) -> timestamptz", _from_unixtime),
    _f("now() -> timestamptz", _now(t.TIMESTAMPTZ)),
    _f("current_timestamp(bigint) -> timestamptz", _now(t.TIMESTAMPTZ)),
    _f("current_timezone() -> varchar", "'UTC'"),
    _f("date(any) -> date", _to_date),
    _f("last_day_of_month(D) -> date", _last_day),
    _f("date_trunc(varchar, D) -> D", _by_unit(_trunc)),
    _f("date_add(varchar, bigint, D) -> D", _by_unit(_add)),
    _f("date_diff(varchar, D, D) -> bigint", _by_unit(_diff)),
    _f("from_unixtime(double) -> timestamptz", _from_unixtime),
    _f("from_unixtime(double, varchar) -> timestamptz", _from_unixtime),
    *(_f(f"from_unixtime_nanos({kind}) -> timestamptz", _from_nanos) for kind in ("bigint", "decimal")),
    _f("to_unixtime(D) -> double", _human_seconds),
    _f("human_readable_seconds(double) -> varchar", "hw_human_seconds({0})"),
    _f("parse_duration(varchar) -> any", _parse_duration),
    _f("to_milliseconds(L) -> bigint", "CAST({0} AS BIGINT)"),
    *(_f(f"timezone_hour({kind}) -> bigint", _zone_field(60)) for kind in ("timestamptz", "timetz")),
    *(_f(f"timezone_minute({kind}) -> bigint", _zone_field(1)) for kind in ("timestamptz", "timetz")),
    _f("with_timezone(timestamp, varchar) -> timestamptz", _with_timezone),
    _f("at_timezone(timestamptz, varchar) -> timestamptz", _with_timezone),
    _f("at_timezone(timestamptz, L) -> timestamptz", _with_timezone),
    _f("at_timezone(timetz, varchar) -> timetz", _time_at_timezone),
    _f("at_timezone(timetz, L) -> timetz", _time_at_timezone),
)

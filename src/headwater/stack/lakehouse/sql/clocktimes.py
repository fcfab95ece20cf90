"""Times of day by Trino's rules: which text is one, and how it is rounded to the digits of its type."""

from __future__ import annotations

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.expression import fail, quote_text

_CLOCK = r"(\d{1,2}):(\d{1,2})(:(\d{1,2})(\.(\d+))?)?"
_DAY = 86_400
# Trino keeps twelve digits; what follows them never changes how a value of up to nine is rounded.
_UNITS = 10**12
_MOST_DIGITS = 9
MICROSECONDS = t.Type("time", (6,))


def time_from_text(sql: str, target: t.Type, *, safe: bool) -> str:
    """``CAST('12:34:56.7895' AS time(3))`` is 12:34:56.790: rounded half up, past midnight to 00:00."""
    parts = f"regexp_extract({sql}, {quote_text(f'^{_CLOCK}$')}, ['h', 'm', 'a', 's', 'b', 'f'])"
    number = "CAST(coalesce(nullif(struct_extract({}, '{}'), ''), '0') AS BIGINT)"
    hours, minutes, seconds = (number.format(parts, name) for name in "hms")
    fraction = f"CAST(left(rpad(struct_extract({parts}, 'f'), 12, '0'), 12) AS BIGINT)"
    units = f"((({hours} * 60 + {minutes}) * 60 + {seconds}) * {_UNITS} + {fraction})"
    reads = f"regexp_full_match({sql}, {quote_text(_CLOCK)}) AND {hours} < 24 AND {minutes} < 60 AND {seconds} < 60"
    otherwise = "NULL" if safe else _refusal(sql, target)
    made = _of_units(units, target)
    return f"CASE WHEN {reads} THEN {made} WHEN {sql} IS NOT NULL THEN {otherwise} END"


def rounded_time(sql: str, source: t.Type, target: t.Type) -> str:
    """A time with another number of digits."""
    if t.precision_of(source) <= t.precision_of(target) and t.to_duckdb(source) == t.to_duckdb(target):
        return sql
    return f"CASE WHEN {sql} IS NOT NULL THEN {_of_units(f'(epoch_ns({sql}) * 1000)', target)} END"


def _of_units(units: str, target: t.Type) -> str:
    digits = t.precision_of(target)
    if digits > _MOST_DIGITS:
        raise Unsupported(f"type {target} (more than nine fractional digits)")
    step = 10 ** (12 - digits)
    nanos = f"((({units} + {step // 2}) // {step}) * {step} % {_DAY * _UNITS} // 1000)"
    whole = f"(TIME '00:00:00' + to_microseconds({nanos} // 1000))"
    if t.to_duckdb(target) == "TIME":
        return whole
    text = f"left(CAST({whole} AS VARCHAR), 8) || '.' || lpad(CAST({nanos} % 1000000000 AS VARCHAR), 9, '0')"
    return f"CAST({text} AS TIME_NS)"


def _refusal(sql: str, target: t.Type) -> str:
    return fail(f"'INVALID_CAST_ARGUMENT: Value cannot be cast to time: ' || {sql}", target, sql)

"""Timestamps of seven to nine fractional digits: DuckDB's TIMESTAMP_NS, which its functions read as microseconds.

So what reads them says here how: in microseconds, or with the nanoseconds put back, or not at all. They are of the
years 1677 to 2262.
"""

from __future__ import annotations

from dataclasses import replace

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.expression import Expr, Zoned
from headwater.stack.lakehouse.sql.zones import wall_clock

MOST_DIGITS = 9


def is_nano(kind: t.Type) -> bool:
    """Whether values, or those inside of them, have more than six digits."""
    return (kind.name in ("timestamp", "timestamptz") and t.precision_of(kind) > 6) or any(map(is_nano, kind.items))


def refuse_nanos(what: str, *kinds: t.Type) -> None:
    """Refuse what would lose digits."""
    for kind in kinds:
        if is_nano(kind):
            raise Unsupported(f"{what} of {kind} (more than six fractional digits)")


def in_microseconds(value: Expr) -> Expr:
    """A timestamp without what is smaller than a microsecond; any other value as it is."""
    if value.type.items or not is_nano(value.type):
        return value
    beside = value.zoned and Zoned(f"hw_micros({value.zoned.instant})", value.zoned.zone)
    kind = t.Type(value.type.name, (6,), zone=value.type.zone)
    return Expr(f"hw_micros({value})", kind, constant=value.constant, zoned=beside)


def with_nanoseconds(made: Expr, value: Expr) -> Expr:
    """What was made of the microseconds of a value, with its nanoseconds."""

    def exact(micros: str, nanos: str) -> str:
        rest = f"epoch_ns({nanos}) - epoch_us(hw_micros({nanos})) * 1000"
        return f"make_timestamp_ns(epoch_ns(CAST({micros} AS TIMESTAMP_NS)) + {rest})"

    beside = made.zoned
    if made.zoned is not None and value.zoned is not None:
        beside = Zoned(exact(made.zoned.instant, value.zoned.instant), made.zoned.zone)
    return Expr(exact(made.sql, value.sql), replace(made.type, params=value.type.params), zoned=beside)


def with_digits(sql: str, source: t.Type, target: t.Type) -> str:
    """A timestamp with other digits, rounded half up, where one of the two has more than six."""
    if t.precision_of(source) <= t.precision_of(target):
        return sql if is_nano(source) else f"CAST({sql} AS TIMESTAMP_NS)"
    rounded = f"hw_round_nanos({sql}, {10 ** (MOST_DIGITS - t.precision_of(target))})"
    return f"make_timestamp_ns({rounded})" if is_nano(target) else f"make_timestamp({rounded} // 1000)"


def nanos_from_text(micros: str, text: str, target: t.Type) -> str:
    """The timestamp of a text, of which ``micros`` has the first six digits."""
    digits = t.precision_of(target) - 6
    rest = f"rpad(regexp_extract({text}, ':[0-9]{{1,2}}[.][0-9]{{6}}([0-9]*)', 1), {digits + 1}, '0')"
    up = f"CASE WHEN {rest}[{digits + 1}] >= '5' THEN 1 ELSE 0 END"
    more = f"(CAST(left({rest}, {digits}) AS BIGINT) + {up}) * {10 ** (3 - digits)}"
    return f"make_timestamp_ns(epoch_ns(CAST({micros} AS TIMESTAMP_NS)) + {more})"


def nano_text(sql: str, kind: t.Type, clock: str = "") -> str:
    """``2025-01-15 10:00:00.123456789``; ``clock`` is the wall clock of the microseconds, if it is not UTC's."""
    whole = f"strftime({clock or f'hw_micros({sql})'}, '%Y-%m-%d %H:%M:%S.%f')"
    last = f"lpad(CAST(epoch_ns({sql}) - epoch_us(hw_micros({sql})) * 1000 AS VARCHAR), 3, '0')"
    return f"left({whole} || {last}, {20 + t.precision_of(kind)})"


def clock_text(sql: str, kind: t.Type) -> str:
    """The same of an instant in the type's zone."""
    return nano_text(sql, kind, wall_clock(f"hw_micros({sql})", kind.zone or "UTC"))

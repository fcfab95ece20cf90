"""Moments whose zone depends on the data: beside the value, the instant and the zone, which what reads it may use.

The value itself stands where only one zone can be: it is an instant in UTC, and ends the query if the zone is another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.expression import Expr, Zoned, only_utc, quote_text
from headwater.stack.lakehouse.sql.nanoseconds import is_nano, nano_text, refuse_nanos
from headwater.stack.lakehouse.sql.text import timestamp_text
from headwater.stack.lakehouse.sql.zones import instant, wall_clock

_VOLATILE = ("random(", "uuid(")


def zoned(instant_sql: str, zone_sql: str, kind: t.Type, value_sql: str = "") -> Expr:
    """A ``timestamp with time zone`` of an instant and the name of a zone, both of which depend on the data."""
    kind = t.Type("timestamptz", kind.params, zone="UTC")
    moment = Zoned(instant_sql, zone_sql)
    volatile = any(word in text for word in _VOLATILE for text in (instant_sql, zone_sql))
    return Expr(value_sql or only_utc(moment, kind), kind, zoned=None if volatile else moment)


def in_zone(instant_sql: str, zone: Expr, kind: t.Type) -> Expr:
    """An instant, shown in a zone that an argument names."""
    return zoned(instant_sql, f"hw_zone({zone})", kind)


def at_instant(value: Expr) -> Expr:
    """The value where its zone makes no difference."""
    if value.zoned is None:
        return value
    return Expr(value.zoned.instant, t.Type("timestamptz", value.type.params))


def with_zone_of(value: Expr, kind: t.Type) -> Expr:
    """The value in the type of several: if their zones differ, its own stands beside it."""
    if kind.name != "timestamptz" or kind.zone is not None or value.zoned is not None or value.type.zone is None:
        return replace(value, type=kind)
    return replace(value, type=kind, zoned=Zoned(value.sql, quote_text(value.type.zone)))


def differ(values: Sequence[Expr]) -> bool:
    """Whether the values, converted to one type, are moments in several zones."""
    return values[0].type.name == "timestamptz" and (
        values[0].type.zone is None or any(value.zoned is not None for value in values)
    )


def either(values: Sequence[Expr], choose: Callable[[Sequence[str], Sequence[str]], str]) -> Expr:
    """One of several values in one type: ``choose(tests, results)`` writes what is chosen by what."""
    plain = [value.sql for value in values]
    if not differ(values):
        return Expr(choose(plain, plain), values[0].type)
    instants = [at_instant(value).sql for value in values]
    zones = choose(instants, [zone_of(value) for value in values])
    return zoned(choose(instants, instants), zones, values[0].type)


def of_group(value: Expr) -> Expr:
    """What rows are grouped by: equal instants are one group, which has the zone of one of its rows."""
    if value.zoned is None or value.zoned.zone.startswith("any_value("):
        return value
    return zoned(value.zoned.instant, f"any_value({value.zoned.zone})", value.type)


def zone_of(value: Expr) -> str:
    """The name of the value's zone, as SQL."""
    return value.zoned.zone if value.zoned is not None else quote_text(value.type.zone or "UTC")


def wall_clock_of(value: Expr) -> str:
    """The wall clock of a ``timestamp with time zone``, as a DuckDB TIMESTAMP."""
    if value.type.zone != "UTC" or value.zoned is not None:
        refuse_nanos("reading the fields", value.type)
    if value.zoned is not None:
        return clock_in(value.zoned)
    if value.type.zone is None:
        raise Unsupported("reading the fields of a timestamp with time zone whose zone depends on the data")
    return wall_clock(value.sql, value.type.zone)


def clock_in(moment: Zoned) -> str:
    """What clocks in the moment's zone show."""
    return f"hw_zone_clock({moment.instant}, {moment.zone})"


def moment_text(moment: Zoned, kind: t.Type) -> str:
    """``2025-01-15 10:00:00.000 Europe/Berlin``."""
    if is_nano(kind):
        clock = f"hw_zone_clock(hw_micros({moment.instant}), {moment.zone})"
        return f"{nano_text(moment.instant, kind, clock)} || ' ' || {moment.zone}"
    return f"{timestamp_text(clock_in(moment), t.Type('timestamp', kind.params))} || ' ' || {moment.zone}"


def at_clock(local_sql: str, value: Expr) -> Expr:
    """The moment in the value's zone at which clocks show something else; if they do so twice, its offset is kept."""
    if value.zoned is None:
        return Expr(instant(local_sql, value.type.zone or "UTC", value.sql), value.type)
    return zoned(f"hw_zone_near({local_sql}, {value.zoned.instant}, {value.zoned.zone})", value.zoned.zone, value.type)


def at_other_instant(instant_sql: str, value: Expr, kind: t.Type) -> Expr:
    """Another instant, in the value's zone; ``kind`` has the precision."""
    if value.zoned is None:
        return Expr(instant_sql, replace(kind, zone=value.type.zone))
    return zoned(instant_sql, value.zoned.zone, kind)

"""``time with time zone``: a time of day in UTC, and an offset that is known before the query runs."""

from __future__ import annotations

import re
from datetime import datetime

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.clocktimes import MICROSECONDS, rounded_time, time_from_text
from headwater.stack.lakehouse.sql.expression import Expr, quote_text
from headwater.stack.lakehouse.sql.failures import Position, SqlError
from headwater.stack.lakehouse.sql.zones import (
    instant,
    offset_at,
    wall_clock,
    zone_ahead_or_refused,
    zone_or_refused,
)

_TEXT = re.compile(r"(\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?) ?([+-]\d{2}:\d{2})?")
_UTC = "+00:00"


def to_time_with_zone(value: Expr, target: t.Type, position: Position) -> Expr | None:
    """``CAST(value AS time with time zone)``; a text has to be a literal. ``None`` for types that can't be cast."""
    source, clock = value.type, t.Type("time", target.params)
    if source.name == "time":
        return Expr(
            rounded_time(value.sql, source, clock), t.Type("timetz", target.params, zone=_UTC), constant=value.constant
        )
    if source.name == "timetz":
        rounded = rounded_time(value.sql, t.Type("time", source.params), clock)
        return Expr(rounded, t.Type("timetz", target.params, zone=source.zone), constant=value.constant)
    if source.name == "timestamptz":
        if source.zone != "UTC" and not (source.zone or "").startswith(("+", "-")):
            raise Unsupported("CAST to time with time zone from a zone whose offset changes")
        zone = _UTC if source.zone == "UTC" else source.zone
        rounded = rounded_time(f"CAST({value.sql} AS TIME)", MICROSECONDS, clock)
        return Expr(rounded, t.Type("timetz", target.params, zone=zone), constant=value.constant)
    if not t.is_text(source):
        return None
    if not isinstance(value.literal, str):
        raise Unsupported("CAST from varchar to time with time zone, but for a literal")
    found = _TEXT.fullmatch(value.literal.strip())
    if found is None:
        message = f"Value cannot be cast to time with time zone: {value.literal}"
        raise SqlError("INVALID_CAST_ARGUMENT", message, position)
    zone = found[2] or _UTC
    local = time_from_text(quote_text(found[1]), clock, safe=False)
    return Expr(instant(local, zone), t.Type("timetz", target.params, zone=zone), constant=True)


def time_at_zone(value: Expr, zone: Expr, now: datetime) -> Expr:
    """A time of day at another offset, or in a zone with the offset that it has when the query begins."""
    if zone.type == t.DAY_TO_SECOND and isinstance(zone.literal, int):
        ahead = zone_ahead_or_refused(int(zone.literal / 60_000))
    elif isinstance(zone.literal, str):
        ahead = zone_or_refused(zone.literal)
    else:
        raise Unsupported("a time at a zone that is not a literal")
    return Expr(value.sql, t.Type("timetz", value.type.params, zone=offset_at(ahead, now)))


def local_time_of_day(sql: str, kind: t.Type) -> str:
    """What a clock at the value's offset shows."""
    if kind.zone is None:
        raise Unsupported("reading a time with time zone whose offset depends on the data")
    return wall_clock(sql, kind.zone)

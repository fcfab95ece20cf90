"""Wall clocks in time zones: an instant is in UTC here, and a zone is a name or an offset such as ``+05:30``."""

from __future__ import annotations

import re
from datetime import datetime
from functools import cache

import duckdb

from headwater.stack.lakehouse.sql.expression import quote_text
from headwater.stack.lakehouse.sql.failures import Position, SqlError

_OFFSET = re.compile(r"([+-])(\d{2}):(\d{2})")
_WRITTEN = re.compile(r"(?:utc|gmt|ut)?([+-])(\d{1,2})(?::?(\d{2}))?")
FURTHEST = 14 * 60
_SAME_AS_UTC = ("utc", "z", "ut", "uct", "gmt", "gmt0", "greenwich", "universal", "zulu")
# ICU keeps them from JDK 1.1; Java's ZoneId doesn't.
_NOT_OF_JAVA = (
    "ACT AET AGT ART AST BET BST CAT CNT CST CTT EAT ECT Factory IET IST JST MIT NET NST PLT PNT PRT PST SST VST"
)


def wall_clock(instant_sql: str, zone: str) -> str:
    """What clocks in the zone show at an instant."""
    if zone == "UTC":
        return instant_sql
    minutes = _offset(zone)
    if minutes is not None:
        return f"({instant_sql} + to_minutes({minutes}))"
    return f"hw_clock({instant_sql}, {quote_text(zone)})"


def instant(local_sql: str, zone: str, near_sql: str = "") -> str:
    """The UTC instant of a wall clock in a zone.

    Of two instants at which clocks show it, the first, as in Java; the one with the offset that is in force at
    ``near_sql``, if that is one of the two. A wall clock that is left out when clocks go forward is moved forward.
    """
    if zone == "UTC":
        return local_sql
    minutes = _offset(zone)
    if minutes is not None:
        return f"({local_sql} - to_minutes({minutes}))"
    if near_sql:
        return f"hw_instant_near({local_sql}, {near_sql}, {quote_text(zone)})"
    return f"hw_instant({local_sql}, {quote_text(zone)})"


def zone_named(text: str) -> str | None:
    """The zone that a text names, which may be an offset such as ``-3`` or ``+0530``; ``None`` if there is none such.

    >>> zone_named("+0530"), zone_named("-0"), zone_named("europe/berlin"), zone_named("+15:00")
    ('+05:30', 'UTC', 'Europe/Berlin', None)
    """
    name = text.lower()
    if name.removeprefix("etc/") in _SAME_AS_UTC:
        return "UTC"
    found = _WRITTEN.fullmatch(name)
    if found is None:
        return _names().get(name)
    minutes = int(found[2]) * 60 + int(found[3] or 0)
    if int(found[3] or 0) > 59 or minutes > FURTHEST:
        return None
    return zone_ahead(-minutes if found[1] == "-" else minutes)


def zone_ahead(minutes: int) -> str:
    """The zone that is as far ahead of UTC; the caller has checked that it is at most 14 hours."""
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}" if minutes else "UTC"


def zone_ahead_or_refused(minutes: int, position: Position | None = None) -> str:
    """The zone that is as far ahead of UTC, at most 14 hours."""
    if abs(minutes) > FURTHEST:
        raise SqlError("INVALID_FUNCTION_ARGUMENT", f"Invalid offset minutes {minutes}", position)
    return zone_ahead(minutes)


def zone_or_refused(text: str, position: Position | None = None) -> str:
    """The zone that an argument names."""
    zone = zone_named(text)
    if zone is None:
        raise SqlError("INVALID_FUNCTION_ARGUMENT", f"'{text}' is not a valid time zone", position)
    return zone


def offset_at(zone: str, moment: datetime) -> str:
    """How far a zone is ahead at an instant in UTC.

    >>> offset_at("Europe/Berlin", datetime(2020, 7, 1)), offset_at("UTC", datetime(2020, 7, 1))
    ('+02:00', '+00:00')
    """
    if _OFFSET.fullmatch(zone):
        return zone
    with duckdb.connect() as connection:
        shown = "SELECT timezone(?, timezone('UTC', ?::TIMESTAMP))"
        clock: datetime = connection.execute(shown, [zone, moment]).fetchall()[0][0]
    ahead = round((clock - moment).total_seconds() / 60)
    return zone_ahead(ahead) if ahead else "+00:00"


@cache
def _names() -> dict[str, str]:
    """The zones that can be computed with, by their names in lower case."""
    with duckdb.connect() as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM pg_timezone_names()").fetchall()]
    return {name.lower(): name for name in names if name not in _NOT_OF_JAVA.split()}


def _offset(zone: str) -> int | None:
    found = _OFFSET.fullmatch(zone)
    return int(f"{found[1]}{int(found[2]) * 60 + int(found[3])}") if found else None

"""Wall clocks in time zones: an instant is in UTC here, and a zone is a name or an offset such as ``+05:30``."""

from __future__ import annotations

import re

from headwater.stack.lakehouse.sql.expression import quote_text

_OFFSET = re.compile(r"([+-])(\d{2}):(\d{2})")


def wall_clock(instant_sql: str, zone: str) -> str:
    """What clocks in the zone show at an instant."""
    if zone == "UTC":
        return instant_sql
    minutes = _offset(zone)
    if minutes is not None:
        return f"({instant_sql} + to_minutes({minutes}))"
    return f"timezone({quote_text(zone)}, timezone('UTC', {instant_sql}))"


def instant(local_sql: str, zone: str) -> str:
    """The UTC instant of a wall clock in a zone."""
    if zone == "UTC":
        return local_sql
    minutes = _offset(zone)
    if minutes is not None:
        return f"({local_sql} - to_minutes({minutes}))"
    return f"timezone('UTC', timezone({quote_text(zone)}, {local_sql}))"


def zone_named(text: str) -> str:
    """The zone that a text names, which may be an offset such as ``-3`` or ``+0530``.

    >>> zone_named("+0530"), zone_named("-0"), zone_named("Europe/Berlin")
    ('+05:30', 'UTC', 'Europe/Berlin')
    """
    found = re.fullmatch(r"([+-])(\d{1,2})(?::?(\d{2}))?", text)
    if found is None:
        return "UTC" if text.upper() in ("UTC", "Z") else text
    zone = f"{found[1]}{found[2].zfill(2)}:{found[3] or '00'}"
    return "UTC" if zone[1:] == "00:00" else zone


def _offset(zone: str) -> int | None:
    found = _OFFSET.fullmatch(zone)
    return int(f"{found[1]}{int(found[2]) * 60 + int(found[3])}") if found else None

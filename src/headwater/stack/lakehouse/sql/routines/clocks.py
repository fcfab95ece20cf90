"""Joda's date formats in full, for what DuckDB's strftime cannot write, and ISO 8601 dates by week and by day."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import lru_cache

from headwater.stack.lakehouse.sql.routines.model import Routine, RoutineFailed
from headwater.stack.lakehouse.sql.zones import FURTHEST, zone_ahead, zone_named

# Quoted text may lack the quote at its end, as it does in AWS's own examples.
_TOKEN = re.compile(r"'((?:[^']|'')*)(?:'|$)|([A-Za-z])\2*|([^A-Za-z'])", re.DOTALL)
_NUMBERS: dict[str, Callable[[datetime], int]] = {
    "C": lambda m: m.year // 100,
    "w": lambda m: m.isocalendar()[1],
    "e": lambda m: m.isoweekday(),
    "D": lambda m: m.timetuple().tm_yday,
    "d": lambda m: m.day,
    "K": lambda m: m.hour % 12,
    "h": lambda m: (m.hour + 11) % 12 + 1,
    "H": lambda m: m.hour,
    "k": lambda m: m.hour or 24,
    "m": lambda m: m.minute,
    "s": lambda m: m.second,
}


@lru_cache(maxsize=256)
def pattern_tokens(pattern: str) -> tuple[tuple[str, str], ...]:
    """Literal text and fields, in order."""
    found, position = [], 0
    for token in _TOKEN.finditer(pattern):
        if token.start() != position:
            break
        position = token.end()
        if token[1] is not None:
            found.append(("", (token[1] or token[0][1:]).replace("''", "'")))
        else:
            found.append((token[2] or "", token[0]))
    if position != len(pattern):
        raise RoutineFailed(f"Illegal pattern: {pattern}")
    return tuple(found)


def joda_text(moment: datetime, pattern: str, zone: str, minutes: int) -> str:
    """A wall clock by a pattern; ``minutes`` is how far its zone is ahead of UTC.

    >>> joda_text(datetime(2020, 1, 5, 3, 4), "E D w e K k ZZ", "UTC", 0)
    'Sun 5 1 7 3 3 +00:00'
    """
    return "".join(_field(moment, kind, text, (zone, minutes)) for kind, text in pattern_tokens(pattern))


def _field(moment: datetime, kind: str, text: str, zone: tuple[str, int]) -> str:
    count = len(text)
    if not kind:
        return text
    if kind in _NUMBERS:
        return str(_NUMBERS[kind](moment)).rjust(count, "0")
    if kind in "yYx":
        year = moment.isocalendar()[0] if kind == "x" else moment.year
        return f"{year % 100:02d}" if count == 2 else str(year).rjust(count, "0")
    if kind == "M":
        return moment.strftime("%b" if count == 3 else "%B") if count > 2 else str(moment.month).rjust(count, "0")
    if kind == "E":
        return moment.strftime("%A" if count > 3 else "%a")
    if kind == "a":
        return "AM" if moment.hour < 12 else "PM"
    if kind == "G":
        return "AD"
    if kind == "S":
        return f"{moment.microsecond // 1000:03d}"[:count].ljust(count, "0")
    if kind == "Z":
        return _offset(zone[1], ":" if count > 1 else "") if count < 3 else zone[0]
    if kind == "z" and zone[0] == "UTC":
        return "UTC" if count < 4 else "Coordinated Universal Time"
    message = f"the date format field '{text}' is not supported by Headwater's local Athena"
    raise RoutineFailed(message, "NOT_SUPPORTED")


# The letters of MySQL's formats as fields of Joda's.
_MYSQL = {
    **{"a": "EEE", "b": "MMM", "c": "M", "d": "dd", "e": "d", "f": "SSSSSS", "H": "HH", "h": "hh", "I": "hh"},
    **{"i": "mm", "j": "DDD", "k": "H", "l": "h", "M": "MMMM", "m": "MM", "p": "a", "r": "hh:mm:ss a", "S": "ss"},
    **{"s": "ss", "T": "HH:mm:ss", "v": "ww", "W": "EEEE", "x": "xxxx", "Y": "yyyy", "y": "yy"},
}


def date_format(moment: datetime, pattern: str) -> str:
    """A wall clock by a pattern of MySQL.

    >>> date_format(datetime(2020, 1, 5, 3, 4), "%Y-%c-%e %l%p %g%%")
    '2020-1-5 3AM g%'
    """
    if pattern in ("", "%"):
        raise RoutineFailed("Both printing and parsing not supported")
    found = []
    for mark in re.finditer(r"%(.)|[^%]+|%", pattern, re.DOTALL):
        letter = mark[1]
        if mark[0] == "%":
            continue
        if letter is not None and letter in "DUuVwX":
            raise RoutineFailed(f"%{letter} not supported in date format string")
        found.append(joda_text(moment, _MYSQL[letter], "UTC", 0) if letter in _MYSQL else letter or mark[0])
    return "".join(found)


def _offset(minutes: int, separator: str) -> str:
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02d}{separator}{rest:02d}"


_DATE = r"\+?0*(\d{4})(?:-(?:W(\d{1,2})(?:-(\d))?|(\d{3})|(\d{1,2})(?:-(\d{1,2}))?))?"


def iso_date(text: str) -> date:
    """A calendar date, a week (its Monday, or a day of it), or a day of a year.

    >>> iso_date("2020-W10"), iso_date("2020-123")
    (datetime.date(2020, 3, 2), datetime.date(2020, 5, 2))
    """
    try:
        found = re.fullmatch(_DATE, text, re.ASCII)
        if found is not None and found[2]:
            return date.fromisocalendar(int(found[1]), int(found[2]), int(found[3] or 1))
        if found is not None and found[4]:
            day = date(int(found[1]), 1, 1) + timedelta(int(found[4]) - 1)
            if day.year == int(found[1]):
                return day
        elif found is not None:
            return date(int(found[1]), int(found[5] or 1), int(found[6] or 1))
    except ValueError:
        pass
    raise RoutineFailed(f'Invalid format: "{text}"')


_HOURS = r"(\d{1,2})(?::(\d{1,2})(?::(\d{1,2}))?)?(?:[.,](\d{1,9}))?"
_CLOCK = re.compile(rf"T(?:{_HOURS})?(Z|[+-]\d{{2}}(?::?\d{{2}})?)?", re.ASCII | re.IGNORECASE)


def iso_timestamp(text: str) -> tuple[datetime, str]:
    """A date, and a time behind a T: the wall clock to the millisecond, and the offset, '' for none.

    >>> iso_timestamp("2001-08-22T03:04:05.321+07:09")
    (datetime.datetime(2001, 8, 22, 3, 4, 5, 321000), '+07:09')
    """
    moment, nanos, zone = iso_nanoseconds(text)
    return moment + timedelta(milliseconds=nanos // 1_000_000), zone


def iso_nanoseconds(text: str) -> tuple[datetime, int, str]:
    """The same: the whole units that are written, the nanoseconds of their fraction, and the offset."""
    written, mark, rest = text.replace("t", "T").partition("T")
    day = iso_date(written) if written or not rest else date(1970, 1, 1)
    found = _CLOCK.fullmatch(mark + rest) if mark else None
    if mark and found is None:
        raise RoutineFailed(f'Invalid format: "{text}"')
    hour, minute, second = (int(part or 0) for part in found.groups()[:3]) if found else (0, 0, 0)
    try:
        moment = datetime(day.year, day.month, day.day, hour, minute, second)
    except ValueError as error:
        raise RoutineFailed(f'Invalid format: "{text}"') from error
    nanos = 0
    if found is not None and found[4]:
        unit = 1 if found[3] else 60 if found[2] else 3600
        nanos = int(found[4].ljust(9, "0")) * unit
    return moment, nanos, (found[5] or "").upper() if found else ""


def _iso_timestamp(text: str) -> datetime:
    moment, zone = iso_timestamp(text)
    if zone not in ("", "Z", "+00:00", "-00:00", "+0000", "+00"):
        raise RoutineFailed(
            f"from_iso8601_timestamp of '{text}' (not in UTC) is not supported by the local Athena", "NOT_SUPPORTED"
        )
    return moment


def _iso_instant(text: str) -> datetime:
    moment, zone = iso_timestamp(text)
    return moment - timedelta(minutes=minutes_ahead(zone))


def minutes_ahead(offset: str) -> int:
    """How far a written offset is ahead of UTC; none and ``Z`` are 0.

    >>> minutes_ahead("-0530"), minutes_ahead("Z")
    (-330, 0)
    """
    digits = offset[1:].replace(":", "")
    minutes = int(digits[:2] or 0) * 60 + int(digits[2:] or 0)
    return -minutes if offset.startswith("-") else minutes


def iso_epoch_nanos(text: str) -> int:
    """The nanoseconds from 1970 to the instant.

    >>> iso_epoch_nanos("1970-01-01T01:00:00.000000001+01:00")
    1
    """
    moment, nanos, zone = iso_nanoseconds(text)
    seconds = (moment - datetime(1970, 1, 1)) // timedelta(seconds=1) - minutes_ahead(zone) * 60
    return seconds * 1_000_000_000 + nanos


def _iso_zone(text: str) -> str:
    return known_zone(iso_timestamp(text)[1] or "UTC")


@lru_cache(maxsize=1024)
def known_zone(text: str) -> str:
    """The zone that a text names; an error if there is none such."""
    zone = zone_named(text)
    if zone is None:
        raise RoutineFailed(f"'{text}' is not a valid time zone")
    return zone


def _zone_ahead(minutes: int) -> str:
    if abs(minutes) > FURTHEST:
        raise RoutineFailed(f"Invalid offset minutes {minutes}")
    return zone_ahead(minutes)


ROUTINES = (
    Routine("hw_zone", known_zone, ["VARCHAR"], "VARCHAR"),
    Routine("hw_try_zone", zone_named, ["VARCHAR"], "VARCHAR"),
    Routine("hw_zone_ahead", _zone_ahead, ["BIGINT"], "VARCHAR"),
    Routine("hw_iso_nanos", iso_epoch_nanos, ["VARCHAR"], "BIGINT"),
    Routine("hw_iso_instant", _iso_instant, ["VARCHAR"], "TIMESTAMP"),
    Routine("hw_iso_zone", _iso_zone, ["VARCHAR"], "VARCHAR"),
    Routine("hw_iso_timestamp", _iso_timestamp, ["VARCHAR"], "TIMESTAMP"),
    Routine("hw_date_format", date_format, ["TIMESTAMP", "VARCHAR"], "VARCHAR"),
    Routine("hw_joda_text", joda_text, ["TIMESTAMP", "VARCHAR", "VARCHAR", "BIGINT"], "VARCHAR"),
    Routine("hw_iso_date", iso_date, ["VARCHAR"], "DATE"),
)

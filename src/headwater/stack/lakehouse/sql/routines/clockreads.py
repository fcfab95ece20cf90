"""Dates read by MySQL's and Joda's patterns with Joda's rules, for what DuckDB's strptime reads differently or not."""

from __future__ import annotations

import re
from calendar import day_name, month_name
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from headwater.stack.lakehouse.sql.routines.clocks import pattern_tokens
from headwater.stack.lakehouse.sql.routines.jodafields import moment_of
from headwater.stack.lakehouse.sql.routines.model import Routine, RoutineFailed

_MONTHS = list(month_name)[1:]
_DAYS = list(day_name)
_OFFSET = re.compile(r"Z|([+-])(\d{2})(?::?(\d{2}))?")
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_]*(?:[/+-][A-Za-z0-9_+-]+)*|[+-]\d{2}:?\d{2}")


@dataclass(frozen=True)
class Part:
    """One field of a pattern: its letter (of Joda; '' is literal text), and how many digits it may have."""

    letter: str
    text: str = ""
    most: int = 2


@dataclass
class _Fields:
    numbers: list[tuple[str, int]] = field(default_factory=list)
    zone: str = ""


_MYSQL = {
    **{"a": "E", "W": "E", "b": "M", "M": "M", "p": "a"},
    **{"c": "m#", "m": "m#", "d": "d", "e": "d", "H": "H", "k": "H", "h": "h", "I": "h", "l": "h", "i": "m", "j": "D"},
    **{"S": "s", "s": "s", "v": "w", "x": "x", "Y": "y", "y": "yy", "f": "S"},
}
_COMPOSED = {"r": "%h:%i:%s %p", "T": "%H:%i:%s"}
_WIDTHS = {"D": 3, "x": 4, "y": 4, "S": 9}


@lru_cache(maxsize=256)
def mysql_parts(pattern: str) -> tuple[Part, ...]:
    """The fields of a pattern of MySQL."""
    if pattern in ("", "%"):
        raise RoutineFailed("Both printing and parsing not supported")
    found: list[Part] = []
    for mark in re.finditer(r"%(.)|([^%])|%$", pattern, re.DOTALL):
        letter = mark[1]
        if letter in _COMPOSED:
            found.extend(mysql_parts(_COMPOSED[letter]))
        elif letter in ("E", "M", "b", "a", "W", "p"):
            found.append(Part({"b": "text", "M": "text"}.get(letter, _MYSQL[letter])))
        elif letter in _MYSQL:
            kind = "M" if _MYSQL[letter] == "m#" else _MYSQL[letter]
            found.append(Part(kind, most=_WIDTHS.get(kind, 2)))
        else:
            found.append(Part("", letter or mark[2] or ""))
    return tuple(found)


@lru_cache(maxsize=256)
def joda_parts(pattern: str) -> tuple[Part, ...]:
    """The fields of a pattern of Joda."""
    tokens = pattern_tokens(pattern)
    found: list[Part] = []
    for (kind, text), (following, _) in zip(tokens, [*tokens[1:], ("", "")], strict=True):
        count = len(text)
        if not kind:
            found.append(Part("", text))
        elif kind in "yYx":
            # Digits that follow would be taken for the year's.
            adjacent = following != "" and following in "yYxCMdDeHhKkmsSw"
            found.append(Part("yy" if count == 2 else kind.replace("Y", "y"), most=count if adjacent else 9))
        elif kind == "M" and count > 2:
            found.append(Part("text"))
        elif kind == "Z" and count > 2:
            found.append(Part("zone"))
        elif kind in "CMdDeHhKkmsSwEaZG":
            found.append(Part(kind, most={"D": 3, "S": count, "C": count, "e": 1}.get(kind, 2)))
        else:
            message = f"the date format field '{text}' is not supported by Headwater's local Athena"
            raise RoutineFailed(message, "NOT_SUPPORTED")
    return tuple(found)


def _read(text: str, parts: tuple[Part, ...]) -> _Fields:
    fields, position = _Fields(), 0
    for part in parts:
        end = _one(text, position, part, fields)
        if end < 0:
            raise _misfit(text, position)
        position = end
    if position != len(text):
        raise _misfit(text, position)
    return fields


def _misfit(text: str, position: int) -> RoutineFailed:
    tail = f' is malformed at "{text[position:]}"' if 0 < position < len(text) else ""
    return RoutineFailed(f'Invalid format: "{text}"{tail}')


def _one(text: str, position: int, part: Part, fields: _Fields) -> int:
    """Where the field ends, -1 if it does not fit."""
    if part.letter == "":
        return (
            position + len(part.text) if text[position : position + len(part.text)].lower() == part.text.lower() else -1
        )
    if part.letter in ("text", "E"):
        names = _MONTHS if part.letter == "text" else _DAYS
        return _named(text, position, names, "M" if part.letter == "text" else "e", fields)
    if part.letter in ("a", "G"):
        words = ("AM", "PM") if part.letter == "a" else ("BC", "AD")
        word = text[position : position + 2].upper()
        fields.numbers.append((part.letter, words.index(word) if word in words else -1))
        return position + 2 if word in words else -1
    if part.letter in ("Z", "zone"):
        found = (_OFFSET if part.letter == "Z" else _ZONE).match(text, position)
        fields.zone = found[0] if found else ""
        return found.end() if found else -1
    digits = re.compile(rf"[+-]?\d{{1,{part.most}}}" if part.letter in "yx" else rf"\d{{1,{part.most}}}").match(
        text, position
    )
    if digits is None or (part.letter == "yy" and len(digits[0]) != 2):
        return -1
    number = digits[0].ljust(9, "0")[:3] if part.letter == "S" else digits[0]
    fields.numbers.append((part.letter, int(number)))
    return digits.end()


def _named(text: str, position: int, names: list[str], letter: str, fields: _Fields) -> int:
    rest = text[position:].lower()
    for number, name in enumerate(names, 1):
        for form in (name.lower(), name[:3].lower()):
            if rest.startswith(form):
                fields.numbers.append((letter, number))
                return position + len(form)
    return -1


def _moment(fields: _Fields, text: str, pivot: int) -> datetime:
    """Years of two digits are those from 50 before the pivot to 49 after it."""
    numbers = []
    for letter, number in fields.numbers:
        if letter == "yy":
            numbers.append(("y", pivot - 50 + (number - pivot + 50) % 100))
        elif letter != "G":
            numbers.append((letter, number))
        elif number == 0:
            raise RoutineFailed("a year before Christ is not supported by Headwater's local Athena", "NOT_SUPPORTED")
    try:
        return moment_of(numbers)
    except ValueError as error:
        raise _misfit(text, 0) from error


def date_parse(text: str, pattern: str) -> datetime:
    """By a pattern of MySQL.

    >>> date_parse("2013-05-17 12:35:10", "%Y-%m-%d %h:%i:%s")
    datetime.datetime(2013, 5, 17, 0, 35, 10)
    """
    return _moment(_read(text, mysql_parts(pattern)), text, 2020)


def parse_datetime(text: str, pattern: str, this_year: int) -> tuple[datetime, str]:
    """By a pattern of Joda: the wall clock and the zone, '' for none.

    >>> parse_datetime("1960/01/22 03:04 +0500", "YYYY/MM/dd HH:mm Z", 2020)
    (datetime.datetime(1960, 1, 22, 3, 4), '+0500')
    """
    fields = _read(text, joda_parts(pattern))
    return _moment(fields, text, this_year - 30), fields.zone


def _joda_read(text: str, pattern: str, this_year: int) -> datetime:
    moment, zone = parse_datetime(text, pattern, this_year)
    if zone not in ("", "Z", "UTC", "+0000", "+00:00"):
        raise RoutineFailed(
            "a time zone that depends on the data is not supported by the local Athena", "NOT_SUPPORTED"
        )
    return moment


def _parse_zone(text: str, pattern: str, this_year: int) -> str:
    return parse_datetime(text, pattern, this_year)[1] or "UTC"


def formatted_timestamp(text: str, formats: str) -> datetime | None:
    """The text by the first that fits of a SerDe's ``timestamp.formats``: Joda's patterns, or ``millis`` since 1970.

    >>> formatted_timestamp("2020-01-15T03:44:40", "yyyy-MM-dd HH:mm,yyyy-MM-dd'T'HH:mm:ss")
    datetime.datetime(2020, 1, 15, 3, 44, 40)
    >>> formatted_timestamp("2020-01-15 03:44 -0230", "yyyy-MM-dd HH:mm Z")
    datetime.datetime(2020, 1, 15, 6, 14)
    """
    for pattern in formats.split(","):
        try:
            if pattern.strip() == "millis":
                return datetime(1970, 1, 1) + timedelta(milliseconds=float(text))
            return _in_utc(*parse_datetime(text, pattern.strip(), 1970))
        except (RoutineFailed, ValueError, OverflowError, ZoneInfoNotFoundError):  # noqa: PERF203 - the next one may fit
            continue
    return None


def _in_utc(moment: datetime, zone: str) -> datetime:
    offset = _OFFSET.fullmatch(zone)
    if offset is None:
        named = ZoneInfo(zone or "UTC")
        return moment.replace(tzinfo=named).astimezone(timezone.utc).replace(tzinfo=None)
    minutes = int(offset[2] or 0) * 60 + int(offset[3] or 0)
    return moment - timedelta(minutes=-minutes if offset[1] == "-" else minutes)


ROUTINES = (
    Routine("hw_date_parse", date_parse, ["VARCHAR", "VARCHAR"], "TIMESTAMP"),
    Routine("hw_formatted_timestamp", formatted_timestamp, ["VARCHAR", "VARCHAR"], "TIMESTAMP"),
    Routine("hw_parse_clock", lambda *given: parse_datetime(*given)[0], ["VARCHAR", "VARCHAR", "BIGINT"], "TIMESTAMP"),
    Routine("hw_parse_zone", _parse_zone, ["VARCHAR", "VARCHAR", "BIGINT"], "VARCHAR"),
    Routine("hw_parse_datetime", _joda_read, ["VARCHAR", "VARCHAR", "BIGINT"], "TIMESTAMP"),
)

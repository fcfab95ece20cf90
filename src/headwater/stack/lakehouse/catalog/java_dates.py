"""Java's date patterns (``yyyy-MM-dd HH:mm``), because partition projection writes and reads dates with them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

_TOKEN = re.compile(r"'((?:[^']|'')*)'|([A-Za-z])\2*|[^A-Za-z']+")
_MONTHS = ["January", "February", "March", "April", "May", "June"]
_MONTHS += ["July", "August", "September", "October", "November", "December"]
_DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
# From coarse to fine: which letters say how precise a pattern is.
_PRECISION = (("yu", "YEARS"), ("ML", "MONTHS"), ("dD", "DAYS"), ("Hhk", "HOURS"), ("m", "MINUTES"), ("s", "SECONDS"))
_NUMERIC = frozenset("yuMLdDHhkmsS")
_ORDER = {letter: rank for rank, letters in enumerate(("yu", "ML", "d", "H", "m", "s", "S")) for letter in letters}


class PatternError(ValueError):
    """The pattern uses a letter that is not supported here."""


@dataclass(frozen=True)
class _Part:
    letter: str  # "" for literal text
    text: str

    @property
    def width(self) -> int:
        return len(self.text)


@dataclass(frozen=True)
class DatePattern:
    """A compiled pattern. All dates are UTC.

    >>> pattern = DatePattern.compile("yyyy/MM/dd")
    >>> pattern.format(datetime(2025, 1, 2)), pattern.parse("2025/01/02")
    ('2025/01/02', datetime.datetime(2025, 1, 2, 0, 0, tzinfo=datetime.timezone.utc))
    """

    parts: tuple[_Part, ...]
    regex: re.Pattern[str]

    @classmethod
    def compile(cls, pattern: str) -> DatePattern:
        """Read a pattern. Raises ``PatternError``."""
        parts: list[_Part] = []
        position = 0
        while position < len(pattern):
            match = _TOKEN.match(pattern, position)
            if match is None:
                raise PatternError(f"unbalanced quote in date format {pattern!r}")
            if match.group(1) is not None:
                parts.append(_Part("", match.group(1).replace("''", "'") or "'"))
            else:
                parts.append(_Part(match.group(2) or "", match.group()))
            position = match.end()
        unknown = sorted({part.letter for part in parts} - _NUMERIC - set("EaXZ") - {""})
        if unknown:
            raise PatternError(f"date format {pattern!r} uses {', '.join(unknown)}, which is not supported")
        expression = "".join(_expression(part, parts[i + 1 : i + 2]) for i, part in enumerate(parts))
        return cls(tuple(parts), re.compile(expression, re.IGNORECASE))

    @property
    def unit(self) -> str:
        """The finest unit that the pattern shows, for example ``DAYS``."""
        letters = {part.letter for part in self.parts}
        if "S" in letters:
            return "MILLIS"
        return next((unit for known, unit in reversed(_PRECISION) if letters & set(known)), "YEARS")

    @property
    def sorts(self) -> bool:
        """Whether texts sort as their dates do: units from coarse to fine, each of fixed width."""
        shown = [part for part in self.parts if part.letter]
        if any(part.letter not in _ORDER for part in shown):
            return False
        ranks = [_ORDER[part.letter] for part in shown]
        fixed = all(part.width == 4 if part.letter in "yu" else part.width == 2 or part.letter == "S" for part in shown)
        return fixed and ranks == sorted(set(ranks)) and bool(ranks) and ranks == list(range(len(ranks)))

    def format(self, moment: datetime) -> str:
        """The text of a moment."""
        return "".join(_formatted(part, moment) for part in self.parts)

    def parse(self, text: str) -> datetime | None:
        """The moment that a text names; ``None`` if it does not fit. Units that are not shown are at their start."""
        match = self.regex.fullmatch(text)
        if match is None:
            return None
        found: dict[str, str] = {}
        for part, value in zip([part for part in self.parts if part.letter], match.groups(), strict=True):
            found[part.letter] = value
        try:
            return _moment(found, self.parts)
        except ValueError:
            return None


def _expression(part: _Part, following: Sequence[_Part]) -> str:
    if not part.letter:
        return re.escape(part.text)
    if part.letter == "E":
        return "([A-Za-z]+)"
    if part.letter == "a":
        return "(AM|PM)"
    if part.letter in "XZ":
        return "(Z|[+]00:?00)"
    if part.letter in "ML" and part.width >= 3:
        return "([A-Za-z]+)"
    adjacent = bool(following) and following[0].letter in _NUMERIC and bool(following[0].letter)
    # Without a separator only the width says where a number ends (yyyyMMdd).
    return f"([0-9]{{{part.width}}})" if adjacent or part.width > 1 else "([0-9]+)"


def _formatted(part: _Part, moment: datetime) -> str:
    letter, width = part.letter, part.width
    if not letter:
        return part.text
    if letter in "yu":
        return f"{moment.year % 100:02}" if width == 2 else f"{moment.year:0{width}}"
    if letter in "ML" and width >= 3:
        return _MONTHS[moment.month - 1][: 3 if width == 3 else None]
    if letter == "E":
        return _DAYS[moment.weekday()][: 3 if width <= 3 else None]
    if letter == "a":
        return "AM" if moment.hour < 12 else "PM"
    if letter == "S":
        return f"{moment.microsecond:06}"[:width].ljust(width, "0")
    if letter in "XZ":
        return "Z" if letter == "X" else "+0000"
    numbers = {
        "M": moment.month,
        "L": moment.month,
        "d": moment.day,
        "D": moment.timetuple().tm_yday,
        "H": moment.hour,
        "k": moment.hour or 24,
        "h": moment.hour % 12 or 12,
        "m": moment.minute,
        "s": moment.second,
    }
    return f"{numbers[letter]:0{width}}"


def _moment(found: dict[str, str], parts: Sequence[_Part]) -> datetime:
    widths = {part.letter: part.width for part in parts if part.letter}
    year_text = found.get("y") or found.get("u") or "1970"
    year = int(year_text) + (2000 if widths.get("y", widths.get("u", 4)) == 2 else 0)
    month_text = found.get("M") or found.get("L") or "1"
    month = int(month_text) if month_text.isdigit() else _month_number(month_text)
    hour = int(found.get("H") or 0)
    if "k" in found:
        hour = int(found["k"]) % 24
    if "h" in found:
        hour = int(found["h"]) % 12 + (12 if found.get("a", "AM").upper() == "PM" else 0)
    moment = datetime(
        year,
        month,
        int(found.get("d") or 1),
        hour,
        int(found.get("m") or 0),
        int(found.get("s") or 0),
        int((found.get("S") or "0")[:6].ljust(6, "0")),
        tzinfo=timezone.utc,
    )
    if "D" in found:
        moment = datetime.strptime(f"{year} {found['D']} +0000", "%Y %j %z").replace(hour=hour, minute=moment.minute)
    return moment


def _month_number(name: str) -> int:
    for number, month in enumerate(_MONTHS, start=1):
        if name.lower() in (month.lower(), month[:3].lower()):
            return number
    raise ValueError(f"{name!r} is no month")

"""The values of one projected partition key as an indexed series, so that conditions are looked up and not searched."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from headwater.stack.lakehouse.catalog.filters import comparable, is_integer_type
from headwater.stack.lakehouse.catalog.java_dates import DatePattern
from headwater.stack.lakehouse.model import KeyFilter

_NOW = re.compile(r"\s*NOW\s*(?:([+-])\s*([0-9]+)\s*(YEAR|MONTH|WEEK|DAY|HOUR|MINUTE|SECOND)S?\s*)?", re.IGNORECASE)
_STEPS = {
    "MILLIS": timedelta(milliseconds=1),
    "SECONDS": timedelta(seconds=1),
    "MINUTES": timedelta(minutes=1),
    "HOURS": timedelta(hours=1),
    "DAYS": timedelta(days=1),
    "WEEKS": timedelta(weeks=1),
}
_MONTHS = {"MONTHS": 1, "YEARS": 12}


@dataclass(frozen=True)
class Series:
    """``length`` texts: ``value`` gives the one at an index, ``index`` finds where a text would be.

    ``ordered`` says that the texts compare (as the key's type compares) in the order of their indexes.
    """

    length: int
    value: Callable[[int], str]
    index: Callable[[str], int | None]
    ordered: bool
    kind: str

    def bounds(self, filters: Sequence[KeyFilter]) -> tuple[int, int]:
        """The indexes, first and past-the-last, outside of which no text satisfies the filters' ranges."""
        first, last = 0, self.length
        if not self.ordered:
            return first, last
        for item in filters:
            limit = comparable(item.values[0], self.kind)
            if limit is None:
                return 0, 0
            if item.op in (">", ">="):
                first = max(first, self._first_at(limit, beyond=item.op == ">"))
            elif item.op in ("<", "<="):
                last = min(last, self._first_at(limit, beyond=item.op == "<="))
        return first, max(first, last)

    def _first_at(self, limit: int | str, beyond: bool) -> int:
        """The first index whose text is at the limit, or beyond it; bisect stops at 2**63 elements."""
        low, high = 0, self.length
        while low < high:
            middle = (low + high) // 2
            found = self._comparable(middle)
            # One key has one type, which the type checker cannot see.
            reached = found > limit or (found == limit and not beyond)  # type: ignore[operator]
            low, high = (low, middle) if reached else (middle + 1, high)
        return low

    def _comparable(self, index: int) -> int | str:
        found = comparable(self.value(index), self.kind)
        if found is None:
            raise ValueError(f"{self.value(index)!r} is no value of type {self.kind}")
        return found


def enum_series(values: str | None, kind: str) -> Series:
    """The comma-separated members; white space belongs to them."""
    members = _required(values, "values").split(",")
    positions = {comparable(member, kind): position for position, member in reversed(list(enumerate(members)))}
    return Series(len(members), members.__getitem__, lambda text: positions.get(comparable(text, kind)), False, kind)


def integer_series(limits: str | None, interval: str | None, digits: str | None, kind: str) -> Series:
    """From the range's first to its last number, padded with zeros to ``digits``."""
    first_text, last_text = _pair(limits)
    first, last = _integer(first_text, "range"), _integer(last_text, "range")
    step = _positive(interval, "interval") or 1
    width = _positive(digits, "digits") or 0
    if last < first:
        raise ValueError(f"the range {limits!r} ends before it starts")

    def value(index: int) -> str:
        number = first + index * step
        return f"-{-number:0{width}}" if number < 0 else f"{number:0{width}}"

    def index(text: str) -> int | None:
        number = comparable(text, "bigint")
        if not isinstance(number, int) or not first <= number <= last or (number - first) % step:
            return None
        return (number - first) // step

    length = (last - first) // step + 1
    same_width = first >= 0 and len(value(0)) == len(value(length - 1))
    return Series(length, value, index, is_integer_type(kind) or same_width, kind)


def date_series(properties: tuple[str | None, str | None, str | None, str | None], kind: str, now: datetime) -> Series:
    """From the range's first to its last date; ``properties`` are range, format, interval and interval.unit."""
    limits, pattern_text, interval, unit_text = properties
    pattern = DatePattern.compile(_required(pattern_text, "format"))
    first_text, last_text = _pair(limits)
    first = _date(first_text, pattern, now)
    last = _date(last_text, pattern, now)
    unit, step = _unit(pattern, interval, unit_text)

    def moment(index: int) -> datetime:
        if unit in _MONTHS:
            return _plus_months(first, index * step * _MONTHS[unit])
        return first + index * step * _STEPS[unit]

    def index(text: str) -> int | None:
        found = pattern.parse(text)
        if found is None or not first <= found <= last:
            return None
        position = _position(first, found, unit, step)
        return position if pattern.format(moment(position)) == pattern.format(found) else None

    length = _position(first, last, unit, step) + 1 if first <= last else 0
    ordered = pattern.sorts and not is_integer_type(kind)
    return Series(length, lambda position: pattern.format(moment(position)), index, ordered, kind)


def _position(first: datetime, moment: datetime, unit: str, step: int) -> int:
    """The index of the last element that is not after the moment."""
    if unit not in _MONTHS:
        return (moment - first) // (_STEPS[unit] * step)
    months = (moment.year - first.year) * 12 + moment.month - first.month
    position = months // (step * _MONTHS[unit])
    # The day in the month decides whether the month that was begun counts.
    return position - 1 if _plus_months(first, position * step * _MONTHS[unit]) > moment else position


def _plus_months(moment: datetime, months: int) -> datetime:
    years, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    following = datetime(years + (month == 11), (month + 1) % 12 + 1, 1, tzinfo=timezone.utc)
    days = (following - timedelta(days=1)).day
    return moment.replace(year=years, month=month + 1, day=min(moment.day, days))


def _date(text: str, pattern: DatePattern, now: datetime) -> datetime:
    relative = _NOW.fullmatch(text)
    if relative is not None:
        sign, amount, unit = relative.groups()
        moment = now.astimezone(timezone.utc)
        if amount is not None:
            count = int(f"{sign}{amount}")
            plural = f"{unit.upper()}S"
            months = count * _MONTHS.get(plural, 0)
            moment = _plus_months(moment, months) if months else moment + count * _STEPS.get(plural, timedelta(0))
        text = pattern.format(moment)
    parsed = pattern.parse(text.strip())
    if parsed is None:
        raise ValueError(f"{text!r} in the range does not fit the format")
    return parsed


def _unit(pattern: DatePattern, interval: str | None, unit: str | None) -> tuple[str, int]:
    step = _positive(interval, "interval") or 1
    if unit is None:
        if pattern.unit not in ("DAYS", "MONTHS"):
            raise ValueError("interval.unit is required unless the format shows days or months")
        return pattern.unit, step
    name = unit.strip().upper()
    name = name if name == "MILLIS" or name.endswith("S") else f"{name}S"
    if name not in _STEPS and name not in _MONTHS:
        raise ValueError(f"interval.unit {unit!r} is unknown")
    return name, step


def _required(value: str | None, name: str) -> str:
    if value is None:
        raise ValueError(f"{name} is required")
    return value


def _pair(limits: str | None) -> tuple[str, str]:
    parts = _required(limits, "range").split(",")
    if len(parts) != 2:
        raise ValueError(f"range {limits!r} must be two values with a comma between them")
    return parts[0].strip(), parts[1].strip()


def _integer(text: str, name: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise ValueError(f"{name}: {text!r} is not an integer") from error


def _positive(text: str | None, name: str) -> int | None:
    if text is None:
        return None
    number = _integer(text.strip(), name)
    if number < 1:
        raise ValueError(f"{name} must be positive, not {number}")
    return number

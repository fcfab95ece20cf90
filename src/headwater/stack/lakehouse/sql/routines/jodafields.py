"""The moment that the fields of a text mean, put together in Joda's order and with its corrections and limits."""

from __future__ import annotations

from calendar import isleap, monthrange
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta


def _with_date(moment: datetime, day: date) -> datetime:
    return datetime(day.year, day.month, day.day) + (moment - moment.replace(hour=0, minute=0, second=0, microsecond=0))


def _year(moment: datetime, year: int) -> datetime:
    """The 29th of February becomes the 28th where there is none."""
    _within(year, 1, 9999)
    last = monthrange(year, moment.month)[1]
    return moment.replace(year=year, day=min(moment.day, last))


def _century(moment: datetime, century: int) -> datetime:
    return _year(moment, century * 100 + moment.year % 100)


def _weekyear(moment: datetime, year: int) -> datetime:
    """The same week, or the last one that there is, and the same day of it."""
    _, week, weekday = moment.isocalendar()
    return _with_date(moment, date.fromisocalendar(year, min(week, _weeks(year)), weekday))


def _month(moment: datetime, month: int) -> datetime:
    _within(month, 1, 12)
    return moment.replace(month=month, day=min(moment.day, monthrange(moment.year, month)[1]))


def _week(moment: datetime, week: int) -> datetime:
    year, _, weekday = moment.isocalendar()
    _within(week, 1, _weeks(year))
    return _with_date(moment, date.fromisocalendar(year, week, weekday))


def _day_of_year(moment: datetime, day: int) -> datetime:
    _within(day, 1, 366 if isleap(moment.year) else 365)
    return _with_date(moment, date(moment.year, 1, 1) + timedelta(day - 1))


def _day(moment: datetime, day: int) -> datetime:
    _within(day, 1, monthrange(moment.year, moment.month)[1])
    return moment.replace(day=day)


def _weekday(moment: datetime, weekday: int) -> datetime:
    _within(weekday, 1, 7)
    return moment + timedelta(weekday - moment.isoweekday())


def _half(moment: datetime, half: int) -> datetime:
    return moment.replace(hour=moment.hour % 12 + 12 * half)


def _hour_of_day(moment: datetime, hour: int) -> datetime:
    _within(hour, 0, 23)
    return moment.replace(hour=hour)


def _clock_hour(moment: datetime, hour: int) -> datetime:
    _within(hour, 1, 24)
    return moment.replace(hour=hour % 24)


def _hour_of_half(moment: datetime, hour: int) -> datetime:
    _within(hour, 0, 11)
    return moment.replace(hour=moment.hour // 12 * 12 + hour)


def _clock_hour_of_half(moment: datetime, hour: int) -> datetime:
    _within(hour, 1, 12)
    return moment.replace(hour=moment.hour // 12 * 12 + hour % 12)


def _minute(moment: datetime, minute: int) -> datetime:
    _within(minute, 0, 59)
    return moment.replace(minute=minute)


def _second(moment: datetime, second: int) -> datetime:
    _within(second, 0, 59)
    return moment.replace(second=second)


def _millisecond(moment: datetime, millisecond: int) -> datetime:
    return moment.replace(microsecond=millisecond * 1000)


def _weeks(year: int) -> int:
    return date(year, 12, 28).isocalendar()[1]


def _within(value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise ValueError(f"{value} is not from {least} to {most}")


# Years and week years are equally long.
_NO_RANGE, _YEARS, _MONTHS, _WEEKS, _DAYS, _HALVES, _OF_HOURS, _OF_MINUTES, _OF_SECONDS = range(9)


@dataclass(frozen=True)
class _Field:
    """``range`` is what the field counts in and ``size`` its length, both from the longest: Joda sorts by them."""

    range: int
    size: int
    put: Callable[[datetime, int], datetime]
    begin: Callable[[datetime], datetime]


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def _first_of_year(moment: datetime) -> datetime:
    return _midnight(moment).replace(month=1, day=1)


_FIELDS: Mapping[str, _Field] = {
    "C": _Field(_NO_RANGE, 0, _century, lambda m: _first_of_year(m).replace(year=max(m.year // 100 * 100, 1))),
    "y": _Field(_NO_RANGE, 1, _year, _first_of_year),
    "x": _Field(_NO_RANGE, 1, _weekyear, lambda m: _weekday(_week(_midnight(m), 1), 1)),
    "M": _Field(_YEARS, 2, _month, lambda m: _midnight(m).replace(day=1)),
    "D": _Field(_YEARS, 4, _day_of_year, _midnight),
    "w": _Field(_YEARS, 3, _week, lambda m: _midnight(m) - timedelta(m.weekday())),
    "d": _Field(_MONTHS, 4, _day, _midnight),
    "e": _Field(_WEEKS, 4, _weekday, _midnight),
    "a": _Field(_DAYS, 5, _half, lambda m: _midnight(m).replace(hour=m.hour // 12 * 12)),
    "H": _Field(_DAYS, 6, _hour_of_day, lambda m: m.replace(minute=0, second=0, microsecond=0)),
    "k": _Field(_DAYS, 6, _clock_hour, lambda m: m.replace(minute=0, second=0, microsecond=0)),
    "h": _Field(_HALVES, 6, _clock_hour_of_half, lambda m: m.replace(minute=0, second=0, microsecond=0)),
    "K": _Field(_HALVES, 6, _hour_of_half, lambda m: m.replace(minute=0, second=0, microsecond=0)),
    "m": _Field(_OF_HOURS, 7, _minute, lambda m: m.replace(second=0, microsecond=0)),
    "s": _Field(_OF_MINUTES, 8, _second, lambda m: m.replace(microsecond=0)),
    "S": _Field(_OF_SECONDS, 9, _millisecond, lambda m: m),
}
_MONTH_SIZE, _DAY_SIZE = 2, 4


def moment_of(numbers: Sequence[tuple[str, int]]) -> datetime:
    """From 1970-01-01 on, each field is set, the longest first, and the shortest begins where it begins.

    Without a year, a month or a day is one of 2000. Raises ``ValueError``.

    >>> moment_of([("x", 1998), ("w", 53)]), moment_of([("M", 2), ("d", 29)])
    (datetime.datetime(1998, 12, 28, 0, 0), datetime.datetime(2000, 2, 29, 0, 0))
    """
    fields = sorted(((_FIELDS[letter], value) for letter, value in numbers), key=_order)
    if fields and _MONTH_SIZE <= fields[0][0].size <= _DAY_SIZE:
        fields.insert(0, (_FIELDS["y"], 2000))
    moment = datetime(1970, 1, 1)
    for field, value in fields:
        moment = field.begin(field.put(moment, value))
    for place, (field, value) in enumerate(fields, 1):
        moment = field.put(moment, value)
        if place == len(fields):
            moment = field.begin(moment)
    return moment


def _order(item: tuple[_Field, int]) -> tuple[int, int]:
    return item[0].range, item[0].size

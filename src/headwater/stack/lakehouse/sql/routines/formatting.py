"""Java's format(), and amounts written for people."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal
from fractions import Fraction

from headwater.stack.lakehouse.sql.routines.javanumbers import double_text, real_text
from headwater.stack.lakehouse.sql.routines.model import Routine, RoutineFailed

_SPECIFIER = re.compile(r"%(?:(\d+)\$)?([-#+ 0,(<]*)(\d+)?(?:\.(\d+))?([tT]?)([a-zA-Z%])", re.DOTALL)
_TIMES = {
    **{"Y": "%Y", "y": "%y", "m": "%m", "d": "%d", "H": "%H", "I": "%I", "M": "%M", "S": "%S", "p": "%p", "j": "%j"},
    **{"A": "%A", "a": "%a", "B": "%B", "b": "%b", "h": "%b", "F": "%Y-%m-%d", "T": "%H:%M:%S", "R": "%H:%M"},
    **{"D": "%m/%d/%y", "r": "%I:%M:%S %p"},
}


def java_format(pattern: str | None, *arguments: object) -> str | None:
    """``String.format`` of Java for the conversions that have the same meaning here; others are refused.

    >>> java_format("%-7s,%7s|%03d|%,.2f", "hello", "world", 8, Decimal("1234567.89"))
    'hello  ,  world|008|1,234,567.89'
    """
    if pattern is None:
        return None
    found, position, following = [], 0, 0
    for mark in _SPECIFIER.finditer(pattern):
        literal = pattern[position : mark.start()]
        _no_specifier(literal, pattern)
        found.append(literal)
        position = mark.end()
        _check_flags(mark, pattern)
        if mark[6] in "%n":
            found.append(_fitted("%" if mark[6] == "%" else "\n", mark[3], mark[2]))
            continue
        if "<" in mark[2]:
            index = following - 1
        elif mark[1]:
            index = int(mark[1]) - 1
        else:
            index, following = following, following + 1
        if not 0 <= index < len(arguments):
            raise _invalid(pattern, "MissingFormatArgument", f"Format specifier '{mark[0]}'")
        found.append(_converted(mark, arguments[index], pattern))
    _no_specifier(pattern[position:], pattern)
    return "".join([*found, pattern[position:]])


_ALLOWED_FLAGS = {
    "d": "-+ 0,(",
    "x": "-#0",
    "X": "-#0",
    "o": "-#0",
    "f": "-#+ 0,(",
    "e": "-#+ 0(",
    "E": "-#+ 0(",
    "n": "",
}
_CONVERSIONS = "bBhHsScCdoxXeEfgGaAt%n"
_JAVA_CLASSES: tuple[tuple[type, str], ...] = (
    (bool, "java.lang.Boolean"),
    (int, "java.lang.Long"),
    (float, "java.lang.Double"),
    (Decimal, "java.math.BigDecimal"),
    (str, "java.lang.String"),
    (datetime, "java.time.LocalDateTime"),
    (date, "java.time.LocalDate"),
    (time, "java.time.LocalTime"),
)


def _check_flags(mark: re.Match[str], pattern: str) -> None:
    """What Java's formatter refuses before it looks at the value."""
    flags, width, kind = mark[2].replace("<", ""), mark[3], mark[6] if not mark[5] else "t"
    shown = f"Flags = '{''.join(flag for flag in '-#+ 0,(' if flag in flags)}'"
    twice = next((flag for flag in flags if flags.count(flag) > 1), None)
    strange = next((flag for flag in "+ 0,(#" if flag in flags and flag not in _ALLOWED_FLAGS.get(kind, "-")), None)
    if kind not in _CONVERSIONS:
        raise _invalid(pattern, "UnknownFormatConversion", f"Conversion = '{kind}'")
    if twice is not None:
        raise _invalid(pattern, "DuplicateFormatFlags", f"Flags = '{twice}'")
    if kind == "n" and width is not None:
        raise _invalid(pattern, "IllegalFormatWidth", width)
    if {"-", "0"} <= set(flags) or {"+", " "} <= set(flags):
        raise _invalid(pattern, "IllegalFormatFlags", shown)
    if width is None and set(flags) & {"-", "0"}:
        raise _invalid(pattern, "MissingFormatWidth", mark[0])
    if mark[4] is not None and kind in "dxXocC%nt":
        raise _invalid(pattern, "IllegalFormatPrecision", mark[4])
    if strange is not None:
        raise _invalid(pattern, "FormatFlagsConversionMismatch", f"Conversion = {mark[6]}, Flags = {strange}")


def _invalid(pattern: str, wrong: str, message: str) -> RoutineFailed:
    return RoutineFailed(f"Invalid format string: {pattern} ({wrong}: {message})")


def _no_specifier(text: str, pattern: str) -> None:
    if "%" in text:
        following = text.partition("%")[2][:1] or "%"
        raise _invalid(pattern, "UnknownFormatConversion", f"Conversion = '{following}'")


def _refused(mark: re.Match[str], value: object) -> RoutineFailed:
    message = f"format() of a {_java_class(value)} as '{mark[0]}' is not supported by Headwater's local Athena"
    return RoutineFailed(message, "NOT_SUPPORTED")


def _java_class(value: object) -> str:
    if isinstance(value, dict):
        return "java.lang.Float" if "real" in value else "java.time.ZonedDateTime"
    return next(name for kind, name in _JAVA_CLASSES if isinstance(value, kind))


def _converted(mark: re.Match[str], value: object, pattern: str) -> str:
    flags, width, precision, kind = mark[2], mark[3], mark[4], mark[6]
    if isinstance(value, dict) and "real" in value and kind in "feE" and not mark[5]:
        value = value["real"]
    if mark[5] and isinstance(value, (bool, float, Decimal, str)):
        raise _invalid(pattern, "IllegalFormatConversion", f"{kind} != {_java_class(value)}")
    if mark[5]:
        text = "null" if value is None else _time(mark, value)
    elif kind in "sS":
        text = _text(mark, value)
        text = text[: int(precision)] if precision else text
    elif kind in "bB":
        text = str(value).lower() if isinstance(value, bool) else str(value is not None).lower()
    elif value is None:
        text = "null"
    elif kind == "d" and isinstance(value, int) and not isinstance(value, bool):
        return _number(str(abs(value)), value < 0, mark)
    elif kind in "xXo" and isinstance(value, int) and not isinstance(value, bool):
        prefix = {"x": "0x", "o": "0"}[kind.lower()] if "#" in flags else ""
        digits = format(value % 2**64, kind.lower())
        text = prefix + (digits.rjust(int(width or 0) - len(prefix), "0") if "0" in flags else digits)
    elif kind == "f" and isinstance(value, (float, Decimal)):
        return _fixed(value, mark)
    elif kind in "eE" and isinstance(value, (float, Decimal)):
        text = _scientific(value, mark)
    elif kind in "dxXofeEc":
        raise _invalid(pattern, "IllegalFormatConversion", f"{kind} != {_java_class(value)}")
    else:
        raise _refused(mark, value)
    return _fitted(text.upper() if mark[5] == "T" or (kind.isupper() and not mark[5]) else text, width, flags)


def _text(mark: re.Match[str], value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (str, int, Decimal)) or type(value) is date:
        return str(value)
    if isinstance(value, float):
        return double_text(value)
    if isinstance(value, (datetime, time)):
        return _local(value)
    if isinstance(value, dict) and "real" in value:
        return real_text(value["real"])
    if isinstance(value, dict):
        ahead, zone = _ahead(value), value["zone"]
        return f"{_local(value['clock'])}{ahead or 'Z'}{f'[{zone}]' if zone[0] not in '+-' else ''}"
    raise _refused(mark, value)


def _ahead(moment: Mapping[str, datetime]) -> str:
    """The offset as Java writes it, which is empty in UTC."""
    minutes, seconds = divmod(abs(int((moment["clock"] - moment["instant"]).total_seconds())), 60)
    if not minutes and not seconds:
        return ""
    text = f"{'-' if moment['clock'] < moment['instant'] else '+'}{minutes // 60:02d}:{minutes % 60:02d}"
    return f"{text}:{seconds:02d}" if seconds else text


def _local(moment: datetime | time) -> str:
    """Java's ``toString`` of local times: seconds and their fraction only where there are any, in groups of three."""
    text = moment.strftime("%Y-%m-%dT%H:%M") if isinstance(moment, datetime) else moment.strftime("%H:%M")
    if moment.second or moment.microsecond:
        text += moment.strftime(":%S")
    fraction = f"{moment.microsecond:06d}"
    return text + (f".{fraction[:3] if fraction.endswith('000') else fraction}" if moment.microsecond else "")


def _time(mark: re.Match[str], value: object) -> str:
    if isinstance(value, dict) and "clock" in value:
        if mark[6] == "z":
            return (_ahead(value) or "+00:00").replace(":", "")
        if mark[6] in "Zc" and value["zone"][0] not in "+-" and value["zone"] != "UTC":
            raise _refused(mark, value)
        if mark[6] in "Zc":
            zone = value["zone"]
            return str(zone) if mark[6] == "Z" else value["clock"].strftime(f"%a %b %d %H:%M:%S {zone} %Y")
        value = value["clock"]
    if isinstance(value, time) and mark[6] in "HIMSpTRrklLN":
        value = datetime.combine(date(1970, 1, 1), value)
    if not isinstance(value, date):
        raise _refused(mark, value)
    moment = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)
    if mark[6] == "N":
        return f"{moment.microsecond * 1000:09d}"
    if mark[6] == "e":
        return str(moment.day)
    if mark[6] in "kl":
        return str(moment.hour if mark[6] == "k" else (moment.hour + 11) % 12 + 1)
    if mark[6] == "L":
        return f"{moment.microsecond // 1000:03d}"
    if mark[6] not in _TIMES:
        raise _refused(mark, value)
    text = moment.strftime(_TIMES[mark[6]])
    return text.lower() if mark[6] == "p" else text


_WIDE = Context(prec=2000)


def _no_number(value: float | Decimal, mark: re.Match[str]) -> str | None:
    if math.isfinite(value):
        return None
    name = "NaN" if math.isnan(value) else "Infinity" if value > 0 else "(Infinity)" if "(" in mark[2] else "-Infinity"
    sign = ("+" if "+" in mark[2] else " " if " " in mark[2] else "") if name == "Infinity" else ""
    return _fitted(sign + name, mark[3], mark[2])


def _scientific(value: float | Decimal, mark: re.Match[str]) -> str:
    strange = _no_number(value, mark)
    if strange is not None:
        return strange
    unit = Decimal(1).scaleb(-int(mark[4] or 6))
    exact = Decimal(repr(value)) if isinstance(value, float) else value
    power = exact.adjusted() if exact else 0
    mantissa = exact.copy_abs().scaleb(-power, _WIDE).quantize(unit, ROUND_HALF_UP, _WIDE) if exact else unit * 0
    if mantissa >= 10:
        power, mantissa = power + 1, (mantissa / 10).quantize(unit)
    return _number(f"{mantissa:f}e{power:+03d}", exact.is_signed(), mark)


def _fixed(value: float | Decimal, mark: re.Match[str]) -> str:
    strange = _no_number(value, mark)
    if strange is not None:
        return strange
    digits = int(mark[4]) if mark[4] else 6
    exact = Decimal(repr(value)) if isinstance(value, float) else value
    rounded = exact.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP, _WIDE)
    return _number(f"{rounded.copy_abs():f}", rounded < 0 or (rounded == 0 and exact.is_signed()), mark)


def _number(digits: str, negative: bool, mark: re.Match[str]) -> str:
    flags, width = mark[2], int(mark[3] or 0)
    if "," in flags:
        whole, dot, fraction = digits.partition(".")
        digits = f"{int(whole):,}{dot}{fraction}"
    before, after = ("(", ")") if negative and "(" in flags else ("-", "") if negative else ("", "")
    if not negative:
        before = "+" if "+" in flags else " " if " " in flags else ""
    if "0" in flags:
        digits = digits.rjust(width - len(before) - len(after), "0")
    return _fitted(f"{before}{digits}{after}", mark[3], flags)


def _fitted(text: str, width: str | None, flags: str) -> str:
    size = int(width or 0)
    return text.ljust(size) if "-" in flags else text.rjust(size)


def human_seconds(seconds: float) -> str:
    """Weeks to seconds.

    >>> human_seconds(56363463)
    '93 weeks, 1 day, 8 hours, 31 minutes, 3 seconds'
    """
    if not math.isfinite(seconds):
        raise RoutineFailed(f"Invalid argument found: {'NaN' if math.isnan(seconds) else 'Infinity'}")
    parts: list[str] = []
    rest = int(Decimal(abs(seconds)).quantize(Decimal(1), ROUND_HALF_EVEN))
    for name, size in (("week", 604800), ("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
        count, rest = divmod(rest, size)
        if count or (name == "second" and not parts):
            parts.append(f"{count} {name}{'' if count == 1 else 's'}")
    return ", ".join(parts)


_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]+)\s*")
_DURATION_UNITS = {"ns": "1e-6", "us": "1e-3", "ms": "1", "s": "1e3", "m": "6e4", "h": "3.6e6", "d": "8.64e7"}
_SIZE = re.compile(r"\s*([0-9.]+)\s*([a-zA-Z]+)\s*")
_SIZE_UNITS = ["B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"]


def _duration(text: str) -> int:
    if not text:
        raise RoutineFailed("duration is empty")
    found = _DURATION.fullmatch(text)
    if found is None:
        raise RoutineFailed(f"duration is not a valid data duration string: {text}")
    if found[2] not in _DURATION_UNITS:
        raise RoutineFailed(f"Unknown time unit: {found[2]}")
    return int((Decimal(found[1]) * Decimal(_DURATION_UNITS[found[2]])).quantize(Decimal(1), ROUND_HALF_UP))


def _data_size(text: str) -> Decimal:
    found = _SIZE.fullmatch(text)
    try:
        size = Fraction(found[1]) * 1024 ** _SIZE_UNITS.index(found[2]) if found else None
    except ValueError:
        size = None
    if size is None:
        raise RoutineFailed(f"Invalid data size: '{text}'")
    if int(size) >= 10**38:
        raise RoutineFailed(f"Value out of range: '{text}' ('{int(size)}B')", "NUMERIC_VALUE_OUT_OF_RANGE")
    return Decimal(int(size))


def format_number(value: float) -> str:
    """With a unit of thousands.

    >>> format_number(123456), format_number(1000000)
    ('123K', '1M')
    """
    units = ["", "K", "M", "B", "T", "Q"]
    number, unit = Decimal(repr(value)) if isinstance(value, float) else Decimal(value), 0
    while abs(number) >= 1000 and unit < len(units) - 1:
        number, unit = number / 1000, unit + 1
    digits = 2 if abs(number) < 10 else 1 if abs(number) < 100 else 0
    text = f"{number.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP):f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) + units[unit]


ROUTINES = (
    Routine("hw_format", java_format, None, "VARCHAR"),
    Routine("hw_human_seconds", human_seconds, ["DOUBLE"], "VARCHAR"),
    Routine("hw_duration", _duration, ["VARCHAR"], "BIGINT"),
    Routine("hw_data_size", _data_size, ["VARCHAR"], "DECIMAL(38,0)"),
    Routine("hw_format_number", format_number, ["DOUBLE"], "VARCHAR"),
)

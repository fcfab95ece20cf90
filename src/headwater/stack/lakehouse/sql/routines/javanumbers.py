"""Numbers as Java writes them, for text that is made in Python."""

from __future__ import annotations

import math
import struct
from decimal import Decimal

from headwater.stack.lakehouse.sql.routines.model import Routine


def double_text(value: float) -> str:
    """``Double.toString``: scientific from 1E7 upwards and below 1E-3, always with a fraction.

    >>> double_text(1e10), double_text(-0.5), double_text(1234.0)
    ('1.0E10', '-0.5', '1234.0')
    """
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        text = f"{Decimal(repr(value)):f}"
        return text if "." in text else f"{text}.0"
    sign, digits, exponent = Decimal(repr(value)).as_tuple()
    written = "".join(map(str, digits)).rstrip("0") or "0"
    power = len(digits) + int(exponent) - 1
    return f"{'-' if sign else ''}{written[0]}.{written[1:] or '0'}E{power}"


def real_text(value: float) -> str:
    """``Float.toString``: the fewest digits that are this real and no other.

    >>> real_text(16777216.0), real_text(-1e10), real_text(2320711.25)
    ('1.6777216E7', '-1.0E10', '2320711.2')
    """
    numbers = (float(f"{value:.{digits}e}") for digits in range(1, 9))
    return double_text(next(number for number in numbers if struct.unpack("f", struct.pack("f", number))[0] == value))


ROUTINES = (Routine("hw_short_real", real_text, ["FLOAT"], "VARCHAR"),)

"""Numbers as Java writes them, for text that is made in Python."""

from __future__ import annotations

import math
from decimal import Decimal


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

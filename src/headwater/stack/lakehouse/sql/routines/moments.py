"""Moments of one and of two series, value by value as Trino adds them up: other sums differ in the last digits."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from headwater.stack.lakehouse.sql.routines.model import Routine


def skewness(values: Sequence[float]) -> float:
    """Of at least three values; NaN if all are equal.

    >>> skewness([1.0, 2.0, 9.0])
    0.6654688661238353
    """
    n, m2, m3, _ = _moments(values)
    return _ratio(math.sqrt(n) * m3, _power(m2))


def kurtosis(values: Sequence[float]) -> float:
    """The excess over that of a normal distribution, of at least four values; NaN if all are equal.

    >>> kurtosis([1.0, 2.0, 5.0, 9.0])
    -0.5818938605619177
    """
    n, m2, _, m4 = _moments(values)
    wide = _ratio(((n - 1) * n * (n + 1)) / ((n - 2) * (n - 3)) * m4, m2 * m2)
    return wide - 3 * ((n - 1) * (n - 1)) / ((n - 2) * (n - 3))


def _moments(values: Sequence[float]) -> tuple[float, float, float, float]:
    """The number of values, and the sums of the second to fourth power of their distance from the mean."""
    m1 = m2 = m3 = m4 = 0.0
    for n, value in enumerate(values, 1):
        delta = value - m1
        step = delta / n
        square = step * step
        grown = delta * step * (n - 1)
        m4 += grown * square * (n * float(n) - 3 * n + 3) + 6 * square * m2 - 4 * step * m3
        m3 = m3 + grown * step * (n - 2) - 3 * step * m2
        m2 += grown
        m1 += step
    return float(len(values)), m2, m3, m4


def of_pairs(pairs: Sequence[Mapping[str, float]], name: str) -> float | None:
    """``corr``, ``regr_slope`` or ``regr_intercept`` of pairs ``y`` and ``x``; ``None`` if that is not finite.

    >>> of_pairs([{"y": 2.0, "x": 1.0}, {"y": 5.0, "x": 2.0}], "regr_intercept")
    -1.0
    """
    mean_x = mean_y = both = square_x = square_y = 0.0
    for n, pair in enumerate(pairs, 1):
        x, y = pair["x"], pair["y"]
        from_x, from_y = x - mean_x, y - mean_y
        mean_x += from_x / n
        mean_y += from_y / n
        both += from_x * (y - mean_y)
        square_x += from_x * (x - mean_x)
        square_y += from_y * (y - mean_y)
    found = _ratio(_ratio(both, _root(square_x)), _root(square_y)) if name == "corr" else _ratio(both, square_x)
    if name == "regr_intercept":
        found = mean_y - found * mean_x
    return found if math.isfinite(found) else None


def _ratio(above: float, below: float) -> float:
    """As Java divides."""
    if below:
        return above / below
    return math.nan if not above or math.isnan(above) else math.copysign(math.inf, above) * math.copysign(1, below)


def _root(value: float) -> float:
    return math.sqrt(value) if value >= 0 else math.nan


def _power(value: float) -> float:
    return math.pow(value, 1.5) if value >= 0 else math.nan


_PAIRS = "STRUCT(y DOUBLE, x DOUBLE)[]"
ROUTINES = (
    Routine("hw_skewness", skewness, ["DOUBLE[]"], "DOUBLE"),
    Routine("hw_kurtosis", kurtosis, ["DOUBLE[]"], "DOUBLE"),
    Routine("hw_of_pairs", of_pairs, [_PAIRS, "VARCHAR"], "DOUBLE"),
)

"""Distribution functions of statistics, and measures of vectors."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from headwater.stack.lakehouse.sql.routines.javanumbers import double_text
from headwater.stack.lakehouse.sql.routines.model import Routine, RoutineFailed
from headwater.stack.lakehouse.sql.routines.normal import inverse_erf

_TINY, _PRECISION, _STEPS = 1e-300, 1e-16, 1000


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise RoutineFailed(message)


def _fraction(a: float, b: float, x: float) -> float:
    """The continued fraction of the incomplete beta function, by Lentz's method."""
    c, d = 1.0, 1.0 - (a + b) * x / (a + 1)
    d = 1 / (d if abs(d) > _TINY else _TINY)
    value = d
    for m in range(1, _STEPS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d, c = 1 + term * d, 1 + term / c
            d, c = 1 / (d if abs(d) > _TINY else _TINY), (c if abs(c) > _TINY else _TINY)
            value *= d * c
        if abs(d * c - 1) < _PRECISION:
            break
    return value


def _beta(a: float, b: float, x: float) -> float:
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    scale = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    if x < (a + 1) / (a + b + 2):
        return scale * _fraction(a, b, x) / a
    return 1 - scale * _fraction(b, a, 1 - x) / b


def beta_cdf(a: float, b: float, value: float) -> float:
    """P(N < value; a, b) of the Beta distribution.

    >>> round(beta_cdf(3, 3.6, 0.3), 12)
    0.217648099977
    """
    _require(0 <= value <= 1, "value must be 0 >= v >= 1")
    _require(a > 0 and b > 0, "a, b must be > 0")
    return _beta(a, b, value)


def _inverse_beta_cdf(a: float, b: float, p: float) -> float:
    _require(0 <= p <= 1, "p must be 0 >= p >= 1")
    _require(a > 0 and b > 0, "a, b must be > 0")
    if p in (0, 1):
        return p
    low, high = 0.0, 1.0
    while (middle := (low + high) / 2) not in (low, high):
        low, high = (middle, high) if _beta(a, b, middle) < p else (low, middle)
    return middle


def _normal_cdf(mean: float, deviation: float, value: float) -> float:
    _require(deviation > 0, "standardDeviation must be > 0")
    return 0.5 * (1 + math.erf((value - mean) / (deviation * math.sqrt(2))))


def _inverse_normal_cdf(mean: float, deviation: float, p: float) -> float:
    _require(0 < p < 1, "p must be 0 > p > 1")
    _require(deviation > 0, "sd must be > 0")
    return mean + deviation * math.sqrt(2) * inverse_erf(2 * p - 1)


def _t_pdf(x: float, df: float) -> float:
    _require(df > 0, "df must be greater than 0")
    scale = math.lgamma((df + 1) / 2) - math.lgamma(df / 2) - 0.5 * math.log(df * math.pi)
    return math.exp(scale - (df + 1) / 2 * math.log1p(x * x / df))


def _t_cdf(x: float, df: float) -> float:
    _require(df > 0, "df must be greater than 0")
    tail = 0.5 * _beta(df / 2, 0.5, df / (df + x * x))
    return tail if x < 0 else 1 - tail


def _wilson(sign: int) -> Callable[[int, int, float], float]:
    def run(successes: int, trials: int, z: float) -> float:
        _require(successes >= 0, "number of successes must not be negative")
        _require(trials > 0, "number of trials must be positive")
        _require(successes <= trials, "number of successes must not be larger than number of trials")
        _require(z >= 0, "z-score must not be negative")
        p = successes / trials
        root = math.sqrt(z * z * p * (1 - p) / trials + z**4 / (4 * trials * trials))
        return (p + z * z / (2 * trials) + sign * root) / (1 + z * z / trials)

    return run


def _same_length(a: Sequence[float], b: Sequence[float]) -> None:
    _require(len(a) == len(b), "The arguments must have the same length")


def _dot(a: Sequence[float | None], b: Sequence[float | None]) -> float | None:
    if None in a or None in b:
        return None
    return sum((x or 0.0) * (y or 0.0) for x, y in zip(a, b, strict=True))


def _dot_product(a: Sequence[float], b: Sequence[float]) -> float | None:
    _same_length(a, b)
    return _dot(a, b)


def _euclidean(a: Sequence[float], b: Sequence[float]) -> float | None:
    _same_length(a, b)
    if None in a or None in b:
        return None
    return math.sqrt(sum((x - y) ** 2 for x, y in zip(a, b, strict=True)))


def _cosine(a: Sequence[float], b: Sequence[float]) -> float | None:
    _same_length(a, b)
    product, left, right = _dot(a, b), _dot(a, a), _dot(b, b)
    if product is None or left is None or right is None:
        return None
    _require(left != 0 and right != 0, "Vector magnitude cannot be zero")
    return product / (math.sqrt(left) * math.sqrt(right))


def _sparse_cosine(a: Mapping[str, float], b: Mapping[str, float]) -> float | None:
    if None in a.values() or None in b.values():
        return None
    norms = math.sqrt(sum(v * v for v in a.values())) * math.sqrt(sum(v * v for v in b.values()))
    product = sum(v * b[k] for k, v in a.items() if k in b)
    return product / norms if norms else math.nan


def _bucket(value: float, low: float, high: float, count: int) -> int:
    _require(count > 0, "bucketCount must be greater than 0")
    _require(not math.isnan(value), "operand must not be NaN")
    _require(math.isfinite(low), "first bound must be finite")
    _require(math.isfinite(high), "second bound must be finite")
    _require(low != high, "bounds cannot equal each other")
    lower, upper = min(low, high), max(low, high)
    if value < lower:
        bucket = 0
    elif value < upper:
        bucket = int(float(count) * (value - lower) / (upper - lower) + 1)
    elif count < 2**63 - 1:
        bucket = count + 1
    else:
        raise RoutineFailed(f"Bucket for value {double_text(value)} is out of range", "NUMERIC_VALUE_OUT_OF_RANGE")
    return bucket if low < high else count - bucket + 1


def _bin(value: float, bins: Sequence[float]) -> int:
    _require(bool(bins), "Bins cannot be an empty array")
    _require(not math.isnan(value), "Operand cannot be NaN")
    low, high = 0, len(bins)
    while low < high:
        _require(bins[low] <= bins[high - 1], "Bin values are not sorted in ascending order")
        middle = (low + high) // 2
        _require(math.isfinite(bins[middle]), f"Bin value must be finite, got {double_text(bins[middle])}")
        low, high = (low, middle) if value < bins[middle] else (middle + 1, high)
    return low


_D, _V = "DOUBLE", ["DOUBLE[]", "DOUBLE[]"]
ROUTINES = (
    Routine("hw_beta_cdf", beta_cdf, [_D] * 3, _D),
    Routine("hw_inverse_beta_cdf", _inverse_beta_cdf, [_D] * 3, _D),
    Routine("hw_normal_cdf", _normal_cdf, [_D] * 3, _D),
    Routine("hw_inverse_normal_cdf", _inverse_normal_cdf, [_D] * 3, _D),
    Routine("hw_t_pdf", _t_pdf, [_D] * 2, _D),
    Routine("hw_t_cdf", _t_cdf, [_D] * 2, _D),
    Routine("hw_wilson_lower", _wilson(-1), ["BIGINT", "BIGINT", _D], _D),
    Routine("hw_wilson_upper", _wilson(1), ["BIGINT", "BIGINT", _D], _D),
    Routine("hw_dot_product", _dot_product, _V, _D),
    Routine("hw_euclidean_distance", _euclidean, _V, _D),
    Routine("hw_cosine", _cosine, _V, _D),
    Routine("hw_sparse_cosine", _sparse_cosine, ["MAP(VARCHAR, DOUBLE)"] * 2, _D),
    Routine("hw_width_bucket", _bucket, [_D, _D, _D, "BIGINT"], "BIGINT"),
    Routine("hw_bin", _bin, [_D, "DOUBLE[]"], "BIGINT"),
)

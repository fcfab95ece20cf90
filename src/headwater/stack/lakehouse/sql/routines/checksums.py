"""Trino's checksum of rows in any order, the SpookyHash of short texts, and weighted percentiles."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from headwater.stack.lakehouse.sql.routines.hashes import xxhash64
from headwater.stack.lakehouse.sql.routines.model import Routine, RoutineFailed

_MASK = 2**64 - 1
_PRIME = 0x9E3779B185EBCA87


def _share(pack: Callable[[Any], bytes]) -> Callable[[Any], int]:
    """What a value adds to the checksum."""
    return lambda value: int.from_bytes(xxhash64(pack(value)), "big") * _PRIME & _MASK


def _double(value: float) -> bytes:
    return struct.pack("<d", value + 0.0 if value else 0.0)


def _real(value: float) -> bytes:
    (bits,) = struct.unpack("<i", struct.pack("<f", value if value else 0.0))
    return struct.pack("<q", bits)


def _summed(total: int) -> bytes:
    return struct.pack("<Q", int(total) & _MASK)


_CONSTANT = 0xDEADBEEFDEADBEEF
_MIX = (50, 52, 30, 41, 54, 48, 38, 37, 62, 34, 5, 36)
_END = (15, 52, 26, 51, 28, 9, 47, 54, 32, 25, 63)
_LONGEST = 191


def _rotated(value: int, bits: int) -> int:
    return (value << bits | value >> (64 - bits)) & _MASK


def _mix(h: list[int]) -> None:
    for step, bits in enumerate(_MIX):
        i, j, k = (step + 2) % 4, (step + 3) % 4, step % 4
        h[i] = (_rotated(h[i], bits) + h[j]) & _MASK
        h[k] ^= h[i]


def spooky(data: bytes) -> int:
    """The first 64 bits of SpookyHash V2 with seeds 0, for less than 192 bytes
    (http://burtleburtle.net/bob/hash/spooky.html).

    >>> f"{spooky(b''):016X}", f"{spooky(b'hello'):016X}"
    ('232706FC6BF50919', '3768826AD382E6CA')
    """
    if len(data) > _LONGEST:
        message = f"SpookyHash of more than {_LONGEST} bytes is not supported by Headwater's local Athena"
        raise RoutineFailed(message, "NOT_SUPPORTED")
    h = [0, 0, _CONSTANT, _CONSTANT]
    position = 0
    while position + 32 <= len(data):
        words = struct.unpack_from("<4Q", data, position)
        h[2], h[3] = (h[2] + words[0]) & _MASK, (h[3] + words[1]) & _MASK
        _mix(h)
        h[0], h[1] = (h[0] + words[2]) & _MASK, (h[1] + words[3]) & _MASK
        position += 32
    if len(data) - position >= 16:
        words = struct.unpack_from("<2Q", data, position)
        h[2], h[3] = (h[2] + words[0]) & _MASK, (h[3] + words[1]) & _MASK
        _mix(h)
        position += 16
    tail = data[position:]
    low, high = int.from_bytes(tail[:8], "little"), int.from_bytes(tail[8:], "little")
    if not tail:
        low = high = _CONSTANT
    h[2], h[3] = (h[2] + low) & _MASK, (h[3] + (len(data) << 56) + high) & _MASK
    for step, bits in enumerate(_END):
        i, j = (step + 3) % 4, (step + 2) % 4
        h[i] ^= h[j]
        h[j] = _rotated(h[j], bits)
        h[i] = (h[i] + h[j]) & _MASK
    return h[0]


def _weighted(values: Sequence[float | None], weights: Sequence[float | None], fractions: Sequence[float]) -> Any:
    """The value at each fraction of the whole weight, as a t-digest that had room for every value finds it."""
    pairs = sorted((v, w) for v, w in zip(values, weights, strict=True) if v is not None and w is not None)
    if any(w <= 0 for _, w in pairs):
        raise RoutineFailed("percentile weight must be > 0")
    if any(not 0 <= fraction <= 1 for fraction in fractions):
        raise RoutineFailed("Percentile must be between 0 and 1")
    if not pairs:
        return None
    whole = sum(w for _, w in pairs)
    return [_at(pairs, fraction * whole, whole) for fraction in fractions]


def _at(pairs: Sequence[tuple[float, float]], place: float, whole: float) -> float:
    """Between the middles of two neighbours their values are mixed; one of weight 1 is not."""
    middle = pairs[0][1] / 2
    if place < max(middle, 1.0):
        return pairs[0][0]
    for (left, v), (right, w) in pairwise(pairs):
        following = middle + (v + w) / 2
        if following > place and whole - place > 1:
            before, after = place - middle, following - place
            if v == 1 and before < 0.5:
                return left
            if w == 1 and after <= 0.5:
                return right
            before, after = before - 0.5 * (v == 1), after - 0.5 * (w == 1)
            return (left * after + right * before) / (before + after)
        middle = following
    return pairs[-1][0]


_BUFFER = 100


def numeric_histogram(count: int, values: Sequence[float | None], weights: Sequence[float | None]) -> Any:
    """At most ``count`` buckets: of neighbours, the two whose merging adds least to the variance become one.

    >>> numeric_histogram(2, [1.0, 2.0, 10.0], [1.0, 1.0, 1.0])
    {1.5: 2.0, 10.0: 1.0}
    """
    if count < 2:
        raise RoutineFailed("numeric_histogram bucket count must be greater than one")
    buckets: list[tuple[float, float]] = []
    for value, weight in zip(values, weights, strict=True):
        if value is None or weight is None:
            continue
        if len(buckets) == count + _BUFFER:
            buckets = _compacted(buckets, count)
        buckets.append((value, weight))
    return dict(_compacted(buckets, count)) if buckets else None


def _compacted(buckets: list[tuple[float, float]], count: int) -> list[tuple[float, float]]:
    together: dict[float, float] = {}
    for value, weight in sorted(buckets, key=lambda bucket: bucket[0]):
        together[value] = together.get(value, 0.0) + weight
    found = list(together.items())
    while len(found) > count:
        place = min(range(len(found) - 1), key=lambda i: _penalty(found[i], found[i + 1]))
        (a, left), (b, right) = found[place], found[place + 1]
        found[place : place + 2] = [((a * left + b * right) / (left + right), left + right)]
    return found


def _penalty(a: tuple[float, float], b: tuple[float, float]) -> float:
    whole = a[1] + b[1]
    return whole * (a[0] - b[0]) ** 2 * (a[1] * b[1] / whole**2)


_LISTS = ["DOUBLE[]"] * 3
ROUTINES = (
    Routine("hw_share_bigint", _share(lambda value: struct.pack("<q", value)), ["BIGINT"], "UBIGINT"),
    Routine("hw_share_double", _share(_double), ["DOUBLE"], "UBIGINT"),
    Routine("hw_share_real", _share(_real), ["FLOAT"], "UBIGINT"),
    Routine("hw_share_bytes", _share(bytes), ["BLOB"], "UBIGINT"),
    Routine("hw_checksum", _summed, ["HUGEINT"], "BLOB"),
    Routine("hw_spooky_64", lambda data: struct.pack(">Q", spooky(data)), ["BLOB"], "BLOB"),
    Routine("hw_spooky_32", lambda data: struct.pack(">I", spooky(data) & 2**32 - 1), ["BLOB"], "BLOB"),
    Routine("hw_weighted", _weighted, _LISTS, "DOUBLE[]"),
    Routine("hw_numeric_histogram", numeric_histogram, ["BIGINT", "DOUBLE[]", "DOUBLE[]"], "MAP(DOUBLE, DOUBLE)"),
)

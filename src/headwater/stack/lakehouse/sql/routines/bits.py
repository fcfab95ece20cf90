"""Shifts and counts of bits in the width of a type, and which elements make a combination."""

from __future__ import annotations

from itertools import combinations, islice

from headwater.stack.lakehouse.sql.routines.model import Routine, RoutineFailed


def _signed(value: int, width: int) -> int:
    value &= (1 << width) - 1
    return value - (1 << width) if value >> (width - 1) else value


def _left(value: int, shift: int, width: int) -> int:
    return 0 if not 0 <= shift < width else _signed(value << shift, width)


def _right(value: int, shift: int, width: int) -> int:
    """The sign is a bit like the others."""
    return 0 if not 0 <= shift < width else _signed((value & ((1 << width) - 1)) >> shift, width)


def _arithmetic(value: int, shift: int, width: int) -> int:
    return value >> (shift if 0 <= shift < width else width - 1)


def bit_count(value: int, bits: int) -> int:
    """The ones of a number in two's complement.

    >>> bit_count(9, 64), bit_count(-7, 8)
    (2, 6)
    """
    if not 2 <= bits <= 64:
        raise RoutineFailed(f"Bits specified in bit_count must be between 2 and 64, got {bits}")
    if not -(1 << bits - 1) <= value < 1 << bits - 1:
        message = (
            f"Number must be representable with the bits specified. {value} can not be represented with {bits} bits"
        )
        raise RoutineFailed(message)
    return bin(value & ((1 << bits) - 1)).count("1")


def _combinations(length: int, size: int) -> list[list[int]]:
    """The positions, from 1, of each combination."""
    if not 0 <= size <= 5:
        raise RoutineFailed(f"combination size must {'not be negative' if size < 0 else 'not exceed 5'}: {size}")
    # In the order of the last element, then of the one before it.
    backwards = combinations(range(length, 0, -1), size)
    found = [list(reversed(chosen)) for chosen in islice(backwards, 100_001)][::-1]
    if len(found) > 100_000:
        raise RoutineFailed("combinations exceed max size")
    return found


ROUTINES = (
    Routine("hw_shift_left", _left, ["BIGINT"] * 3, "BIGINT"),
    Routine("hw_shift_right", _right, ["BIGINT"] * 3, "BIGINT"),
    Routine("hw_shift_arithmetic", _arithmetic, ["BIGINT"] * 3, "BIGINT"),
    Routine("hw_bit_count", bit_count, ["BIGINT"] * 2, "BIGINT"),
    Routine("hw_combinations", _combinations, ["BIGINT"] * 2, "BIGINT[][]"),
)

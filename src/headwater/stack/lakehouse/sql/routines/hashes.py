"""Hashes and binary encodings that DuckDB lacks."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct
import zlib
from collections.abc import Callable

from headwater.stack.lakehouse.sql.routines.model import Routine, RoutineFailed

_MASK = 2**64 - 1
_P1, _P2, _P3 = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9
_P4, _P5 = 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5


def _rotated(value: int, bits: int) -> int:
    return (value << bits | value >> (64 - bits)) & _MASK


def _xx_round(state: int, lane: int) -> int:
    return _rotated((state + lane * _P2) & _MASK, 31) * _P1 & _MASK


def xxhash64(data: bytes) -> bytes:
    """The 64-bit xxHash with seed 0 (https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md).

    >>> xxhash64(b"").hex()
    'ef46db3751d8e999'
    """
    state, position = _P5, 0
    if len(data) >= 32:
        lanes = [(_P1 + _P2) & _MASK, _P2, 0, -_P1 & _MASK]
        while position + 32 <= len(data):
            block = struct.unpack_from("<4Q", data, position)
            lanes = [_xx_round(lane, value) for lane, value in zip(lanes, block, strict=True)]
            position += 32
        state = sum(_rotated(lane, bits) for lane, bits in zip(lanes, (1, 7, 12, 18), strict=True)) & _MASK
        for lane in lanes:
            state = ((state ^ _xx_round(0, lane)) * _P1 + _P4) & _MASK
    state = (state + len(data)) & _MASK
    while position + 8 <= len(data):
        (value,) = struct.unpack_from("<Q", data, position)
        state = (_rotated(state ^ _xx_round(0, value), 27) * _P1 + _P4) & _MASK
        position += 8
    if position + 4 <= len(data):
        (value,) = struct.unpack_from("<I", data, position)
        state = (_rotated(state ^ (value * _P1 & _MASK), 23) * _P2 + _P3) & _MASK
        position += 4
    for byte in data[position:]:
        state = _rotated(state ^ (byte * _P5 & _MASK), 11) * _P1 & _MASK
    for shift, prime in ((33, _P2), (29, _P3)):
        state = (state ^ state >> shift) * prime & _MASK
    return (state ^ state >> 32).to_bytes(8, "big")


_C1, _C2 = 0x87C37B91114253D5, 0x4CF5AD432745937F


def _murmur_mixed(value: int) -> int:
    for prime in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        value = (value ^ value >> 33) * prime & _MASK
    return value ^ value >> 33


def murmur3(data: bytes) -> bytes:
    """The 128-bit MurmurHash3 for x64 with seed 0.

    >>> murmur3(b"hashme").hex()
    '93192fe805be23041c8318f67ec4f2bc'
    """
    first = second = 0
    whole = len(data) // 16 * 16
    for position in range(0, whole, 16):
        a, b = struct.unpack_from("<QQ", data, position)
        first ^= _rotated(a * _C1 & _MASK, 31) * _C2 & _MASK
        first = ((_rotated(first, 27) + second) * 5 + 0x52DCE729) & _MASK
        second ^= _rotated(b * _C2 & _MASK, 33) * _C1 & _MASK
        second = ((_rotated(second, 31) + first) * 5 + 0x38495AB5) & _MASK
    tail = data[whole:]
    first ^= _rotated(int.from_bytes(tail[:8], "little") * _C1 & _MASK, 31) * _C2 & _MASK
    second ^= _rotated(int.from_bytes(tail[8:], "little") * _C2 & _MASK, 33) * _C1 & _MASK
    first, second = first ^ len(data), second ^ len(data)
    first = (first + second) & _MASK
    second = (second + first) & _MASK
    first, second = _murmur_mixed(first), _murmur_mixed(second)
    first = (first + second) & _MASK
    return struct.pack("<QQ", first, (second + first) & _MASK)


def _hmac(algorithm: str) -> Callable[[bytes, bytes], bytes]:
    def run(data: bytes, key: bytes) -> bytes:
        return hmac.new(bytes(key), bytes(data), algorithm).digest()

    return run


def _decoded(decode: Callable[[bytes], bytes], name: str) -> Callable[[str], bytes]:
    def run(text: str) -> bytes:
        try:
            return decode(text.encode())
        except (binascii.Error, ValueError) as error:
            raise RoutineFailed(f"not valid {name}: {error}") from error

    return run


def _base64(alphabet: bytes) -> Callable[[bytes], bytes]:
    def decode(data: bytes) -> bytes:
        return base64.b64decode(data + b"=" * (-len(data) % 4), altchars=alphabet, validate=True)

    return decode


def _base32(data: bytes) -> bytes:
    return base64.b32decode(data + b"=" * (-len(data) % 8))


def _unpacked(layout: str, size: int) -> Callable[[bytes], object]:
    def run(data: bytes) -> object:
        if len(data) != size:
            raise RoutineFailed(f"expected {size}-byte input, but got instead: {len(data)}")
        return struct.unpack(layout, data)[0]

    return run


def _packed(layout: str) -> Callable[[object], bytes]:
    return lambda value: struct.pack(layout, value)


def _padded(data: bytes, size: int, pad: bytes, left: bool) -> bytes:
    if size < 0 or size > 2**31 - 1:
        raise RoutineFailed("Target length must be in the range [0..2147483647]")
    if not pad:
        raise RoutineFailed("Padding bytes must not be empty")
    filling = (bytes(pad) * size)[: max(size - len(data), 0)]
    return filling + data[:size] if left else data[:size] + filling


def _substring(data: bytes, start: int, length: int) -> bytes:
    """By SQL's rules: from 1, negative from the end, out of range empty."""
    if start == 0 or length <= 0 or abs(start) > len(data):
        return b""
    begin = start - 1 if start > 0 else len(data) + start
    return data[begin : begin + length]


def _utf8(data: bytes, replacement: str) -> str:
    if len(replacement) > 1:
        raise RoutineFailed("Replacement character string must empty or a single character")
    found, position = [], 0
    while position < len(data):
        try:
            found.append(data[position:].decode())
            break
        except UnicodeDecodeError as error:
            found += [data[position : position + error.start].decode(), replacement]
            position += max(error.end, 1)
    return "".join(found)


ROUTINES = (
    Routine("hw_xxhash64", xxhash64, ["BLOB"], "BLOB"),
    Routine("hw_murmur3", murmur3, ["BLOB"], "BLOB"),
    Routine("hw_sha512", lambda data: hashlib.sha512(data).digest(), ["BLOB"], "BLOB"),
    Routine("hw_crc32", zlib.crc32, ["BLOB"], "BIGINT"),
    *(Routine(f"hw_hmac_{n}", _hmac(n), ["BLOB", "BLOB"], "BLOB") for n in ("md5", "sha1", "sha256", "sha512")),
    Routine("hw_from_base64", _decoded(_base64(b"+/"), "base64"), ["VARCHAR"], "BLOB"),
    Routine("hw_from_base64url", _decoded(_base64(b"-_"), "base64url"), ["VARCHAR"], "BLOB"),
    Routine("hw_to_base64url", lambda data: base64.urlsafe_b64encode(data).decode(), ["BLOB"], "VARCHAR"),
    Routine("hw_from_base32", _decoded(_base32, "base32"), ["VARCHAR"], "BLOB"),
    Routine("hw_to_base32", lambda data: base64.b32encode(data).decode(), ["BLOB"], "VARCHAR"),
    Routine("hw_from_hex", _decoded(binascii.unhexlify, "hex"), ["VARCHAR"], "BLOB"),
    Routine("hw_to_big_endian_64", _packed(">q"), ["BIGINT"], "BLOB"),
    Routine("hw_to_big_endian_32", _packed(">i"), ["INTEGER"], "BLOB"),
    Routine("hw_to_ieee754_64", _packed(">d"), ["DOUBLE"], "BLOB"),
    Routine("hw_to_ieee754_32", _packed(">f"), ["FLOAT"], "BLOB"),
    Routine("hw_from_big_endian_64", _unpacked(">q", 8), ["BLOB"], "BIGINT"),
    Routine("hw_from_big_endian_32", _unpacked(">i", 4), ["BLOB"], "INTEGER"),
    Routine("hw_from_ieee754_64", _unpacked(">d", 8), ["BLOB"], "DOUBLE"),
    Routine("hw_from_ieee754_32", _unpacked(">f", 4), ["BLOB"], "FLOAT"),
    Routine("hw_lpad_bytes", lambda d, n, p: _padded(d, n, p, True), ["BLOB", "BIGINT", "BLOB"], "BLOB"),
    Routine("hw_rpad_bytes", lambda d, n, p: _padded(d, n, p, False), ["BLOB", "BIGINT", "BLOB"], "BLOB"),
    Routine("hw_substr_bytes", _substring, ["BLOB", "BIGINT", "BIGINT"], "BLOB"),
    Routine("hw_reverse_bytes", lambda data: data[::-1], ["BLOB"], "BLOB"),
    Routine("hw_from_utf8", _utf8, ["BLOB", "VARCHAR"], "VARCHAR"),
)

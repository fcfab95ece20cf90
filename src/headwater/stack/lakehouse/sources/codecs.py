"""Compressions of text files as streams of plain bytes, by the ends of names that Hadoop knows them by."""

from __future__ import annotations

import bz2
import gzip
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

import pyarrow as pa
import zstandard

_CHUNK = 1024 * 1024


class _Stream(Protocol):
    def read(self, size: int, /) -> bytes: ...


def _chunks(stream: _Stream) -> Iterator[bytes]:
    while chunk := stream.read(_CHUNK):
        yield chunk


def _gzip(path: Path) -> Iterator[bytes]:
    with gzip.open(path, "rb") as stream:
        yield from _chunks(stream)


def _bzip2(path: Path) -> Iterator[bytes]:
    with bz2.open(path, "rb") as stream:
        yield from _chunks(stream)


def _zstd(path: Path) -> Iterator[bytes]:
    frame, whole = zstandard.ZstdDecompressor().decompressobj(), True
    with path.open("rb") as packed:
        for chunk in _chunks(packed):
            data = chunk
            while data:
                if frame.eof:
                    frame = zstandard.ZstdDecompressor().decompressobj()
                yield frame.decompress(data)
                data, whole = frame.unused_data, frame.eof
    if not whole:
        raise EOFError("the file ends inside of a frame")


def _deflate(path: Path) -> Iterator[bytes]:
    engine = zlib.decompressobj()
    with path.open("rb") as packed:
        for chunk in _chunks(packed):
            yield engine.decompress(chunk)
    yield engine.flush()
    if not engine.eof:
        raise EOFError("the file ends inside of its data")


def _snappy(path: Path) -> Iterator[bytes]:
    return _blocks(path, _snappy_chunk)


def _lz4(path: Path) -> Iterator[bytes]:
    return _blocks(path, _lz4_chunk)


def _blocks(path: Path, plain: Callable[[bytes, int], bytes]) -> Iterator[bytes]:
    """Hadoop's framing: each block says how long it is when unpacked, and each chunk of it how long it is packed."""
    with path.open("rb") as stream:
        while header := stream.read(4):
            left = int.from_bytes(_whole(header, 4), "big")
            while left > 0:
                size = int.from_bytes(_whole(stream.read(4), 4), "big")
                found = plain(_whole(stream.read(size), size), left)
                left -= len(found)
                yield found


def _whole(data: bytes, size: int) -> bytes:
    if len(data) != size:
        raise EOFError("the file ends inside of a block")
    return data


def _snappy_chunk(data: bytes, most: int) -> bytes:
    """A chunk begins with its unpacked length, seven bits a byte."""
    size = shift = 0
    for byte in data:
        size |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    if not 0 < size <= most:
        raise ValueError("a chunk is longer than its block")
    return bytes(pa.Codec("snappy").decompress(data, size))


def _lz4_chunk(data: bytes, most: int) -> bytes:
    """A chunk does not say how long it is: it fits into no less than that. Nearly always it is the whole block."""
    codec = pa.Codec("lz4_raw")
    low, high = most - 1, most
    found = bytes(codec.decompress(data, most))
    if most > 1 and _fits(codec, data, low):
        low = 0
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if _fits(codec, data, middle) else (middle, high)
    return found[:high]


def _fits(codec: pa.Codec, data: bytes, size: int) -> bool:
    try:
        codec.decompress(data, size)
    except (OSError, pa.ArrowInvalid):
        return False
    return True


CODECS: Mapping[str, Callable[[Path], Iterator[bytes]]] = MappingProxyType(
    {".gz": _gzip, ".zst": _zstd, ".bz2": _bzip2, ".deflate": _deflate, ".snappy": _snappy, ".lz4": _lz4}
)
"""Other ends of names say nothing: such files are plain, as in Athena, where the end has to be in lower case."""

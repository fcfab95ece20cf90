"""Unpacking needs no more memory for rows that are all alike, and finds what is cut or appended."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Iterator

import pytest

from headwater.errors import VerificationError
from headwater.manifest import StoredDump
from headwater.services import archives
from headwater.services.codec import Compression, compressed, decompressed

MIB = 1024 * 1024
ROWS = b"1\t2025-01-01\tthe same note in every row of this table\tfree\t0.00\n" * 16_000


@pytest.mark.parametrize("method", ["zstd", "gzip"])
def test_equal_rows_are_not_unpacked_all_at_once(method: str) -> None:
    packed = b"".join(compressed((ROWS for _ in range(256)), Compression(method, 1, 2)))
    sizes = [len(block) for block in decompressed([packed], method)]

    assert len(packed) < 2 * MIB
    assert sum(sizes) == 256 * len(ROWS) > 200 * MIB
    assert max(sizes) < 64 * MIB


@pytest.mark.parametrize("method", ["zstd", "gzip"])
def test_what_was_unpacked_is_handed_on_before_it_gets_large(method: str) -> None:
    notes = [f"{number:04}\tone of a few hundred notes\tfree\t0.00\n" for number in range(300)]
    text = "".join(notes[zlib.crc32(b"%d" % number) % 300] for number in range(400_000)).encode()
    packed = b"".join(compressed([text], Compression(method, 1, 2)))
    sizes = [len(block) for block in decompressed([packed], method)]

    assert sum(sizes) == len(text) > 15 * MIB > 10 * len(packed)
    assert max(sizes) < MIB


@pytest.mark.parametrize("method", ["zstd", "gzip"])
def test_a_stream_that_is_cut_or_continued_is_an_error(method: str) -> None:
    packed = b"".join(compressed([ROWS], Compression(method, 1, 2)))
    for stream in (packed[:-10], packed + b"x", packed + packed):
        with pytest.raises(VerificationError):
            list(decompressed([stream], method))


@pytest.mark.parametrize("method", ["zstd", "gzip"])
def test_when_unpacking_fails_nobody_goes_on_reading(method: str) -> None:
    closed = threading.Event()

    def junk() -> Iterator[bytes]:
        try:
            while True:
                yield b"x" * MIB
        finally:
            closed.set()

    stored = StoredDump("key", 1, "", 0, "", "", 1, "", method)
    with pytest.raises(VerificationError, match="cannot be decompressed"):
        list(archives.unpacked("backup 1", stored, junk(), None, []))
    assert closed.is_set()  # although pytest still holds the exception, and by it every frame
    assert not [thread for thread in threading.enumerate() if thread.name == "read-ahead"]

"""A stream that is made ahead is the same stream."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.services.read_ahead import read_ahead


@given(st.lists(st.binary(max_size=10)), st.integers(1, 5))
def test_blocks_come_whole_and_in_order(blocks: list[bytes], depth: int) -> None:
    assert list(read_ahead(blocks, depth)) == blocks


def test_an_exception_comes_after_the_blocks_that_were_made_before_it() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise OSError("cut")

    stream = read_ahead(broken())
    assert next(stream) == 1
    with pytest.raises(OSError, match="cut"):
        next(stream)


def test_who_stops_taking_stops_the_making_and_closes_the_source() -> None:
    made, closed = [], threading.Event()

    def endless() -> Iterator[int]:
        try:
            while True:
                made.append(len(made))
                yield made[-1]
        finally:
            closed.set()

    stream = read_ahead(endless(), depth=3)
    assert next(stream) == 0
    stream.close()  # type: ignore[attr-defined] # a generator
    assert closed.is_set()
    assert len(made) <= 3 + 2  # those that wait, the one that was taken, the one under way
    assert not [thread for thread in threading.enumerate() if thread.name == "read-ahead"]

"""Makes a stream's next blocks in a thread of its own, so that reading, unpacking and writing use several cores."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

Block = TypeVar("Block")
DEPTH = 8
WAKE_SECONDS = 0.1
STOP_SECONDS = 2.0  # a block that comes from a stalled network is not waited for


class _End:
    """What comes after the last block; ``error``: why it is the last, None if there just are no more."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


@contextmanager
def closing_stream(blocks: Iterable[Block]) -> Iterator[Iterable[Block]]:
    """Close what a stream is made of as soon as it ends, however it ends.

    Without it, a generator that somebody left half-way lives on, and so do its files and threads, for as long as the
    exception that made them leave.
    """
    try:
        yield blocks
    finally:
        if close := getattr(blocks, "close", None):
            close()


def read_ahead(blocks: Iterable[Block], depth: int = DEPTH) -> Iterator[Block]:
    """The same blocks in the same order, at most ``depth`` of them made and not yet taken; an exception in its turn.

    Whoever stops taking (an exception, Ctrl-C) stops the making too, after the block under way.

    >>> list(read_ahead(range(3)))
    [0, 1, 2]
    """
    made: queue.Queue[Block | _End] = queue.Queue(depth)
    stopped = threading.Event()
    thread = threading.Thread(target=_make, args=(blocks, made, stopped), name="read-ahead", daemon=True)
    thread.start()
    try:
        while True:
            block = made.get()
            if not isinstance(block, _End):
                yield block
                continue
            if block.error is not None:
                raise block.error
            return
    finally:
        stopped.set()
        thread.join(STOP_SECONDS)


def _make(blocks: Iterable[Block], made: queue.Queue[Block | _End], stopped: threading.Event) -> None:
    error = None
    try:
        with closing_stream(blocks):  # here: a generator is closed by the thread that ran it
            for block in blocks:
                if not _put(block, made, stopped):
                    break
    except BaseException as raised:  # noqa: BLE001 - handed to the reader of the stream, who raises it
        error = raised
    _put(_End(error), made, stopped)


def _put(block: Block | _End, made: queue.Queue[Block | _End], stopped: threading.Event) -> bool:
    while not stopped.is_set():
        try:
            made.put(block, timeout=WAKE_SECONDS)
        except queue.Full:
            continue
        return True
    return False

"""Deeply nested queries: what the usual stack is too small for is done again on a larger one."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

_FRAMES = 8_000
_BYTES = 256 * 1024 * 1024
# The limit and the size of new stacks are the interpreter's: two at once would undo each other's.
_ONE_AT_A_TIME = threading.Lock()

T = TypeVar("T")


def at_any_depth(work: Callable[[], T]) -> T:
    """The result of ``work``. Raises ``RecursionError`` only for what no reasonable stack can hold.

    >>> def depth(n): return 0 if n == 0 else 1 + depth(n - 1)
    >>> at_any_depth(lambda: depth(5_000))
    5000
    """
    try:
        return work()
    except RecursionError:
        return _on_large_stack(work)


def _on_large_stack(work: Callable[[], T]) -> T:
    outcome: Future[T] = Future()

    def run() -> None:
        try:
            outcome.set_result(work())
        except BaseException as error:  # noqa: BLE001 - raised again where the result is asked for
            outcome.set_exception(error)

    with _ONE_AT_A_TIME:
        limit, size = sys.getrecursionlimit(), threading.stack_size(_BYTES)
        try:
            sys.setrecursionlimit(max(limit, _FRAMES))
            thread = threading.Thread(target=run, name="deep query")
            thread.start()
            thread.join()
        finally:
            threading.stack_size(size)
            sys.setrecursionlimit(limit)
    return outcome.result()

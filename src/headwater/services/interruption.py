"""Lets a request come to its end although somebody presses Ctrl-C meanwhile, so that what it made can be undone.

An interrupted request may have been carried out all the same: without its answer, nobody knows what to take back.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from headwater.errors import HeadwaterError

Made = TypeVar("Made")


def uninterrupted(make: Callable[[], Made], undo: Callable[[Made], object]) -> Made:
    """What ``make`` returns; on KeyboardInterrupt, that is waited for and undone before it goes on.

    >>> uninterrupted(lambda: 1, print)
    1
    """
    with ThreadPoolExecutor(1, "headwater-request") as thread:
        made = thread.submit(make)
        try:
            return made.result()
        except KeyboardInterrupt:
            with suppress(HeadwaterError):  # nothing was made, or it cannot be undone: the interruption says more
                undo(made.result())
            raise

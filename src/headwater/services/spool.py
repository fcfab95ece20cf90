"""Places on disk for what waits to be sent, with their process in the name, so that what a kill left can be removed."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

SPOOL_PREFIX = "dump-"


def spool_folder(state: Path, name: str) -> Path:
    """A place for a spool of this process below ``state``; what processes that were killed left there is removed."""
    state.mkdir(parents=True, exist_ok=True)
    for left in state.glob(f"{SPOOL_PREFIX}*"):
        if is_left_behind(left.name):
            shutil.rmtree(left, ignore_errors=True)
    return state / f"{SPOOL_PREFIX}{name}-{os.getpid()}"


@contextmanager
def spooled(state: Path, name: str) -> Iterator[Path]:
    """A new folder below ``state`` that is there inside the block only; after a kill, until the next of any kind."""
    place = spool_folder(state, name)
    folder = Path(mkdtemp(prefix=f"{place.name.rpartition('-')[0]}-", suffix=f"-{os.getpid()}", dir=state))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def is_left_behind(owner: str) -> bool:
    """Whether a name ends with the number of a process of this machine that has ended."""
    number = re.split("[-_]", owner)[-1]
    return number.isdecimal() and not _alive(int(number))


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True

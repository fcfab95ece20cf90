"""Places on disk for what waits to be sent, with their process in the name, so that what a kill left can be removed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

SPOOL_PREFIX = "dump-"


def spool_folder(state: Path, name: str) -> Path:
    """A place for a spool of this process below ``state``; what processes that were killed left there is removed."""
    state.mkdir(parents=True, exist_ok=True)
    for left in state.glob(f"{SPOOL_PREFIX}*"):
        owner = left.name.rpartition("-")[2]
        if owner.isdecimal() and not _alive(int(owner)):
            shutil.rmtree(left, ignore_errors=True)
    return state / f"{SPOOL_PREFIX}{name}-{os.getpid()}"


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True

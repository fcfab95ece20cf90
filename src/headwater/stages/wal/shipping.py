"""Takes whole segments out of the spool to S3 beside the receiver; while S3 is away they wait, and are tried again."""

from __future__ import annotations

import logging
import os
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType

from headwater.errors import AwsError
from headwater.model import OnProgress, Progress
from headwater.services import wal_archive
from headwater.services.wal_archive import WalStore
from headwater.wal_segments import HISTORY, is_segment

LONGEST_PAUSE = 30.0
REMEMBERED = 1000  # ends of segments, more than can wait here
log = logging.getLogger(__name__)


class Shipping:
    """A context manager; ``look()`` now and then keeps a thread busy that sends what is whole, oldest first.

    ``archived``: files that were sent; ``last``: the newest segment that S3 has; ``problem``: why S3 takes nothing now.
    """

    def __init__(self, spool: Path, store: WalStore, rate: int | None, on_progress: OnProgress) -> None:
        self._spool, self._store, self._rate, self._on_progress = spool, store, rate, on_progress
        self._thread = ThreadPoolExecutor(1, "headwater-ship")
        self._under_way: Future[None] | None = None
        self._failures = 0
        self._next = 0.0
        self._closing = False
        self._reached: list[tuple[str, datetime]] = []
        self.archived = 0
        self.last = ""
        self.problem = ""

    def __enter__(self) -> Shipping:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing = True
        self._thread.shutdown(wait=True)

    def note(self, segment: str, until: datetime) -> None:
        """With the log up to this segment, a moment can be recovered to."""
        self._reached = [*self._reached[1 - REMEMBERED :], (segment, until)]

    def look(self, *, patient: bool) -> None:
        """Collect how sending went, and go on. Raises VerificationError, OSError and, unless ``patient``, AwsError."""
        if self._under_way is not None:
            if not self._under_way.done():
                return
            ended, self._under_way = self._under_way, None
            try:
                ended.result()
                self._failures, self.problem = 0, ""
            except AwsError as error:
                if not patient:
                    raise
                self._postpone(error)
        if time.monotonic() >= self._next:
            self._under_way = self._thread.submit(self._ship)

    def finish(self) -> None:
        """Send what is left, and wait for it. Raises AwsError, VerificationError, OSError."""
        if self._under_way is not None:
            self._under_way.exception()  # what failed is tried once more
        self._thread.submit(self._ship).result()

    def waiting_bytes(self) -> int:
        """What is whole and not yet on S3."""
        total = 0
        for name in self._whole():
            with suppress(FileNotFoundError):  # sent just now
                total += (self._spool / name).stat().st_size
        return total

    def _postpone(self, error: AwsError) -> None:
        self._failures += 1
        pause = min(LONGEST_PAUSE, 2.0**self._failures)
        self._next, self.problem = time.monotonic() + pause, str(error)
        log.warning("S3 does not take the log, next attempt in %.0f s: %s", pause, error)

    def _whole(self) -> list[str]:
        names = sorted(entry.name for entry in os.scandir(self._spool) if entry.is_file())
        return [name for name in names if is_segment(name) or HISTORY.fullmatch(name)]  # renamed when it is whole

    def _ship(self) -> None:
        for name in self._whole():
            if self._closing:
                return
            file = self._spool / name
            until = max((moment for segment, moment in self._reached if segment <= name), default=None)
            if sent := wal_archive.store(self._store, file, until if is_segment(name) else None):
                self.archived += 1
            file.unlink()
            if is_segment(name):
                self.last = max(self.last, name)
            self._on_progress(Progress("wal", self.archived, None, "segments", name))
            if self._rate:
                time.sleep(sent / self._rate)

"""The handle on a running execution: stopping it on request, and at its work group's limit of scanned bytes."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from headwater.stack.lakehouse.engine import Session

_WATCH_SECONDS = 0.02


class Stopped(Exception):
    """The execution was cancelled; ``reason`` is its StateChangeReason, ``bytes_scanned`` what it had read by then."""

    def __init__(self, reason: str = "Query cancelled by user", bytes_scanned: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.bytes_scanned = bytes_scanned


class Interruptible(Protocol):
    """Where an execution runs."""

    def interrupt(self) -> None:
        """Make it end soon; from any thread."""
        ...


@dataclass
class Control:
    """One execution's switch. ``cutoff`` is the most bytes that it may scan, 0 for any number."""

    cutoff: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    stopped: bool = False
    reason: str = "Query cancelled by user"
    place: Interruptible | None = None
    scanned: int = 0

    def stop(self, reason: str | None = None) -> None:
        """Stop it, whether it waits or runs."""
        with self.lock:
            self.stopped = True
            self.reason = reason or self.reason
            runs = self.place is not None
        if runs:
            threading.Thread(target=self._interrupt, daemon=True).start()

    def check(self) -> None:
        """Raise ``Stopped`` if it was."""
        if self.stopped:
            raise Stopped(self.reason, self.scanned)

    @contextmanager
    def running_in(self, place: Interruptible) -> Iterator[None]:
        """Say where the execution runs, for as long as it does."""
        with self.lock:
            self.check()
            self.place = place
        try:
            yield
        finally:
            with self.lock:
                self.place = None

    @contextmanager
    def attached(self, session: Session) -> Iterator[None]:
        """Say which session works for the execution, and watch what it reads."""
        with self.running_in(session):
            yield from self._watched(session)

    def _watched(self, session: Session) -> Iterator[None]:
        done = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(session, done), daemon=True) if self.cutoff else None
        if watcher is not None:
            watcher.start()
        try:
            yield
            self.check()  # a session that was interrupted does not say what it read
            self._check_bytes(session.bytes_read() if self.cutoff else 0)
            self.check()
        finally:
            done.set()
            if watcher is not None:
                watcher.join()

    def _interrupt(self) -> None:
        # One interrupt is not enough: DuckDB forgets it when it comes between two of the session's statements.
        while True:
            with self.lock:
                if self.place is None:
                    return
                self.place.interrupt()
            time.sleep(_WATCH_SECONDS)

    def _check_bytes(self, scanned: int) -> None:
        self.scanned = max(self.scanned, scanned)
        if self.cutoff and scanned > self.cutoff:
            self.stop("Bytes scanned limit was exceeded")

    def _watch(self, session: Session, done: threading.Event) -> None:
        import duckdb  # not above: the process that serves S3 has no use for it

        # An instance that is closing down cannot be asked any more.
        with suppress(duckdb.Error):
            while not done.wait(_WATCH_SECONDS) and not self.stopped:
                self._check_bytes(session.bytes_read_beside())

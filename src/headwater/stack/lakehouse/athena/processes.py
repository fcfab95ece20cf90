"""Statements in processes of their own: each slot has one, made when it is first needed and kept warm."""

from __future__ import annotations

import multiprocessing
import os
import queue
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from headwater.stack.lakehouse.athena.control import Control
from headwater.stack.lakehouse.athena.job import Failure, Job, Outcome
from headwater.stack.lakehouse.athena.statement import FailedStatement
from headwater.stack.lakehouse.errors import QueryFailed
from headwater.stack.lakehouse.model import EngineSettings, Files, Storage

STOP_SECONDS = 2.0
_LOOK_SECONDS = 0.25
_WORKER = "headwater.stack.lakehouse.athena.worker"


@dataclass(frozen=True)
class WorkerSettings:
    """What a worker works on: the catalog and executions in ``state``, the objects in ``files``."""

    state: Path
    scratch: Path
    files: Files
    engine: EngineSettings


def work(connection: Connection, lifeline: Connection, settings: WorkerSettings) -> None:
    """The worker process."""
    from headwater.stack.lakehouse.athena import worker  # not in the process that serves S3, which needs no engine

    worker.work(connection, lifeline, settings)


class Processes:
    """``Statements`` whose slots are processes; ``settings`` has what all of them use together."""

    def __init__(self, settings: WorkerSettings, storage: Storage) -> None:
        self._slots = settings.engine.slots
        share = replace(settings.engine, slots=1, memory_bytes=settings.engine.memory_bytes // self._slots)
        self._settings = replace(settings, engine=share)
        fewer = replace(share, threads=max((share.threads or os.cpu_count() or 1) // 2, 1))
        self._beside = replace(settings, engine=fewer)
        self._storage = storage
        # They are forked from one that has imported everything, whose memory they share.
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([_WORKER])
        self._idle: queue.PriorityQueue[_Slot] = queue.PriorityQueue()
        for number in range(self._slots):
            self._idle.put(_Slot(number))

    @property
    def slots(self) -> int:
        """How many run at once."""
        return self._slots

    def start(self) -> None:
        """Make one process ahead of the first statement."""
        slot = self._idle.get()
        try:
            self._process(slot)
        finally:
            self._idle.put(slot)

    def run(self, job: Job, control: Control) -> Outcome:
        """Carry out one statement to its end; one that cannot be stopped goes down with its process."""
        if isinstance(job.statement, FailedStatement):
            raise job.statement.failure
        slot = self._idle.get()
        try:
            ended = self._process(slot).run(job, control, self._storage)
        except (EOFError, OSError):
            slot.clear()
            control.check()
            message = "the process that ran the query ended; it may have needed more memory than there is"
            raise QueryFailed(f"INTERNAL_ERROR: {message}", 1, 233) from None
        except BaseException:
            slot.clear()  # it may still be at work, and the next statement would wait for it
            raise
        finally:
            self._idle.put(slot)
        if isinstance(ended, Outcome):
            return ended
        raise ended.raised()

    def _process(self, slot: _Slot) -> _Process:
        if slot.process is not None and not slot.process.alive():
            slot.clear()
        if slot.process is None:
            settings = self._beside if slot.number else self._settings
            engine = replace(settings.engine, scratch=settings.engine.scratch / str(slot.number))
            slot.process = _Process(self._context, replace(settings, engine=engine))
        return slot.process

    def close(self) -> None:
        """End the processes."""
        for _ in range(self._slots):
            self._idle.get().clear()


@dataclass(order=True)
class _Slot:
    """A place for one statement. The first free one is taken, so that a statement that runs alone is in number 0."""

    number: int
    process: _Process | None = field(default=None, compare=False)

    def clear(self) -> None:
        """End its process."""
        if self.process is not None:
            self.process.close()
        self.process = None


class _Process:
    """One worker, seen from here; it runs one statement at a time."""

    def __init__(self, context: Any, settings: WorkerSettings) -> None:
        self._connection, theirs = context.Pipe()
        lifeline, self._lifeline = context.Pipe(duplex=False)
        self._process = context.Process(target=work, args=(theirs, lifeline, settings), daemon=True)
        self._process.start()
        theirs.close()
        lifeline.close()
        self._sending = threading.Lock()
        self._connection.recv()

    def run(self, job: Job, control: Control, storage: Storage) -> Outcome | Failure:
        """Give it the job, and do what it asks for until it has ended. Raises ``EOFError`` when it is gone."""
        place = _Running(self, job.identifier)
        with control.running_in(place):
            self.send("run", job)
            while True:
                kind, content = self._received(place)
                if kind == "ended":
                    ended: Outcome | Failure = content
                    return ended
                self.send("answer", _done(storage, kind, content))

    def _received(self, place: _Running) -> tuple[str, Any]:
        while not self._connection.poll(_LOOK_SECONDS):
            if place.stopped_at is not None and time.monotonic() > place.stopped_at + STOP_SECONDS:
                self._process.kill()
        received: tuple[str, Any] = self._connection.recv()
        return received

    def send(self, kind: str, content: object) -> None:
        """Send a message; from any thread."""
        with self._sending:
            self._connection.send((kind, content))

    def alive(self) -> bool:
        """Whether nothing has ended it."""
        return bool(self._process.is_alive())

    def close(self) -> None:
        """End it."""
        self._connection.close()
        self._lifeline.close()
        self._process.join(STOP_SECONDS)
        self._process.kill()
        self._process.join()


class _Running:
    """One statement in a process, as ``Control`` interrupts it."""

    def __init__(self, process: _Process, identifier: str) -> None:
        self._process = process
        self._identifier = identifier
        self.stopped_at: float | None = None

    def interrupt(self) -> None:
        """Ask for its end, once; from any thread."""
        if self.stopped_at is not None:
            return
        self.stopped_at = time.monotonic()
        with suppress(OSError):  # it is gone already
            self._process.send("stop", self._identifier)


def _done(storage: Storage, kind: str, content: tuple[Any, ...]) -> Exception | None:
    """What a request of the process raised, if anything."""
    try:
        (storage.put if kind == "put" else storage.delete)(*content)
    except Exception as error:  # noqa: BLE001 - the process that asked has to know, whatever it is
        return error
    return None

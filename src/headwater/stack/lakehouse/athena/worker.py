"""A process that runs statements one after the other, so that no query can hold up S3, Glue or another query."""

from __future__ import annotations

import fcntl
import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from headwater.stack.lakehouse.athena.control import Control, Stopped
from headwater.stack.lakehouse.athena.execute import Executor, Resources
from headwater.stack.lakehouse.athena.executions import AthenaStore
from headwater.stack.lakehouse.athena.job import Failure, Job, Outcome
from headwater.stack.lakehouse.athena.managed import FOLDER, ResultStorage
from headwater.stack.lakehouse.athena.processes import WorkerSettings
from headwater.stack.lakehouse.catalog.store import Catalog
from headwater.stack.lakehouse.engine import Engine
from headwater.stack.lakehouse.errors import ApiError, QueryFailed
from headwater.stack.lakehouse.model import Files, Scope, StoredObject
from headwater.stack.lakehouse.sql.functions.registry import registry

# All alike, so that no query starves another, and with a tenth of the weight of the server of S3, which is heard first.
_NICENESS = 10


class ParentStorage:
    """``Storage`` that lists and reads files in place, and has the process that serves S3 store and delete."""

    def __init__(self, files: Files, ask: Callable[[str, tuple[Any, ...]], None]) -> None:
        self._files = files
        self._ask = ask

    def objects(self, scope: Scope, bucket: str, prefix: str) -> Iterator[StoredObject]:
        """The objects below a prefix in key order."""
        return self._files.objects(scope, bucket, prefix)

    def put(self, scope: Scope, bucket: str, key: str, body: bytes | Path, content_type: str) -> None:
        """Store one object."""
        self._ask("put", (scope, bucket, key, body, content_type))

    def delete(self, scope: Scope, bucket: str, keys: Iterable[str]) -> None:
        """Delete objects."""
        self._ask("delete", (scope, bucket, list(keys)))


class Worker:
    """The conversation with the parent: it sends jobs, stops and answers; a job's requests and its outcome go back."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._jobs: queue.SimpleQueue[tuple[Job, Control]] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()
        self._asking = threading.Lock()

    def listen(self) -> None:
        """Take messages until the parent is gone, and end the process then, whatever it is doing."""
        identifier, control = "", Control()
        try:
            while True:
                kind, content = self._connection.recv()
                if kind == "run":
                    identifier, control = content.identifier, Control(content.cutoff)
                    self._jobs.put((content, control))
                elif kind == "stop" and content == identifier:
                    control.stop()
                elif kind == "answer":
                    self._answers.put(content)
        except (EOFError, OSError):
            os._exit(0)
        except BaseException:  # noqa: BLE001 - a worker that does not listen must not live on
            traceback.print_exc()
            os._exit(1)

    def ask(self, kind: str, content: tuple[Any, ...]) -> None:
        """Have the parent do something, and wait until it is done. Raises what it raised.

        A job asks from several threads (pyiceberg writes manifests side by side), but an answer does not say to whom.
        """
        with self._asking:
            self._connection.send((kind, content))
            failed = self._answers.get()
        if failed is not None:
            raise failed

    def serve(self, executor: Executor) -> None:
        """Run what comes, for ever."""
        while True:
            job, control = self._jobs.get()
            self._connection.send(("ended", _ended(executor, job, control)))


def _ended(executor: Executor, job: Job, control: Control) -> Outcome | Failure:
    try:
        return executor.run(job, control)
    except Stopped as stopped:
        return Failure(stopped.reason, bytes_scanned=stopped.bytes_scanned, stopped=True)
    except Exception as error:  # noqa: BLE001 - the statement must end, whatever it breaks off with
        failure = _failure(error)
        if not control.stopped:
            return failure
        return Failure(control.reason, bytes_scanned=max(control.scanned, failure.bytes_scanned), stopped=True)


def _failure(error: Exception) -> Failure:
    if isinstance(error, QueryFailed):
        return Failure(error.reason, error.category, error.error_type, error.bytes_scanned)
    if isinstance(error, ApiError):
        return Failure(error.message)
    traceback.print_exception(error)  # the log gets the reason, the client no local path
    return Failure("INTERNAL_ERROR: Headwater's local Athena failed on this query", 1, 233)


def work(connection: Connection, lifeline: Connection, settings: WorkerSettings) -> None:
    """The process: make the engine ready, say so, and run statements."""
    _end_with(lifeline)
    os.nice(_NICENESS)
    worker = Worker(connection)
    threading.Thread(target=worker.listen, name="parent", daemon=True).start()
    storage = ParentStorage(settings.files, worker.ask)
    engine = Engine(settings.engine)
    catalog = Catalog(settings.state / "catalog.sqlite")
    store = AthenaStore(settings.state / "athena.sqlite")
    results = ResultStorage(storage, settings.state / FOLDER)
    executor = Executor(Resources(store, catalog, storage, results, engine, registry(), settings.scratch))
    executor.start()
    connection.send(("ready", None))
    worker.serve(executor)


def _end_with(lifeline: Connection) -> None:
    """On Linux the kernel ends this process when the other end is closed; elsewhere ``listen`` does.

    What hangs does not listen: a thread that keeps Python's lock would go on for ever, long after the stack.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is for the command at the terminal
    if sys.platform == "linux":
        signal.signal(signal.SIGIO, signal.SIG_DFL)
        fcntl.fcntl(lifeline.fileno(), fcntl.F_SETOWN, os.getpid())
        flags = fcntl.fcntl(lifeline.fileno(), fcntl.F_GETFL)
        fcntl.fcntl(lifeline.fileno(), fcntl.F_SETFL, flags | os.O_ASYNC)

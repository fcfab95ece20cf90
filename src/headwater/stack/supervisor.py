"""The stack's one process: holds the lock, keeps PostgreSQL running and serves the front door until told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING

from headwater.stack import info
from headwater.stack.database import Database
from headwater.stack.fault import StackFault

if TYPE_CHECKING:
    from headwater.stack.buckets import Application
    from headwater.stack.lakehouse.service import Lakehouse

LOCK_FILE = "lock"
ALREADY_RUNNING = 3
WATCH_SECONDS = 0.5


def main(state: Path) -> int:
    """Serve until SIGTERM. Returns ALREADY_RUNNING at once when another supervisor has the folder."""
    state.mkdir(parents=True, exist_ok=True)
    lock = hold_lock(state)
    if lock is None:
        return ALREADY_RUNNING
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    # The server raises a signal again once it has stopped: by default that would end us before PostgreSQL is stopped.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    previous = info.read(state)
    database = Database(state, dict(os.environ))
    starting = _InThread(lambda: database.start(previous.postgres.port if previous else None))
    listener = _listen(previous.port if previous else None)
    try:
        asyncio.run(_serve(state, listener, database, starting))
    finally:
        starting.join()
        database.stop()
    return 0


def hold_lock(state: Path) -> IO[str] | None:
    """The folder's lock, held until the file is closed; None when another process has it."""
    descriptor = os.open(state / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
    file = os.fdopen(descriptor, "r+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


class _InThread:
    """Runs PostgreSQL's start beside the imports, which take as long."""

    def __init__(self, start: object) -> None:
        self._start = start
        self._login: info.Login | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="postgres-start")
        self._thread.start()

    def _run(self) -> None:
        try:
            self._login = self._start()  # type: ignore[operator] # a callable without arguments
        except BaseException as error:  # noqa: BLE001 - raised again in the main thread
            self._error = error

    def join(self) -> None:
        self._thread.join()

    def result(self) -> info.Login:
        self._thread.join()
        if self._error is not None:
            raise self._error
        assert self._login is not None  # noqa: S101 - the thread ended without an error
        return self._login


def _listen(preferred: int | None) -> socket.socket:
    """A listening socket on the last port, so that clients' variables stay true, or on a free one."""
    for port in (preferred, 0):
        if port is None:
            continue
        # asyncio turns Nagle's algorithm off only for sockets that name their protocol; with it, every answer of
        # two packets waits 40 ms for the client's delayed acknowledgement.
        listener = socket.socket(proto=socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            listener.close()
            continue
        listener.listen(512)
        return listener
    raise StackFault("no free port on 127.0.0.1")


async def _serve(state: Path, listener: socket.socket, database: Database, starting: _InThread) -> None:
    import uvicorn

    from headwater.stack.front_door import FrontDoor

    ministack, save_buckets, lakehouse = _services(state)
    token = secrets.token_urlsafe(16)
    config = uvicorn.Config(
        FrontDoor(ministack, lakehouse, lambda: {"token": token, "ready": database.ready()}, save_buckets),
        http="httptools",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,  # MiniStack sends its own
        timeout_keep_alive=75,
        timeout_graceful_shutdown=10,
    )
    # The thread that answers requests shares Python's lock with those that run queries: one millisecond, not five.
    sys.setswitchinterval(0.001)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        login = await asyncio.to_thread(starting.result)
        while not server.started and not serving.done():
            await asyncio.sleep(0.005)
        if not serving.done():
            port = listener.getsockname()[1]
            info.write(state, info.StackInfo(os.getpid(), port, token, login, time.time()))
            watching = asyncio.create_task(_keep_alive(database, login.port))
            await serving
            watching.cancel()
    except BaseException:
        server.should_exit = True
        await serving
        raise
    finally:
        lakehouse.close()


def _services(state: Path) -> tuple[Application, Callable[[], None], Lakehouse]:
    """MiniStack's application, what saves its buckets' configuration, and the lakehouse over its files."""
    # MiniStack reads its settings when it is imported; launcher.environment() has set them.
    from ministack.app import app as ministack
    from ministack.core import persistence
    from ministack.services import s3

    from headwater.stack import fast_checksums
    from headwater.stack.buckets import BucketFiles, MinistackStorage
    from headwater.stack.downloads import DownloadsFromDisk
    from headwater.stack.lakehouse.service import Lakehouse
    from headwater.stack.uploads import UploadsOnDisk

    def save_buckets() -> None:
        persistence.save_state("s3", s3.get_state())

    if not fast_checksums.install(s3):
        logging.warning("this MiniStack computes checksums in another way: CRC32C and CRC64NVME stay slow")
    if not (UploadsOnDisk(s3, state / "uploads").install() and DownloadsFromDisk(s3).install()):
        logging.warning("this MiniStack keeps objects in another way: large ones are held in memory")
    data = Path(s3.DATA_DIR)
    data.mkdir(exist_ok=True)
    storage = MinistackStorage(data, ministack, asyncio.get_running_loop())
    lakehouse = Lakehouse(state / "lakehouse", storage, files=BucketFiles(data))
    lakehouse.start()
    return ministack, save_buckets, lakehouse


async def _keep_alive(database: Database, port: int) -> None:
    """Start PostgreSQL again when it was killed; clients wait for it in launcher.running()."""
    while True:
        await asyncio.sleep(WATCH_SECONDS)
        if not database.alive():
            logging.warning("PostgreSQL is gone; starting it again")
            with contextlib.suppress(StackFault):
                await asyncio.to_thread(database.start, port)


if __name__ == "__main__":
    try:
        sys.exit(main(Path(sys.argv[1])))
    except StackFault as fault:
        sys.stderr.write(f"{fault}\n{fault.hint}\n")
        sys.exit(1)

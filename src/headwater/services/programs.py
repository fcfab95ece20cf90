"""Runs PostgreSQL's programs: output as a stream, complaints kept, no process left behind."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, cast

from headwater.errors import BackupError

BLOCK = 256 * 1024
PIPE_BYTES = 1024 * 1024
STDERR_KEPT = 64 * 1024
STOP_SECONDS = 30.0


class Program:
    """A running program; a context manager that never leaves it behind.

    What it wrote is whole only when ``finish()`` returned: the output of a killed program just ends.

    >>> with Program(["pg_basebackup", ...], login(address)) as program:                        # doctest: +SKIP
    ...     for block in program.blocks(): ...
    ...     warnings = program.finish()
    """

    def __init__(
        self, arguments: Sequence[str], environment: Mapping[str, str] | None = None, before: Sequence[str] = ()
    ) -> None:
        self._arguments, self._before = list(arguments), list(before)  # before: a wrapper such as ends_with_us()
        self._environment = None if environment is None else dict(environment)  # None: ours, handed on
        self._stderr = bytearray()
        self._process: subprocess.Popen[bytes] | None = None
        self._drain: threading.Thread | None = None

    @property
    def name(self) -> str:
        """The program's name, for messages."""
        return Path(self._arguments[0]).name

    def __enter__(self) -> Program:
        try:
            self._process = subprocess.Popen(
                [*self._before, *self._arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=self._environment,
                bufsize=0,
                start_new_session=True,  # Ctrl-C comes to us alone: we decide in which order things end
            )
        except OSError as error:
            raise BackupError(f"cannot start {self._arguments[0]}: {error}") from error
        assert self._process.stderr is not None  # noqa: S101 - asked for just above
        # Drained all the time: a full stderr pipe would stop the program, and us with it.
        self._drain = threading.Thread(target=self._read_stderr, args=(self._process.stderr,), daemon=True)
        self._drain.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process = self._running()
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # a wrapper's children too: they would keep our pipes open
        process.wait()
        if self._drain is not None:
            self._drain.join()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()

    def blocks(self) -> Iterator[memoryview]:
        """Its output, in whole blocks and a rest, until it ends for whichever reason.

        A block is overwritten by the next one: one buffer for all, because a fresh one for each costs more than the
        read itself. It is filled first: pg_dump writes 4 KiB at a time, and all that is done with each would add up.
        """
        stdout, buffer, filled = self.stdout, memoryview(bytearray(BLOCK)), 0
        _enlarge(stdout.fileno())
        while size := stdout.readinto(buffer[filled:]):
            filled += size
            if filled == BLOCK:
                yield buffer
                filled = 0
        if filled:
            yield buffer[:filled]

    def output(self) -> bytes:
        """All of its output, for a program that says little."""
        return b"".join(map(bytes, self.blocks()))

    @property
    def stdout(self) -> FileIO:
        """The unbuffered pipe of its output."""
        stdout = self._running().stdout
        assert stdout is not None  # noqa: S101 - asked for in __enter__
        return cast(FileIO, stdout)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._running().pid

    def signal(self, number: int) -> None:
        """Send a signal to it and its children; one that has ended is fine."""
        process = self._running()
        if process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)

    @property
    def ended(self) -> bool:
        """Whether it has ended, well or not."""
        return self._running().poll() is not None

    def stop(self) -> tuple[str, ...]:
        """Ask it to end (SIGINT) and wait for it; its warnings. Raises BackupError unless it then ended well."""
        process = self._running()
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired as error:
                raise BackupError(f"{self.name} did not stop within {STOP_SECONDS:.0f} seconds") from error
        return self.finish()

    def finish(self) -> tuple[str, ...]:
        """Wait for it; its warnings. Raises BackupError unless it ended with exit code 0."""
        code = self.wait()
        if code < 0:
            raise BackupError(f"{self.name} was killed by signal {-code}: {self.complaint()}")
        if code > 0:
            raise BackupError(f"{self.name} failed with exit code {code}: {self.complaint()}")
        return tuple(line.strip() for line in self.lines())

    def wait(self) -> int:
        """Wait for it and for all that it had to say; its exit code, or minus the signal that killed it."""
        code = self._running().wait()
        if self._drain is not None:
            self._drain.join()
        return code

    def lines(self) -> list[str]:
        """What it wrote to stderr so far (the end of it, if that was much), without blank lines."""
        return [line for line in self._stderr.decode("utf-8", "replace").splitlines() if line.strip()]

    def complaint(self) -> str:
        """Its last three errors, or its last three lines."""
        lines = [line.strip() for line in self.lines()]
        return "; ".join(([line for line in lines if "error:" in line] or lines)[-3:])

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError(f"{self.name} has not been started")
        return self._process

    def _read_stderr(self, pipe: BinaryIO) -> None:
        while data := pipe.read(4096):
            self._stderr += data
            if len(self._stderr) > STDERR_KEPT:
                del self._stderr[: len(self._stderr) - STDERR_KEPT]  # the end says what went wrong


def _enlarge(pipe: int) -> None:
    """Let a program run ahead by a mebibyte instead of 64 KiB: fewer switches between it and us. Linux only."""
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with suppress(OSError):  # the user's allowance for pipes is spent: slower, nothing else
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)


def run(arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Run a program to its end; its warnings. Raises BackupError unless it ended with exit code 0."""
    with Program(arguments, environment) as program:
        for _ in program.blocks():
            pass
        return program.finish()


def ends_with_us() -> tuple[str, ...]:
    """What to put before a command so that the kernel ends it when we are killed; nothing where that cannot be.

    What writes to our pipe ends by itself when that breaks; what writes files would go on and fill the disk.
    """
    program = shutil.which("setpriv")  # util-linux
    if program is None:
        return ()
    prefix = (program, "--pdeathsig", "KILL")
    works = subprocess.run([*prefix, "true"], check=False, capture_output=True).returncode == 0
    return prefix if works else ()


@contextmanager
def bound_to_us(group: int) -> Iterator[None]:
    """If we are killed inside the block, the process group ``group`` is killed too, its stopped processes included.

    The kernel's own signal (``ends_with_us``) reaches the program and not its workers, which would stay behind: those
    of a stopped pg_dump for ever, those of pg_restore until all is restored. A shell waits for our end of a pipe.
    """
    here, ours = os.pipe()
    try:
        watcher = subprocess.Popen(
            ["/bin/sh", "-c", 'read -r _; kill -KILL "-$1"', "headwater-watcher", str(group)],
            stdin=here,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        os.close(ours)
        raise BackupError(f"cannot start /bin/sh: {error}") from error
    finally:
        os.close(here)
    try:
        yield
    finally:
        watcher.kill()
        watcher.wait()
        os.close(ours)

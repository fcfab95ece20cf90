"""Runs pg_dump as a stream of bytes that ends well only if pg_dump did; its complaints are kept, never lost."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from types import TracebackType
from typing import BinaryIO

from headwater.errors import BackupError
from headwater.model import PostgresAddress
from headwater.services.tools import Tool, login

BLOCK = 1024 * 1024
STDERR_KEPT = 64 * 1024
ARCHIVE_MAGIC = b"PGDMP"


class Dump:
    """A running pg_dump that writes a custom archive to us; a context manager that never leaves the process behind.

    Read ``blocks()`` to their end, then call ``finish()``: only that tells a whole dump from one that was cut short,
    because a killed pg_dump's output just ends.
    """

    def __init__(self, tool: Tool, address: PostgresAddress, flags: Sequence[str], before: Sequence[str] = ()) -> None:
        self._arguments = [*before, str(tool.path), *flags]
        self._environment = dict(login(address))
        self._stderr = bytearray()
        self._wrote = False
        self._process: subprocess.Popen[bytes] | None = None
        self._drain: threading.Thread | None = None

    def __enter__(self) -> Dump:
        try:
            self._process = subprocess.Popen(
                self._arguments,
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
        # Drained all the time: a full stderr pipe would stop pg_dump, and us with it.
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

    @property
    def pid(self) -> int:
        """The process id of pg_dump."""
        return self._running().pid

    def blocks(self) -> Iterator[memoryview]:
        """Its output, in blocks of up to a mebibyte, until it ends for whichever reason.

        A block is overwritten by the next one: one buffer for all, because a fresh mebibyte for each read costs more
        than the read itself.
        """
        stdout = self._running().stdout
        assert stdout is not None  # noqa: S101 - asked for in __enter__
        _enlarge(stdout.fileno())
        buffer = memoryview(bytearray(BLOCK))
        while size := stdout.readinto(buffer):  # type: ignore[attr-defined] # unbuffered: a FileIO
            block = buffer[:size]
            if not self._wrote and bytes(block[:5]) != ARCHIVE_MAGIC[:size]:
                raise BackupError("pg_dump wrote something that is not an archive", hint=self._complaint())
            self._wrote = True
            yield block

    def signal(self, number: int) -> None:
        """Send a signal to pg_dump and its workers; one that has ended is fine."""
        process = self._running()
        if process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)

    @property
    def ended(self) -> bool:
        """Whether pg_dump has ended, well or not."""
        return self._running().poll() is not None

    def accept(self) -> None:
        """Note that an archive was seen where it was to be written: without one, ``finish`` raises."""
        self._wrote = True

    def finish(self) -> tuple[str, ...]:
        """Wait for pg_dump; its warnings. Raises BackupError unless it wrote something and ended with exit code 0."""
        code = self._running().wait()
        if self._drain is not None:
            self._drain.join()
        if code < 0:
            raise BackupError(f"pg_dump was killed by signal {-code}; no backup was made", hint=self._complaint())
        if code > 0:
            raise BackupError(f"pg_dump failed with exit code {code}: {self._complaint()}; no backup was made")
        if not self._wrote:
            raise BackupError("pg_dump ended with exit code 0 and wrote nothing; no backup was made")
        return tuple(line for line in self._lines() if line)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("pg_dump has not been started")
        return self._process

    def _read_stderr(self, pipe: BinaryIO) -> None:
        while data := pipe.read(4096):
            self._stderr += data
            if len(self._stderr) > STDERR_KEPT:
                del self._stderr[: len(self._stderr) - STDERR_KEPT]  # the end says what went wrong

    def _lines(self) -> list[str]:
        return self._stderr.decode("utf-8", "replace").splitlines()

    def _complaint(self) -> str:
        lines = [line.strip() for line in self._lines() if line.strip()]
        errors = [line for line in lines if "error:" in line]
        return "; ".join((errors or lines)[-3:])


def _enlarge(pipe: int) -> None:
    """Let pg_dump run ahead by a mebibyte instead of 64 KiB: fewer switches between it and us. Linux only."""
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with suppress(OSError):  # the user's allowance for pipes is spent: slower, nothing else
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, BLOCK)

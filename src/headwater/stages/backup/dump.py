"""Runs pg_dump as a stream of bytes that ends well only if pg_dump did; its complaints are kept, never lost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import TracebackType

from headwater.errors import BackupError
from headwater.model import PostgresAddress
from headwater.services.programs import Program
from headwater.services.tools import Tool, login

ARCHIVE_MAGIC = b"PGDMP"


class Dump:
    """A running pg_dump that writes a custom archive to us; a context manager that never leaves the process behind.

    Read ``blocks()`` to their end, then call ``finish()``: only that tells a whole dump from one that was cut short,
    because a killed pg_dump's output just ends.
    """

    def __init__(self, tool: Tool, address: PostgresAddress, flags: Sequence[str], before: Sequence[str] = ()) -> None:
        self._program = Program([str(tool.path), *flags], login(address), before)
        self._wrote = False

    def __enter__(self) -> Dump:
        self._program.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._program.__exit__(kind, error, trace)

    @property
    def pid(self) -> int:
        """The process id of pg_dump."""
        return self._program.pid

    def blocks(self) -> Iterator[memoryview]:
        """Its output until it ends for whichever reason; a block is overwritten by the next one."""
        for block in self._program.blocks():
            if not self._wrote and bytes(block[:5]) != ARCHIVE_MAGIC[: len(block)]:
                raise BackupError("pg_dump wrote something that is not an archive", hint=self._program.complaint())
            self._wrote = True
            yield block

    def signal(self, number: int) -> None:
        """Send a signal to pg_dump and its workers; one that has ended is fine."""
        self._program.signal(number)

    @property
    def ended(self) -> bool:
        """Whether pg_dump has ended, well or not."""
        return self._program.ended

    def accept(self) -> None:
        """Note that an archive was seen where it was to be written: without one, ``finish`` raises."""
        self._wrote = True

    def finish(self) -> tuple[str, ...]:
        """Wait for pg_dump; its warnings. Raises BackupError unless it wrote something and ended with exit code 0."""
        code = self._program.wait()
        if code < 0:
            raise BackupError(
                f"pg_dump was killed by signal {-code}; no backup was made", hint=self._program.complaint()
            )
        if code > 0:
            raise BackupError(f"pg_dump failed with exit code {code}: {self._program.complaint()}; no backup was made")
        if not self._wrote:
            raise BackupError("pg_dump ended with exit code 0 and wrote nothing; no backup was made")
        return tuple(self._program.lines())

"""Streams pg_dump's parallel directory format while it is being written, so that it never lies on disk as a whole.

pg_dump -Fd writes one file for each table, several at once. Whatever has been written is sent as a tar entry and its
space given back; a file that grew over several entries is named ``3456.dat.part-000001`` and so on. By hand:
``tar x``, then ``cat`` the parts in order. If the spool still fills, pg_dump is stopped until there is room.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

from headwater.errors import BackupError
from headwater.services.programs import bound_to_us
from headwater.stages.backup.dump import ARCHIVE_MAGIC, Dump

SPOOL_LIMIT = 256 * 1024 * 1024
PART = 8 * 1024 * 1024
PAUSE = 0.02
_PUNCH_HOLE_KEEP_SIZE = 0x03  # FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE


class DirectoryDump:
    """The output of ``pg_dump --format=directory --file=SPOOL`` as one tar stream; the spool is gone afterwards."""

    def __init__(self, dump: Dump, spool: str) -> None:
        self._dump, self._spool = dump, Path(spool)
        self._taken: dict[str, int] = {}
        self._parts: dict[str, int] = {}
        self._stopped = False

    def blocks(self) -> Iterator[bytes]:
        """Tar blocks until pg_dump has ended and everything is out. Raises BackupError."""
        with bound_to_us(self._dump.pid):
            yield from self._blocks()

    def _blocks(self) -> Iterator[bytes]:
        try:
            while True:
                ended = self._dump.ended  # asked before looking: what is there afterwards is all there is
                waiting = self._waiting()
                self._hold_back(sum(waiting.values()))
                busy = False
                for name, size in waiting.items():
                    if size >= PART or ended or self._stopped:  # a full spool is emptied whatever it holds
                        yield from self._entries(name, size, last=ended)
                        busy = True
                if ended:
                    break
                if not busy:
                    time.sleep(PAUSE)
            yield bytes(2 * tarfile.BLOCKSIZE)  # how a tar ends
        except OSError as error:
            raise BackupError(f"cannot spool the dump in {self._spool}: {error}", hint="is the disk full?") from error
        finally:
            self._dump.signal(signal.SIGKILL)  # nothing if it has ended; otherwise it would go on writing
            shutil.rmtree(self._spool, ignore_errors=True)

    def _waiting(self) -> dict[str, int]:
        """How many bytes of each file have not been sent; the table of contents only at the end, as it comes last."""
        if not self._spool.is_dir():
            return {}
        ended, found = self._dump.ended, {}
        for entry in sorted(os.scandir(self._spool), key=lambda entry: entry.name):
            size = entry.stat().st_size - self._taken.get(entry.name, 0)
            if size > 0 or (ended and entry.name not in self._taken):
                found[entry.name] = size
        if not ended:
            found.pop("toc.dat", None)
        return found

    def _hold_back(self, waiting: int) -> None:
        if waiting > SPOOL_LIMIT and not self._stopped:
            self._dump.signal(signal.SIGSTOP)
            self._stopped = True
        elif waiting <= SPOOL_LIMIT // 2 and self._stopped:
            self._dump.signal(signal.SIGCONT)
            self._stopped = False

    def _entries(self, name: str, size: int, *, last: bool) -> Iterator[bytes]:
        with (self._spool / name).open("r+b") as file:
            while size > 0 or (last and name not in self._taken):
                begin, length = self._taken.get(name, 0), min(size, PART)
                file.seek(begin)
                data = file.read(length)
                if name == "toc.dat" and begin == 0 and data.startswith(ARCHIVE_MAGIC):
                    self._dump.accept()
                whole = last and begin == 0 and length == size
                yield _header(name if whole else self._part_name(name), len(data))
                yield data
                yield bytes(-len(data) % tarfile.BLOCKSIZE)
                self._taken[name] = begin + len(data)
                size -= len(data)
                _give_back(file.fileno(), begin, len(data))

    def _part_name(self, name: str) -> str:
        self._parts[name] = self._parts.get(name, 0) + 1
        return f"{name}.part-{self._parts[name]:06d}"


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    return info.tobuf(tarfile.GNU_FORMAT)


def _give_back(descriptor: int, begin: int, size: int) -> None:
    """Free the disk blocks of a range that has been sent. Linux only; elsewhere they stay until pg_dump has ended."""
    try:
        punch = ctypes.CDLL(None, use_errno=True).fallocate
    except (OSError, AttributeError):
        return
    punch.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    punch(descriptor, _PUNCH_HOLE_KEEP_SIZE, begin, size)

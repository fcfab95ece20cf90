"""Looks into the tar that pg_basebackup sends, while it passes: is it whole, and is each file what PostgreSQL sent."""

from __future__ import annotations

import tarfile
from typing import IO

from awscrt.checksums import crc32c

from headwater.errors import BackupError
from headwater.stages.physical.files import MANIFEST, is_crc32c, listed
from headwater.stages.physical.tar import TarReader


class TarWatch:
    """Feed it the stream; at the end ``files`` holds PostgreSQL's manifest of every file.

    pg_basebackup puts that manifest last, and then the two empty blocks that end a tar: a stream that has both is
    whole.
    """

    def __init__(self, files: IO[bytes]) -> None:
        self.files = files
        self._reader = TarReader(self)
        self._came: dict[str, tuple[int, int]] = {}  # size and CRC32C by name
        self._name = ""
        self._size = self._crc = 0

    def feed(self, block: bytes | memoryview) -> None:
        """Look at the next bytes. Raises BackupError if they are not a tar's."""
        try:
            self._reader.feed(block)
        except tarfile.TarError as error:
            raise BackupError(f"pg_basebackup wrote something that is not a tar: {error}") from error

    def begin(self, member: tarfile.TarInfo) -> None:
        """A file or a folder begins."""
        self._name, self._size, self._crc = member.name, 0, 0

    def data(self, piece: memoryview) -> None:
        """Some of its bytes."""
        self._size += len(piece)
        if self._name == MANIFEST:
            self.files.write(piece)
        else:
            self._crc = crc32c(piece, self._crc)

    def end(self) -> None:
        """It was whole."""
        self._came[self._name] = self._size, self._crc

    def finish(self) -> None:
        """Raises BackupError unless the tar was whole, and every file in it what PostgreSQL says that it sent."""
        try:
            self._reader.finish()
        except tarfile.TarError:
            self._came.clear()
        if MANIFEST not in self._came:
            raise BackupError("pg_basebackup's output ended before it was whole; no backup was made")
        self.files.seek(0)
        for name, entry in listed(self.files.read()).items():
            size, crc = self._came.get(name, (-1, 0))
            if size != entry["Size"] or not is_crc32c(crc, entry["Checksum"]):
                raise BackupError(f"{name} came from the server otherwise than it sent it", hint="try again")
        self.files.seek(0)

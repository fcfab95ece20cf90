"""Looks into the tar that pg_basebackup sends, while it passes: is it whole, and what does PostgreSQL say is in it."""

from __future__ import annotations

from typing import IO

from headwater.errors import BackupError

BLOCK = 512
FILES = "backup_manifest"


class TarWatch:
    """Feed it the stream; at the end ``files`` holds PostgreSQL's manifest of every file.

    pg_basebackup puts that manifest last, and then the two empty blocks that end a tar: a stream that has both is
    whole.
    """

    def __init__(self, files: IO[bytes]) -> None:
        self.files = files
        self._header = bytearray()
        self._data = 0  # bytes of the present file that are still to come
        self._padding = 0
        self._capture = False
        self._captured = False
        self._ended = False

    def feed(self, block: bytes) -> None:
        """Look at the next bytes. Raises BackupError if they are not a tar's."""
        position = 0
        while position < len(block) and not self._ended:
            if self._data:
                taken = min(self._data, len(block) - position)
                if self._capture:
                    self.files.write(block[position : position + taken])
                self._data -= taken
                position += taken
            elif self._padding:
                taken = min(self._padding, len(block) - position)
                self._padding -= taken
                position += taken
            else:
                taken = min(BLOCK - len(self._header), len(block) - position)
                self._header += block[position : position + taken]
                position += taken
                if len(self._header) == BLOCK:
                    self._enter(bytes(self._header))
                    self._header.clear()

    def finish(self) -> None:
        """Raises BackupError unless the tar was whole."""
        if not self._ended or not self._captured:
            raise BackupError("pg_basebackup's output ended before it was whole; no backup was made")
        self.files.seek(0)

    def _enter(self, header: bytes) -> None:
        if not any(header):
            self._ended = True
            return
        if header[257:262] != b"ustar":
            raise BackupError("pg_basebackup wrote something that is not a tar")
        name = header[:100].rstrip(b"\0").decode("utf-8", "replace")
        size = header[124:136]
        # Above 8 GiB the size is binary, marked by the highest bit (GNU's extension, which PostgreSQL uses).
        self._data = int.from_bytes(size[1:], "big") if size[0] & 0x80 else int(size.rstrip(b"\0 ") or b"0", 8)
        self._padding = -self._data % BLOCK
        self._capture = name == FILES
        self._captured |= self._capture

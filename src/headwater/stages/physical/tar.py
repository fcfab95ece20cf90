"""Takes a tar apart while it passes, without copying what is in it: tarfile copies each byte three times.

Headers are tarfile's to read. A cluster's tar has files and folders only; what else is in it is handed on by its type.
"""

from __future__ import annotations

import tarfile
from typing import Protocol

BLOCK = tarfile.BLOCKSIZE


class Members(Protocol):
    """Who takes what is in the tar: each member is begun, its bytes come in any number of pieces, and it is ended."""

    def begin(self, member: tarfile.TarInfo) -> None:
        """The next member."""

    def data(self, piece: memoryview) -> None:
        """Its next bytes; the piece is gone after the call."""

    def end(self) -> None:
        """All of its bytes came."""


class TarReader:
    """Feed it the blocks of a tar as they come, of any size, and call ``finish()`` after the last one."""

    def __init__(self, members: Members) -> None:
        self._members = members
        self._header = bytearray()
        self._long_name: bytearray | None = None  # of the next member; this one's content is the name
        self._name = b""
        self._data = 0  # bytes of the present member that are still to come
        self._padding = 0
        self._ended = False

    def feed(self, block: bytes | memoryview) -> None:
        """Take the next bytes apart. Raises tarfile.TarError if they are not a tar's."""
        view, position = memoryview(block), 0
        while position < len(view) and not self._ended:
            if self._data:
                piece = view[position : position + self._data]
                self._take(piece)
                position += len(piece)
            elif self._padding:
                taken = min(self._padding, len(view) - position)
                self._padding -= taken
                position += taken
            else:
                piece = view[position : position + BLOCK - len(self._header)]
                self._header += piece
                position += len(piece)
                if len(self._header) == BLOCK:
                    self._enter(bytes(self._header))
                    self._header.clear()

    def finish(self) -> None:
        """Raises tarfile.TarError unless the block that ends a tar came."""
        if not self._ended:
            raise tarfile.ReadError("it ends before it is whole")

    def _enter(self, header: bytes) -> None:
        if not any(header):
            self._ended = True
            return
        member = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
        if member.type == tarfile.GNUTYPE_LONGNAME:
            self._long_name = bytearray()
        else:
            if self._name:
                member.name, self._name = self._name.decode("utf-8", "surrogateescape"), b""
            self._members.begin(member)
        self._data = member.size if member.isreg() or self._long_name is not None else 0
        self._padding = -self._data % BLOCK
        if not self._data:
            self._finish_member()

    def _take(self, piece: memoryview) -> None:
        if self._long_name is None:
            self._members.data(piece)
        else:
            self._long_name += piece
        self._data -= len(piece)
        if not self._data:
            self._finish_member()

    def _finish_member(self) -> None:
        if self._long_name is None:
            self._members.end()
        else:
            self._name, self._long_name = bytes(self._long_name).rstrip(b"\0"), None

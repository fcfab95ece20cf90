"""Text files that DuckDB would not read line by line as Hive does, as plain files beside the spilled data.

DuckDB 1.5.5 takes what is left of a damaged gzip or zstd file for all of it, and reads no other compression; it skips
the wrong header lines, or fails, where the lines of one file end in different ways. Hive takes a line feed, a carriage
return and both together for the same.
"""

from __future__ import annotations

import errno
import os
import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import zstandard

from headwater.stack.lakehouse.errors import QueryFailed, Unsupported
from headwater.stack.lakehouse.model import Table
from headwater.stack.lakehouse.sources.codecs import CODECS
from headwater.stack.lakehouse.sources.model import DataFile, Reader, Source

_CHUNK = 512 * 1024  # a line of 1 MiB has a whole piece without a line end


@dataclass(frozen=True)
class Margins:
    """How many lines at the beginning and at the end of each file are no rows."""

    header: int
    footer: int

    @classmethod
    def of(cls, table: Table) -> Margins:
        """What a table's properties say. Raises ``QueryFailed``."""
        return cls(_lines(table, "skip.header.line.count"), _lines(table, "skip.footer.line.count"))


def _lines(table: Table, name: str) -> int:
    text = table.parameters.get(name, table.serde_parameters.get(name, "0")).strip() or "0"
    if not text.isdigit():
        raise QueryFailed(f"HIVE_INVALID_METADATA: Invalid value for {name} property: {text}")
    return int(text)


def unpacked(source: Source, reader: Reader) -> Source:
    """The source with a plain copy of each file that needs it; the bytes that count are those of the object."""
    margins = Margins.of(source.table)
    with ThreadPoolExecutor(os.cpu_count() or 1) as threads:
        files = list(threads.map(lambda file: _readable(file, reader, margins), source.files))
    reader.count(sum(old.stored.size for old, new in zip(source.files, files, strict=True) if new.stored != old.stored))
    return replace(source, files=files)


def _readable(file: DataFile, reader: Reader, margins: Margins) -> DataFile:
    suffix = "." + file.stored.key.rpartition(".")[2]
    if suffix == ".lzo":
        raise Unsupported(f"text compressed as {suffix}")
    packed = suffix in CODECS
    shape = _Shape() if packed else _Shape.of(file.stored.path)
    if not packed and not shape.mixed and not margins.footer:
        return replace(file, long_lines=shape.long)
    plain = reader.scratch_file()
    chunks = CODECS[suffix](file.stored.path) if packed else _pieces(file.stored.path)
    try:
        with plain.open("wb") as target:
            target.writelines(_with_one_line_end(chunks))
    except (OSError, EOFError, ValueError, zlib.error, zstandard.ZstdError) as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise QueryFailed(f"EXCEEDED_LOCAL_MEMORY_LIMIT: No space is left to unpack {file.uri}") from error
        raise QueryFailed(f"HIVE_BAD_DATA: Not a valid compressed file: {file.uri}") from error
    _cut_last_lines(plain, margins.footer)
    key = file.stored.key.rpartition(".")[0] if packed else file.stored.key
    return replace(file, stored=replace(file.stored, key=key, path=plain), long_lines=_Shape.of(plain).long)


@dataclass(frozen=True)
class _Shape:
    """Whether a file's lines end in different ways, and whether one may be longer than DuckDB expects of them."""

    mixed: bool = False
    long: bool = False

    @classmethod
    def of(cls, path: Path) -> _Shape:
        feeds = returns = both = 0
        long, last = False, b""
        for chunk in _pieces(path):
            feeds += chunk.count(b"\n")
            found = chunk.count(b"\r")
            if found or last == b"\r":
                returns += found
                both += chunk.count(b"\r\n") + (last == b"\r" and chunk[:1] == b"\n")
            long = long or (len(chunk) == _CHUNK and b"\n" not in chunk and b"\r" not in chunk)
            last = chunk[-1:]
        return cls(returns > 0 and not returns == both == feeds, long)


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            yield chunk


def _with_one_line_end(chunks: Iterable[bytes]) -> Iterator[bytes]:
    held = False  # a carriage return at the end of a chunk may be half of a line end
    for chunk in chunks:
        text = b"\r" + chunk if held else chunk
        held = text.endswith(b"\r")
        text = text[:-1] if held else text
        yield text.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in text else text
    if held:
        yield b"\n"


def _cut_last_lines(path: Path, count: int) -> None:
    """Shorten a file by lines; the last one may lack its end."""
    if not count:
        return
    with path.open("rb+") as file:
        end = file.seek(0, os.SEEK_END)
        file.truncate(_start_of_last_lines(path, end, count))


def _start_of_last_lines(path: Path, end: int, count: int) -> int:
    """Where the last lines of a file begin."""
    with path.open("rb") as file:
        left, tail = count + 1, b""
        while end > 0:
            start = max(0, end - _CHUNK)
            file.seek(start)
            tail = file.read(end - start)
            if left == count + 1 and not tail.endswith(b"\n"):
                left -= 1  # the last line has no end of its own
            place = len(tail)
            while left and (place := tail.rfind(b"\n", 0, place)) >= 0:
                left -= 1
                if not left:
                    return start + place + 1
            end = start
    return 0

"""Text files in compressions that DuckDB cannot read, as plain files beside the spilled data for one query."""

from __future__ import annotations

import bz2
import shutil
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from headwater.stack.lakehouse.errors import QueryFailed
from headwater.stack.lakehouse.sources.model import DataFile, Reader, Source

_CHUNK = 1024 * 1024


def unpacked(source: Source, reader: Reader) -> Source:
    """The source with each bzip2 and zlib file unpacked; the bytes that count are those of the object."""
    return replace(source, files=[_unpacked(file, reader) for file in source.files])


def _unpacked(file: DataFile, reader: Reader) -> DataFile:
    key, path = file.stored.key, file.stored.path
    if not key.endswith((".bz2", ".deflate")):
        return file
    plain = reader.scratch_file()
    try:
        if key.endswith(".bz2"):
            with bz2.open(path, "rb") as packed, plain.open("wb") as target:
                shutil.copyfileobj(packed, target, _CHUNK)
        else:
            with plain.open("wb") as target:
                target.writelines(_inflated(path))
    except (OSError, EOFError, zlib.error) as error:
        raise QueryFailed(f"HIVE_BAD_DATA: Not a valid compressed file: {file.uri}") from error
    reader.count(file.stored.size)
    return replace(file, stored=replace(file.stored, key=key.rpartition(".")[0], path=plain))


def _inflated(path: Path) -> Iterator[bytes]:
    engine = zlib.decompressobj()
    with path.open("rb") as packed:
        while chunk := packed.read(_CHUNK):
            yield engine.decompress(chunk)
    yield engine.flush()

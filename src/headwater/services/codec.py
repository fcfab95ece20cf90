"""Turns a stream into its stored form and back: zstd or gzip, then age; in pieces, so that memory never grows."""

from __future__ import annotations

import os
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from io import RawIOBase
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import zstandard

from headwater.errors import BackupError, SettingsError, VerificationError
from headwater.services.read_ahead import STOP_SECONDS, closing_stream

if TYPE_CHECKING:
    from types import ModuleType

PIECE = 256 * 1024
SLICE = 4 * 1024  # unpacked at once: equal rows shrink to a ten-thousandth, a mebibyte of that would be gigabytes
GZIP_MEMBER = 16 + zlib.MAX_WBITS  # zlib's way to say "with gzip's header and checksum"
ENDINGS = {"zstd": ".zst", "gzip": ".gz", "none": ""}
NO_KEY = "No matching keys found"  # what pyrage says; its exception is the same for damaged data
OTHER_KEY = "give --identity FILE with the key of one of its recipients"
LEVELS = {"zstd": range(-7, 20), "gzip": range(1, 10), "none": range(1)}


@dataclass(frozen=True)
class Compression:
    """How a dump is compressed: ``method`` is zstd, gzip or none; ``threads`` is for zstd."""

    method: str = "zstd"
    level: int = 1
    threads: int = 2

    @property
    def ending(self) -> str:
        """What the object's name ends with."""
        return ENDINGS[self.method]


def parse_compression(text: str, threads: int = 2) -> Compression:
    """Read ``zstd``, ``zstd:3``, ``gzip:6`` or ``none``. Raises SettingsError.

    >>> parse_compression("zstd:3").level
    3
    """
    method, _, level = text.partition(":")
    if method not in ENDINGS:
        raise SettingsError(f"compression {text!r} is not known", hint="use zstd, zstd:LEVEL, gzip, gzip:LEVEL or none")
    try:
        number = int(level) if level else {"zstd": 1, "gzip": 6, "none": 0}[method]
    except ValueError:
        number = -100
    allowed = LEVELS[method]
    if number not in allowed:
        raise SettingsError(f"compression {text!r}: the level must be {allowed[0]} to {allowed[-1]}")
    return Compression(method, number, threads)


class _Coder(Protocol):
    def compress(self, data: Any, /) -> bytes: ...
    def flush(self) -> bytes: ...


class _Plain:
    def compress(self, data: Any) -> bytes:
        return bytes(data)

    def flush(self) -> bytes:
        return b""


def _coder(compression: Compression) -> _Coder:
    if compression.method == "zstd":
        maker = zstandard.ZstdCompressor(level=compression.level, threads=compression.threads, write_checksum=True)
        return maker.compressobj()
    if compression.method == "gzip":
        return zlib.compressobj(compression.level, zlib.DEFLATED, GZIP_MEMBER)
    return _Plain()


def compressed(blocks: Iterable[bytes | memoryview], compression: Compression) -> Iterator[bytes]:
    """The blocks as one compressed stream with a checksum of its own."""
    coder = _coder(compression)
    for block in blocks:
        if packed := coder.compress(block):
            yield packed
    yield coder.flush()


def decompressed(chunks: Iterable[bytes], method: str) -> Iterator[bytes]:
    """The other way. Raises VerificationError if the stream is damaged, cut short, or followed by something."""
    with closing_stream(chunks):
        yield from chunks if method == "none" else _decompressed(chunks, method)


def _decompressed(chunks: Iterable[bytes], method: str) -> Iterator[bytes]:
    decoder: Any
    opened: list[bytes] = []
    size = 0
    decoder = zstandard.ZstdDecompressor().decompressobj() if method == "zstd" else zlib.decompressobj(GZIP_MEMBER)
    try:
        for chunk in chunks:
            for start in range(0, len(chunk), SLICE):
                if decoder.eof:
                    raise VerificationError(f"there is something behind the end of its {method} stream")
                opened.append(decoder.decompress(chunk[start : start + SLICE]))
                size += len(opened[-1])
                if size >= PIECE:
                    yield b"".join(opened)
                    opened, size = [], 0
        yield b"".join(opened)
    except (zstandard.ZstdError, zlib.error) as error:
        raise VerificationError(f"it cannot be decompressed: {error}") from error
    if not decoder.eof or decoder.unused_data:
        raise VerificationError(f"its {method} stream does not end where the object ends")


def age_recipients(texts: Iterable[str]) -> list[Any]:
    """Age public keys (``age1…``) or SSH public keys. Raises SettingsError for one that is neither."""
    age, wanted = _age(), list(texts)
    try:
        return [(age.ssh if text.startswith("ssh-") else age.x25519).Recipient.from_str(text) for text in wanted]
    except age.RecipientError as error:
        raise SettingsError(f"not an age recipient: {error}", hint="one begins with age1 or ssh-") from error


def age_identities(file: Path) -> list[Any]:
    """The age secret keys in a file, one a line, as age-keygen writes it. Raises SettingsError."""
    age = _age()
    try:
        lines = [line.strip() for line in file.read_text().splitlines()]
        keys = [age.x25519.Identity.from_str(line) for line in lines if line.startswith("AGE-SECRET-KEY-")]
        if not keys and lines and lines[0].startswith("-----BEGIN"):
            keys = [age.ssh.Identity.from_buffer(file.read_bytes())]
    except (OSError, age.IdentityError) as error:
        raise SettingsError(f"cannot use the age identity {file}: {error}") from error
    if not keys:
        raise SettingsError(f"{file} holds no age identity", hint="age-keygen writes one: AGE-SECRET-KEY-1…")
    return keys


def encrypted(chunks: Iterable[bytes], recipients: list[Any]) -> Iterator[bytes]:
    """The chunks encrypted to the recipients; only the owner of an identity can read them again."""
    return _through(lambda reader, writer: _age().encrypt_io(reader, writer, recipients), chunks)


def decrypted(chunks: Iterable[bytes], identities: list[Any]) -> Iterator[bytes]:
    """The other way. Raises VerificationError if the data was changed, BackupError if no identity fits.

    Then, all of the chunks are read before: should they say themselves that they are damaged, that is raised.
    """
    age = _age()
    try:
        yield from _through(lambda reader, writer: age.decrypt_io(reader, writer, identities), chunks, drain=True)
    except (age.DecryptError, OSError) as error:  # it says OSError for what was changed behind the header
        if str(error) == NO_KEY:
            raise BackupError("it is encrypted for another identity than the one given", hint=OTHER_KEY) from error
        raise VerificationError(f"it cannot be decrypted: {error}", hint="is it the right identity?") from error


def _through(work: Callable[[Any, Any], object], chunks: Iterable[bytes], *, drain: bool = False) -> Iterator[bytes]:
    """Feed chunks through ``work(reader, writer)``, which blocks: two threads and two pipes of 64 KiB.

    ``drain``: take all the chunks even if ``work`` gives up, so that what is wrong with them is raised instead.
    """
    left = threading.Event()
    to_read, to_write = os.pipe()
    from_read, from_write = os.pipe()
    failures: list[BaseException] = []

    def feed() -> None:
        try:
            with os.fdopen(to_write, "wb", 0) as pipe, closing_stream(chunks):
                refused = False
                for chunk in chunks:
                    refused = refused or not _written(pipe, chunk)
                    if refused and (left.is_set() or not drain):
                        break  # the other side gave up, and says why
        except BaseException as error:  # noqa: BLE001 - handed to the reader of the stream, who raises it
            failures.insert(0, error)

    def run() -> None:
        try:
            with os.fdopen(to_read, "rb", PIECE) as reader, os.fdopen(from_write, "wb", PIECE) as writer:
                work(reader, writer)
        except BaseException as error:  # noqa: BLE001 - as above
            failures.append(error)

    threads = [threading.Thread(target=target, daemon=True) for target in (feed, run)]
    try:
        with os.fdopen(from_read, "rb", 0) as result:
            for thread in threads:
                thread.start()
            try:
                while piece := result.read(PIECE):
                    yield piece
            except GeneratorExit:
                left.set()
                raise
    except GeneratorExit:
        for thread in threads:
            thread.join(STOP_SECONDS)
        raise
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def _written(pipe: RawIOBase, chunk: bytes) -> bool:
    """Write all of it; False if nobody reads any longer."""
    view = memoryview(chunk)
    try:
        while view:
            view = view[pipe.write(view) or 0 :]
    except BrokenPipeError:
        return False
    return True


def _age() -> ModuleType:
    with suppress(ImportError):
        import pyrage

        found: ModuleType = pyrage
        return found
    raise BackupError("encryption needs pyrage, which is not installed", hint="pip install 'headwater[encryption]'")

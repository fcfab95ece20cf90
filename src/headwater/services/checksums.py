"""What S3 will report for given bytes (ETag, CRC32), so that local files and objects compare without a download."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

MIB = 1024 * 1024
FIRST_PART_SIZE = 8 * MIB
PARTS_PER_SIZE = 1000
SINGLE_PUT_LIMIT = 64 * MIB
"""Files up to here go in one PUT, which botocore streams from disk; larger ones in parts."""


def part_size(number: int) -> int:
    """Bytes of the part ``number`` (from 1): 8 MiB, doubled after every 1,000 parts.

    S3 allows 10,000 parts of at most 5 GiB. A stream's length is not known beforehand, so that parts have to grow;
    small ones first keep memory low: 8 MiB up to 7.8 GiB, 64 MiB at 100 GiB, and all 10,000 parts hold 8 TiB.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html

    >>> [part_size(n) // MIB for n in (1, 1000, 1001, 10000)]
    [8, 8, 16, 4096]
    """
    growth: int = 2 ** ((number - 1) // PARTS_PER_SIZE)
    return FIRST_PART_SIZE * growth


def crc32_base64(crc: int) -> str:
    """A CRC32 as S3 writes it.

    >>> crc32_base64(zlib.crc32(b"hello"))
    'NhCmhg=='
    """
    return base64.b64encode(crc.to_bytes(4, "big")).decode()


def composite_crc32(parts: list[int]) -> str:
    """The checksum that S3 gives a multipart object: the CRC32 of the parts' CRC32s, and how many there are."""
    joined = b"".join(crc.to_bytes(4, "big") for crc in parts)
    return f"{crc32_base64(zlib.crc32(joined))}-{len(parts)}"


def joined_crc32(parts: Iterable[tuple[int, int]]) -> int:
    """The CRC32 of a whole from ``(CRC32, bytes)`` of its parts, without reading them again.

    >>> joined_crc32([(zlib.crc32(b"hel"), 3), (zlib.crc32(b"lo"), 2)]) == zlib.crc32(b"hello")
    True
    """
    from awscrt.checksums import combine_crc32

    whole = 0
    for crc, size in parts:
        whole = combine_crc32(whole, crc, size)
    return whole


def same_checksum(left: str | None, right: str | None) -> bool:
    """Whether two checksums as S3 writes them are the same; not every service repeats the number of parts.

    >>> same_checksum("VnRiPg==-9", "VnRiPg=="), same_checksum(None, None)
    (True, False)
    """
    return left is not None and right is not None and left.partition("-")[0] == right.partition("-")[0]


@dataclass(frozen=True)
class Fingerprint:
    """A local file as S3 would report it after ``objects.put_file``: ``etag`` holds unless the bucket uses KMS keys."""

    size: int
    etag: str
    crc32: str


def fingerprint(path: Path) -> Fingerprint:
    """Read a file once and compute what S3 reports for it. Raises OSError."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if size <= SINGLE_PUT_LIMIT:
            return _whole(file)
        return _in_parts(file)


def _whole(file: BinaryIO) -> Fingerprint:
    md5, crc, size = hashlib.md5(usedforsecurity=False), 0, 0
    while block := file.read(MIB):
        md5.update(block)
        crc = zlib.crc32(block, crc)
        size += len(block)
    return Fingerprint(size, md5.hexdigest(), crc32_base64(crc))


def _in_parts(file: BinaryIO) -> Fingerprint:
    md5s, crcs, size = b"", [], 0
    for part in _parts(file):
        md5s += part.md5
        crcs.append(part.crc)
        size += part.size
    digest = hashlib.md5(md5s, usedforsecurity=False).hexdigest()
    return Fingerprint(size, f"{digest}-{len(crcs)}", composite_crc32(crcs))


@dataclass(frozen=True)
class _Part:
    md5: bytes
    crc: int
    size: int


def _parts(file: BinaryIO) -> Iterator[_Part]:
    number = 1
    while True:
        md5, crc, size = hashlib.md5(usedforsecurity=False), 0, 0
        while size < part_size(number) and (block := file.read(min(MIB, part_size(number) - size))):
            md5.update(block)
            crc = zlib.crc32(block, crc)
            size += len(block)
        if size == 0:
            return
        yield _Part(md5.digest(), crc, size)
        number += 1

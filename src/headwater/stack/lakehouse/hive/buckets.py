"""Hive's buckets: which bucket a row belongs to, and of which one a file is, so that a condition can rule files out.

The hash is Hive's first (``bucketing_version`` 1), the only one that Athena writes and takes for granted.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from headwater.stack.lakehouse.model import GlueJson, Table

Value = bool | int | float | str | date

_FILE = re.compile(r"(?:.*_)?bucket[-_](\d+)(?:[-_.].*)?|(\d+)_\d+.*")
_EPOCH = date(1970, 1, 1)
_LOW = 0xFFFFFFFF


@dataclass(frozen=True)
class Bucketing:
    """The columns whose hash decides, in order and in lower case, and the number of buckets."""

    columns: tuple[str, ...]
    count: int

    @classmethod
    def of(cls, table: Table, descriptor: GlueJson | None = None) -> Bucketing | None:
        """How a table (or a partition, by its own descriptor) is bucketed; ``None`` if not, or by another hash."""
        described = descriptor or table.glue.get("StorageDescriptor") or {}
        columns = tuple(str(name).lower() for name in described.get("BucketColumns") or ())
        count = int(described.get("NumberOfBuckets") or 0)
        other_hash = table.parameters.get("bucketing_version", "1") != "1" or "bucketing_format" in table.parameters
        return cls(columns, count) if columns and count > 0 and not other_hash else None


def hash_of(value: Value | None, kind: str) -> int:
    """Hive's hash of a value of a Trino type, as 32 bits without a sign. Raises ``KeyError`` for a type without one.

    >>> hash_of("ab", "varchar"), hash_of(-5, "bigint"), hash_of(None, "date")
    (3105, 4, 0)
    """
    return 0 if value is None else _HASHES[kind](value) & _LOW


def bucket_of(hashes: Sequence[int], count: int) -> int:
    """The bucket of a row, by the hashes of its bucket columns.

    >>> bucket_of([hash_of(0, "bigint"), hash_of("a", "varchar"), hash_of(True, "boolean")], 10)
    8
    """
    combined = 0
    for one in hashes:
        combined = (31 * combined + one) & _LOW
    return (combined & 0x7FFFFFFF) % count


def bucket_of_file(name: str) -> int | None:
    """The bucket that a file's name says, by the patterns of Hive and Trino.

    >>> [bucket_of_file(name) for name in ("000003_0", "1f_bucket-00007.snappy.parquet", "part-0.parquet")]
    [3, 7, None]
    """
    found = _FILE.fullmatch(name)
    return None if found is None else int(found[1] or found[2])


def _text(value: str) -> int:
    result = 0
    for byte in value.encode():
        result = (31 * result + (byte - 256 if byte > 127 else byte)) & _LOW  # Java's bytes have a sign
    return result


def _long(value: int) -> int:
    return (value >> 32) ^ value


_HASHES: Mapping[str, Callable[..., int]] = {
    "boolean": int,
    "tinyint": int,
    "smallint": int,
    "integer": int,
    "bigint": _long,
    "real": lambda value: struct.unpack(">i", struct.pack(">f", value))[0],
    "double": lambda value: _long(struct.unpack(">q", struct.pack(">d", value))[0]),
    "varchar": _text,
    "date": lambda value: (value - _EPOCH).days,
}
HASHED = frozenset(_HASHES)
"""The names of the Trino types that a table can be bucketed by."""

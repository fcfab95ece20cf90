"""Hive partition directories: ``year=2025/month=01`` to key values and back, with Hive's escaping of odd characters."""

from __future__ import annotations

import re
from collections.abc import Sequence

DEFAULT_PARTITION = "__HIVE_DEFAULT_PARTITION__"
"""The directory value that stands for NULL."""

# The characters that Hive's FileUtils.escapePathName writes as %XX, and no others.
_ESCAPED = re.compile("[\x01-\x1f\x7f\"#%'*/:=?\\\\{\\[\\]^]")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")


def escape(value: str) -> str:
    """A key name or value as it stands in a directory name.

    >>> escape("a/b:c=d é")
    'a%2Fb%3Ac%3Dd é'
    """
    return _ESCAPED.sub(lambda match: f"%{ord(match.group()):02X}", value)


def unescape(name: str) -> str:
    """The inverse of ``escape``; escapes of bytes past ASCII, which other writers make, are read as UTF-8.

    >>> unescape("2025-01-01 10%3A00"), unescape("caf%C3%A9"), unescape("100%")
    ('2025-01-01 10:00', 'café', '100%')
    """
    if "%" not in name:
        return name
    raw = bytearray()
    position = 0
    for match in _ESCAPE.finditer(name):
        raw += name[position : match.start()].encode("utf-8", "surrogatepass")
        raw.append(int(match.group(1), 16))
        position = match.end()
    raw += name[position:].encode("utf-8", "surrogatepass")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return _ESCAPE.sub(lambda match: chr(int(match.group(1), 16)), name)


def partition_path(keys: Sequence[str], values: Sequence[str]) -> str:
    """The directory of a partition below its table.

    >>> partition_path(["year", "city"], ["2025", "a/b"])
    'year=2025/city=a%2Fb'
    """
    return "/".join(
        f"{escape(key)}={escape(value) or DEFAULT_PARTITION}" for key, value in zip(keys, values, strict=True)
    )


def parse_partition_path(keys: Sequence[str], path: str) -> tuple[str, ...] | None:
    """The values in a directory path that names all keys in order; ``None`` if it is not such a path.

    >>> parse_partition_path(["year", "month"], "year=2025/month=01")
    ('2025', '01')
    """
    segments = path.split("/")
    if len(segments) != len(keys):
        return None
    values: list[str] = []
    for key, segment in zip(keys, segments, strict=True):
        name, separator, value = segment.partition("=")
        # Athena's MSCK REPAIR TABLE passes over directories in camel case.
        if not separator or not value or unescape(name) not in (key, key.lower()):
            return None
        values.append(unescape(value))
    return tuple(values)


def below(location: str, path: str) -> str:
    """The location of a directory below a table's location.

    >>> below("s3://lake/orders/", "year=2025")
    's3://lake/orders/year=2025'
    """
    return f"{location.rstrip('/')}/{path}"

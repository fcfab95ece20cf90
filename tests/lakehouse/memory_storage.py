"""An S3 of names only: enough for DDL, which lists objects and never reads them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from headwater.stack.lakehouse.errors import NoSuchBucket
from headwater.stack.lakehouse.model import Scope, StoredObject


class MemoryStorage:
    """Buckets with their keys; satisfies the ``Storage`` protocol."""

    def __init__(self, **buckets: Iterable[str]) -> None:
        self.buckets = {bucket: set(keys) for bucket, keys in buckets.items()}

    def objects(self, scope: Scope, bucket: str, prefix: str) -> Iterator[StoredObject]:
        if bucket not in self.buckets:
            raise NoSuchBucket(bucket)
        for key in sorted(self.buckets[bucket]):
            if key.startswith(prefix):
                yield StoredObject(key, Path("/nowhere"), 1, 0.0)

    def put(self, scope: Scope, bucket: str, key: str, body: bytes | Path, content_type: str) -> None:
        self.buckets.setdefault(bucket, set()).add(key)

    def delete(self, scope: Scope, bucket: str, keys: Iterable[str]) -> None:
        self.buckets[bucket] -= set(keys)

"""Which objects belong to a partition, by Hive's rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from headwater.stack.lakehouse.errors import AccessDenied, NoSuchBucket, QueryFailed
from headwater.stack.lakehouse.model import Partition, Scope, Storage, StoredObject, split_s3_uri
from headwater.stack.lakehouse.sources.model import DataFile


def data_files(
    storage: Storage, scope: Scope, partitions: Sequence[Partition], *, below: str = ""
) -> Iterator[DataFile]:
    """The data files of the partitions: everything below each location but hidden and empty objects.

    ``below`` is the table's location when all its partitions are wanted: one listing finds those that lie there.
    """
    places = [_place(partition) for partition in partitions]
    inside: dict[str, Partition] = {}
    if below and len(partitions) > 1:
        bucket, root = _place(Partition((), below))
        pairs = zip(places, partitions, strict=True)
        inside = {
            prefix: partition for (where, prefix), partition in pairs if where == bucket and _within(prefix, root)
        }
        for stored in listed(storage, scope, bucket, root) if inside else ():
            prefix = _owner(stored.key, inside) if stored.size > 0 else None
            if prefix is not None and not _hidden(stored.key[len(prefix) :]):
                yield DataFile(stored, f"s3://{bucket}/{stored.key}", inside[prefix])
    for (bucket, prefix), partition in zip(places, partitions, strict=True):
        if inside.get(prefix) is not partition:
            for stored in listed(storage, scope, bucket, prefix):
                if stored.size > 0 and not _hidden(stored.key[len(prefix) :]):
                    yield DataFile(stored, f"s3://{bucket}/{stored.key}", partition)


def _place(partition: Partition) -> tuple[str, str]:
    """The bucket and the prefix of a location."""
    try:
        bucket, key = split_s3_uri(partition.location)
    except ValueError as error:
        raise QueryFailed(f"HIVE_UNKNOWN_ERROR: Invalid location: {partition.location!r}") from error
    return bucket, key if not key or key.endswith("/") else key + "/"


def _within(prefix: str, root: str) -> bool:
    return prefix.startswith(root) and prefix != root


def _owner(key: str, prefixes: Mapping[str, Partition]) -> str | None:
    """The longest of the prefixes that the key lies below."""
    end = key.rfind("/")
    while end >= 0:
        if key[: end + 1] in prefixes:
            return key[: end + 1]
        end = key.rfind("/", 0, end)
    return None


def listed(storage: Storage, scope: Scope, bucket: str, prefix: str) -> Iterator[StoredObject]:
    """The objects below a prefix. Raises ``QueryFailed`` where Athena may not, or cannot, list them."""
    try:
        yield from storage.objects(scope, bucket, prefix)
    except NoSuchBucket as error:
        message = f"PERMISSION_DENIED: The specified bucket does not exist (Bucket: {bucket})"
        raise QueryFailed(f"HIVE_FILESYSTEM_ERROR: {message}") from error
    except AccessDenied as error:
        raise QueryFailed(f"PERMISSION_DENIED: Access Denied when reading s3://{bucket}/{prefix}") from error


def _hidden(relative: str) -> bool:
    return any(part.startswith(("_", ".")) for part in relative.split("/"))

"""Which objects belong to a partition, by Hive's rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from headwater.stack.lakehouse.errors import AccessDenied, NoSuchBucket, QueryFailed
from headwater.stack.lakehouse.model import Partition, Scope, Storage, split_s3_uri
from headwater.stack.lakehouse.sources.model import DataFile


def data_files(storage: Storage, scope: Scope, partitions: Iterable[Partition]) -> Iterator[DataFile]:
    """The data files of the partitions: everything below each location but hidden and empty objects."""
    for partition in partitions:
        try:
            bucket, key = split_s3_uri(partition.location)
        except ValueError as error:
            raise QueryFailed(f"HIVE_UNKNOWN_ERROR: Invalid location: {partition.location!r}") from error
        prefix = key if not key or key.endswith("/") else key + "/"
        try:
            for stored in storage.objects(scope, bucket, prefix):
                if stored.size > 0 and not _hidden(stored.key[len(prefix) :]):
                    yield DataFile(stored, f"s3://{bucket}/{stored.key}", partition)
        except NoSuchBucket as error:
            message = f"PERMISSION_DENIED: The specified bucket does not exist (Bucket: {bucket})"
            raise QueryFailed(f"HIVE_FILESYSTEM_ERROR: {message}") from error
        except AccessDenied as error:
            message = f"PERMISSION_DENIED: Access Denied when reading s3://{bucket}/{prefix}"
            raise QueryFailed(message) from error


def _hidden(relative: str) -> bool:
    return any(part.startswith(("_", ".")) for part in relative.split("/"))

"""Which files of a bucketed table can hold rows that a query wants, by their names."""

from __future__ import annotations

from collections.abc import Sequence

from headwater.stack.lakehouse.hive.buckets import Bucketing, bucket_of_file
from headwater.stack.lakehouse.model import Partition, Table
from headwater.stack.lakehouse.sources.model import DataFile
from headwater.stack.lakehouse.sql.pins import Pins, buckets


def in_wanted_buckets(table: Table, files: Sequence[DataFile], pins: Pins) -> list[DataFile]:
    """The files of the buckets that the pinned values fall into.

    A partition with a file whose name says no bucket is read whole: Athena refuses it, or trusts its files' order.
    """
    if not pins:
        return list(files)
    groups: dict[tuple[str, ...], list[DataFile]] = {}
    for file in files:
        groups.setdefault(file.partition.values, []).append(file)
    return [file for group in groups.values() for file in _of_partition(table, group, pins)]


def _of_partition(table: Table, files: list[DataFile], pins: Pins) -> list[DataFile]:
    bucketing = _bucketing(table, files[0].partition)
    wanted = None if bucketing is None else buckets(bucketing, pins)
    numbers = [bucket_of_file(file.uri.rsplit("/", 1)[-1]) for file in files]
    if bucketing is None or wanted is None or any(n is None or n >= bucketing.count for n in numbers):
        return files
    return [file for file, number in zip(files, numbers, strict=True) if number in wanted]


def _bucketing(table: Table, partition: Partition) -> Bucketing | None:
    return Bucketing.of(table, partition.glue.get("StorageDescriptor"))

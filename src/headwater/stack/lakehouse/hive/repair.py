"""Carries out MSCK REPAIR TABLE: registers the Hive partition directories that storage holds."""

from __future__ import annotations

from collections.abc import Iterator

from headwater.stack.lakehouse.catalog import paths
from headwater.stack.lakehouse.errors import AccessDenied, NoSuchBucket
from headwater.stack.lakehouse.hive.ast import RepairTable
from headwater.stack.lakehouse.hive.context import DdlContext, DdlResult, partition_keys, task_failed
from headwater.stack.lakehouse.hive.partitions import partition_input
from headwater.stack.lakehouse.model import GlueJson, split_s3_uri


def repair_table(statement: RepairTable, context: DdlContext) -> DdlResult:
    """Add what is in storage and not in the catalog; report, but keep, what is only in the catalog."""
    table = context.table(statement.table)
    names = [key.name for key in partition_keys(table)]
    if not names:
        raise task_failed(f"Table {table['Name']} is not a partitioned table")
    stored = dict(_directories(table, names, context))
    registered = {
        partition.values: partition.location
        for partition in context.catalog.partitions(context.scope, table["DatabaseName"], table["Name"])
    }
    missing = {values: directory for values, directory in stored.items() if values not in registered}
    base = str(table["StorageDescriptor"]["Location"])
    context.catalog.add_partitions(
        context.scope,
        table["DatabaseName"],
        table["Name"],
        (partition_input(table, values, paths.below(base, directory)) for values, directory in missing.items()),
        ignore_existing=True,
    )
    gone = [
        paths.partition_path(names, values)
        for values, location in registered.items()
        if values not in stored and location.rstrip("/").startswith(base.rstrip("/") + "/")
    ]
    return DdlResult(rows=_report(table["Name"], list(missing.values()), gone))


def _report(table: str, added: list[str], gone: list[str]) -> list[tuple[str | None, ...]]:
    lines: list[str] = []
    if added:
        lines.append("\t".join(["Partitions not in metastore:", *(f"{table}:{directory}" for directory in added)]))
    if gone:
        lines.append("\t".join(["Partitions missing from filesystem:", *(f"{table}:{path}" for path in gone)]))
    lines += [f"Repair: Added partition to metastore {table}:{directory}" for directory in added]
    return [(line,) for line in lines]


def _directories(table: GlueJson, names: list[str], context: DdlContext) -> Iterator[tuple[tuple[str, ...], str]]:
    """The values of each partition directory below the table, and the directory as it is spelt in storage."""
    bucket, prefix = split_s3_uri(table["StorageDescriptor"]["Location"])
    if prefix and not prefix.endswith("/"):
        prefix += "/"
    previous = ""
    try:
        for item in context.storage.objects(context.scope, bucket, prefix):
            segments = item.key[len(prefix) :].split("/", len(names))
            if len(segments) <= len(names):
                continue
            directory = "/".join(segments[:-1])
            if directory == previous:  # keys come in order, so the files of a directory stand together
                continue
            previous = directory
            values = paths.parse_partition_path(names, directory)
            if values is not None:
                yield values, directory
    except NoSuchBucket as error:
        raise task_failed(f"MetaException(message:The specified bucket does not exist: {bucket})") from error
    except AccessDenied as error:
        raise task_failed(f"MetaException(message:Access Denied to s3://{bucket}/{prefix})") from error

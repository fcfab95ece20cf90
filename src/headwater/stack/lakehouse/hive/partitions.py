"""Carries out the statements on partitions: ALTER TABLE ADD, DROP and RENAME PARTITION, and SHOW PARTITIONS."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from headwater.stack.lakehouse.catalog import paths
from headwater.stack.lakehouse.catalog.filters import matches
from headwater.stack.lakehouse.errors import ApiError, QueryFailed
from headwater.stack.lakehouse.hive import ast
from headwater.stack.lakehouse.hive.context import (
    DdlContext,
    DdlResult,
    check_keys,
    partition_keys,
    spec_values,
    task_failed,
)
from headwater.stack.lakehouse.hive.tables import check_location
from headwater.stack.lakehouse.model import Column, GlueJson, KeyFilter


def add_partitions(statement: ast.AddPartitions, context: DdlContext) -> DdlResult:
    """``ALTER TABLE … ADD PARTITION``: all of them, or none."""
    table = context.table(statement.table)
    inputs: list[GlueJson] = []
    for spec in statement.partitions:
        if spec.location is not None:
            check_location(spec.location)
        values = spec_values(table, spec)
        _check_types(table, values)
        inputs.append(partition_input(table, values, spec.location))
    try:
        context.catalog.add_partitions(
            context.scope, table["DatabaseName"], table["Name"], inputs, statement.if_not_exists
        )
    except ApiError as error:
        raise task_failed(f"{error.code}(message:{error.message})") from error
    return DdlResult()


def _check_types(table: GlueJson, values: Sequence[str]) -> None:
    """Refuse values that are none of their key's type: no query on the table could be answered."""
    for key, value in zip(partition_keys(table), values, strict=True):
        if not _reads(key.type, value):
            raise QueryFailed(
                f"FAILED: SemanticException [Error 10248]: Cannot add partition column {key.name} of type string as it "
                f"cannot be converted to type {key.type}"
            )


def _reads(kind: str, value: str) -> bool:
    try:
        if kind == "date":
            datetime.fromisoformat(value)
        elif kind in ("tinyint", "smallint", "int", "bigint"):
            int(value)
    except ValueError:
        return value == paths.DEFAULT_PARTITION
    return True


def partition_input(table: GlueJson, values: Sequence[str], location: str | None = None) -> GlueJson:
    """A ``PartitionInput`` that reads its files as the table does, by default from its Hive directory."""
    descriptor: GlueJson = table.get("StorageDescriptor") or {}
    if location is None:
        names = [key.name for key in partition_keys(table)]
        location = paths.below(descriptor.get("Location") or "", paths.partition_path(names, values))
    return {"Values": list(values), "Parameters": {}, "StorageDescriptor": {**descriptor, "Location": location}}


def drop_partitions(statement: ast.DropPartitions, context: DdlContext) -> DdlResult:
    """``ALTER TABLE … DROP PARTITION``: every partition that satisfies all conditions of a specification."""
    table = context.table(statement.table)
    found: list[tuple[str, ...]] = []
    for conditions in statement.specs:
        check_keys(table, [condition.key for condition in conditions])
        matching = list(_matching(table, conditions, context))
        if not matching and not statement.if_exists:
            shown = ", ".join(f"{item.key} {item.op} {item.value}" for item in conditions)
            raise QueryFailed(f"FAILED: SemanticException [Error 10006]: Partition not found ({shown})")
        found += matching
    context.catalog.delete_partitions(context.scope, table["DatabaseName"], table["Name"], list(dict.fromkeys(found)))
    return DdlResult()


def _matching(
    table: GlueJson, conditions: Sequence[ast.PartitionCondition], context: DdlContext
) -> Iterator[tuple[str, ...]]:
    filters = [KeyFilter(item.key, item.op, (item.value,)) for item in conditions if item.op != "!="]
    kinds = {key.name.lower(): (place, key.type) for place, key in enumerate(partition_keys(table))}
    excluded = [(*kinds[item.key], KeyFilter(item.key, "=", (item.value,))) for item in conditions if item.op == "!="]
    for partition in context.catalog.partitions(context.scope, table["DatabaseName"], table["Name"], filters):
        if not any(matches(item, partition.values[place], kind) for place, kind, item in excluded):
            yield partition.values


def rename_partition(statement: ast.RenamePartition, context: DdlContext) -> DdlResult:
    """``ALTER TABLE … PARTITION … RENAME TO PARTITION``: other values, the same location."""
    table = context.table(statement.table)
    old, new = spec_values(table, statement.old), spec_values(table, statement.new)
    database, name = table["DatabaseName"], table["Name"]
    try:
        partition = context.catalog.get_partition(context.scope, database, name, old)
        kept: GlueJson = {name: partition[name] for name in partition if name in ("Parameters", "StorageDescriptor")}
        context.catalog.update_partition(context.scope, database, name, old, {**kept, "Values": list(new)})
    except ApiError as error:
        raise task_failed(f"{error.code}(message:{error.message})") from error
    return DdlResult()


def show_partitions(statement: ast.ShowPartitions, context: DdlContext) -> DdlResult:
    """``SHOW PARTITIONS``: the registered ones, as directories."""
    table = context.table(statement.table)
    names = [key.name for key in partition_keys(table)]
    check_keys(table, list(statement.partition.values) if statement.partition else [])
    filters = [
        KeyFilter(key, "=", (value,)) for key, value in (statement.partition or ast.PartitionSpec({})).values.items()
    ]
    found = context.catalog.partitions(context.scope, table["DatabaseName"], table["Name"], filters)
    rows = [(paths.partition_path(names, partition.values),) for partition in found]
    return DdlResult((Column("partition", "string"),), rows)

"""Glue's operations on partitions."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice

from headwater.stack.lakehouse.catalog.expression import PartitionExpression, compile_expression
from headwater.stack.lakehouse.catalog.store import Catalog
from headwater.stack.lakehouse.errors import ApiError, not_found
from headwater.stack.lakehouse.glue.failures import detail_of, failure_of
from headwater.stack.lakehouse.glue.paging import decode_token, encode_token
from headwater.stack.lakehouse.glue.validation import (
    flag,
    invalid,
    items,
    optional_text,
    page_size,
    partition_input,
    structure,
    text,
    values,
)
from headwater.stack.lakehouse.model import GlueJson, Partition, Scope

_PAGE = 1000


def create_partition(catalog: Catalog, scope: Scope, request: GlueJson) -> GlueJson:
    """``CreatePartition``."""
    database, table = _names(request)
    given = partition_input(structure(request, "PartitionInput"))
    catalog.add_partitions(scope, database, table, [given], ignore_existing=False)
    return {}


def batch_create_partition(catalog: Catalog, scope: Scope, request: GlueJson) -> GlueJson:
    """``BatchCreatePartition``: up to 100; those that exist already are listed in ``Errors``."""
    database, table = _names(request)
    inputs = [partition_input(given) for given in items(request, "PartitionInputList", 100)]
    if not inputs:
        return {"Errors": []}
    try:
        catalog.add_partitions(scope, database, table, inputs, ignore_existing=False)
        return {"Errors": []}
    except ApiError as error:
        if error.code == "EntityNotFoundException":
            raise
    # None was added: one at a time tells the good from the bad.
    failed: list[GlueJson] = []
    for given in inputs:
        detail = failure_of(partial(catalog.add_partitions, scope, database, table, [given], ignore_existing=False))
        if detail is not None:
            failed.append({"PartitionValues": given["Values"], "ErrorDetail": detail})
    return {"Errors": failed}


def get_partition(catalog: Catalog, scope: Scope, request: GlueJson) -> GlueJson:
    """``GetPartition``."""
    return {"Partition": catalog.get_partition(scope, *_names(request), values(request, "PartitionValues"))}


def get_partitions(catalog: Catalog, scope: Scope, request: GlueJson) -> GlueJson:
    """``GetPartitions``: by ``Expression`` and ``Segment``, 1,000 a page."""
    database, table = _names(request)
    expression = _expression(catalog, scope, (database, table), optional_text(request, "Expression"))
    segment = _segment(request)
    size = page_size(request, _PAGE)
    after = decode_token(request.get("NextToken"))
    found = catalog.partitions(scope, database, table, expression.filters, after=after)
    admitted = (item for item in found if expression.admits(item.values) and _in_segment(item, segment))
    shown = list(islice(admitted, size + 1))
    answer: GlueJson = {"Partitions": [_shown(item, request) for item in shown[:size]]}
    if len(shown) > size:
        answer["NextToken"] = encode_token(shown[size - 1].values)
    return answer


def _expression(catalog: Catalog, scope: Scope, names: tuple[str, str], expression: str | None) -> PartitionExpression:
    if expression is None or not expression.strip():
        return PartitionExpression((), lambda _: True)
    keys = catalog.get_table(scope, *names).get("PartitionKeys") or []
    return compile_expression(expression, [(key["Name"], key.get("Type") or "string") for key in keys])


def _segment(request: GlueJson) -> tuple[int, int]:
    if request.get("Segment") is None:
        return 0, 1
    segment = structure(request, "Segment")
    number, total = segment.get("SegmentNumber"), segment.get("TotalSegments")
    if not isinstance(number, int) or not isinstance(total, int) or not 1 <= total <= 10 or not 0 <= number < total:
        raise invalid("Segment", segment, "SegmentNumber must be between 0 and TotalSegments, at most 10")
    return number, total


def _in_segment(partition: Partition, segment: tuple[int, int]) -> bool:
    number, total = segment
    return total == 1 or zlib.crc32("\x00".join(partition.values).encode()) % total == number


def _shown(partition: Partition, request: GlueJson) -> GlueJson:
    if not flag(request, "ExcludeColumnSchema") or "StorageDescriptor" not in partition.glue:
        return partition.glue
    descriptor = {name: value for name, value in partition.glue["StorageDescriptor"].items() if name != "Columns"}
    return {**partition.glue, "StorageDescriptor": descriptor}


def batch_get_partition(catalog: Catalog, scope: Scope, request: GlueJson) -> GlueJson:
    """``BatchGetPartition``: up to 1,000; those that do not exist are left out."""
    database, table = _names(request)
    wanted = list(_value_lists(request, "PartitionsToGet", 1000))
    return {"Partitions": catalog.get_partitions(scope, database, table, wanted), "UnprocessedKeys": []}


def update_partition(catalog: Catalog, scope: Scope, request: GlueJson) -> GlueJson:
    """``UpdatePartition``: the values in ``PartitionInput`` may be new ones."""
    old = values(request, "PartitionValueList")
    given = _renaming(structure(request, "PartitionInput"), old)
    catalog.update_partition(scope, *_names(request), old, given)
    return {}


def batch_update_partition(catalog: Catalog, scope: Scope, request: GlueJson) -> GlueJson:
    """``BatchUpdatePartition``: up to 100; what fails is listed in ``Errors``."""
    database, table = _names(request)
    catalog.get_table(scope, database, table)
    failed: list[GlueJson] = []
    for entry in items(request, "Entries", 100):
        old = values(entry, "PartitionValueList")
        given = _renaming(structure(entry, "PartitionInput"), old)
        detail = failure_of(partial(catalog.update_partition, scope, database, table, old, given))
        if detail is not None:
            failed.append({"PartitionValueList": old, "ErrorDetail": detail})
    return {"Errors": failed}


def _renaming(given: GlueJson, old: Sequence[str]) -> GlueJson:
    return partition_input({"Values": list(old), **given})


def delete_partition(catalog: Catalog, scope: Scope, request: GlueJson) -> GlueJson:
    """``DeletePartition``."""
    catalog.delete_partition(scope, *_names(request), values(request, "PartitionValues"))
    return {}


def batch_delete_partition(catalog: Catalog, scope: Scope, request: GlueJson) -> GlueJson:
    """``BatchDeletePartition``: up to 25; those that do not exist are listed in ``Errors``."""
    database, table = _names(request)
    wanted = list(_value_lists(request, "PartitionsToDelete", 25))
    missing = catalog.delete_partitions(scope, database, table, wanted)
    detail = detail_of(not_found("Cannot find partition."))
    return {"Errors": [{"PartitionValues": list(item), "ErrorDetail": detail} for item in missing]}


def _names(request: GlueJson) -> tuple[str, str]:
    return text(request, "DatabaseName"), text(request, "TableName")


def _value_lists(request: GlueJson, name: str, most: int) -> Iterator[list[str]]:
    for item in items(request, name, most):
        if not isinstance(item, dict):
            raise ApiError("SerializationException", f"{name} must be a list of structures.")
        yield values(item, "Values")

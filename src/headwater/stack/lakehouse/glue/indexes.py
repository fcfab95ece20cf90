"""Glue's operations on partition indexes."""

from __future__ import annotations

from headwater.stack.lakehouse.catalog.store import Catalog
from headwater.stack.lakehouse.errors import invalid_input
from headwater.stack.lakehouse.glue.validation import text, values
from headwater.stack.lakehouse.model import GlueJson, Scope


def create_partition_index(catalog: Catalog, scope: Scope, request: GlueJson) -> GlueJson:
    """``CreatePartitionIndex``: it is active at once."""
    given: GlueJson = request["PartitionIndex"]
    catalog.create_partition_index(scope, *_names(request), text(given, "IndexName"), values(given, "Keys"))
    return {}


def get_partition_indexes(catalog: Catalog, scope: Scope, request: GlueJson) -> GlueJson:
    """``GetPartitionIndexes``: all on one page, because a table has few."""
    return {"PartitionIndexDescriptorList": catalog.partition_indexes(scope, *_names(request))}


def delete_partition_index(catalog: Catalog, scope: Scope, request: GlueJson) -> GlueJson:
    """``DeletePartitionIndex``."""
    catalog.delete_partition_index(scope, *_names(request), text(request, "IndexName"))
    return {}


def requested_indexes(request: GlueJson) -> dict[str, list[str]]:
    """The keys of each index that CreateTable asks for, by its name."""
    found: dict[str, list[str]] = {}
    for given in request.get("PartitionIndexes") or []:
        name = text(given, "IndexName")
        if name in found:
            raise invalid_input(f"Partition index {name} is given twice.")
        found[name] = values(given, "Keys")
    return found


def _names(request: GlueJson) -> tuple[str, str]:
    return text(request, "DatabaseName"), text(request, "TableName")

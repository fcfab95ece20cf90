"""Glue's operations on column statistics."""

from __future__ import annotations

from headwater.stack.lakehouse.catalog.store import Catalog
from headwater.stack.lakehouse.errors import ApiError, not_found
from headwater.stack.lakehouse.glue.validation import items, text, values
from headwater.stack.lakehouse.model import GlueJson, Scope


def get_column_statistics_for_table(catalog: Catalog, scope: Scope, request: GlueJson) -> GlueJson:
    """``GetColumnStatisticsForTable``."""
    return _get(catalog, scope, request, None)


def get_column_statistics_for_partition(catalog: Catalog, scope: Scope, request: GlueJson) -> GlueJson:
    """``GetColumnStatisticsForPartition``."""
    return _get(catalog, scope, request, values(request, "PartitionValues"))


def update_column_statistics_for_table(catalog: Catalog, scope: Scope, request: GlueJson) -> GlueJson:
    """``UpdateColumnStatisticsForTable``."""
    return _update(catalog, scope, request, None)


def update_column_statistics_for_partition(catalog: Catalog, scope: Scope, request: GlueJson) -> GlueJson:
    """``UpdateColumnStatisticsForPartition``."""
    return _update(catalog, scope, request, values(request, "PartitionValues"))


def delete_column_statistics_for_table(catalog: Catalog, scope: Scope, request: GlueJson) -> GlueJson:
    """``DeleteColumnStatisticsForTable``."""
    catalog.delete_column_statistics(scope, *_names(request), text(request, "ColumnName"))
    return {}


def delete_column_statistics_for_partition(catalog: Catalog, scope: Scope, request: GlueJson) -> GlueJson:
    """``DeleteColumnStatisticsForPartition``."""
    wanted = values(request, "PartitionValues")
    catalog.delete_column_statistics(scope, *_names(request), text(request, "ColumnName"), wanted)
    return {}


def _get(catalog: Catalog, scope: Scope, request: GlueJson, partition: list[str] | None) -> GlueJson:
    known = {item["ColumnName"]: item for item in catalog.column_statistics(scope, *_names(request), partition)}
    wanted = [str(name) for name in items(request, "ColumnNames", 100)]
    missing = [name for name in wanted if name not in known]
    return {
        "ColumnStatisticsList": [known[name] for name in wanted if name in known],
        "Errors": [{"ColumnName": name, "Error": _detail(name)} for name in missing],
    }


def _update(catalog: Catalog, scope: Scope, request: GlueJson, partition: list[str] | None) -> GlueJson:
    given = items(request, "ColumnStatisticsList", 25)
    for item in given:
        if not isinstance(item, dict):
            raise ApiError("SerializationException", "ColumnStatisticsList must be a list of structures.")
        text(item, "ColumnName")
    table = catalog.get_table(scope, *_names(request))
    known = [*((table.get("StorageDescriptor") or {}).get("Columns") or []), *(table.get("PartitionKeys") or [])]
    columns = {column["Name"].lower() for column in known}
    good = [item for item in given if item["ColumnName"].lower() in columns]
    catalog.update_column_statistics(scope, *_names(request), good, partition)
    bad = [item for item in given if item not in good]
    return {"Errors": [{"ColumnStatistics": item, "Error": _unknown(item["ColumnName"])} for item in bad]}


def _unknown(name: str) -> GlueJson:
    return {"ErrorCode": "EntityNotFoundException", "ErrorMessage": f"Column {name} not found."}


def _names(request: GlueJson) -> tuple[str, str]:
    return text(request, "DatabaseName"), text(request, "TableName")


def _detail(name: str) -> GlueJson:
    error = not_found(f"Column statistics of {name} not found.")
    return {"ErrorCode": error.code, "ErrorMessage": error.message}

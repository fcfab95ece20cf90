"""Glue's operations on column statistics."""

from __future__ import annotations

from collections.abc import Collection

from headwater.stack.lakehouse.catalog.store import Catalog
from headwater.stack.lakehouse.errors import ApiError, invalid_input, not_found
from headwater.stack.lakehouse.glue.failures import detail_of
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
    known = {item["ColumnName"].lower(): item for item in catalog.column_statistics(scope, *_names(request), partition)}
    wanted = [str(name) for name in items(request, "ColumnNames", 100)]
    missing = [name for name in wanted if name.lower() not in known]
    return {
        "ColumnStatisticsList": [known[name.lower()] for name in wanted if name.lower() in known],
        "Errors": [
            {"ColumnName": name, "Error": detail_of(not_found("Statistics do not exist for this column"))}
            for name in missing
        ],
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
    good, errors = [], []
    for item in given:
        trouble = _trouble(item, columns)
        if trouble is None:
            good.append(item)
        else:
            errors.append({"ColumnStatistics": item, "Error": detail_of(trouble)})
    catalog.update_column_statistics(scope, *_names(request), good, partition)
    return {"Errors": errors}


def _trouble(item: GlueJson, columns: Collection[str]) -> ApiError | None:
    """Why the statistics of a column are not kept."""
    if item["ColumnName"].lower() not in columns:
        return not_found(f"Column {item['ColumnName']} not found.")
    kind = item["StatisticsData"]["Type"]
    member = f"{kind.capitalize()}ColumnStatisticsData"
    if item["StatisticsData"].get(member) is None:
        return invalid_input(f"Column statistics of type {kind} need {member}.")
    return None


def _names(request: GlueJson) -> tuple[str, str]:
    return text(request, "DatabaseName"), text(request, "TableName")

"""The AWS Glue Data Catalog API: from the name of an operation to its answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from headwater.stack.lakehouse.catalog.store import Catalog
from headwater.stack.lakehouse.errors import ApiError
from headwater.stack.lakehouse.glue import databases, indexes, partitions, search, statistics, tables, tags
from headwater.stack.lakehouse.model import GlueJson, Scope

Operation = Callable[[Catalog, Scope, GlueJson], GlueJson]

_OPERATIONS: tuple[Operation, ...] = (
    databases.create_database,
    databases.delete_database,
    databases.get_database,
    databases.get_databases,
    databases.update_database,
    tables.batch_delete_table,
    tables.batch_delete_table_version,
    tables.create_table,
    tables.delete_table,
    tables.delete_table_version,
    tables.get_table,
    tables.get_table_version,
    tables.get_table_versions,
    tables.get_tables,
    search.search_tables,
    tables.update_table,
    partitions.batch_create_partition,
    partitions.batch_delete_partition,
    partitions.batch_get_partition,
    partitions.batch_update_partition,
    partitions.create_partition,
    partitions.delete_partition,
    partitions.get_partition,
    partitions.get_partitions,
    partitions.update_partition,
    indexes.create_partition_index,
    indexes.delete_partition_index,
    indexes.get_partition_indexes,
    statistics.delete_column_statistics_for_partition,
    statistics.delete_column_statistics_for_table,
    statistics.get_column_statistics_for_partition,
    statistics.get_column_statistics_for_table,
    statistics.update_column_statistics_for_partition,
    statistics.update_column_statistics_for_table,
    tags.get_tags,
    tags.tag_resource,
    tags.untag_resource,
)


class GlueApi:
    """Answers Glue requests from the local catalog. Blocking; may be called from any thread."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        # create_database answers CreateDatabase.
        self._operations = {run.__name__.replace("_", " ").title().replace(" ", ""): run for run in _OPERATIONS}

    @property
    def operations(self) -> tuple[str, ...]:
        """The names of the operations that are answered."""
        return tuple(sorted(self._operations))

    def call(self, scope: Scope, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Answer one request; times in the answer are seconds since the epoch. Raises ``ApiError``."""
        run = self._operations.get(operation)
        if run is None:
            raise ApiError(
                "UnknownOperationException", f"Operation {operation} is not supported by Headwater's local Glue."
            )
        catalog_id = request.get("CatalogId")
        if catalog_id is not None and catalog_id not in (scope.account, f"{scope.account}:awsdatacatalog"):
            raise ApiError("AccessDeniedException", f"Catalog {catalog_id} does not belong to account {scope.account}.")
        return run(self._catalog, scope, request)

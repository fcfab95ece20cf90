"""Athena's view of the catalog: data catalogs, databases and tables."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from headwater.stack.lakehouse.catalog.patterns import table_pattern
from headwater.stack.lakehouse.catalog.store import Catalog
from headwater.stack.lakehouse.errors import ApiError, invalid_request
from headwater.stack.lakehouse.model import GlueJson, Scope, current_columns

_CATALOG = "AwsDataCatalog"
_MAX_PAGE = 50


class Metadata:
    """The metadata operations, answered from the Glue catalog."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def operations(self) -> Mapping[str, Callable[[Scope, GlueJson], GlueJson]]:
        """The operations of this family."""
        return {
            "ListDataCatalogs": self._list_catalogs,
            "GetDataCatalog": self._get_catalog,
            "ListDatabases": self._list_databases,
            "GetDatabase": self._get_database,
            "ListTableMetadata": self._list_tables,
            "GetTableMetadata": self._get_table,
        }

    def _list_catalogs(self, scope: Scope, request: GlueJson) -> GlueJson:
        del scope, request
        return {"DataCatalogsSummary": [{"CatalogName": _CATALOG, "Type": "GLUE"}]}

    def _get_catalog(self, scope: Scope, request: GlueJson) -> GlueJson:
        name = request.get("Name") or ""
        if name.lower() != _CATALOG.lower():
            raise invalid_request(f"Data catalog {name} was not found", "INVALID_INPUT")
        parameters = {"catalog-id": scope.account}
        return {"DataCatalog": {"Name": _CATALOG, "Type": "GLUE", "Description": "", "Parameters": parameters}}

    def _list_databases(self, scope: Scope, request: GlueJson) -> GlueJson:
        _check_catalog(request)
        return _page("DatabaseList", [_database(d) for d in self._catalog.databases(scope)], request)

    def _get_database(self, scope: Scope, request: GlueJson) -> GlueJson:
        _check_catalog(request)
        name = request.get("DatabaseName") or ""
        return {"Database": _database(_found(lambda: self._catalog.get_database(scope, name)))}

    def _list_tables(self, scope: Scope, request: GlueJson) -> GlueJson:
        _check_catalog(request)
        tables = _found(lambda: self._catalog.tables(scope, request.get("DatabaseName") or ""))
        expression = request.get("Expression")
        if expression:
            try:
                pattern = table_pattern(expression)
            except re.error as error:
                raise invalid_request(f"Invalid expression: {expression}") from error
            tables = [table for table in tables if pattern.fullmatch(table["Name"])]
        return _page("TableMetadataList", [_table(table) for table in tables], request)

    def _get_table(self, scope: Scope, request: GlueJson) -> GlueJson:
        _check_catalog(request)
        database, name = request.get("DatabaseName") or "", request.get("TableName") or ""
        return {"TableMetadata": _table(_found(lambda: self._catalog.get_table(scope, database, name)))}


Found = TypeVar("Found")


def _found(read: Callable[[], Found]) -> Found:
    try:
        return read()
    except ApiError as error:
        # Clients tell what was not found by the envelope that Athena puts around Glue's own error.
        service = f"Service: AmazonDataCatalog; Status Code: {error.status}; Error Code: {error.code}"
        message = f"{error.message} ({service}; Request ID: {uuid.uuid4()}; Proxy: null)"
        raise ApiError("MetadataException", message) from error


def _check_catalog(request: GlueJson) -> None:
    name = request.get("CatalogName") or _CATALOG
    if name.lower() != _CATALOG.lower():
        raise ApiError("MetadataException", f"Catalog {name} does not exist")


def _database(database: GlueJson) -> GlueJson:
    keys = ("Name", "Description", "Parameters")
    return {key: database[key] for key in keys if database.get(key)}


def _table(table: GlueJson) -> GlueJson:
    """Athena flattens the storage descriptor into the parameters: an empty text stays, what is not set is left out."""
    descriptor = table.get("StorageDescriptor") or {}
    serde = descriptor.get("SerdeInfo") or {}
    storage = {
        "location": descriptor.get("Location"),
        "inputformat": descriptor.get("InputFormat"),
        "outputformat": descriptor.get("OutputFormat"),
        "serde.serialization.lib": serde.get("SerializationLibrary"),
        **{f"serde.param.{key}": value for key, value in (serde.get("Parameters") or {}).items()},
    }
    parameters = {**(table.get("Parameters") or {}), **storage}
    return {
        "Name": table["Name"],
        "CreateTime": table.get("CreateTime"),
        "LastAccessTime": table.get("LastAccessTime") or 0,
        "TableType": table.get("TableType") or "EXTERNAL_TABLE",
        "Columns": [_column(c) for c in current_columns(descriptor.get("Columns"))],
        "PartitionKeys": [_column(c) for c in table.get("PartitionKeys") or []],
        "Parameters": {key: value for key, value in parameters.items() if value is not None},
    }


def _column(column: GlueJson) -> GlueJson:
    return {key: column[key] for key in ("Name", "Type", "Comment") if column.get(key) is not None}


def _page(key: str, items: Sequence[GlueJson], request: GlueJson) -> GlueJson:
    try:
        start = int(request.get("NextToken") or 0)
    except ValueError:
        raise invalid_request("Invalid token", "INVALID_NEXT_TOKEN") from None
    limit = int(request.get("MaxResults") or _MAX_PAGE)
    answer: GlueJson = {key: list(items[start : start + limit])}
    if start + limit < len(items):
        answer["NextToken"] = str(start + limit)
    return answer

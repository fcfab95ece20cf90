"""Athena's view of the catalog: databases and tables."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from typing import TypeVar

from headwater.stack.lakehouse.athena.catalogs import DataCatalogs
from headwater.stack.lakehouse.athena.paging import listed
from headwater.stack.lakehouse.catalog.patterns import table_pattern
from headwater.stack.lakehouse.catalog.store import Catalog
from headwater.stack.lakehouse.errors import ApiError, invalid_request
from headwater.stack.lakehouse.model import GlueJson, Scope, current_columns

_MAX_PAGE = 50
_ATTRIBUTES = {"NAME": "Name", "TABLE_TYPE": "TableType"}


class Metadata:
    """The metadata operations, answered from the Glue catalog."""

    def __init__(self, catalog: Catalog, data_catalogs: DataCatalogs) -> None:
        self._catalog = catalog
        self._data_catalogs = data_catalogs

    def operations(self) -> Mapping[str, Callable[[Scope, GlueJson], GlueJson]]:
        """The operations of this family."""
        return {
            "ListDatabases": self._list_databases,
            "GetDatabase": self._get_database,
            "ListTableMetadata": self._list_tables,
            "GetTableMetadata": self._get_table,
        }

    def _check_catalog(self, scope: Scope, request: GlueJson) -> None:
        trouble = self._data_catalogs.trouble(scope, request["CatalogName"])
        if trouble is not None:
            raise ApiError("MetadataException", trouble)

    def _list_databases(self, scope: Scope, request: GlueJson) -> GlueJson:
        self._check_catalog(scope, request)
        wanted = _attributes(request)
        return listed(
            "DatabaseList", [wanted(_database(d)) for d in self._catalog.databases(scope)], request, _MAX_PAGE
        )

    def _get_database(self, scope: Scope, request: GlueJson) -> GlueJson:
        self._check_catalog(scope, request)
        name = request.get("DatabaseName") or ""
        return {"Database": _database(_found(lambda: self._catalog.get_database(scope, name)))}

    def _list_tables(self, scope: Scope, request: GlueJson) -> GlueJson:
        self._check_catalog(scope, request)
        tables = _found(lambda: self._catalog.tables(scope, request.get("DatabaseName") or ""))
        expression = request.get("Expression")
        if expression:
            try:
                pattern = table_pattern(expression)
            except re.error as error:
                raise invalid_request(f"Invalid expression: {expression}") from error
            tables = [table for table in tables if pattern.fullmatch(table["Name"])]
        wanted = _attributes(request)
        return listed("TableMetadataList", [wanted(_table(table)) for table in tables], request, _MAX_PAGE)

    def _get_table(self, scope: Scope, request: GlueJson) -> GlueJson:
        self._check_catalog(scope, request)
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


def _attributes(request: GlueJson) -> Callable[[GlueJson], GlueJson]:
    """What ``AttributesToGet`` leaves of an item: all, or its name and perhaps its type."""
    given = request.get("AttributesToGet")
    if given is None:
        return lambda item: item
    names = [_ATTRIBUTES.get(str(attribute)) for attribute in given]
    if "Name" not in names or None in names:
        raise invalid_request("AttributesToGet must be NAME, or for tables NAME and TABLE_TYPE")
    return lambda item: {key: value for key, value in item.items() if key in names}


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

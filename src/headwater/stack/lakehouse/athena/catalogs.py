"""Data catalogs: the one that queries run on, and those that a user registers, which have no backend here."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from headwater.stack.lakehouse.athena.executions import AthenaStore
from headwater.stack.lakehouse.athena.paging import listed
from headwater.stack.lakehouse.athena.tags import Tags, data_catalog_arn, requested_tags
from headwater.stack.lakehouse.errors import QueryFailed, invalid_request
from headwater.stack.lakehouse.hive.ast import ShowTables, TableName
from headwater.stack.lakehouse.model import GlueJson, Scope

AWS_CATALOG = "AwsDataCatalog"
_KIND = "data-catalog"
_NAME = re.compile(r"[\w@-]{1,127}", re.ASCII)
_LAMBDA = "either metadata-function and record-function or function alone"
_OFFICIAL = "awsdatacatalog"


class DataCatalogs:
    """Data catalogs per account and region, kept in the store."""

    def __init__(self, store: AthenaStore, tags: Tags) -> None:
        self._store = store
        self._tags = tags

    def operations(self) -> Mapping[str, Callable[[Scope, GlueJson], GlueJson]]:
        """The operations of this family."""
        return {
            "CreateDataCatalog": self._create,
            "GetDataCatalog": lambda scope, request: {"DataCatalog": self._get(scope, request["Name"])},
            "ListDataCatalogs": self._list,
            "UpdateDataCatalog": self._update,
            "DeleteDataCatalog": self._delete,
        }

    def trouble(self, scope: Scope, name: str) -> str | None:
        """Why a catalog cannot be read here; ``None`` for the account's own, also under another name."""
        return catalog_trouble(self._store, scope, name)

    def _get(self, scope: Scope, name: str) -> GlueJson:
        if name.lower() == _OFFICIAL:
            parameters = {"catalog-id": scope.account}
            return {"Name": AWS_CATALOG, "Type": "GLUE", "Description": "", "Parameters": parameters}
        found = self._store.document(_KIND, scope, name.lower())
        if found is None:
            raise invalid_request(f"Data catalog {name} was not found")
        return found

    def _create(self, scope: Scope, request: GlueJson) -> GlueJson:
        name = request["Name"]
        if not _NAME.fullmatch(name):
            message = "a catalog's name has at most 127 letters, digits, underscores, at signs and hyphens"
            raise invalid_request(f"Invalid data catalog name {name}: {message}")
        made, tags = _data_catalog(request), requested_tags(request)
        if name.lower() == _OFFICIAL or not self._store.add_document(_KIND, scope, name.lower(), made):
            raise invalid_request(f"DataCatalog {name} has already been created")
        self._tags.put(scope, data_catalog_arn(scope, name), tags)
        return {"DataCatalog": made}

    def _list(self, scope: Scope, request: GlueJson) -> GlueJson:
        own = self._store.documents(_KIND, scope)
        summaries = [{"CatalogName": known["Name"], "Type": known["Type"]} for known in own]
        official = {"CatalogName": AWS_CATALOG, "Type": "GLUE"}
        return listed("DataCatalogsSummary", [official, *summaries], request, 50, first=1)

    def _update(self, scope: Scope, request: GlueJson) -> GlueJson:
        known = self._changeable(scope, request["Name"])
        changed = _data_catalog({**request, "Name": known["Name"]})
        self._store.put_document(_KIND, scope, known["Name"].lower(), {**known, **changed})
        return {}

    def _delete(self, scope: Scope, request: GlueJson) -> GlueJson:
        known = self._changeable(scope, request["Name"])
        self._store.delete_document(_KIND, scope, known["Name"].lower())
        self._tags.forget(scope, data_catalog_arn(scope, known["Name"]))
        return {"DataCatalog": {**known, "Status": "DELETE_COMPLETE"}}

    def _changeable(self, scope: Scope, name: str) -> GlueJson:
        if name.lower() == _OFFICIAL:
            raise invalid_request(f"Data catalog {AWS_CATALOG} can be neither changed nor deleted")
        return self._get(scope, name)


def catalog_trouble(store: AthenaStore, scope: Scope, name: str) -> str | None:
    """Why a catalog cannot be read here, as the reason of a failed query; ``None`` for the account's own."""
    if name.lower() == _OFFICIAL:
        return None
    known = store.document(_KIND, scope, name.lower())
    if known is None:
        return f"CATALOG_NOT_FOUND: Catalog '{name.lower()}' does not exist"
    if known["Type"] == "GLUE" and known["Parameters"]["catalog-id"] == scope.account:
        return None
    of_other = f" of account {known['Parameters']['catalog-id']}" if known["Type"] == "GLUE" else ""
    what = f"data catalog {name} of type {known['Type']}{of_other}"
    return f"NOT_SUPPORTED: {what} is not supported by Headwater's local Athena"


def check_catalogs(store: AthenaStore, scope: Scope, statement: object) -> None:
    """Refuse a statement whose own tables are named in a catalog that is not the account's. Raises ``QueryFailed``."""
    for name in (statement, *vars(statement).values()):
        catalog = name.catalog if isinstance(name, TableName | ShowTables) else None
        trouble = catalog_trouble(store, scope, catalog) if catalog is not None else None
        if trouble is not None:
            raise QueryFailed(trouble)


def _data_catalog(request: GlueJson) -> GlueJson:
    kind, parameters = request["Type"], request.get("Parameters") or {}
    if kind == "FEDERATED":
        raise invalid_request("Data catalogs of type FEDERATED are not supported by Headwater's local Athena.")
    wanted = {
        "GLUE": [{"catalog-id"}],
        "HIVE": [{"metadata-function"}, {"metadata-function", "sdk-version"}],
        "LAMBDA": [{"function"}, {"metadata-function", "record-function"}],
    }[kind]
    if set(parameters) not in wanted:
        needs = {"GLUE": "catalog-id", "HIVE": "metadata-function"}.get(kind, _LAMBDA)
        raise invalid_request(f"Parameters of a data catalog of type {kind} must be {needs}")
    if kind == "GLUE" and not re.fullmatch(r"\d{12}", parameters["catalog-id"]):
        raise invalid_request(f"catalog-id {parameters['catalog-id']} is not an account of 12 digits")
    if "function" in parameters:  # Athena answers the two roles that one function has
        roles = dict.fromkeys(("metadata-function", "record-function"), parameters["function"])
        parameters = {"catalog": request["Name"], **roles}
    described = {"Description": request["Description"]} if request.get("Description") else {}
    return {"Name": request["Name"], "Type": kind, "Parameters": parameters, "Status": "CREATE_COMPLETE", **described}

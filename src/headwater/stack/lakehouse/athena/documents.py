"""Named queries: kept and handed back."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping

from headwater.stack.lakehouse.athena.executions import AthenaStore
from headwater.stack.lakehouse.athena.paging import listed
from headwater.stack.lakehouse.errors import invalid_request
from headwater.stack.lakehouse.model import GlueJson, Scope

_QUERY = "named-query"


class Documents:
    """The operations on named queries."""

    def __init__(self, store: AthenaStore) -> None:
        self._store = store

    def operations(self) -> Mapping[str, Callable[[Scope, GlueJson], GlueJson]]:
        """The operations of this family."""
        return {
            "CreateNamedQuery": self._create,
            "GetNamedQuery": lambda scope, request: {"NamedQuery": self._get(scope, request)},
            "BatchGetNamedQuery": self._batch_get,
            "ListNamedQueries": self._list,
            "UpdateNamedQuery": self._update,
            "DeleteNamedQuery": self._delete,
        }

    def _create(self, scope: Scope, request: GlueJson) -> GlueJson:
        for key in ("Name", "Database", "QueryString"):
            if not request.get(key):
                raise invalid_request(f"{key} is required")
        identifier = str(uuid.uuid4())
        keys = ("Name", "Description", "Database", "QueryString")
        query = {key: request[key] for key in keys if request.get(key)}
        query |= {"NamedQueryId": identifier, "WorkGroup": request.get("WorkGroup") or "primary"}
        self._store.put_document(_QUERY, scope, identifier, query)
        return {"NamedQueryId": identifier}

    def _get(self, scope: Scope, request: GlueJson) -> GlueJson:
        identifier = request.get("NamedQueryId") or ""
        found = self._store.document(_QUERY, scope, identifier)
        if found is None:
            raise invalid_request(f"Named query {identifier} does not exist.")
        return found

    def _batch_get(self, scope: Scope, request: GlueJson) -> GlueJson:
        found, missing = [], []
        for identifier in request.get("NamedQueryIds") or []:
            query = self._store.document(_QUERY, scope, identifier)
            if query is not None:
                found.append(query)
                continue
            message = f"Named query {identifier} does not exist."
            code = "InvalidRequestException"
            missing.append({"NamedQueryId": identifier, "ErrorCode": code, "ErrorMessage": message})
        return {"NamedQueries": found, "UnprocessedNamedQueryIds": missing}

    def _list(self, scope: Scope, request: GlueJson) -> GlueJson:
        group = request.get("WorkGroup") or "primary"
        queries = self._store.documents(_QUERY, scope)
        found = [query["NamedQueryId"] for query in queries if query["WorkGroup"] == group]
        return listed("NamedQueryIds", found, request, 50)

    def _update(self, scope: Scope, request: GlueJson) -> GlueJson:
        query = self._get(scope, request)
        changes = {key: request[key] for key in ("Name", "Description", "QueryString") if request.get(key)}
        self._store.put_document(_QUERY, scope, query["NamedQueryId"], {**query, **changes})
        return {}

    def _delete(self, scope: Scope, request: GlueJson) -> GlueJson:
        self._get(scope, request)
        self._store.delete_document(_QUERY, scope, request["NamedQueryId"])
        return {}

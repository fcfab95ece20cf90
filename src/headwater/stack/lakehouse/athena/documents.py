"""Named queries: kept and handed back."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping

from headwater.stack.lakehouse.athena.executions import AthenaStore
from headwater.stack.lakehouse.athena.paging import listed
from headwater.stack.lakehouse.errors import invalid_request
from headwater.stack.lakehouse.model import GlueJson, Scope

NAMED_QUERY = "named-query"
"""What the store calls these documents."""
_TOKEN = "named-query-token"  # noqa: S105 - a kind of document


class Documents:
    """The operations on named queries. ``work_group`` raises for a work group that does not exist."""

    def __init__(self, store: AthenaStore, work_group: Callable[[Scope, str], object]) -> None:
        self._store = store
        self._work_group = work_group

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
        group = str(request.get("WorkGroup") or "primary")
        self._work_group(scope, group)
        identifier = str(uuid.uuid4())
        token = request.get("ClientRequestToken")
        keys = ("Name", "Description", "Database", "QueryString")
        query = {key: request[key] for key in keys if request.get(key)}
        query |= {"NamedQueryId": identifier, "WorkGroup": group}
        documents: list[tuple[str, str, GlueJson]] = [(NAMED_QUERY, identifier, query)]
        if token:
            documents.append((_TOKEN, token, {"id": identifier, "request": request}))
        if self._store.add_documents(scope, *documents):
            return {"NamedQueryId": identifier}
        known = self._store.document(_TOKEN, scope, str(token))
        if known is None or known["request"] != request:
            raise invalid_request("Idempotent parameters do not match", "IDEMPOTENT_PARAMETER_MISMATCH")
        return {"NamedQueryId": known["id"]}

    def _get(self, scope: Scope, request: GlueJson) -> GlueJson:
        identifier = request.get("NamedQueryId") or ""
        found = self._store.document(NAMED_QUERY, scope, identifier)
        if found is None:
            raise invalid_request(f"Named query {identifier} does not exist.", "NAMED_QUERY_NOT_FOUND")
        return found

    def _batch_get(self, scope: Scope, request: GlueJson) -> GlueJson:
        found, missing = [], []
        for identifier in request.get("NamedQueryIds") or []:
            query = self._store.document(NAMED_QUERY, scope, identifier)
            if query is not None:
                found.append(query)
                continue
            message = f"Named query {identifier} does not exist."
            code = "InvalidRequestException"
            missing.append({"NamedQueryId": identifier, "ErrorCode": code, "ErrorMessage": message})
        return {"NamedQueries": found, "UnprocessedNamedQueryIds": missing}

    def _list(self, scope: Scope, request: GlueJson) -> GlueJson:
        group = str(request.get("WorkGroup") or "primary")
        self._work_group(scope, group)
        queries = self._store.documents(NAMED_QUERY, scope)
        found = [query["NamedQueryId"] for query in queries if query["WorkGroup"] == group]
        return listed("NamedQueryIds", found, request, 50)

    def _update(self, scope: Scope, request: GlueJson) -> GlueJson:
        query = self._get(scope, request)
        changes: GlueJson = {key: request[key] for key in ("Name", "Description", "QueryString") if key in request}
        self._store.put_document(NAMED_QUERY, scope, query["NamedQueryId"], {**query, **changes})
        return {}

    def _delete(self, scope: Scope, request: GlueJson) -> GlueJson:
        self._get(scope, request)
        self._store.delete_document(NAMED_QUERY, scope, request["NamedQueryId"])
        return {}

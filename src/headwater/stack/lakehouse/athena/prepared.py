"""Prepared statements: the API's operations and the SQL statements on the same documents."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from headwater.stack.lakehouse.athena.executions import AthenaStore
from headwater.stack.lakehouse.athena.paging import listed
from headwater.stack.lakehouse.errors import ApiError, QueryFailed, invalid_request
from headwater.stack.lakehouse.model import GlueJson, Scope

PREPARED = "prepared-statement"
"""What the store calls these documents."""


class Running(Protocol):
    """The execution that a SQL statement runs in."""

    @property
    def scope(self) -> Scope:
        """Whose."""
        ...

    @property
    def execution(self) -> dict[str, Any]:
        """Its record."""
        ...


class PreparedStatements:
    """The operations on prepared statements. ``work_group`` raises for a work group that does not exist."""

    def __init__(
        self, store: AthenaStore, work_group: Callable[[Scope, str], object], clock: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._work_group = work_group
        self._clock = clock

    def operations(self) -> Mapping[str, Callable[[Scope, GlueJson], GlueJson]]:
        """The operations of this family."""
        return {
            "CreatePreparedStatement": self._create,
            "GetPreparedStatement": lambda scope, request: {"PreparedStatement": self._get(scope, request)},
            "BatchGetPreparedStatement": self._batch_get,
            "ListPreparedStatements": self._list,
            "UpdatePreparedStatement": self._update,
            "DeletePreparedStatement": self._delete,
        }

    def text(self, scope: Scope, group: str, name: str) -> str | None:
        """The SQL of a prepared statement, or ``None``."""
        found = self._store.document(PREPARED, scope, prepared_key(group, name))
        return None if found is None else str(found["QueryStatement"])

    def _create(self, scope: Scope, request: GlueJson) -> GlueJson:
        group, name = _names(request)
        self._work_group(scope, group)
        made = _document(group, name, request, self._clock())
        if not self._store.add_document(PREPARED, scope, prepared_key(group, name), made):
            raise invalid_request(f"PreparedStatement {name} already exists in WorkGroup {group}")
        return {}

    def _update(self, scope: Scope, request: GlueJson) -> GlueJson:
        known = self._get(scope, request)
        group, name = _names(request)
        changed = {**known, **_document(group, name, request, self._clock())}
        self._store.put_document(PREPARED, scope, prepared_key(group, name), changed)
        return {}

    def _get(self, scope: Scope, request: GlueJson) -> GlueJson:
        group, name = _names(request)
        found = self._store.document(PREPARED, scope, prepared_key(group, name))
        if found is None:
            message = f"PreparedStatement {name} was not found in WorkGroup {group}"
            raise ApiError("ResourceNotFoundException", message, ResourceName=name)
        return found

    def _batch_get(self, scope: Scope, request: GlueJson) -> GlueJson:
        group = request.get("WorkGroup") or "primary"
        found, missing = [], []
        for name in request.get("PreparedStatementNames") or []:
            document = self._store.document(PREPARED, scope, prepared_key(group, name))
            if document is not None:
                found.append(document)
                continue
            message = f"PreparedStatement {name} was not found in WorkGroup {group}"
            missing.append({"StatementName": name, "ErrorCode": "STATEMENT_NOT_FOUND", "ErrorMessage": message})
        return {"PreparedStatements": found, "UnprocessedPreparedStatementNames": missing}

    def _list(self, scope: Scope, request: GlueJson) -> GlueJson:
        group = str(request.get("WorkGroup") or "primary")
        self._work_group(scope, group)
        names = ("StatementName", "LastModifiedTime")
        found = [
            {name: document[name] for name in names}
            for document in self._store.documents(PREPARED, scope)
            if document["WorkGroupName"] == group
        ]
        return listed("PreparedStatements", found, request, 50)

    def _delete(self, scope: Scope, request: GlueJson) -> GlueJson:
        self._get(scope, request)
        self._store.delete_document(PREPARED, scope, prepared_key(*_names(request)))
        return {}


def prepare(store: AthenaStore, job: Running, name: str, text: str, now: float) -> None:
    """``PREPARE name FROM text``: a name that is taken is an error."""
    group = str(job.execution["WorkGroup"])
    made = _document(group, name, {"QueryStatement": text}, now)
    if not store.add_document(PREPARED, job.scope, prepared_key(group, name), made):
        raise QueryFailed(f"ALREADY_EXISTS: Prepared statement already exists: {name}")


def deallocate(store: AthenaStore, job: Running, name: str) -> None:
    """``DEALLOCATE PREPARE name``."""
    key = prepared_key(str(job.execution["WorkGroup"]), name)
    if store.document(PREPARED, job.scope, key) is None:
        raise QueryFailed(f"NOT_FOUND: Prepared statement not found: {name}")
    store.delete_document(PREPARED, job.scope, key)


def _document(group: str, name: str, request: GlueJson, now: float) -> GlueJson:
    text = request.get("QueryStatement")
    if not text:
        raise invalid_request("QueryStatement is required")
    document = {"StatementName": name, "QueryStatement": text, "WorkGroupName": group, "LastModifiedTime": now}
    return document | ({"Description": request["Description"]} if request.get("Description") else {})


def _names(request: GlueJson) -> tuple[str, str]:
    name = request.get("StatementName")
    if not name:
        raise invalid_request("StatementName is required")
    return str(request.get("WorkGroup") or "primary"), str(name)


def prepared_key(group: str, name: str) -> str:
    """The name of a prepared statement's document: names are blind to case."""
    return f"{group}/{name.lower()}"

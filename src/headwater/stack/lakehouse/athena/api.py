"""The Athena API: each operation of the protocol, in the shape that the AWS SDKs expect."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from headwater.stack.lakehouse.athena.catalogs import AWS_CATALOG, DataCatalogs
from headwater.stack.lakehouse.athena.documents import Documents
from headwater.stack.lakehouse.athena.executions import TERMINAL, AthenaStore, Stored
from headwater.stack.lakehouse.athena.job import Job
from headwater.stack.lakehouse.athena.metadata import Metadata
from headwater.stack.lakehouse.athena.output import manifest_page, result_page, verify_output
from headwater.stack.lakehouse.athena.prepared import PreparedStatements
from headwater.stack.lakehouse.athena.records import COUNTED, check_place, millis, new_record, result_settings, reused
from headwater.stack.lakehouse.athena.runner import Runner
from headwater.stack.lakehouse.athena.runtime import runtime_statistics
from headwater.stack.lakehouse.athena.statement import FailedStatement, read_statement
from headwater.stack.lakehouse.athena.tags import Tags
from headwater.stack.lakehouse.athena.workgroups import WorkGroups
from headwater.stack.lakehouse.catalog.store import Catalog
from headwater.stack.lakehouse.errors import ApiError, QueryFailed, invalid_request
from headwater.stack.lakehouse.model import GlueJson, Scope, Storage
from headwater.stack.lakehouse.results.pages import decode_token, encode_token

_MAX_QUERY_BYTES = 262_144
_MAX_PAGE = 1000
Operation = Callable[[Scope, GlueJson], GlueJson]


class AthenaApi:
    """Answers Athena requests. ``call`` is quick and may be called from any thread; queries run in the runner's."""

    def __init__(
        self,
        store: AthenaStore,
        runner: Runner,
        catalog: Catalog,
        storage: Storage,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._runner = runner
        self._storage = storage
        self._catalog = catalog
        self._scopes: set[Scope] = set()
        self._clock = clock
        self._tags = Tags(store)
        self._work_groups = WorkGroups(store, clock, self._tags)
        self._prepared = PreparedStatements(store, self._work_groups.get, clock)
        self._data_catalogs = DataCatalogs(store, self._tags)
        self._operations: Mapping[str, Operation] = {
            "StartQueryExecution": self._start,
            "GetQueryExecution": self._get,
            "BatchGetQueryExecution": self._batch_get,
            "StopQueryExecution": self._stop,
            "ListQueryExecutions": self._list,
            "GetQueryResults": self._results,
            "GetQueryRuntimeStatistics": self._runtime_statistics,
            **self._work_groups.operations(),
            **self._data_catalogs.operations(),
            **Metadata(catalog, self._data_catalogs).operations(),
            **Documents(store, self._work_groups.get).operations(),
            **self._prepared.operations(),
            **self._tags.operations(),
        }

    @property
    def operations(self) -> tuple[str, ...]:
        """The names of the operations that are answered."""
        return tuple(sorted(self._operations))

    def call(self, scope: Scope, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Answer one request; times are seconds since the epoch. Raises ``ApiError``."""
        run = self._operations.get(operation)
        if run is None:
            message = f"Operation {operation} is not supported by Headwater's local Athena."
            raise ApiError("UnknownOperationException", message)
        return run(scope, request)

    # --- executions ------------------------------------------------------------------------------------------------

    def _start(self, scope: Scope, request: GlueJson) -> GlueJson:
        began = self._clock()
        text = request.get("QueryString")
        if not isinstance(text, str) or not text.strip():
            raise invalid_request("Query string cannot be empty", "MALFORMED_QUERY")
        if len(text.encode()) > _MAX_QUERY_BYTES:
            raise invalid_request("Query string exceeds the limit of 262144 bytes", "MALFORMED_QUERY")
        if request.get("EngineConfiguration"):
            raise invalid_request("EngineConfiguration is not supported by Headwater's local Athena.")
        group = self._work_groups.enabled(scope, request.get("WorkGroup") or "primary")
        self._prepare_default(scope)
        results = result_settings(request, group)
        prepared = partial(self._prepared.text, scope, group["Name"])
        statement = read_statement(text, request.get("ExecutionParameters") or [], prepared)
        check_place(statement, group)
        trouble = self._data_catalogs.trouble(scope, _catalog_of(request))
        if trouble is not None:
            statement = FailedStatement(QueryFailed(trouble))
        identifier = str(uuid.uuid4())
        verify_output(self._storage, scope, results, identifier)
        execution = new_record(identifier, request, statement, results, began)
        execution["Statistics"]["ServicePreProcessingTimeInMillis"] = millis(self._clock() - began)
        token = request.get("ClientRequestToken")
        earlier = reused(self._store, self._storage, request, Stored(scope, execution, [], 0))
        started = self._store.add(scope, execution, token, _compared(request))
        if started != identifier:
            return {"QueryExecutionId": started}
        if earlier is not None:
            self._store.save(earlier.execution, earlier.columns, earlier.rows)
        else:
            cutoff = int(group["Configuration"].get("BytesScannedCutoffPerQuery") or 0)
            self._runner.submit(Job(scope, execution, statement, cutoff))
        return {"QueryExecutionId": started}

    def _prepare_default(self, scope: Scope) -> None:
        """An account that uses Athena has a database ``default`` from then on."""
        if scope not in self._scopes:
            with suppress(ApiError):  # it has one
                self._catalog.create_database(scope, {"Name": "default", "Description": "default database"})
            self._scopes.add(scope)

    def _get(self, scope: Scope, request: GlueJson) -> GlueJson:
        return {"QueryExecution": self._store.get(scope, _identifier(request)).execution}

    def _batch_get(self, scope: Scope, request: GlueJson) -> GlueJson:
        found, missing = [], []
        for identifier in request.get("QueryExecutionIds") or []:
            stored = self._store.find(scope, identifier)
            if stored is not None:
                found.append(stored.execution)
                continue
            message = f"QueryExecution {identifier} was not found"
            code = "QUERY_EXECUTION_NOT_FOUND"
            missing.append({"QueryExecutionId": identifier, "ErrorCode": code, "ErrorMessage": message})
        return {"QueryExecutions": found, "UnprocessedQueryExecutionIds": missing}

    def _stop(self, scope: Scope, request: GlueJson) -> GlueJson:
        stored = self._store.get(scope, _identifier(request))
        if stored.execution["Status"]["State"] not in TERMINAL:
            self._runner.stop(stored.execution["QueryExecutionId"])
        return {}

    def _list(self, scope: Scope, request: GlueJson) -> GlueJson:
        group = self._work_groups.get(scope, request.get("WorkGroup") or "primary")["Name"]
        limit = int(request.get("MaxResults") or 50)
        after = None
        if request.get("NextToken"):
            submitted, _, identifier = str(request["NextToken"]).partition("/")
            try:
                after = (float(submitted), identifier)
            except ValueError:
                raise invalid_request("Invalid token", "INVALID_NEXT_TOKEN") from None
        rows = self._store.listing(scope, group, after, limit + 1)
        answer: GlueJson = {"QueryExecutionIds": [identifier for identifier, _ in rows[:limit]]}
        if len(rows) > limit:
            identifier, submitted_at = rows[limit - 1]
            answer["NextToken"] = f"{submitted_at!r}/{identifier}"
        return answer

    def _results(self, scope: Scope, request: GlueJson) -> GlueJson:
        identifier = _identifier(request)
        limit = int(request.get("MaxResults") or _MAX_PAGE)
        if not 1 <= limit <= _MAX_PAGE:
            raise invalid_request(f"MaxResults is more than maximum allowed length {_MAX_PAGE}")
        stored = self._store.get(scope, identifier)
        state = stored.execution["Status"]["State"]
        if state == "CANCELLED":
            raise invalid_request("Could not find results", "RESULT_NOT_FOUND")
        if state != "SUCCEEDED":
            kind = (
                "Query did not finish successfully. Final query state: "
                if state in TERMINAL
                else ("Query has not yet finished. Current state: ")
            )
            raise invalid_request(f"{kind}{state}", "INVALID_QUERY_EXECUTION_STATE")
        token = request.get("NextToken")
        offset = decode_token(token, identifier) if token else 0
        pages = manifest_page if request.get("QueryResultType") == "DATA_MANIFEST" else result_page
        page = pages(self._storage, stored, offset, limit)
        answer: GlueJson = {
            "ResultSet": {
                "Rows": [{"Data": [{} if v is None else {"VarCharValue": v} for v in row]} for row in page.rows],
                "ResultSetMetadata": {"ColumnInfo": stored.columns},
            },
        }
        counted = stored.execution.get("SubstatementType") in COUNTED
        if counted or stored.execution["StatementType"] != "DDL":
            answer["UpdateCount"] = stored.rows if counted else 0
        if page.next_offset is not None:
            answer["NextToken"] = encode_token(identifier, page.next_offset)
        return answer

    def _runtime_statistics(self, scope: Scope, request: GlueJson) -> GlueJson:
        return runtime_statistics(self._storage, scope, self._store.get(scope, _identifier(request)))


def _compared(request: GlueJson) -> str:
    """What must be the same when a token comes again; Athena compares nothing else."""
    context, results = request.get("QueryExecutionContext") or {}, request.get("ResultConfiguration") or {}
    return json.dumps([request["QueryString"], context.get("Database"), results.get("OutputLocation")])


def _catalog_of(request: GlueJson) -> str:
    context = request.get("QueryExecutionContext") or {}
    return str(context.get("Catalog") or AWS_CATALOG).strip('`"')


def _identifier(request: GlueJson) -> str:
    identifier = request.get("QueryExecutionId")
    if not isinstance(identifier, str) or not identifier:
        raise invalid_request("QueryExecutionId is required")
    return identifier

"""The record of an execution when it starts: its shape, its place for results, and an earlier result to reuse."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from headwater.stack.lakehouse.athena.executions import AthenaStore, Stored
from headwater.stack.lakehouse.athena.managed import is_managed
from headwater.stack.lakehouse.athena.output import result_is_there
from headwater.stack.lakehouse.athena.statement import Statement, WriteStatement, shape_of
from headwater.stack.lakehouse.errors import invalid_request
from headwater.stack.lakehouse.model import GlueJson, Storage, split_s3_uri
from headwater.stack.lakehouse.writes.ast import CreateTableAs

ENGINE = {"SelectedEngineVersion": "AUTO", "EffectiveEngineVersion": "Athena engine version 3"}
COUNTED = ("INSERT", "UPDATE", "DELETE", "MERGE", "CREATE_TABLE_AS_SELECT")
"""The statements whose results have an UpdateCount."""
TOGETHER = "ManagedQueryResultsConfiguration and ResultConfiguration cannot be set together."
_NO_REUSE = {"ResultReuseByAgeConfiguration": {"Enabled": False}}


def new_record(identifier: str, request: GlueJson, statement: Statement, results: GlueJson, now: float) -> GlueJson:
    """The ``QueryExecution`` of a statement that was just accepted. ``results`` are the ``result_settings``."""
    shape = shape_of(statement)
    context = request.get("QueryExecutionContext") or {}
    execution: GlueJson = {
        "QueryExecutionId": identifier,
        "Query": request["QueryString"],
        "StatementType": shape.statement,
        **results,
        "ResultReuseConfiguration": request.get("ResultReuseConfiguration") or _NO_REUSE,
        # Some clients quote the database as DDL does.
        "QueryExecutionContext": {key: str(value).strip("`").lower() for key, value in context.items() if value},
        "Status": {"State": "QUEUED", "SubmissionDateTime": now},
        "Statistics": {},
        "WorkGroup": request.get("WorkGroup") or "primary",
        "EngineVersion": ENGINE,
    }
    if not is_managed(results):
        settings = results["ResultConfiguration"]
        name = f"{shape.folder}{identifier}{shape.suffix}"
        execution["ResultConfiguration"] = {**settings, "OutputLocation": settings["OutputLocation"] + name}
    if shape.substatement:
        execution["SubstatementType"] = shape.substatement
    if request.get("ExecutionParameters"):
        execution["ExecutionParameters"] = request["ExecutionParameters"]
    return execution


def reused(store: AthenaStore, storage: Storage, request: GlueJson, started: Stored) -> Stored | None:
    """What the execution ends with when a result is young enough for its ResultReuseConfiguration, and still there."""
    wanted: dict[str, Any] = (request.get("ResultReuseConfiguration") or {}).get("ResultReuseByAgeConfiguration") or {}
    execution = started.execution
    if not wanted.get("Enabled") or execution.get("SubstatementType") != "SELECT" or is_managed(execution):
        return None
    now = execution["Status"]["SubmissionDateTime"]
    youngest = now - 60 * float(wanted.get("MaxAgeInMinutes") or 60)
    for earlier in store.succeeded(started.scope, execution["WorkGroup"], execution["Query"], youngest):
        # What reused a result says nothing about the result's age.
        ran = not earlier.execution["Statistics"]["ResultReuseInformation"]["ReusedPreviousResult"]
        if ran and _same(earlier.execution, execution) and result_is_there(storage, earlier):
            return replace(earlier, execution=execution | _ended(earlier.execution, execution))
    return None


def _same(known: GlueJson, execution: GlueJson) -> bool:
    same = ("QueryExecutionContext", "ExecutionParameters", "SubstatementType")
    return all(known.get(key) == execution.get(key) for key in same) and _settings(known) == _settings(execution)


def _ended(known: GlueJson, execution: GlueJson) -> GlueJson:
    """What is different in the record of an execution that reuses a result."""
    times = ("EngineExecutionTimeInMillis", "QueryQueueTimeInMillis", "ServiceProcessingTimeInMillis")
    statistics = {
        **execution["Statistics"],
        **dict.fromkeys(times, 1),
        "DataScannedInBytes": 0,
        "TotalExecutionTimeInMillis": 3,
        "ResultReuseInformation": {"ReusedPreviousResult": True},
    }
    submitted = execution["Status"]["SubmissionDateTime"]
    return {
        "ResultConfiguration": known["ResultConfiguration"],
        "Status": execution["Status"] | {"State": "SUCCEEDED", "CompletionDateTime": submitted},
        "Statistics": statistics,
    }


def _settings(execution: GlueJson) -> GlueJson:
    """How results are stored, and below which place."""
    configuration: GlueJson = execution["ResultConfiguration"]
    return {**configuration, "OutputLocation": configuration.get("OutputLocation", "").rpartition("/")[0]}


def result_settings(request: GlueJson, group: GlueJson) -> GlueJson:
    """What the record says of where and how results are stored, with a slash at the end of the place.

    The work group's settings when it insists, otherwise the request's, otherwise the work group's.
    """
    configuration = group["Configuration"]
    if is_managed(configuration):
        if request.get("ResultConfiguration"):
            raise invalid_request(TOGETHER, "INVALID_INPUT")
        managed = configuration["ManagedQueryResultsConfiguration"]
        return {"ResultConfiguration": {}, "ManagedQueryResultsConfiguration": managed}
    theirs: GlueJson = configuration.get("ResultConfiguration") or {}
    ours: GlueJson = request.get("ResultConfiguration") or {}
    insists = configuration.get("EnforceWorkGroupConfiguration") and theirs.get("OutputLocation")
    settings = theirs if insists else ours if ours.get("OutputLocation") else {**theirs, **ours}
    location = settings.get("OutputLocation")
    if not location:
        raise invalid_request(
            "No output location provided. An output location is required either through the Workgroup result "
            "configuration setting or as an API input.",
            "INVALID_INPUT",
        )
    output_bucket(location)
    place = str(location if location.endswith("/") else location + "/")
    return {"ResultConfiguration": {**settings, "OutputLocation": place}}


def check_place(statement: Statement, group: GlueJson) -> None:
    """Raise ``InvalidRequestException`` for a table that is to lie elsewhere than its work group insists on."""
    write = statement.write if isinstance(statement, WriteStatement) else None
    elsewhere = isinstance(write, CreateTableAs) and write.properties.get("external_location") is not None
    configuration = group["Configuration"]
    if elsewhere and configuration.get("EnforceWorkGroupConfiguration") and not is_managed(configuration):
        raise invalid_request(
            "The Create Table As Select query failed because it was submitted with an 'external_location' property to"
            " an Athena Workgroup that enforces a centralized output location for all queries. Please remove the"
            " 'external_location' property and resubmit the query."
        )


def output_bucket(location: str) -> str:
    """The bucket of a place for results. Raises ``InvalidRequestException`` for what is none."""
    try:
        bucket, _ = split_s3_uri(location)
    except ValueError:
        bucket = ""
    if not bucket:
        raise invalid_request("outputLocation is not a valid S3 path.")
    return bucket


def millis(seconds: float) -> int:
    """Whole milliseconds, begun ones counted: Athena never reports that something took no time.

    >>> millis(0.0012)
    2
    """
    return max(math.ceil(seconds * 1000), 0)

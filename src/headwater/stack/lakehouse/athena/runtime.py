"""What GetQueryRuntimeStatistics says: the times and amounts of a run, which is one stage here."""

from __future__ import annotations

from headwater.stack.lakehouse.athena.executions import Stored
from headwater.stack.lakehouse.athena.managed import manifest_location, result_location
from headwater.stack.lakehouse.errors import AccessDenied, NoSuchBucket
from headwater.stack.lakehouse.model import GlueJson, Scope, Storage, StoredObject, split_s3_uri

_TIMES = (
    *("QueryQueueTimeInMillis", "ServicePreProcessingTimeInMillis", "ServiceProcessingTimeInMillis"),
    "QueryPlanningTimeInMillis",
    *("EngineExecutionTimeInMillis", "TotalExecutionTimeInMillis"),
)


def runtime_statistics(storage: Storage, scope: Scope, stored: Stored) -> GlueJson:
    """The timeline, the amounts, and the stage of a query that has ended well."""
    execution = stored.execution
    statistics = execution["Statistics"]
    timeline = {name: statistics.get(name, 0) for name in _TIMES}
    amounts = {"InputBytes": statistics.get("DataScannedInBytes", 0), "OutputRows": stored.rows}
    manifest = manifest_location(execution)
    size = _size(storage, scope, result_location(execution)) if manifest is None else _written(storage, scope, manifest)
    if size is not None:
        amounts["OutputBytes"] = size
    found: GlueJson = {"Timeline": timeline, "Rows": amounts}
    ran = execution["StatementType"] == "DML" or manifest is not None
    if execution["Status"]["State"] == "SUCCEEDED" and ran:
        time = timeline["EngineExecutionTimeInMillis"]
        found["OutputStage"] = {"StageId": 0, "State": "FINISHED", **amounts, "ExecutionTime": time, "SubStages": []}
    return {"QueryRuntimeStatistics": found}


def _written(storage: Storage, scope: Scope, manifest: str) -> int | None:
    """The bytes of the files that a statement wrote, while they all are there and the manifest names them."""
    listed = _object(storage, scope, manifest)
    names = listed.path.read_text("utf-8").splitlines() if listed is not None else []
    sizes = [_size(storage, scope, name) for name in names]
    known = [size for size in sizes if size is not None]
    return sum(known) if sizes and len(known) == len(sizes) else None


def _size(storage: Storage, scope: Scope, uri: str) -> int | None:
    """The bytes of an object, while it is there."""
    found = _object(storage, scope, uri)
    return found.size if found is not None else None


def _object(storage: Storage, scope: Scope, uri: str) -> StoredObject | None:
    bucket, key = split_s3_uri(uri)
    try:
        return next((found for found in storage.objects(scope, bucket, key) if found.key == key), None)
    except (NoSuchBucket, AccessDenied):
        return None

"""What GetQueryRuntimeStatistics says: the times and amounts of a run, which is one stage here."""

from __future__ import annotations

from headwater.stack.lakehouse.athena.executions import Stored
from headwater.stack.lakehouse.errors import AccessDenied, NoSuchBucket
from headwater.stack.lakehouse.model import GlueJson, Scope, Storage, split_s3_uri

_TIMES = (
    *("QueryQueueTimeInMillis", "ServiceProcessingTimeInMillis", "QueryPlanningTimeInMillis"),
    *("EngineExecutionTimeInMillis", "TotalExecutionTimeInMillis"),
)


def runtime_statistics(storage: Storage, scope: Scope, stored: Stored) -> GlueJson:
    """The timeline, the amounts, and the stage of a query that has ended well."""
    execution = stored.execution
    statistics = execution["Statistics"]
    timeline = {name: statistics.get(name, 0) for name in _TIMES}
    amounts = {"InputBytes": statistics.get("DataScannedInBytes", 0), "OutputRows": stored.rows}
    size = _size(storage, scope, execution["ResultConfiguration"]["OutputLocation"])
    if size is not None:
        amounts["OutputBytes"] = size
    found: GlueJson = {"Timeline": timeline, "Rows": amounts}
    if execution["Status"]["State"] == "SUCCEEDED" and execution["StatementType"] == "DML":
        time = timeline["EngineExecutionTimeInMillis"]
        found["OutputStage"] = {"StageId": 0, "State": "FINISHED", **amounts, "ExecutionTime": time, "SubStages": []}
    return {"QueryRuntimeStatistics": found}


def _size(storage: Storage, scope: Scope, uri: str) -> int | None:
    """The bytes of the result, while it is there."""
    bucket, key = split_s3_uri(uri)
    try:
        return next((found.size for found in storage.objects(scope, bucket, key) if found.key == key), None)
    except (NoSuchBucket, AccessDenied):
        return None

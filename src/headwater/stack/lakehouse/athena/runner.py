"""Runs executions: from a parsed statement to its state, statistics and result objects."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from headwater.stack.lakehouse.athena.executions import AthenaStore
from headwater.stack.lakehouse.athena.select import Outcome, SelectRun, run_select
from headwater.stack.lakehouse.athena.statement import DdlStatement, RefusedStatement, SelectStatement, Statement
from headwater.stack.lakehouse.catalog.store import Catalog
from headwater.stack.lakehouse.engine import Engine, Session
from headwater.stack.lakehouse.errors import AccessDenied, ApiError, NoSuchBucket, QueryFailed
from headwater.stack.lakehouse.hive.context import DdlContext
from headwater.stack.lakehouse.hive.execute import execute as execute_ddl
from headwater.stack.lakehouse.model import GlueJson, Scope, Storage, split_s3_uri
from headwater.stack.lakehouse.results.columns import metadata_object, text_column_info
from headwater.stack.lakehouse.sql.calls import Registry


@dataclass(frozen=True)
class Job:
    """One execution to run: its record, and the statement that was parsed when it was started."""

    scope: Scope
    execution: GlueJson
    statement: Statement

    @property
    def identifier(self) -> str:
        """The QueryExecutionId."""
        return str(self.execution["QueryExecutionId"])


@dataclass
class Control:
    """The handle by which a running execution is stopped."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    stopped: bool = False
    session: Session | None = None

    def stop(self) -> None:
        """Stop it, whether it waits or runs."""
        with self.lock:
            self.stopped = True
            if self.session is not None:
                self.session.interrupt()

    def attach(self, session: Session | None) -> None:
        """Say which session works for the execution. Raises ``Stopped`` when it is too late."""
        with self.lock:
            self.session = session
            if session is not None and self.stopped:
                raise Stopped


class Stopped(Exception):
    """The execution was cancelled."""


@dataclass(frozen=True)
class Resources:
    """What running needs from the outside."""

    catalog: Catalog
    storage: Storage
    engine: Engine
    registry: Registry
    scratch: Path
    clock: Callable[[], float] = time.time


class Runner:
    """A queue of executions and the worker threads that empty it: as many at once as the engine has slots."""

    def __init__(self, store: AthenaStore, resources: Resources) -> None:
        self._store = store
        self._resources = resources
        self._pool = ThreadPoolExecutor(resources.engine.slots, thread_name_prefix="athena")
        self._controls: dict[str, Control] = {}
        self._lock = threading.Lock()

    def submit(self, job: Job) -> None:
        """Queue an execution that the store holds as QUEUED."""
        control = Control()
        with self._lock:
            self._controls[job.identifier] = control
        self._pool.submit(self._run, job, control)

    def stop(self, identifier: str) -> None:
        """Interrupt an execution; one that has ended is left alone."""
        with self._lock:
            control = self._controls.get(identifier)
        if control is not None:
            control.stop()

    def close(self) -> None:
        """Stop everything and wait for the workers."""
        with self._lock:
            controls = list(self._controls.values())
        for control in controls:
            control.stop()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _run(self, job: Job, control: Control) -> None:
        execution, clock = job.execution, self._resources.clock
        started = clock()
        execution["Statistics"]["QueryQueueTimeInMillis"] = _millis(started - execution["Status"]["SubmissionDateTime"])
        try:
            if control.stopped:
                raise Stopped
            execution["Status"]["State"] = "RUNNING"
            self._store.save(execution)
            outcome = self._outcome(job, control)
            execution["Status"]["State"] = "SUCCEEDED"
        except Stopped:
            outcome = Outcome()
            execution["Status"] |= {"State": "CANCELLED", "StateChangeReason": "Query cancelled by user"}
        except QueryFailed as failure:
            outcome = Outcome(bytes_scanned=getattr(failure, "bytes_scanned", 0))
            self._failed(execution, failure.reason, failure.category, failure.error_type)
        except ApiError as error:
            outcome = Outcome()
            self._failed(execution, error.message, 2, 1006)
        except Exception:  # noqa: BLE001 - whatever goes wrong, the execution must end, and never with a local path
            traceback.print_exc()
            outcome = Outcome()
            self._failed(execution, "INTERNAL_ERROR: Headwater's local Athena failed on this query", 1, 233)
        if control.stopped and execution["Status"]["State"] == "FAILED":
            execution["Status"] = {
                "State": "CANCELLED",
                "StateChangeReason": "Query cancelled by user",
                "SubmissionDateTime": execution["Status"]["SubmissionDateTime"],
            }
        self._finish(execution, outcome, started, clock())
        with self._lock:
            self._controls.pop(job.identifier, None)

    def _failed(self, execution: GlueJson, reason: str, category: int, kind: int) -> None:
        error = {"ErrorCategory": category, "ErrorType": kind, "Retryable": False, "ErrorMessage": reason}
        execution["Status"] |= {"State": "FAILED", "StateChangeReason": reason, "AthenaError": error}

    def _finish(self, execution: GlueJson, outcome: Outcome, started: float, ended: float) -> None:
        execution["Status"]["CompletionDateTime"] = ended
        statistics = execution["Statistics"]
        total = _millis(ended - execution["Status"]["SubmissionDateTime"])
        statistics |= {
            "EngineExecutionTimeInMillis": _millis(ended - started - outcome.service_seconds),
            "DataScannedInBytes": outcome.bytes_scanned,
            "TotalExecutionTimeInMillis": total,
            "QueryPlanningTimeInMillis": _millis(outcome.planning_seconds),
            "ServiceProcessingTimeInMillis": _millis(outcome.service_seconds),
            "ResultReuseInformation": {"ReusedPreviousResult": False},
        }
        if outcome.substatement:
            execution["SubstatementType"] = outcome.substatement
        if outcome.statement:
            execution["StatementType"] = outcome.statement
        self._store.save(execution, outcome.columns, outcome.rows)

    def _outcome(self, job: Job, control: Control) -> Outcome:
        if isinstance(job.statement, RefusedStatement):
            raise job.statement.failure
        output = job.execution["ResultConfiguration"]["OutputLocation"]
        if isinstance(job.statement, DdlStatement):
            return self._ddl(job, job.statement, output)
        return self._select(job, job.statement, control, output)

    def _select(self, job: Job, statement: SelectStatement, control: Control, output: str) -> Outcome:
        resources = self._resources
        result = resources.scratch / f"{job.identifier}.csv"
        database = job.execution["QueryExecutionContext"].get("Database")
        try:
            with resources.engine.session() as session:
                control.attach(session)
                try:
                    run = SelectRun(session, resources.catalog, resources.storage, job.scope, resources.registry)
                    outcome = run_select(run, statement, database, result, resources.clock)
                finally:
                    control.attach(None)
            stored = time.monotonic()
            self._put(job.scope, f"{output}.metadata", metadata_object(outcome.columns), "application/octet-stream")
            self._put(job.scope, output, result, "text/csv")
            return outcome.after_service(time.monotonic() - stored)
        finally:
            result.unlink(missing_ok=True)

    def _ddl(self, job: Job, ddl: DdlStatement, output: str) -> Outcome:
        resources = self._resources
        database = job.execution["QueryExecutionContext"].get("Database") or "default"
        context = DdlContext(job.scope, resources.catalog, resources.storage, database, resources.clock)
        # Athena checks the output location before it changes anything.
        self._put(job.scope, f"{output}.metadata", b"", "application/octet-stream")
        result = execute_ddl(ddl.statement, context)
        columns = [text_column_info(column.name) for column in result.columns]
        lines = ["\t".join(value or "" for value in row) for row in result.rows]
        self._put(job.scope, output, "".join(f"{line}\n" for line in lines).encode(), "text/plain")
        if columns:
            self._put(job.scope, f"{output}.metadata", metadata_object(columns), "application/octet-stream")
        return Outcome(
            columns=columns, rows=len(lines), statement=result.statement_type, substatement=result.substatement_type
        )

    def _put(self, scope: Scope, uri: str, body: bytes | Path, content_type: str) -> None:
        bucket, key = split_s3_uri(uri)
        try:
            self._resources.storage.put(scope, bucket, key, body, content_type)
        except (NoSuchBucket, AccessDenied) as error:
            message = f"Unable to verify/create output bucket {bucket}"
            raise QueryFailed(message, category=2, error_type=1205) from error


def _millis(seconds: float) -> int:
    return max(round(seconds * 1000), 0)

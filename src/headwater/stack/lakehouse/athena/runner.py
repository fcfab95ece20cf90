"""Runs executions: from a parsed statement to its state, statistics and result objects."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from headwater.stack.lakehouse.athena.control import Control, Stopped
from headwater.stack.lakehouse.athena.executions import AthenaStore
from headwater.stack.lakehouse.athena.job import Job, Outcome, Statements
from headwater.stack.lakehouse.athena.records import millis
from headwater.stack.lakehouse.errors import ApiError, QueryFailed
from headwater.stack.lakehouse.model import GlueJson


class Runner:
    """A queue of executions and the threads that empty it: as many at once as there are slots."""

    def __init__(self, store: AthenaStore, statements: Statements, clock: Callable[[], float]) -> None:
        self._store = store
        self._statements = statements
        self._clock = clock
        self._pool = ThreadPoolExecutor(statements.slots, thread_name_prefix="athena")
        self._controls: dict[str, Control] = {}
        self._lock = threading.Lock()

    def submit(self, job: Job) -> None:
        """Queue an execution that the store holds as QUEUED."""
        control = Control(job.cutoff)
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
        execution, clock = job.execution, self._clock
        started = clock()
        waited = millis(started - execution["Status"]["SubmissionDateTime"])
        read = execution["Statistics"].get("ServicePreProcessingTimeInMillis", 0)
        execution["Statistics"]["QueryQueueTimeInMillis"] = max(waited - read, 1)
        try:
            control.check()
            execution["Status"]["State"] = "RUNNING"
            self._store.save(execution)
            outcome = self._statements.run(job, control)
            execution["Status"]["State"] = "SUCCEEDED"
        except Stopped as stopped:
            outcome = Outcome(bytes_scanned=stopped.bytes_scanned)
            execution["Status"] |= {"State": "CANCELLED", "StateChangeReason": stopped.reason}
        except QueryFailed as failure:
            outcome = Outcome(bytes_scanned=failure.bytes_scanned)
            self._failed(execution, failure.reason, failure.category, failure.error_type)
        except ApiError as error:
            outcome = Outcome()
            self._failed(execution, error.message, 2, 1000)
        except Exception:  # noqa: BLE001 - whatever goes wrong, the execution must end, and never with a local path
            traceback.print_exc()
            outcome = Outcome()
            self._failed(execution, "INTERNAL_ERROR: Headwater's local Athena failed on this query", 1, 233)
        if control.stopped and execution["Status"]["State"] == "FAILED":
            execution["Status"] = {
                "State": "CANCELLED",
                "StateChangeReason": control.reason,
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
        total = millis(ended - execution["Status"]["SubmissionDateTime"])
        statistics |= {
            "EngineExecutionTimeInMillis": millis(ended - started - outcome.service_seconds),
            "DataScannedInBytes": outcome.bytes_scanned,
            "TotalExecutionTimeInMillis": total,
            "QueryPlanningTimeInMillis": millis(outcome.planning_seconds),
            "ServiceProcessingTimeInMillis": millis(outcome.service_seconds),
            "ResultReuseInformation": {"ReusedPreviousResult": False},
        }
        if outcome.manifest:
            statistics["DataManifestLocation"] = outcome.manifest
        self._store.save(execution, outcome.columns, outcome.rows)

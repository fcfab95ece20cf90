"""The lakehouse as one object: Glue and Athena requests in, JSON answers out; the front door calls nothing else."""

from __future__ import annotations

import json
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from headwater.stack.lakehouse.athena.api import AthenaApi
from headwater.stack.lakehouse.athena.executions import AthenaStore
from headwater.stack.lakehouse.athena.job import Statements
from headwater.stack.lakehouse.athena.managed import FOLDER, ResultStorage
from headwater.stack.lakehouse.athena.processes import Processes, WorkerSettings
from headwater.stack.lakehouse.athena.runner import Runner
from headwater.stack.lakehouse.catalog.store import Catalog
from headwater.stack.lakehouse.contract import Contract
from headwater.stack.lakehouse.errors import ApiError
from headwater.stack.lakehouse.glue.api import GlueApi
from headwater.stack.lakehouse.model import EngineSettings, Files, Scope, Storage

_SCRATCH = "athena-scratch"


class Lakehouse:
    """The local Glue and Athena over a state folder and a storage. ``call`` may be called from any thread.

    Queries run in processes of their own if those can find the objects by themselves (``files``), else in threads.
    Everything that was acknowledged survives a killed process.
    """

    def __init__(
        self,
        state: Path,
        storage: Storage,
        *,
        files: Files | None = None,
        settings: EngineSettings | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        scratch = state / _SCRATCH
        scratch.mkdir(parents=True, exist_ok=True)
        self._clock = clock
        self._catalog = Catalog(state / "catalog.sqlite", clock)
        self._store = AthenaStore(state / "athena.sqlite")
        self._results = ResultStorage(storage, state / FOLDER, clock)
        engine = settings or EngineSettings(scratch / "spill")
        self._statements: Statements
        if files is not None:
            self._statements = Processes(WorkerSettings(state, scratch, files, engine), storage)
        else:
            # Not above: a process that leaves statements to others has no use for the engine.
            from headwater.stack.lakehouse.athena.execute import Executor, Resources
            from headwater.stack.lakehouse.engine import Engine
            from headwater.stack.lakehouse.sql.functions.registry import registry

            stores = (self._store, self._catalog, storage, self._results)
            self._statements = Executor(Resources(*stores, Engine(engine), registry(), scratch, clock))
        self._runner = Runner(self._store, self._statements, clock)
        self._athena = AthenaApi(self._store, self._runner, self._catalog, self._results, clock)
        self._glue = GlueApi(self._catalog)
        self._contracts = {"AmazonAthena": Contract("athena"), "AWSGlue": Contract("glue")}
        self._scratch = scratch

    def start(self) -> None:
        """End what an earlier process left unfinished, and begin to make the engine ready for the first query."""
        for leftover in self._scratch.glob("*.csv"):
            leftover.unlink()
        self._results.forget_old()
        self._store.fail_unfinished(self._clock())
        threading.Thread(target=self._statements.start, name="athena-warm", daemon=True).start()

    def close(self) -> None:
        """Cancel what runs and release the files."""
        self._runner.close()
        self._statements.close()
        self._store.close()
        self._catalog.close()

    @property
    def operations(self) -> dict[str, tuple[str, ...]]:
        """What each service answers, by its name."""
        return {"Athena": self._athena.operations, "Glue": self._glue.operations}

    def at_once(self, target: str, scope: Scope, body: bytes) -> bytes | None:
        """The answer to a question after an execution that has not ended, from memory; ``None``: use ``call``.

        Clients ask this many times a second. A thread for each would have the server's thread wait for Python's lock.
        """
        if target != "AmazonAthena.GetQueryExecution":
            return None
        try:
            identifier = json.loads(body)["QueryExecutionId"]
            document = self._store.unfinished(scope, identifier)
        except (ValueError, TypeError, KeyError):
            return None
        return None if document is None else f'{{"QueryExecution": {document}}}'.encode()

    def call(self, target: str, scope: Scope, body: bytes) -> tuple[int, bytes]:
        """Answer one request of the AWS JSON 1.1 protocol: the ``X-Amz-Target``, whose it is, and the body.

        Returns the HTTP status and the answer; errors are answers too, as ``{"__type": …, "message": …}``.
        """
        service, _, operation = target.partition(".")
        apis: dict[str, AthenaApi | GlueApi] = {"AmazonAthena": self._athena, "AWSGlue": self._glue}
        api = apis.get(service)
        try:
            if api is None:
                raise ApiError("UnknownOperationException", f"Unknown target {target}")
            request = _request(body)
            if operation in api.operations:
                self._contracts[service].check(operation, request)
            return 200, json.dumps(api.call(scope, operation, request)).encode()
        except ApiError as error:
            answer = {"__type": error.code, "message": error.message, "Message": error.message, **error.extra}
            return error.status, json.dumps(answer).encode()
        except Exception:  # noqa: BLE001 - a client gets an answer, whatever goes wrong; the log gets the reason
            traceback.print_exc()
            answer = {"__type": "InternalServerException", "message": f"{operation} failed in the local stack"}
            return 500, json.dumps(answer).encode()


def _request(body: bytes) -> dict[str, object]:
    try:
        # A member that is null is one that is not given.
        request = json.loads(body or b"{}", object_hook=lambda found: {k: v for k, v in found.items() if v is not None})
    except ValueError as error:
        raise ApiError("SerializationException", "The request is not valid JSON") from error
    if not isinstance(request, dict):
        raise ApiError("SerializationException", "The request is not a JSON object")
    return request

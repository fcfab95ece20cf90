"""What running an execution takes and gives, and who can run one: threads of this process, or processes beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from headwater.stack.lakehouse.athena.control import Control, Stopped
from headwater.stack.lakehouse.athena.managed import is_managed, result_location
from headwater.stack.lakehouse.athena.statement import Statement
from headwater.stack.lakehouse.errors import QueryFailed
from headwater.stack.lakehouse.model import GlueJson, Scope


@dataclass(frozen=True)
class Job:
    """One execution to run: its record, and the statement that was parsed when it was started."""

    scope: Scope
    execution: GlueJson
    statement: Statement
    cutoff: int = 0

    @property
    def identifier(self) -> str:
        """The QueryExecutionId."""
        return str(self.execution["QueryExecutionId"])

    @property
    def database(self) -> str:
        """The current database."""
        return str(self.execution["QueryExecutionContext"].get("Database") or "default")

    @property
    def output(self) -> str:
        """Where the result goes."""
        return result_location(self.execution)

    @property
    def managed(self) -> bool:
        """Whether Athena keeps the result, so that no client is told where it is."""
        return is_managed(self.execution)


@dataclass(frozen=True)
class Outcome:
    """What an execution produced, for its record. ``manifest`` is where the list of written files is."""

    columns: Sequence[GlueJson] = field(default_factory=list)
    rows: int = 0
    bytes_scanned: int = 0
    planning_seconds: float = 0.0
    service_seconds: float = 0.0
    manifest: str = ""

    def after_service(self, seconds: float) -> Outcome:
        """With the time that storing the result took."""
        return replace(self, service_seconds=seconds)


@dataclass(frozen=True)
class Failure:
    """How a statement ended, as plain values: exceptions do not all survive the way to another process."""

    reason: str
    category: int = 2
    error_type: int = 1000
    bytes_scanned: int = 0
    stopped: bool = False

    def raised(self) -> Exception:
        """The exception that it was."""
        if self.stopped:
            return Stopped(self.reason, self.bytes_scanned)
        failure = QueryFailed(self.reason, self.category, self.error_type)
        failure.bytes_scanned = self.bytes_scanned
        return failure


class Statements(Protocol):
    """Runs statements, ``slots`` of them at once."""

    @property
    def slots(self) -> int:
        """How many run at once."""
        ...

    def start(self) -> None:
        """Make ready for the first statement; blocking."""
        ...

    def run(self, job: Job, control: Control) -> Outcome:
        """Carry out one statement to its end. Raises ``QueryFailed`` or ``control.Stopped``. From any thread."""
        ...

    def close(self) -> None:
        """Release what is held; nothing runs any more."""
        ...

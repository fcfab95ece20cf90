"""The Athena edge: start a statement, wait for it, cancel it, stream its rows, and say what it cost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from headwater.errors import AwsError, BucketError, QueryError
from headwater.services.aws import aws_errors

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient

FIRST_WAIT_SECONDS = 0.005  # the embedded Athena answers in milliseconds
LONGEST_WAIT_SECONDS = 1.0
USD_PER_TB = Decimal(5)
TB = 10**12
MB = 10**6
MINIMUM_BYTES = 10 * MB
ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")

Sleep = Callable[[float], None]


@dataclass(frozen=True)
class Workspace:
    """Where statements run: the database that names without one refer to, and where Athena writes results."""

    database: str | None
    output_location: str
    work_group: str = "primary"


@dataclass(frozen=True)
class Column:
    """A result column with Athena's type name, for example ``decimal`` with precision 10 and scale 2."""

    name: str
    type: str
    precision: int = 0
    scale: int = 0


@dataclass(frozen=True)
class Execution:
    """A statement and how it went; times in milliseconds. ``kind`` is DML, DDL or UTILITY."""

    id: str
    sql: str
    state: str
    reason: str
    kind: str
    bytes_scanned: int
    engine_ms: int
    queue_ms: int
    total_ms: int
    output_location: str

    @property
    def price_usd(self) -> Decimal:
        """What AWS asks for it; see ``price``."""
        return price(self.kind, self.bytes_scanned, self.state)


def price(kind: str, bytes_scanned: int, state: str = "SUCCEEDED") -> Decimal:
    """US dollars for a statement: 5 a TB scanned, rounded up to a megabyte, at least 10 MB; us-east-1's rate.

    DDL, statements that only read the catalog, and failed ones are free; a cancelled one is charged for what it had
    scanned. Source: https://aws.amazon.com/athena/pricing/ (SQL queries). Megabytes and terabytes are decimal, as in
    Athena's own 10 MB minimum of BytesScannedCutoffPerQuery (10000000).

    >>> price("DML", 1234), price("DDL", 0), price("DML", 3 * 10**12)
    (Decimal('0.00005'), Decimal('0'), Decimal('15'))
    """
    if kind != "DML" or state == "FAILED" or (state == "CANCELLED" and bytes_scanned == 0):
        return Decimal(0)
    megabytes = -(-max(bytes_scanned, MINIMUM_BYTES) // MB)
    return (USD_PER_TB * megabytes * MB / TB).normalize() + Decimal(0)


def start(athena: AthenaClient, sql: str, workspace: Workspace) -> str:
    """Submit a statement; returns its execution id.

    Raises QueryError for one that Athena cannot parse, BucketError without a place for results, AwsError.
    """
    context: dict[str, Any] = {"Catalog": "AwsDataCatalog"}
    if workspace.database is not None:
        context["Database"] = workspace.database
    with aws_errors("start a statement in Athena"):
        try:
            answer = athena.start_query_execution(
                QueryString=sql,
                QueryExecutionContext=context,  # type: ignore[arg-type] # a TypedDict built step by step
                ResultConfiguration={"OutputLocation": workspace.output_location},
                WorkGroup=workspace.work_group,
            )
        except athena.exceptions.InvalidRequestException as error:
            message = error.response.get("Error", {}).get("Message", "")
            # What Athena cannot even parse never becomes an execution, but it is the same mistake to its writer.
            if error.response.get("AthenaErrorCode") == "MALFORMED_QUERY":
                raise QueryError(f"Athena cannot parse the statement: {message} (in: {_shortened(sql)})") from error
            if "output bucket" in message:
                hint = "check BUCKET_NAME, or run `headwater bucket` to create it"
                raise BucketError(f"Athena has no place for results: {message}", hint=hint) from error
            raise
    return answer["QueryExecutionId"]


def get(athena: AthenaClient, execution_id: str) -> Execution:
    """An execution as it is now."""
    with aws_errors(f"look at Athena's execution {execution_id}"):
        found = athena.get_query_execution(QueryExecutionId=execution_id)["QueryExecution"]
    status, statistics = found.get("Status", {}), found.get("Statistics", {})
    return Execution(
        id=execution_id,
        sql=found.get("Query", ""),
        state=status.get("State", "QUEUED"),
        reason=status.get("StateChangeReason", ""),
        kind=found.get("StatementType", "DML"),
        bytes_scanned=statistics.get("DataScannedInBytes", 0),
        engine_ms=statistics.get("EngineExecutionTimeInMillis", 0),
        queue_ms=statistics.get("QueryQueueTimeInMillis", 0),
        total_ms=statistics.get("TotalExecutionTimeInMillis", 0),
        output_location=found.get("ResultConfiguration", {}).get("OutputLocation", ""),
    )


def wait(athena: AthenaClient, execution_id: str, sleep: Sleep = time.sleep) -> Execution:
    """Wait until an execution ends, whichever way. Any exception, Ctrl-C included, cancels it in Athena first."""
    delay = FIRST_WAIT_SECONDS
    try:
        while (execution := get(athena, execution_id)).state not in ENDED:
            sleep(delay)
            # The last wait is what a finished query is noticed too late: a tenth of its time at most.
            delay = min(delay * 1.1, LONGEST_WAIT_SECONDS)
    except BaseException:
        with suppress(AwsError):  # what interrupted the wait says more
            cancel(athena, execution_id)
        raise
    return execution


def cancel(athena: AthenaClient, execution_id: str) -> None:
    """Ask Athena to stop an execution; one that has ended stays as it is."""
    with aws_errors(f"cancel Athena's execution {execution_id}"):
        athena.stop_query_execution(QueryExecutionId=execution_id)


def run(athena: AthenaClient, sql: str, workspace: Workspace) -> Execution:
    """Start a statement and wait until it has succeeded. Raises QueryError with Athena's reason.

    >>> run(athena, "SHOW DATABASES", Workspace(None, "s3://b/athena-results/")).state        # doctest: +SKIP
    'SUCCEEDED'
    """
    return succeeded(wait(athena, start(athena, sql, workspace)))


def succeeded(execution: Execution) -> Execution:
    """The execution itself, if it succeeded. Raises QueryError otherwise."""
    if execution.state == "SUCCEEDED":
        return execution
    reason = execution.reason or "Athena gave no reason"
    missing = any(code in reason for code in ("TABLE_NOT_FOUND", "SCHEMA_NOT_FOUND", "EntityNotFoundException"))
    raise QueryError(
        f"Athena ended execution {execution.id} {execution.state}: {reason} (in: {_shortened(execution.sql)})",
        hint="run `headwater catalog` to create the tables" if missing else "",
    )


def _shortened(sql: str, limit: int = 200) -> str:
    flat = " ".join(sql.split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


class Result:
    """The rows of an execution that succeeded: ``columns`` at once, ``rows()`` page by page with Python values."""

    def __init__(self, athena: AthenaClient, execution: Execution) -> None:
        self.execution = execution
        self._athena = athena
        self._first = self._page(None)
        described = self._first["ResultSet"].get("ResultSetMetadata", {}).get("ColumnInfo", [])
        self.columns = tuple(Column(c["Name"], c["Type"], c.get("Precision", 0), c.get("Scale", 0)) for c in described)

    def _page(self, token: str | None) -> Any:
        following = {} if token is None else {"NextToken": token}
        with aws_errors(f"read the result of Athena's execution {self.execution.id}"):
            return self._athena.get_query_results(
                QueryExecutionId=self.execution.id,
                MaxResults=1000,
                **following,  # type: ignore[arg-type]
            )

    def texts(self) -> Iterator[tuple[str | None, ...]]:
        """Every row as Athena's own text; NULL is None."""
        page, skip = self._first, self._has_header()
        while True:
            for row in page["ResultSet"].get("Rows", [])[1 if skip else 0 :]:
                yield tuple(cell.get("VarCharValue") for cell in row.get("Data", []))
            skip = False
            if "NextToken" not in page:
                return
            page = self._page(page["NextToken"])

    def rows(self) -> Iterator[tuple[object, ...]]:
        """Every row; integers as int, floating point as float, decimal as Decimal, boolean as bool, others as text."""
        readers = [_READERS.get(column.type, _text) for column in self.columns]
        for row in self.texts():
            yield tuple(None if cell is None else read(cell) for cell, read in zip(row, readers, strict=False))

    def _has_header(self) -> bool:
        """SELECT repeats the column names as its first row; SHOW and DESCRIBE do not."""
        rows = self._first["ResultSet"].get("Rows", [])
        if self.execution.kind != "DML" or not rows:
            return False
        return [cell.get("VarCharValue") for cell in rows[0].get("Data", [])] == [c.name for c in self.columns]


def _text(cell: str) -> object:
    return cell


def _boolean(cell: str) -> object:
    return cell == "true"


_READERS: dict[str, Callable[[str], object]] = {
    "boolean": _boolean,
    "tinyint": int,
    "smallint": int,
    "integer": int,
    "int": int,
    "bigint": int,
    "float": float,
    "real": float,
    "double": float,
    "decimal": Decimal,
}

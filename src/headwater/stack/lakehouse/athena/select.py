"""One SELECT from its tree to a result file: bind, translate, prune, run, encode."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path

import duckdb

from headwater.stack.lakehouse.athena.statement import SelectStatement
from headwater.stack.lakehouse.catalog.store import Catalog
from headwater.stack.lakehouse.engine import Session
from headwater.stack.lakehouse.errors import QueryFailed
from headwater.stack.lakehouse.model import GlueJson, Scope, Storage
from headwater.stack.lakehouse.results.columns import column_info
from headwater.stack.lakehouse.results.encode import csv_header, csv_query
from headwater.stack.lakehouse.sources.relation import Lake
from headwater.stack.lakehouse.sql.bind import CatalogTables
from headwater.stack.lakehouse.sql.calls import Registry
from headwater.stack.lakehouse.sql.run import translated
from headwater.stack.lakehouse.sql.translate import Translation, translate


@dataclass(frozen=True)
class Outcome:
    """What an execution produced, for its record."""

    columns: Sequence[GlueJson] = field(default_factory=list)
    rows: int = 0
    bytes_scanned: int = 0
    planning_seconds: float = 0.0
    service_seconds: float = 0.0
    statement: str = ""
    substatement: str = ""

    def after_service(self, seconds: float) -> Outcome:
        """With the time that storing the result took."""
        return replace(self, service_seconds=seconds)


@dataclass(frozen=True)
class SelectRun:
    """What a SELECT runs in."""

    session: Session
    catalog: Catalog
    storage: Storage
    scope: Scope
    registry: Registry


def run_select(
    run: SelectRun, statement: SelectStatement, database: str | None, result: Path, clock: Callable[[], float]
) -> Outcome:
    """Write the rows to ``result`` as Athena's CSV. Raises ``QueryFailed``, carrying the bytes read until then."""
    began = time.monotonic()
    now = datetime.fromtimestamp(clock(), timezone.utc).replace(tzinfo=None)
    tables = CatalogTables(run.catalog, run.scope, (database or "default").lower())
    translation = translate(statement.tree, statement.text, tables, run.registry, now)
    try:
        sql = _with_sources(run, translation, now)
        planned = time.monotonic()
        rows = _write(run.session, csv_query(sql, translation.columns), translation, result)
    except duckdb.Error as error:
        raise _with_bytes(translated(error), run.session) from error
    except QueryFailed as failure:
        raise _with_bytes(failure, run.session) from failure
    return Outcome(
        columns=[column_info(n, c.type) for n, c in zip(translation.names, translation.columns, strict=True)],
        rows=rows,
        bytes_scanned=run.session.bytes_read(),
        planning_seconds=planned - began,
        statement="DML",
        substatement="SELECT",
    )


def _with_sources(run: SelectRun, translation: Translation, now: datetime) -> str:
    lake = Lake(run.catalog, run.storage, run.scope, now)
    sources = {scan.number: lake.relation(scan, run.session.connection) for scan in translation.scans}
    return translation.with_scans(sources)


def _write(session: Session, sql: str, translation: Translation, result: Path) -> int:
    rows = 0
    with result.open("wb") as file:
        file.write(csv_header(translation.names))
        for batch in session.batches(sql):
            lines = batch.column(0)
            rows += len(lines)
            file.write(_text_of(lines))
    return rows


def _text_of(lines: object) -> bytes | memoryview:
    """The characters of an Arrow string array are one buffer: all lines of the batch in a row, without a copy each."""
    offsets, data = lines.buffers()[1:3]  # type: ignore[attr-defined]  # pyarrow ships no types
    if data is None:
        return b""
    width = 8 if str(lines.type) == "large_string" else 4  # type: ignore[attr-defined]
    bounds = memoryview(offsets).cast("B").cast("q" if width == 8 else "i")
    first = lines.offset  # type: ignore[attr-defined]
    return memoryview(data)[bounds[first] : bounds[first + len(lines)]]  # type: ignore[arg-type]


def _with_bytes(failure: QueryFailed, session: Session) -> QueryFailed:
    """A failed query has read something too."""
    with suppress(duckdb.Error):
        failure.bytes_scanned = session.bytes_read()  # type: ignore[attr-defined]
    return failure

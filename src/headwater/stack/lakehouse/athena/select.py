"""One SELECT from its tree to a result file: bind, translate, prune, run, encode."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import duckdb
import pyarrow as pa

from headwater.stack.lakehouse.athena.job import Outcome
from headwater.stack.lakehouse.athena.statement import SelectStatement
from headwater.stack.lakehouse.catalog.store import Catalog
from headwater.stack.lakehouse.engine import Session
from headwater.stack.lakehouse.errors import QueryFailed
from headwater.stack.lakehouse.model import Column, GlueJson, Scope, Storage
from headwater.stack.lakehouse.results.columns import column_info
from headwater.stack.lakehouse.results.encode import csv_header, csv_query
from headwater.stack.lakehouse.sources.relation import Lake
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.bind import CatalogTables, CatalogTrouble
from headwater.stack.lakehouse.sql.calls import Registry
from headwater.stack.lakehouse.sql.context import Context, Moment, Snapshot
from headwater.stack.lakehouse.sql.parse import parse_query
from headwater.stack.lakehouse.sql.query import Query
from headwater.stack.lakehouse.sql.run import translated
from headwater.stack.lakehouse.sql.translate import Translation, translate
from headwater.stack.lakehouse.writes.ast import QueryText
from headwater.stack.lakehouse.writes.context import Prepared, check_columns


@dataclass(frozen=True)
class SelectRun:
    """What a SELECT runs in."""

    session: Session
    catalog: Catalog
    storage: Storage
    scope: Scope
    registry: Registry
    database: str
    now: datetime
    trouble: CatalogTrouble | None = None

    def translation(self, query: SelectStatement | QueryText) -> Translation:
        """The query in DuckDB SQL, its scans still open."""
        return translate(query.tree, Context(query.text, tables_of(self, self.database), self.now), self.registry)

    def sources(self, translation: Translation) -> str:
        """The SQL with its scans filled in."""
        lake = Lake(self.catalog, self.storage, self.scope, self.now)
        sources = {scan.number: lake.relation(scan, self.session) for scan in translation.scans}
        return translation.with_scans(sources)

    def prepare(self, query: QueryText) -> Prepared:
        """A query that another statement runs."""
        translation = self.translation(query)
        with reported(self.session):
            return Prepared(self.sources(translation), translation.stored_columns)

    def materialize(self, sql: str) -> str:
        """Run it and keep its rows until the statement ends."""
        with reported(self.session):
            return self.session.materialize(sql)

    def batches(self, sql: str) -> Iterator[pa.RecordBatch]:
        """Run it and stream its rows."""
        with reported(self.session):
            yield from self.session.batches(sql)


@contextmanager
def reported(session: Session) -> Iterator[None]:
    """DuckDB's errors become Athena's, and each failure carries the bytes read until then."""
    try:
        yield
        if (refusal := session.refusal()) is not None:
            raise QueryFailed(refusal)
    except duckdb.Error as error:
        raise _with_bytes(translated(error), session) from error
    except QueryFailed as failure:
        _with_bytes(failure, session)
        raise


def _with_bytes(failure: QueryFailed, session: Session) -> QueryFailed:
    with suppress(duckdb.Error):
        failure.bytes_scanned = session.bytes_read()
    return failure


def tables_of(run: SelectRun, database: str) -> CatalogTables:
    """The tables that a query can name, Iceberg's among them."""
    catalog, storage, scope = run.catalog, run.storage, run.scope

    # pyiceberg is imported by the first query that needs it.
    def snapshot(glue: GlueJson, at: Moment) -> Snapshot:
        from headwater.stack.lakehouse.iceberg.tables import IcebergTables
        from headwater.stack.lakehouse.iceberg.versions import open_snapshot

        return open_snapshot(IcebergTables(catalog, storage, scope), glue, at)

    def metadata(glue: GlueJson, suffix: str) -> Query | None:
        from headwater.stack.lakehouse.iceberg.metadata import metadata_rows
        from headwater.stack.lakehouse.iceberg.tables import IcebergTables

        return metadata_rows(IcebergTables(catalog, storage, scope), glue, suffix)

    return CatalogTables(catalog, scope, database, snapshot, metadata, run.trouble)


def moment(clock: Callable[[], float]) -> datetime:
    """The start of a query, which all its parts take for now."""
    return datetime.fromtimestamp(clock(), timezone.utc).replace(tzinfo=None)


def run_select(run: SelectRun, statement: SelectStatement, result: Path) -> Outcome:
    """Write the rows to ``result`` as Athena's CSV. Raises ``QueryFailed``, carrying the bytes read until then."""
    began = time.monotonic()
    translation = run.translation(statement)
    with reported(run.session):
        sql = run.sources(translation)
        planned = time.monotonic()
        rows = _write(run.session, csv_query(sql, translation.columns), translation, result)
        return Outcome(
            columns=[column_info(n, c.type) for n, c in zip(translation.names, translation.columns, strict=True)],
            rows=rows,
            bytes_scanned=run.session.bytes_read(),
            planning_seconds=planned - began,
        )


def view_columns(run: SelectRun) -> Callable[[str, str, str], Sequence[Column]]:
    """What CREATE VIEW asks of the SELECT engine: the columns of a query, with their Trino types."""

    def columns(sql: str, database: str, name: str) -> Sequence[Column]:
        context = Context(sql, tables_of(run, database.lower()), run.now, views=(name,))
        found = translate(parse_query(sql), context, run.registry).columns
        check_columns(found)
        return [Column((column.name or "").lower(), t.definition(column.type)) for column in found]

    return columns


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

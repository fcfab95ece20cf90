"""Carries out one statement of any kind: what each needs, where its result goes, and what it leaves for its record."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from headwater.stack.lakehouse.athena.catalogs import catalog_trouble, check_catalogs
from headwater.stack.lakehouse.athena.control import Control
from headwater.stack.lakehouse.athena.executions import AthenaStore
from headwater.stack.lakehouse.athena.explain import explain
from headwater.stack.lakehouse.athena.job import Job, Outcome
from headwater.stack.lakehouse.athena.prepared import deallocate, prepare
from headwater.stack.lakehouse.athena.select import SelectRun, moment, run_select, view_columns
from headwater.stack.lakehouse.athena.statement import (
    DdlStatement,
    DeallocateStatement,
    ExplainStatement,
    FailedStatement,
    PrepareStatement,
    SelectStatement,
    Statement,
    WriteStatement,
)
from headwater.stack.lakehouse.catalog.store import Catalog
from headwater.stack.lakehouse.engine import Engine
from headwater.stack.lakehouse.errors import AccessDenied, NoSuchBucket, QueryFailed
from headwater.stack.lakehouse.hive.context import DdlContext
from headwater.stack.lakehouse.hive.execute import execute as execute_ddl
from headwater.stack.lakehouse.model import Scope, Storage, split_s3_uri
from headwater.stack.lakehouse.results.columns import column_info, metadata_object, text_column_info
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.calls import Registry
from headwater.stack.lakehouse.writes.ast import CreateTableAs
from headwater.stack.lakehouse.writes.context import QueryEngine, WriteContext
from headwater.stack.lakehouse.writes.execute import execute_write

_BINARY = "application/octet-stream"


@dataclass(frozen=True)
class Resources:
    """What running needs from the outside."""

    store: AthenaStore
    catalog: Catalog
    storage: Storage
    results: Storage
    engine: Engine
    registry: Registry
    scratch: Path
    clock: Callable[[], float] = time.time


@dataclass(frozen=True)
class Executor:
    """Runs statements in the threads that call. Raises ``QueryFailed`` with Athena's reason, or ``control.Stopped``."""

    resources: Resources

    @property
    def slots(self) -> int:
        """How many run at once."""
        return self.resources.engine.slots

    def start(self) -> None:
        """Make the engine ready for the first query."""
        self.resources.engine.warm()

    def close(self) -> None:
        """Release the engine."""
        self.resources.engine.close()

    def run(self, job: Job, control: Control) -> Outcome:
        """Carry out one statement to its end."""
        statement = job.statement
        if isinstance(statement, FailedStatement):
            raise statement.failure
        self._check_catalogs(job, statement)
        if isinstance(statement, DdlStatement):
            return self._ddl(job, statement)
        if isinstance(statement, WriteStatement):
            return self._write(job, statement, control)
        if isinstance(statement, ExplainStatement):
            return self._explain(job, statement, control)
        if isinstance(statement, PrepareStatement):
            prepare(self.resources.store, job, statement.name, statement.text, self.resources.clock())
            return self._text(job, ())
        if isinstance(statement, DeallocateStatement):
            deallocate(self.resources.store, job, statement.name)
            return self._text(job, ())
        return self._select(job, statement, control)

    def _check_catalogs(self, job: Job, statement: Statement) -> None:
        """Those of the names that a statement writes to or defines; those that it reads are checked when bound."""
        named = getattr(statement, "statement", None) or getattr(statement, "write", None)
        if isinstance(statement, ExplainStatement) and not isinstance(statement.of, SelectStatement):
            named = statement.of
        if named is not None:
            check_catalogs(self.resources.store, job.scope, named)

    def _select(self, job: Job, statement: SelectStatement, control: Control) -> Outcome:
        resources = self.resources
        result = resources.scratch / f"{job.identifier}.csv"
        try:
            with resources.engine.session() as session, control.attached(session):
                outcome = run_select(self._run_in(job, session), statement, result)
            stored = time.monotonic()
            self._put(job.scope, f"{job.output}.metadata", metadata_object(outcome.columns), _BINARY)
            self._put(job.scope, job.output, result, _BINARY)
            return outcome.after_service(time.monotonic() - stored)
        finally:
            result.unlink(missing_ok=True)

    def _run_in(self, job: Job, session: object) -> SelectRun:
        r = self.resources
        return SelectRun(
            session,  # type: ignore[arg-type]
            *(r.catalog, r.storage, job.scope, r.registry, job.database, moment(r.clock)),
            trouble=partial(catalog_trouble, r.store, job.scope),
        )

    def _explain(self, job: Job, statement: ExplainStatement, control: Control) -> Outcome:
        with self.resources.engine.session() as session, control.attached(session):
            run = self._run_in(job, session)
            # CREATE TABLE AS puts its files where it would without EXPLAIN.
            folder, _, name = job.output.removesuffix(".txt").rpartition("/")
            place = f"{folder}/tables/{name}" if isinstance(statement.of, CreateTableAs) else f"{folder}/{name}"
            place = "" if job.managed else place
            lines, scanned = explain(run, statement, lambda engine: self._write_context(job, engine, place))
        column = "Valid" if statement.kind == "VALIDATE" else "Query Plan"
        return self._text(job, (column, *lines), column, scanned)

    def _ddl(self, job: Job, ddl: DdlStatement) -> Outcome:
        r = self.resources
        columns = view_columns(self._run_in(job, None))
        context = DdlContext(job.scope, r.catalog, r.storage, job.database, r.clock, columns)
        # Athena checks the output location before it changes anything.
        self._put(job.scope, f"{job.output}.metadata", b"", _BINARY)
        result = execute_ddl(ddl.statement, context)
        infos = [text_column_info(column.name) for column in result.columns]
        lines = ["\t".join(value or "" for value in row) for row in result.rows]
        self._put(job.scope, job.output, "".join(f"{line}\n" for line in lines).encode(), "binary/octet-stream")
        if infos:
            self._put(job.scope, f"{job.output}.metadata", metadata_object(infos), _BINARY)
        return Outcome(infos, len(lines))

    def _text(self, job: Job, lines: tuple[str, ...], column: str = "", scanned: int = 0) -> Outcome:
        infos = [column_info(column, t.BOOLEAN if column == "Valid" else t.VARCHAR)] if column else []
        self._put(job.scope, f"{job.output}.metadata", metadata_object(infos), _BINARY)
        self._put(job.scope, job.output, "".join(f"{line}\n" for line in lines).encode(), "binary/octet-stream")
        return Outcome(infos, len(lines), scanned)

    def _write(self, job: Job, statement: WriteStatement, control: Control) -> Outcome:
        r = self.resources
        infos = [column_info("rows", t.BIGINT)]
        began = time.monotonic()
        with r.engine.session() as session, control.attached(session):
            place = "" if job.managed else job.output
            context = self._write_context(job, self._run_in(job, session), place)
            self._check_output(job)
            result = execute_write(statement.write, context)
            scanned = session.bytes_read()
        # Not earlier: UNLOAD may write to the place of the results, which must be empty.
        self._put(job.scope, f"{job.output}.metadata", metadata_object(infos), _BINARY)
        manifest = f"{job.output}-manifest.csv"
        self._put(job.scope, manifest, "".join(f"{uri}\n" for uri in result.files).encode(), "text/csv")
        shown = "" if job.managed else manifest
        return Outcome(infos, result.rows, scanned, time.monotonic() - began, manifest=shown)

    def _write_context(self, job: Job, engine: QueryEngine, output: str) -> WriteContext:
        r = self.resources
        return WriteContext(
            *(job.scope, r.catalog, r.storage, engine, r.scratch, job.identifier, output, job.database),
            clock=r.clock,
        )

    def _check_output(self, job: Job) -> None:
        bucket, key = split_s3_uri(job.output)
        try:
            next(iter(self.resources.results.objects(job.scope, bucket, key)), None)
        except (NoSuchBucket, AccessDenied) as error:
            raise _no_output(bucket) from error

    def _put(self, scope: Scope, uri: str, body: bytes | Path, content_type: str) -> None:
        bucket, key = split_s3_uri(uri)
        try:
            self.resources.results.put(scope, bucket, key, body, content_type)
        except (NoSuchBucket, AccessDenied) as error:
            raise _no_output(bucket) from error


def _no_output(bucket: str) -> QueryFailed:
    return QueryFailed(f"Unable to verify/create output bucket {bucket}", category=2, error_type=1205)

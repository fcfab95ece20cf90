"""Query executions on disk: what was acknowledged is there after a crash, and what was running then is FAILED."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from headwater.stack.lakehouse.errors import invalid_request
from headwater.stack.lakehouse.model import GlueJson, Scope

TERMINAL = ("SUCCEEDED", "FAILED", "CANCELLED")
_SCHEMA = """
CREATE TABLE IF NOT EXISTS executions (
  id TEXT PRIMARY KEY, account TEXT NOT NULL, region TEXT NOT NULL, work_group TEXT NOT NULL,
  submitted REAL NOT NULL, state TEXT NOT NULL, token TEXT, request TEXT NOT NULL,
  execution TEXT NOT NULL, columns TEXT NOT NULL DEFAULT '[]', rows INTEGER NOT NULL DEFAULT 0);
CREATE UNIQUE INDEX IF NOT EXISTS executions_token ON executions (account, region, token) WHERE token IS NOT NULL;
CREATE INDEX IF NOT EXISTS executions_listing ON executions (account, region, work_group, submitted, id);
CREATE TABLE IF NOT EXISTS documents (
  kind TEXT NOT NULL, account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL,
  PRIMARY KEY (kind, account, region, name));
"""
INTERRUPTED = "INTERNAL_ERROR: The local Athena was stopped while the query was running. Run the query again."


@dataclass(frozen=True)
class Stored:
    """An execution with its result's columns (``ColumnInfo``) and number of rows."""

    scope: Scope
    execution: GlueJson
    columns: list[GlueJson]
    rows: int


class AthenaStore:
    """One SQLite file with the executions and the small documents (work groups, named queries, prepared statements).

    Every method may be called from any thread; a write is durable against a killed process when the method returns.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.executescript(_SCHEMA)
        # Those that have not ended, as they were last stored: clients ask for nothing as often.
        self._unfinished: dict[str, tuple[Scope, str]] = {}

    def close(self) -> None:
        """Release the file."""
        with self._lock:
            self._connection.close()

    def _query(self, sql: str, values: Sequence[object]) -> list[tuple[str, ...]]:
        with self._lock, closing(self._connection.execute(sql, tuple(values))) as cursor:
            return cursor.fetchall()

    # --- executions ------------------------------------------------------------------------------------------------

    def add(self, scope: Scope, execution: GlueJson, token: str | None, request: str) -> str:
        """Store a new execution and return its id; a token seen before returns the execution that it started."""
        values = (
            *(execution["QueryExecutionId"], scope.account, scope.region, execution["WorkGroup"]),
            *(execution["Status"]["SubmissionDateTime"], execution["Status"]["State"], token, request),
            json.dumps(execution),
        )
        insert = (
            "INSERT INTO executions (id, account, region, work_group, submitted, state, token, request, execution) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
        )
        try:
            self._query(insert, values)
        except sqlite3.IntegrityError:
            find = "SELECT id, request FROM executions WHERE account = ? AND region = ? AND token = ?"
            ((known, earlier),) = self._query(find, (scope.account, scope.region, token))
            if earlier != request:
                raise invalid_request("Idempotent parameters do not match", "IDEMPOTENT_PARAMETER_MISMATCH") from None
            return known
        self._remember(scope, execution)
        return str(execution["QueryExecutionId"])

    def unfinished(self, scope: Scope, identifier: str) -> str | None:
        """The JSON of an execution that has not ended, without a look at the disk; ``None`` for any other."""
        owner, document = self._unfinished.get(identifier, (scope, None))
        return document if owner == scope else None

    def _remember(self, scope: Scope, execution: GlueJson) -> None:
        identifier = execution["QueryExecutionId"]
        if execution["Status"]["State"] in TERMINAL:
            self._unfinished.pop(identifier, None)
        else:
            self._unfinished[identifier] = (scope, json.dumps(execution))

    def get(self, scope: Scope, identifier: str) -> Stored:
        """One execution. Raises ``InvalidRequestException`` when the account has none of that id."""
        found = self.find(scope, identifier)
        if found is None:
            raise invalid_request(f"QueryExecution {identifier} was not found", "QUERY_EXECUTION_NOT_FOUND")
        return found

    def find(self, scope: Scope, identifier: str) -> Stored | None:
        """One execution, or ``None``."""
        sql = "SELECT execution, columns, rows FROM executions WHERE id = ? AND account = ? AND region = ?"
        found = self._query(sql, (identifier, scope.account, scope.region))
        if not found:
            return None
        execution, columns, rows = found[0]
        return Stored(scope, json.loads(execution), json.loads(columns), int(rows))

    def save(self, execution: GlueJson, columns: Sequence[GlueJson] = (), rows: int = 0) -> bool:
        """Store a changed execution, unless it has already ended. Returns whether it was stored."""
        sql = (
            "UPDATE executions SET execution = ?, state = ?, columns = ?, rows = ? "
            "WHERE id = ? AND state NOT IN ('SUCCEEDED', 'FAILED', 'CANCELLED') RETURNING id"
        )
        state = execution["Status"]["State"]
        values = (json.dumps(execution), state, json.dumps(list(columns)), rows, execution["QueryExecutionId"])
        stored = bool(self._query(sql, values))
        known = self._unfinished.get(execution["QueryExecutionId"])
        if stored and known is not None:
            self._remember(known[0], execution)
        return stored

    def listing(
        self, scope: Scope, work_group: str, after: tuple[float, str] | None, limit: int
    ) -> list[tuple[str, float]]:
        """Ids and submission times of a work group's executions, newest first."""
        sql = (
            "SELECT id, submitted FROM executions WHERE account = ? AND region = ? AND work_group = ? "
            "AND (submitted, id) < (?, ?) ORDER BY submitted DESC, id DESC LIMIT ?"
        )
        submitted, identifier = after or (float("inf"), "")
        rows = self._query(sql, (scope.account, scope.region, work_group, submitted, identifier, limit))
        return [(identifier, float(submitted)) for identifier, submitted in rows]

    def succeeded(self, scope: Scope, work_group: str, query: str, since: float) -> Iterator[Stored]:
        """Executions of a query text that succeeded since a time, newest first."""
        sql = (
            "SELECT execution, columns, rows FROM executions WHERE account = ? AND region = ? AND work_group = ? "
            "AND submitted >= ? AND state = 'SUCCEEDED' AND json_extract(execution, '$.Query') = ? "
            "ORDER BY submitted DESC"
        )
        for execution, columns, rows in self._query(sql, (scope.account, scope.region, work_group, since, query)):
            yield Stored(scope, json.loads(execution), json.loads(columns), int(rows))

    def fail_unfinished(self, now: float) -> int:
        """After a restart: what was queued or running can't finish any more."""
        unfinished = self._query("SELECT execution FROM executions WHERE state IN ('QUEUED', 'RUNNING')", ())
        for (document,) in unfinished:
            execution = json.loads(document)
            execution["Status"] |= {
                "State": "FAILED",
                "StateChangeReason": INTERRUPTED,
                "CompletionDateTime": now,
                "AthenaError": {"ErrorCategory": 1, "ErrorType": 233, "Retryable": True, "ErrorMessage": INTERRUPTED},
            }
            self.save(execution)
        return len(unfinished)

    # --- documents ---------------------------------------------------------------------------------------------------

    def put_document(self, kind: str, scope: Scope, name: str, body: GlueJson) -> None:
        """Store or replace a document."""
        sql = "INSERT OR REPLACE INTO documents (kind, account, region, name, body) VALUES (?, ?, ?, ?, ?)"
        self._query(sql, (kind, scope.account, scope.region, name, json.dumps(body)))

    def add_document(self, kind: str, scope: Scope, name: str, body: GlueJson) -> bool:
        """Store a new document; False if there is one of that name, which stays."""
        return self.add_documents(scope, (kind, name, body))

    def add_documents(self, scope: Scope, *documents: tuple[str, str, GlueJson]) -> bool:
        """Store new documents (kind, name, body), all or none; False if there is one of these names."""
        rows = ", ".join(["(?, ?, ?, ?, ?)"] * len(documents))
        sql = f"INSERT INTO documents (kind, account, region, name, body) VALUES {rows}"  # noqa: S608 - question marks
        values = [(kind, scope.account, scope.region, name, json.dumps(body)) for kind, name, body in documents]
        try:
            self._query(sql, [value for row in values for value in row])
        except sqlite3.IntegrityError:
            return False
        return True

    def change_document(
        self, kind: str, scope: Scope, name: str, change: Callable[[GlueJson | None], GlueJson]
    ) -> None:
        """Store what ``change`` makes of a document, or of none; no other change comes in between."""
        key = (kind, scope.account, scope.region, name)
        find = "SELECT body FROM documents WHERE kind = ? AND account = ? AND region = ? AND name = ?"
        put = "INSERT OR REPLACE INTO documents (kind, account, region, name, body) VALUES (?, ?, ?, ?, ?)"
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                found = self._connection.execute(find, key).fetchone()
                self._connection.execute(put, (*key, json.dumps(change(json.loads(found[0]) if found else None))))
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def document(self, kind: str, scope: Scope, name: str) -> GlueJson | None:
        """A document, or ``None``."""
        sql = "SELECT body FROM documents WHERE kind = ? AND account = ? AND region = ? AND name = ?"
        found = self._query(sql, (kind, scope.account, scope.region, name))
        body: GlueJson | None = json.loads(found[0][0]) if found else None
        return body

    def documents(self, kind: str, scope: Scope) -> Iterator[GlueJson]:
        """All documents of a kind, by name."""
        sql = "SELECT body FROM documents WHERE kind = ? AND account = ? AND region = ? ORDER BY name"
        for (body,) in self._query(sql, (kind, scope.account, scope.region)):
            yield json.loads(body)

    def delete_document(self, kind: str, scope: Scope, name: str) -> None:
        """Forget a document."""
        sql = "DELETE FROM documents WHERE kind = ? AND account = ? AND region = ? AND name = ?"
        self._query(sql, (kind, scope.account, scope.region, name))

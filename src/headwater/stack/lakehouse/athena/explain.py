"""EXPLAIN: the plan of a statement, as the engine that runs it sees it; with ANALYZE the statement runs, too."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NoReturn

import pyarrow as pa

from headwater.stack.lakehouse.athena.plans import Node, as_graph, as_json, io_plan, node_of
from headwater.stack.lakehouse.athena.select import SelectRun, reported
from headwater.stack.lakehouse.athena.statement import ExplainStatement, SelectStatement
from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.sql.translate import Translation
from headwater.stack.lakehouse.writes.ast import Optimize, QueryText, Unload, Vacuum, Write
from headwater.stack.lakehouse.writes.context import Prepared, QueryEngine, WriteContext
from headwater.stack.lakehouse.writes.execute import execute_write, plan_write

Contexts = Callable[[QueryEngine], WriteContext]
"""What a statement that writes would run in, with an engine in the place of the one that runs."""


@dataclass(frozen=True)
class Analysis:
    """The SELECT engine up to where a query would run; ``files`` says whether its files are looked up as well."""

    run: SelectRun
    files: bool
    seen: list[Translation] = field(default_factory=list)

    def prepare(self, query: SelectStatement | QueryText) -> Prepared:
        """Translate a query, and note it."""
        translation = self.run.translation(query)
        self.seen.append(translation)
        return Prepared(self.run.sources(translation) if self.files else translation.sql, translation.stored_columns)

    def batches(self, sql: str) -> Iterator[pa.RecordBatch]:
        """EXPLAIN has no rows."""
        _never(sql)

    def materialize(self, sql: str) -> str:
        """EXPLAIN has no rows."""
        _never(sql)

    @property
    def tables(self) -> list[tuple[str, str]]:
        """The tables that are read, by database and name, each once."""
        scans = [scan.table for translation in self.seen for scan in translation.scans]
        return list(dict.fromkeys((table.database, table.name) for table in scans))


def explain(run: SelectRun, statement: ExplainStatement, contexts: Contexts) -> tuple[tuple[str, ...], int]:
    """The lines of the plan, and the bytes read to find it (0 unless ANALYZE ran the statement)."""
    with reported(run.session):
        shown = _shown(run, statement, contexts)
        if statement.analyze and not isinstance(statement.of, SelectStatement):
            written = execute_write(statement.of, contexts(run))
            shown = _with_rows(shown, statement, written.rows)
        return tuple(shown), run.session.bytes_read() if statement.analyze else 0


def _shown(run: SelectRun, statement: ExplainStatement, contexts: Contexts) -> Sequence[str]:
    """The lines of the plan. Of statements that write nothing runs."""
    analysis = Analysis(run, files=statement.kind in ("LOGICAL", "DISTRIBUTED"))
    if not isinstance(statement.of, SelectStatement):
        statement = replace(statement, analyze=False)
    sql, outputs, target = _planned(statement.of, analysis, contexts)
    if statement.kind == "VALIDATE":
        return ("true",)
    if statement.kind == "IO":
        return io_plan(analysis.tables, target).splitlines()
    if statement.style == "TEXT":
        head = [f"Output[{', '.join(f'{name} {kind}' for name, kind in outputs)}]"]
        head += [f"  TableWriter[awsdatacatalog:{'.'.join(target)}]"] if target is not None else []
        head += [f"  TableScan[awsdatacatalog:{'.'.join(name)}]" for name in analysis.tables]
        first = ["Fragment 0 [SINGLE]"] if statement.kind == "DISTRIBUTED" else []
        return [*first, *head, *_text(run, statement, sql)]
    render = as_json if statement.style == "JSON" else as_graph
    plan = _with_head(_tree(run, statement, sql), analysis.tables, target, outputs)
    return render(plan, distributed=statement.kind == "DISTRIBUTED").splitlines()


def _with_rows(lines: Sequence[str], statement: ExplainStatement, rows: int) -> Sequence[str]:
    """The plan of what was written, with the number of rows at its top."""
    if statement.style == "TEXT":
        return [lines[0], f"  Output: {rows} rows", *lines[1:]]
    plan = json.loads("\n".join(lines))
    plan["details"] = [*plan["details"], f"Output: {rows} rows"]
    return json.dumps(plan, indent=2).splitlines()


def _planned(
    statement: SelectStatement | Write, analysis: Analysis, contexts: Contexts
) -> tuple[str, tuple[tuple[str, str], ...], tuple[str, str] | None]:
    """The query that would run, the columns of the statement's result, and the table that is written."""
    if isinstance(statement, SelectStatement):
        sql = analysis.prepare(statement).sql
        translation = analysis.seen[0]
        return sql, tuple((n, str(c.type)) for n, c in zip(translation.names, translation.columns, strict=True)), None
    if isinstance(statement, Optimize | Vacuum):
        raise Unsupported(f"EXPLAIN {type(statement).__name__.upper()}")
    context = contexts(analysis)
    sql = plan_write(statement, context)
    target = None if isinstance(statement, Unload) else (context.database_of(statement.table), statement.table.name)
    return sql, (("rows", "bigint"),), target


def _text(run: SelectRun, statement: ExplainStatement, sql: str) -> list[str]:
    verb = "EXPLAIN ANALYZE" if statement.analyze else "EXPLAIN"
    rows = run.session.connection.execute(f"{verb} {sql}").fetchall()
    lines = [line for row in rows for line in str(row[-1]).split("\n")]
    if statement.analyze:  # the profile begins with the query as DuckDB got it, and with EXPLAIN itself
        lines = lines[next((i for i, line in enumerate(lines) if "EXPLAIN_ANALYZE" in line), 0) + 6 :]
    # No local path leaves the stack.
    return [line for line in lines if line and "/" not in line]


def _tree(run: SelectRun, statement: ExplainStatement, sql: str) -> Node:
    options = "(ANALYZE, FORMAT json)" if statement.analyze else "(FORMAT json)"
    found = json.loads(run.session.connection.execute(f"EXPLAIN {options} {sql}").fetchall()[0][1])
    # The profile of a query that ran begins with EXPLAIN itself.
    return node_of(found["children"][0]["children"][0] if statement.analyze else found[0])


def _with_head(
    plan: Node, tables: list[tuple[str, str]], target: tuple[str, str] | None, outputs: tuple[tuple[str, str], ...]
) -> Node:
    if target is not None:
        plan = Node("TableWriter", (f"awsdatacatalog:{'.'.join(target)}",), (plan,))
    reads = tuple(f"TableScan[awsdatacatalog:{'.'.join(name)}]" for name in tables)
    return Node("Output", reads, (plan,), outputs)


def _never(sql: str) -> NoReturn:
    raise AssertionError(f"EXPLAIN ran a query: {sql}")

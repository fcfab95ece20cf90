"""EXPLAIN: the plan of a statement, as the engine that runs it sees it; nothing runs but for ANALYZE."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NoReturn

import pyarrow as pa

from headwater.stack.lakehouse.athena.plans import Node, as_graph, as_json, io_plan, node_of
from headwater.stack.lakehouse.athena.select import SelectRun, reported
from headwater.stack.lakehouse.athena.statement import ExplainStatement, SelectStatement
from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.sql.translate import Translation
from headwater.stack.lakehouse.writes.ast import Optimize, QueryText, Unload, Vacuum, Write
from headwater.stack.lakehouse.writes.context import Prepared, QueryEngine, WriteContext
from headwater.stack.lakehouse.writes.execute import plan_write

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
        return Prepared(self.run.sources(translation) if self.files else translation.sql, translation.columns)

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
    """The lines of the plan, and the bytes read to find it (0 unless ANALYZE ran the query)."""
    analysis = Analysis(run, files=statement.kind in ("LOGICAL", "DISTRIBUTED"))
    with reported(run.session):
        sql, outputs, target = _planned(statement.of, analysis, contexts)
        if statement.kind == "VALIDATE":
            return ("true",), 0
        if statement.kind == "IO":
            return tuple(io_plan(analysis.tables, target).splitlines()), 0
        if statement.style == "TEXT":
            lines = _text(run, statement, sql)
            head = [f"Output[{', '.join(f'{name} {kind}' for name, kind in outputs)}]"]
            head += [f"  TableWriter[awsdatacatalog:{'.'.join(target)}]"] if target is not None else []
            head += [f"  TableScan[awsdatacatalog:{'.'.join(name)}]" for name in analysis.tables]
            shown = ["Fragment 0 [SINGLE]"] if statement.kind == "DISTRIBUTED" else []
            shown += [*head, *lines]
        else:
            distributed = statement.kind == "DISTRIBUTED"
            render = as_json if statement.style == "JSON" else as_graph
            plan = _with_head(_tree(run, statement, sql), analysis.tables, target, outputs)
            shown = render(plan, distributed=distributed).splitlines()
        return tuple(shown), run.session.bytes_read() if statement.analyze else 0


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
    # No local path leaves the stack.
    return [line for row in rows for line in str(row[-1]).splitlines() if "/" not in line]


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

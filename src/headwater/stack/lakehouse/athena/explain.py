"""EXPLAIN: the plan of a query, as the engine that runs it sees it."""

from __future__ import annotations

import json

from headwater.stack.lakehouse.athena.select import SelectRun, reported
from headwater.stack.lakehouse.athena.statement import ExplainStatement


def explain(run: SelectRun, statement: ExplainStatement) -> tuple[tuple[str, ...], int]:
    """The lines of the plan, and the bytes read to find it (0 unless ANALYZE ran the query)."""
    translation = run.translation(statement.query)
    if statement.validate:
        return ("true",), 0
    with reported(run.session):
        sql = run.sources(translation)
        verb = "EXPLAIN ANALYZE" if statement.analyze else "EXPLAIN"
        rows = run.session.connection.execute(f"{verb} {sql}").fetchall()
        scanned = run.session.bytes_read() if statement.analyze else 0
    columns = ", ".join(f"{n} {c.type}" for n, c in zip(translation.names, translation.columns, strict=True))
    tables = [f"{scan.table.database}.{scan.table.name}" for scan in translation.scans]
    plan = "\n".join(_private(str(row[-1])) for row in rows)
    if statement.style == "JSON":
        return (json.dumps({"outputs": columns, "tables": tables, "plan": plan.splitlines()}, indent=2),), scanned
    lines = [f"Output[{columns}]", *(f"  TableScan[awsdatacatalog:{table}]" for table in tables), *plan.splitlines()]
    return tuple(lines), scanned


def _private(plan: str) -> str:
    """No local path leaves the stack."""
    return "\n".join(line for line in plan.splitlines() if "/" not in line)

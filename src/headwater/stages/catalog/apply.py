"""Runs the catalog's statements through Athena, each waited for, and counts the partitions before and after."""

from __future__ import annotations

from dataclasses import dataclass

from headwater.connections import Connections
from headwater.errors import VerificationError
from headwater.model import OnProgress, Progress, no_progress
from headwater.services import athena, glue
from headwater.services.athena import Workspace
from headwater.stages.catalog.plan import CatalogPlan, Mode, PlannedTable


@dataclass(frozen=True)
class TableReport:
    """One table now; ``partitions`` and ``new_partitions`` are None where Athena computes them (projection)."""

    name: str
    location: str
    created: bool
    mode: Mode
    partitions: int | None
    new_partitions: int | None


@dataclass(frozen=True)
class CatalogReport:
    """The database and its tables as they are now."""

    database: str
    tables: tuple[TableReport, ...]


def apply(plan: CatalogPlan, connections: Connections, on_progress: OnProgress = no_progress) -> CatalogReport:
    """Run a plan's statements; again and again with the same result. Raises QueryError with Athena's reason."""
    results = connections.settings.layout.athena_results
    for statement in plan.statements:
        athena.run(connections.athena, statement, Workspace(None, results))
    reports = []
    for number, table in enumerate(plan.tables, start=1):
        reports.append(_apply_table(plan.database, table, connections))
        on_progress(Progress("catalog", number, len(plan.tables), "tables", table.name))
    return CatalogReport(plan.database, tuple(reports))


def _apply_table(database: str, table: PlannedTable, connections: Connections) -> TableReport:
    workspace = Workspace(database, connections.settings.layout.athena_results)
    before = set(glue.list_partitions(connections.glue, database, table.name))
    for statement in table.statements:
        athena.run(connections.athena, statement, workspace)
    if glue.get_table(connections.glue, database, table.name) is None:
        raise VerificationError(f"table {database}.{table.name} was created, but the catalog does not show it")
    if table.mode == "projection":
        return TableReport(table.name, table.location, not table.exists, table.mode, None, None)
    after = set(glue.list_partitions(connections.glue, database, table.name))
    return TableReport(table.name, table.location, not table.exists, table.mode, len(after), len(after - before))

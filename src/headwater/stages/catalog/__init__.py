"""The catalog stage: the Athena database, its external tables over the lake, and their partitions."""

from __future__ import annotations

from headwater.stages.catalog.apply import CatalogReport, TableReport, apply
from headwater.stages.catalog.plan import CatalogPlan, Found, Mode, PlannedTable, decide, plan

__all__ = ["CatalogPlan", "CatalogReport", "Found", "Mode", "PlannedTable", "TableReport", "apply", "decide", "plan"]

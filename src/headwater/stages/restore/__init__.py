"""Restore: a backup into a new database, verified before anything is touched and compared afterwards."""

from __future__ import annotations

from headwater.stages.restore.apply import RestoreReport, apply
from headwater.stages.restore.compare import Comparison, TableComparison, compare
from headwater.stages.restore.plan import RestoreOptions, RestorePlan, plan

__all__ = [
    "Comparison",
    "RestoreOptions",
    "RestorePlan",
    "RestoreReport",
    "TableComparison",
    "apply",
    "compare",
    "plan",
]

"""The generate stage: synthetic orders and events, one Parquet file per table and day, the same bytes every time."""

from __future__ import annotations

from headwater.stages.generate.apply import GenerateReport, apply
from headwater.stages.generate.plan import GenerateOptions, GeneratePlan, PlannedFile, decide, parse_days, plan

__all__ = [
    "GenerateOptions",
    "GeneratePlan",
    "GenerateReport",
    "PlannedFile",
    "apply",
    "decide",
    "parse_days",
    "plan",
]

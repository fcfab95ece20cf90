"""Ingest: a live PostgreSQL table into the lake, in one snapshot, with exact types, as one partition a day."""

from __future__ import annotations

from headwater.stages.ingest.apply import IngestReport, apply
from headwater.stages.ingest.plan import IngestOptions, IngestPlan, plan

__all__ = ["IngestOptions", "IngestPlan", "IngestReport", "apply", "plan"]

"""Check: look at every prerequisite of the pipeline, and say for each failure what to do."""

from __future__ import annotations

from headwater.stages.check.run import CheckReport, Finding, require, run

__all__ = ["CheckReport", "Finding", "require", "run"]

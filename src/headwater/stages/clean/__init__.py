"""The clean stage: show exactly what would go, then remove it; what Headwater did not make makes it stop."""

from __future__ import annotations

from headwater.stages.clean.apply import CleanReport, apply
from headwater.stages.clean.observe import plan
from headwater.stages.clean.plan import CleanOptions, CleanPlan, Contents, Found, decide

__all__ = ["CleanOptions", "CleanPlan", "CleanReport", "Contents", "Found", "apply", "decide", "plan"]

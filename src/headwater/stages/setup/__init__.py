"""Setup: create the database if it is missing, the sample business's schema, its sample rows, and volume on request."""

from __future__ import annotations

from headwater.stages.setup.apply import SetupReport, apply
from headwater.stages.setup.plan import Found, SetupOptions, SetupPlan, decide, plan

__all__ = ["Found", "SetupOptions", "SetupPlan", "SetupReport", "apply", "decide", "plan"]

"""The write-ahead log: received without interruption, archived segment by segment."""

from __future__ import annotations

from headwater.stages.wal.archive import WalOptions, WalPlan, WalReport, archive, drop_slot, plan_wal

__all__ = ["WalOptions", "WalPlan", "WalReport", "archive", "drop_slot", "plan_wal"]

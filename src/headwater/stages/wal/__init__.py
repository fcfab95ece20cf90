"""The write-ahead log: received without interruption, archived segment by segment, its gaps named."""

from __future__ import annotations

from headwater.recoverability import WalStatus
from headwater.stages.wal.archive import WalOptions, WalPlan, WalReport, archive, drop_slot, plan_wal
from headwater.stages.wal.status import status

__all__ = ["WalOptions", "WalPlan", "WalReport", "WalStatus", "archive", "drop_slot", "plan_wal", "status"]

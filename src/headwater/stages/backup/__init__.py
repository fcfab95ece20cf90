"""Backup: pg_dump streamed into S3, committed by a manifest; listed, and pruned by a retention rule with reasons."""

from __future__ import annotations

from headwater.manifest import BackupManifest
from headwater.stages.backup.create import CreateReport, create
from headwater.stages.backup.listing import list_backups
from headwater.stages.backup.options import CreateOptions, Selection, Storage
from headwater.stages.backup.plan import CreatePlan, plan_create
from headwater.stages.backup.prune import PrunePlan, PruneReport, plan_prune, prune
from headwater.stages.backup.retention import Decision, Policy, decide

__all__ = [
    "BackupManifest",
    "CreateOptions",
    "CreatePlan",
    "CreateReport",
    "Decision",
    "Policy",
    "PrunePlan",
    "PruneReport",
    "Selection",
    "Storage",
    "create",
    "decide",
    "list_backups",
    "plan_create",
    "plan_prune",
    "prune",
]

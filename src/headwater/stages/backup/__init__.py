"""Backup: pg_dump streamed into S3, committed by a manifest; listed, verified, watched, kept by rules."""

from __future__ import annotations

from headwater.manifest import BackupManifest
from headwater.retention import ORPHAN_GRACE, Decision, Policy, decide
from headwater.services.verification import VerifyReport, require_passed
from headwater.stages.backup.create import CreateReport, create
from headwater.stages.backup.lifecycle import (
    LifecyclePlan,
    LifecycleReport,
    apply_lifecycle,
    plan_lifecycle,
    protect_if_ruled,
)
from headwater.stages.backup.listing import list_backups
from headwater.stages.backup.many import ManyReport, all_databases, create_many, require_all
from headwater.stages.backup.options import CreateOptions, Selection
from headwater.stages.backup.plan import CreatePlan, plan_create
from headwater.stages.backup.prune import PrunePlan, PruneReport, plan_prune, policy_of, prune
from headwater.stages.backup.verify import VerifyOptions, VerifyPlan, plan_verify, verify
from headwater.stages.backup.watch import (
    MAX_AGE,
    Bounds,
    StatusReport,
    Watch,
    metrics,
    parse_age,
    require_healthy,
    status,
    tell_cluster,
    tell_status,
    watched,
)

__all__ = [
    "MAX_AGE",
    "ORPHAN_GRACE",
    "BackupManifest",
    "Bounds",
    "CreateOptions",
    "CreatePlan",
    "CreateReport",
    "Decision",
    "LifecyclePlan",
    "LifecycleReport",
    "ManyReport",
    "Policy",
    "PrunePlan",
    "PruneReport",
    "Selection",
    "StatusReport",
    "VerifyOptions",
    "VerifyPlan",
    "VerifyReport",
    "Watch",
    "all_databases",
    "apply_lifecycle",
    "create",
    "create_many",
    "decide",
    "list_backups",
    "metrics",
    "parse_age",
    "plan_create",
    "plan_lifecycle",
    "plan_prune",
    "plan_verify",
    "policy_of",
    "protect_if_ruled",
    "prune",
    "require_all",
    "require_healthy",
    "require_passed",
    "status",
    "tell_cluster",
    "tell_status",
    "verify",
    "watched",
]

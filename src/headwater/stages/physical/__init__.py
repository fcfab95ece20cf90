"""Physical backups: a whole cluster's files through pg_basebackup, verified, pruned, and rebuilt to a point in time."""

from __future__ import annotations

from headwater.physical_manifest import PhysicalManifest
from headwater.stages.physical.create import PhysicalPlan, create, plan_create
from headwater.stages.physical.listing import PhysicalList, list_backups
from headwater.stages.physical.prune import PhysicalPrunePlan, PhysicalPruneReport, plan_prune, prune
from headwater.stages.physical.recover import RecoverOptions, RecoverPlan, RecoverReport, plan_recover, recover
from headwater.stages.physical.retention import PhysicalDecision, decide
from headwater.stages.physical.verify import Level, PhysicalVerification, verify

__all__ = [
    "Level",
    "PhysicalDecision",
    "PhysicalList",
    "PhysicalManifest",
    "PhysicalPlan",
    "PhysicalPrunePlan",
    "PhysicalPruneReport",
    "PhysicalVerification",
    "RecoverOptions",
    "RecoverPlan",
    "RecoverReport",
    "create",
    "decide",
    "list_backups",
    "plan_create",
    "plan_prune",
    "plan_recover",
    "prune",
    "recover",
    "verify",
]

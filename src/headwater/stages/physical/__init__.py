"""Physical backups: a whole cluster's files through pg_basebackup, verified, pruned, and rebuilt to a point in time."""

from __future__ import annotations

from headwater.physical_manifest import PhysicalManifest
from headwater.services.physical_backups import PhysicalList
from headwater.services.verification import VerifyReport, require_passed
from headwater.stages.physical.create import PhysicalReport, create
from headwater.stages.physical.listing import cluster_of, list_all, list_backups
from headwater.stages.physical.plan import PhysicalOptions, PhysicalPlan, plan_create
from headwater.stages.physical.prune import PhysicalPrunePlan, PhysicalPruneReport, plan_prune, prune
from headwater.stages.physical.recover import RecoverOptions, RecoverPlan, RecoverReport, plan_recover, recover
from headwater.stages.physical.target import Target
from headwater.stages.physical.verify import PhysicalVerifyOptions, PhysicalVerifyPlan, plan_verify, verify

__all__ = [
    "PhysicalList",
    "PhysicalManifest",
    "PhysicalOptions",
    "PhysicalPlan",
    "PhysicalPrunePlan",
    "PhysicalPruneReport",
    "PhysicalReport",
    "PhysicalVerifyOptions",
    "PhysicalVerifyPlan",
    "RecoverOptions",
    "RecoverPlan",
    "RecoverReport",
    "Target",
    "VerifyReport",
    "cluster_of",
    "create",
    "list_all",
    "list_backups",
    "plan_create",
    "plan_prune",
    "plan_recover",
    "plan_verify",
    "prune",
    "recover",
    "require_passed",
    "verify",
]

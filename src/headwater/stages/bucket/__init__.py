"""The bucket stage: create the lake's bucket or adopt it when it is mine, and make it private, encrypted, TLS-only."""

from __future__ import annotations

from headwater.stages.bucket.apply import BucketReport, apply
from headwater.stages.bucket.plan import BucketPlan, Change, decide, plan

__all__ = ["BucketPlan", "BucketReport", "Change", "apply", "decide", "plan"]

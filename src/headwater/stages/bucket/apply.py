"""Creates or adopts the bucket, makes the planned changes, and reads everything back."""

from __future__ import annotations

import time
from dataclasses import dataclass

from headwater.connections import Connections
from headwater.errors import VerificationError
from headwater.model import OnProgress, Progress, no_progress
from headwater.services import buckets
from headwater.stages.bucket.plan import BLOCK_PUBLIC_ACCESS, CREATE, ENCRYPT, OWN, TLS_ONLY, BucketPlan, Change
from headwater.stages.bucket.plan import plan as observe_again

READ_BACK_SECONDS = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)
"""S3 shows some settings of a new bucket only after a moment."""


@dataclass(frozen=True)
class BucketReport:
    """What was done to the bucket, which now is as it should be: everything was read back."""

    bucket: str
    region: str
    created: bool
    changes: tuple[str, ...]


def apply(plan: BucketPlan, connections: Connections, on_progress: OnProgress = no_progress) -> BucketReport:
    """Make the changes of a plan and verify them.

    Raises BucketError (taken by someone else meanwhile), AwsError, VerificationError.
    """
    created = False
    for number, change in enumerate(plan.changes, start=1):
        created = _make(change, plan, connections) or created
        on_progress(Progress("bucket", number, len(plan.changes), "changes", change.what))
    _verify(plan, connections)
    return BucketReport(plan.bucket, plan.region, created, tuple(change.what for change in plan.changes))


def _make(change: Change, plan: BucketPlan, connections: Connections) -> bool:
    """Make one change; True if it created the bucket."""
    s3, bucket = connections.s3, plan.bucket
    if change.what == CREATE:
        return buckets.create(s3, bucket, plan.region)
    if change.what == BLOCK_PUBLIC_ACCESS:
        buckets.block_public_access(s3, bucket)
    elif change.what == ENCRYPT:
        buckets.encrypt(s3, bucket)
    elif change.what == OWN:
        buckets.enforce_ownership(s3, bucket)
    elif change.what == TLS_ONLY and change.policy is not None:
        buckets.put_policy(s3, bucket, change.policy)
    return False


def _verify(plan: BucketPlan, connections: Connections) -> None:
    missing = plan.changes
    for delay in READ_BACK_SECONDS:
        time.sleep(delay)
        missing = observe_again(connections).changes
        if not missing:
            return
    names = ", ".join(change.what for change in missing)
    raise VerificationError(
        f"bucket {plan.bucket} was configured, but reads back without: {names}",
        hint="run `headwater bucket` again; if it stays so, a policy of your organization may undo it",
    )

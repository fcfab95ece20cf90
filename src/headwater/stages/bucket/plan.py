"""Decides what a bucket lacks: only what differs is changed, and other people's policy statements stay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from headwater.connections import Connections
from headwater.errors import BucketError
from headwater.services import buckets
from headwater.services.buckets import BucketState

CREATE = "create the bucket"
BLOCK_PUBLIC_ACCESS = "block public access"
ENCRYPT = "encrypt by default (SSE-S3)"
OWN = "disable access control lists"
TLS_ONLY = "refuse connections without TLS"

POLICY_SID = "HeadwaterTlsOnly"
ENCRYPTIONS = ("AES256", "aws:kms", "aws:kms:dsse")


@dataclass(frozen=True)
class Change:
    """One thing to change; ``policy`` is the whole new policy if that is what changes."""

    what: str
    policy: Mapping[str, Any] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class BucketPlan:
    """What makes the bucket as it should be; no changes if it is."""

    bucket: str
    region: str
    exists: bool
    changes: tuple[Change, ...]


def plan(connections: Connections) -> BucketPlan:
    """Look, change nothing, and say what ``apply`` would do. Raises BucketError, AwsError."""
    settings = connections.settings
    account = buckets.account_id(connections.sts)
    return decide(settings.bucket_name, settings.region, buckets.observe(connections.s3, settings.bucket_name, account))


def decide(bucket: str, region: str, state: BucketState | None) -> BucketPlan:
    """Decide from the state of a bucket of this account (None: it does not exist). Raises BucketError."""
    if state is not None and state.region != region:
        raise BucketError(
            f"bucket {bucket} is in {state.region}, but the settings say {region}",
            hint=f"set REGION = {state.region!r} in config.py, or change BUCKET_NAME",
        )
    changes = [] if state is not None else [Change(CREATE)]
    # A key of the account's own is stricter than S3's: leave it.
    if state is None or state.encryption not in ENCRYPTIONS:
        changes.append(Change(ENCRYPT))
    if state is None or state.ownership != "BucketOwnerEnforced":
        changes.append(Change(OWN))
    wanted = tls_only(bucket, region, state.policy if state is not None else None)
    if wanted is not None:
        changes.append(Change(TLS_ONLY, wanted))
    # After the policy: S3 refuses to write one with a public statement in it, even an old one, once this is on.
    if state is None or not state.public_access_blocked:
        changes.append(Change(BLOCK_PUBLIC_ACCESS))
    return BucketPlan(bucket, region, state is not None, tuple(changes))


def tls_only(bucket: str, region: str, policy: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """The policy with a statement that refuses plain HTTP; None if it already has one.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/security-best-practices.html
    """
    statements = _statements(policy)
    statement = _refuse_plain_http(bucket, region)
    if any(_same_effect(existing, statement) for existing in statements):
        return None
    others = [existing for existing in statements if existing.get("Sid") != POLICY_SID]
    return {"Version": "2012-10-17", **(policy or {}), "Statement": [*others, statement]}


def _statements(policy: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    found = (policy or {}).get("Statement", [])
    return [found] if isinstance(found, Mapping) else list(found)


def _refuse_plain_http(bucket: str, region: str) -> dict[str, Any]:
    arn = f"arn:{_partition(region)}:s3:::{bucket}"
    return {
        "Sid": POLICY_SID,
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def _partition(region: str) -> str:
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"


def _same_effect(existing: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether a statement, whoever wrote it, does the same; S3 may have turned lists of one into plain values."""
    return (
        existing.get("Effect") == "Deny"
        and existing.get("Principal") in ("*", {"AWS": "*"}, {"AWS": ["*"]})
        and _list(existing.get("Action")) in (["s3:*"], ["*"])
        and set(wanted["Resource"]) <= set(_list(existing.get("Resource")))
        and _list(existing.get("Condition", {}).get("Bool", {}).get("aws:SecureTransport")) in (["false"], [False])
        and len(existing.get("Condition", {})) == 1
    )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]

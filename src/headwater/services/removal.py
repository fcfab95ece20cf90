"""Deletes single objects on conditions: only the one that was seen, and never one that is locked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from headwater.services.aws import aws_errors, error_code

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_GONE = ("404", "NoSuchKey", "NotFound", "NoSuchVersion")
_CHANGED = ("PreconditionFailed", "412", "ConditionalRequestConflict", "409")


@dataclass(frozen=True)
class Hold:
    """Why an object may not be deleted yet; ``until`` is None for a legal hold, which has no end of its own."""

    until: datetime | None
    text: str


def hold_of(s3: S3Client, bucket: str, key: str, now: datetime) -> Hold | None:
    """The object's lock, if it is locked now; None if it is not, or is not there. Raises AwsError."""
    found = _head(s3, bucket, key)
    if found is None:
        return None
    if found.get("ObjectLockLegalHoldStatus") == "ON":
        return Hold(None, "under legal hold")
    until = found.get("ObjectLockRetainUntilDate")
    if until is not None and until > now:
        return Hold(until, f"locked ({found.get('ObjectLockMode')}) until {until:%Y-%m-%d %H:%M} UTC")
    return None


def delete_if(s3: S3Client, bucket: str, key: str, etag: str | None) -> str:
    """Delete the object with this ETag (None: whichever is there now); in a versioned bucket that very version.

    Returns why it was not deleted, or nothing; one that is gone already is fine. Raises AwsError.
    """
    found = _head(s3, bucket, key)
    if found is None:
        return ""
    there = found["ETag"].strip('"')
    if etag is not None and there != etag:
        return f"it was replaced since (ETag {there})"
    version = found.get("VersionId")
    which: Any = {"VersionId": version} if version and version != "null" else {"IfMatch": f'"{there}"'}
    with aws_errors(f"delete s3://{bucket}/{key}"):
        try:
            _delete(s3, bucket, key, which)
        except ClientError as error:
            code = error_code(error)
            if code in _GONE:
                return ""
            if code in _CHANGED:
                return "it was replaced just now"
            if code in ("AccessDenied", "InvalidRequest"):
                return f"S3 refused: {error.response.get('Error', {}).get('Message', code)}"
            raise
    return ""


@dataclass(frozen=True)
class Held:
    """A backup, an orphan or a segment that should have gone and could not: locked, or replaced meanwhile."""

    name: str
    reason: str


def remove(s3: S3Client, bucket: str, wanted: Mapping[str, str | None]) -> str:
    """Delete objects one after the other, each with its ETag (None: whichever is there); why not, or nothing.

    Locks are looked at first: half of what belongs together would be worse than all of it. Raises AwsError.
    """
    now = datetime.now(timezone.utc)  # a lock's end is S3's own, so that no argument of a plan may move it
    for key in wanted:
        if hold := hold_of(s3, bucket, key, now):
            return hold.text
    for key, etag in wanted.items():  # in this order: DeleteObjects promises none
        if problem := delete_if(s3, bucket, key, etag):
            return f"{key}: {problem}" if len(wanted) > 1 else problem
    return ""


def _delete(s3: S3Client, bucket: str, key: str, which: Any) -> None:
    """On the condition, or, where the provider knows none for this, just after having looked."""
    try:
        s3.delete_object(Bucket=bucket, Key=key, **which)
    except ClientError as error:
        if "IfMatch" not in which or error_code(error) not in ("NotImplemented", "NotSupported", "InvalidArgument"):
            raise
        s3.delete_object(Bucket=bucket, Key=key)


def _head(s3: S3Client, bucket: str, key: str) -> Any:
    with aws_errors(f"look at s3://{bucket}/{key}"):
        try:
            return s3.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if error_code(error) in _GONE:
                return None
            raise

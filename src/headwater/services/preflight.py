"""Asks a bucket, before a backup begins, what would stand in its way: rights, versioning, locks, clocks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from headwater.errors import BackupError
from headwater.services import multipart
from headwater.services.aws import aws_errors, error_code
from headwater.services.guards import first_accepted, for_put
from headwater.services.interruption import uninterrupted

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MOST_CLOCK_SKEW = 300  # seconds; S3 itself refuses requests at 900
MOST_BYTES = 5 * 1024**4  # S3's largest object


@dataclass(frozen=True)
class BucketFacts:
    """The bucket's state; ``skew`` is this machine's clock minus S3's, in seconds, None if S3 did not say."""

    versioning: str
    object_lock: bool
    skew: float | None


def bucket_facts(s3: S3Client, bucket: str, now: datetime) -> BucketFacts:
    """Ask S3. A right that is missing for asking is no reason not to back up. Raises AwsError."""
    versioning, lock, skew = "unknown", False, None
    with aws_errors(f"look at bucket {bucket}"):
        try:
            answer = s3.get_bucket_versioning(Bucket=bucket)
            versioning = answer.get("Status", "Disabled")
            date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
            if date:
                skew = (now - parsedate_to_datetime(date).astimezone(timezone.utc)).total_seconds()
            found = s3.get_object_lock_configuration(Bucket=bucket)
            lock = found["ObjectLockConfiguration"].get("ObjectLockEnabled") == "Enabled"
        except ClientError as error:
            if error_code(error) not in ("ObjectLockConfigurationNotFoundError", "AccessDenied", "NotImplemented"):
                raise
    return BucketFacts(versioning, lock, skew)


def check_rights(s3: S3Client, bucket: str, key: str) -> None:
    """Begin and abort an upload: whoever may do that may write a backup, and nothing appears. Raises AwsError."""
    uninterrupted(lambda: _try_rights(s3, bucket, key), lambda _: None)


def _try_rights(s3: S3Client, bucket: str, key: str) -> None:
    with aws_errors(f"begin an upload to s3://{bucket}/{key}"):
        # Botocore declares a checksum by itself, and no longer if the provider refuses that.
        _, answer = first_accepted(s3, for_put(False), lambda _: s3.create_multipart_upload(Bucket=bucket, Key=key))
    multipart.abort(s3, bucket, key, answer["UploadId"])


def judge_bucket(bucket: BucketFacts, lock_days: int | None) -> None:
    """Raise BackupError for what cannot work: a lock without Object Lock, a clock that is far off."""
    if lock_days and not bucket.object_lock:
        raise BackupError("the bucket has no Object Lock", hint="it can only be enabled when a bucket is created")
    if bucket.skew is not None and abs(bucket.skew) > MOST_CLOCK_SKEW:
        raise BackupError(
            f"this machine's clock is {bucket.skew:+.0f} s off S3's: retention goes by it", hint="set the clock"
        )

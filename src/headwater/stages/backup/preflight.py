"""What is looked at before a dump begins, so that it fails in its first second and not in its last hour."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import psycopg
from botocore.exceptions import ClientError

from headwater.errors import BackupError
from headwater.services import multipart, postgres
from headwater.services.aws import aws_errors, error_code

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MOST_CLOCK_SKEW = 300  # seconds; S3 itself refuses requests at 900
MOST_BYTES = 5 * 1024**4  # S3's largest object
LOCK_SHARE = 0.8


@dataclass(frozen=True)
class ServerFacts:
    """What the server says about itself; ``lock_slots``: how many locks fit into its shared table, about."""

    major: int
    version: str
    size: int
    relations: int
    lock_slots: int
    standby: bool
    standby_delay: str


@dataclass(frozen=True)
class BucketFacts:
    """The bucket's state; ``skew`` is this machine's clock minus S3's, in seconds, None if S3 did not say."""

    versioning: str
    object_lock: bool
    skew: float | None


def server_facts(connection: psycopg.Connection[Any]) -> ServerFacts:
    """Ask the server. Raises psycopg's errors."""
    row = connection.execute(
        """
        SELECT (SELECT count(*) FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'S', 'f')),
            current_setting('max_locks_per_transaction')::bigint
                * (current_setting('max_connections')::bigint + current_setting('max_prepared_transactions')::bigint),
            pg_is_in_recovery(), current_setting('max_standby_streaming_delay')
        """
    ).fetchone()
    assert row is not None  # noqa: S101 - no FROM: always one row
    return ServerFacts(
        major=postgres.server_major(connection),
        version=postgres.server_version_text(connection),
        size=postgres.database_size(connection),
        relations=int(row[0]),
        lock_slots=int(row[1]),
        standby=bool(row[2]),
        standby_delay=str(row[3]),
    )


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
    with aws_errors(f"begin an upload to s3://{bucket}/{key}"):
        upload = s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    multipart.abort(s3, bucket, key, upload)


def judge(server: ServerFacts, bucket: BucketFacts, lock_days: int | None) -> tuple[str, ...]:
    """Warnings, in words. Raises BackupError for what cannot work.

    >>> judge(ServerFacts(18, "18.1", 10, 50, 6400, False, "30s"), BucketFacts("Enabled", True, 0.0), 7)
    ()
    """
    if lock_days and not bucket.object_lock:
        raise BackupError("the bucket has no Object Lock", hint="it can only be enabled when a bucket is created")
    if server.size > MOST_BYTES:
        raise BackupError(
            f"a database of {server.size >> 40} TiB may not fit into one S3 object",
            hint="back it up in parts with --schema or --table",
        )
    if bucket.skew is not None and abs(bucket.skew) > MOST_CLOCK_SKEW:
        raise BackupError(
            f"this machine's clock is {bucket.skew:+.0f} s off S3's: retention goes by it", hint="set the clock"
        )
    warnings = []
    if server.relations > server.lock_slots * LOCK_SHARE:
        warnings.append(
            f"pg_dump locks all {server.relations:,} relations at once, the server has room for about"
            f" {server.lock_slots:,}: raise max_locks_per_transaction"
        )
    if server.standby:
        warnings.append(
            "the server is a standby: replay may cancel the dump after max_standby_streaming_delay"
            f" ({server.standby_delay})"
        )
    return tuple(warnings)

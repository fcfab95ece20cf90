"""The S3 edge for lifecycle rules and object tags. S3 replaces all rules at once: merging is the stage's business."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from headwater.errors import AwsError
from headwater.services.aws import aws_errors, error_code
from headwater.services.guards import refused

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

Rule = dict[str, Any]
log = logging.getLogger(__name__)


def rules(s3: S3Client, bucket: str) -> list[Rule]:
    """All lifecycle rules of the bucket as S3 gives them. Raises AwsError."""
    with aws_errors(f"read the lifecycle rules of bucket {bucket}"):
        try:
            return [dict(rule) for rule in s3.get_bucket_lifecycle_configuration(Bucket=bucket).get("Rules", [])]
        except ClientError as error:
            if error_code(error) == "NoSuchLifecycleConfiguration":
                return []
            raise


def rules_if_told(s3: S3Client, bucket: str) -> list[Rule]:
    """The same; none where the provider has no such rules, or does not let us see them, which is logged."""
    try:
        return rules(s3, bucket)
    except AwsError as error:
        cause = error.__cause__
        if isinstance(cause, ClientError) and error_code(cause) == "AccessDenied":
            log.warning("cannot see whether lifecycle rules expire backups: %s", error)
            return []
        if isinstance(cause, ClientError) and (refused(cause) or error_code(cause) == "MethodNotAllowed"):
            return []
        raise


def put_rules(s3: S3Client, bucket: str, wanted: Sequence[Rule]) -> None:
    """Replace all lifecycle rules of the bucket; none removes the configuration. Raises AwsError."""
    with aws_errors(f"write the lifecycle rules of bucket {bucket}"):
        if wanted:
            configuration: Any = {"Rules": list(wanted)}
            s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration=configuration)
        else:
            s3.delete_bucket_lifecycle(Bucket=bucket)


def object_tags(s3: S3Client, bucket: str, key: str) -> dict[str, str] | None:
    """An object's tags; None if it is not there. Raises AwsError."""
    with aws_errors(f"read the tags of s3://{bucket}/{key}"):
        try:
            return {tag["Key"]: tag["Value"] for tag in s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"]}
        except ClientError as error:
            if error_code(error) in ("NoSuchKey", "404"):
                return None
            raise


def set_object_tags(s3: S3Client, bucket: str, key: str, tags: Mapping[str, str]) -> None:
    """Replace an object's tags. Raises AwsError."""
    with aws_errors(f"write the tags of s3://{bucket}/{key}"):
        found: Any = {"TagSet": [{"Key": name, "Value": value} for name, value in tags.items()]}
        s3.put_object_tagging(Bucket=bucket, Key=key, Tagging=found)

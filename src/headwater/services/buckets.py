"""The S3 edge for buckets: whose a bucket is, how it is configured, and the calls that change that."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import ClientError

from headwater.errors import AwsError, BucketError
from headwater.services.aws import aws_errors, error_code
from headwater.services.guards import refused

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sts import STSClient

T = TypeVar("T")

PUBLIC_ACCESS_BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
CREATED_BY = ("CreatedBy", "headwater")
"""The tag of the buckets that Headwater created, and therefore may delete."""
_CHOOSE_ANOTHER = "bucket names are shared by all AWS accounts: change BUCKET_NAME in config.py"


@dataclass(frozen=True)
class BucketState:
    """A bucket of this account as it is now; ``policy`` is the parsed document, None if there is none."""

    region: str
    public_access_blocked: bool
    encryption: str | None
    ownership: str | None
    policy: Mapping[str, Any] | None


def account_id(sts: STSClient) -> str:
    """The AWS account of these credentials. Raises AwsError, for example without credentials."""
    with aws_errors("ask AWS who you are"):
        return sts.get_caller_identity()["Account"]


def region_of(s3: S3Client, bucket: str, account: str) -> str | None:
    """The region of a bucket that belongs to ``account`` (empty: whoever's); None if there is no such bucket.

    Raises BucketError if it is someone else's, or may not be used with these credentials: S3 does not tell which.
    """
    with aws_errors(f"look at bucket {bucket}"):
        try:
            owner: Any = {"ExpectedBucketOwner": account} if account else {}
            found = s3.head_bucket(Bucket=bucket, **owner)
        except ClientError as error:
            if error_code(error) in ("404", "NoSuchBucket"):
                return None
            if error_code(error) in ("403", "AccessDenied"):
                raise BucketError(
                    f"bucket {bucket} belongs to another AWS account, or account {account} lacks s3:ListBucket on it",
                    hint=_CHOOSE_ANOTHER,
                ) from error
            raise
    headers = found["ResponseMetadata"]["HTTPHeaders"]
    return found.get("BucketRegion") or headers.get("x-amz-bucket-region") or "us-east-1"


def require(s3: S3Client, sts: STSClient, bucket: str) -> None:
    """Raise BucketError unless there is this bucket, and it belongs to the account of these credentials.

    Where a provider has no STS, there are no accounts to mix up: then only that there is this bucket is looked at.
    """
    try:
        account = account_id(sts)
    except AwsError as error:
        if not isinstance(error.__cause__, ClientError) or not _unknown(error.__cause__):
            raise
        account = ""
    if region_of(s3, bucket, account) is None:
        raise BucketError(f"bucket {bucket} does not exist", hint="run `headwater bucket` to create it")


def _unknown(error: ClientError) -> bool:
    """Whether a provider does not know an operation at all."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return refused(error) or status == 405 or error_code(error) in ("InvalidAction", "UnknownOperationException")


def observe(s3: S3Client, bucket: str, account: str) -> BucketState | None:
    """How a bucket of this account is configured; None if there is no such bucket. Raises BucketError, AwsError."""
    region = region_of(s3, bucket, account)
    if region is None:
        return None
    with aws_errors(f"read the configuration of bucket {bucket}"):
        blocks = _or(
            {},
            "NoSuchPublicAccessBlockConfiguration",
            lambda: s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"],
        )
        rules = _or(
            [],
            "ServerSideEncryptionConfigurationNotFoundError",
            lambda: s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"],
        )
        ownership = _or(
            [],
            "OwnershipControlsNotFoundError",
            lambda: s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"],
        )
        policy = _or(None, "NoSuchBucketPolicy", lambda: json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"]))
    return BucketState(
        region=region,
        public_access_blocked=all(blocks.get(name) for name in PUBLIC_ACCESS_BLOCKS),
        encryption=next((r.get("ApplyServerSideEncryptionByDefault", {}).get("SSEAlgorithm") for r in rules), None),
        ownership=next((r["ObjectOwnership"] for r in ownership), None),
        policy=policy,
    )


def tags(s3: S3Client, bucket: str) -> dict[str, str]:
    """A bucket's tags."""
    with aws_errors(f"read the tags of bucket {bucket}"):
        found: list[Any] = _or([], "NoSuchTagSet", lambda: s3.get_bucket_tagging(Bucket=bucket)["TagSet"])
    return {tag["Key"]: tag["Value"] for tag in found}


def is_ours(s3: S3Client, bucket: str) -> bool:
    """Whether Headwater created this bucket, by its tag."""
    name, value = CREATED_BY
    return tags(s3, bucket).get(name) == value


def _or(default: Any, code: str, call: Callable[[], Any]) -> Any:
    try:
        return call()
    except ClientError as error:
        if error_code(error) == code:
            return default
        raise


def create(s3: S3Client, bucket: str, region: str) -> bool:
    """Create a bucket and mark it as Headwater's; False if this account had it already. Raises BucketError."""
    # us-east-1 is the one region that must not be named: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html
    where: Any = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    with aws_errors(f"create bucket {bucket} in {region}"):
        try:
            s3.create_bucket(Bucket=bucket, **where)
        except ClientError as error:
            if error_code(error) == "BucketAlreadyOwnedByYou":
                return False
            if error_code(error) == "BucketAlreadyExists":
                raise BucketError(f"bucket {bucket} is taken by another AWS account", hint=_CHOOSE_ANOTHER) from error
            raise
        s3.get_waiter("bucket_exists").wait(Bucket=bucket, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
        name, value = CREATED_BY
        s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": name, "Value": value}]})
    return True


def block_public_access(s3: S3Client, bucket: str) -> None:
    """Turn on all four blocks."""
    with aws_errors(f"block public access to bucket {bucket}"):
        s3.put_public_access_block(
            Bucket=bucket,
            PublicAccessBlockConfiguration={
                "BlockPublicAcls": True,
                "IgnorePublicAcls": True,
                "BlockPublicPolicy": True,
                "RestrictPublicBuckets": True,
            },
        )


def encrypt(s3: S3Client, bucket: str) -> None:
    """Encrypt new objects with S3's own keys by default (SSE-S3)."""
    with aws_errors(f"encrypt bucket {bucket}"):
        s3.put_bucket_encryption(
            Bucket=bucket,
            ServerSideEncryptionConfiguration={
                "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
            },
        )


def enforce_ownership(s3: S3Client, bucket: str) -> None:
    """Make the bucket's owner the owner of every object; access control lists no longer count."""
    with aws_errors(f"disable access control lists on bucket {bucket}"):
        s3.put_bucket_ownership_controls(
            Bucket=bucket, OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
        )


def put_policy(s3: S3Client, bucket: str, policy: Mapping[str, Any]) -> None:
    """Replace the bucket's policy."""
    with aws_errors(f"write the policy of bucket {bucket}"):
        s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))


def remove(s3: S3Client, bucket: str) -> bool:
    """Delete a bucket; one that is already gone is fine, False if it is not empty."""
    with aws_errors(f"delete bucket {bucket}"):
        try:
            s3.delete_bucket(Bucket=bucket)
        except ClientError as error:
            if error_code(error) == "BucketNotEmpty":
                return False
            if error_code(error) != "NoSuchBucket":
                raise
    return True

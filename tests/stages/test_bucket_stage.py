"""The bucket stage: created or adopted, hardened, converging, and never someone else's."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from headwater import Headwater
from headwater.errors import AwsError, BucketError, SettingsError
from headwater.services.buckets import BucketState
from headwater.stages.bucket import decide
from headwater.stages.bucket.plan import BLOCK_PUBLIC_ACCESS, CREATE, ENCRYPT, OWN, TLS_ONLY, tls_only

FINISHED = BucketState("us-east-1", True, "AES256", "BucketOwnerEnforced", tls_only("b", "us-east-1", None))
OTHERS = {"Sid": "Theirs", "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}


def names(state: BucketState | None, region: str = "us-east-1") -> list[str]:
    return [change.what for change in decide("b", region, state).changes]


def test_a_missing_bucket_is_created_with_everything() -> None:
    assert names(None) == [CREATE, ENCRYPT, OWN, TLS_ONLY, BLOCK_PUBLIC_ACCESS]


@pytest.mark.parametrize(
    ("difference", "change"),
    [
        ({}, []),
        ({"public_access_blocked": False}, [BLOCK_PUBLIC_ACCESS]),
        ({"encryption": None}, [ENCRYPT]),
        ({"encryption": "aws:kms"}, []),
        ({"ownership": "ObjectWriter"}, [OWN]),
        ({"policy": None}, [TLS_ONLY]),
        ({"policy": {"Version": "2012-10-17", "Statement": OTHERS}}, [TLS_ONLY]),
    ],
)
def test_only_what_differs_is_changed(difference: dict[str, Any], change: list[str]) -> None:
    assert names(replace(FINISHED, **difference)) == change


def test_other_statements_of_a_policy_stay() -> None:
    policy = tls_only("b", "us-east-1", {"Version": "2012-10-17", "Id": "x", "Statement": [OTHERS]})
    assert policy is not None
    assert policy["Id"] == "x"
    assert [statement["Sid"] for statement in policy["Statement"]] == ["Theirs", "HeadwaterTlsOnly"]
    assert tls_only("b", "us-east-1", policy) is None


def test_a_statement_of_someone_else_that_refuses_plain_http_is_enough() -> None:
    ours = tls_only("b", "us-east-1", None)
    assert ours is not None
    theirs = {**ours["Statement"][0], "Sid": "Named differently", "Action": ["s3:*"], "Principal": {"AWS": "*"}}
    assert tls_only("b", "us-east-1", {"Statement": theirs}) is None
    weaker = {**theirs, "Condition": {**theirs["Condition"], "StringEquals": {"aws:PrincipalOrgID": "o-1"}}}
    assert tls_only("b", "us-east-1", {"Statement": weaker}) is not None


@pytest.mark.parametrize(
    ("region", "arn"), [("cn-north-1", "arn:aws-cn:s3:::b"), ("us-gov-west-1", "arn:aws-us-gov:s3:::b")]
)
def test_the_policy_names_the_partition_of_the_region(region: str, arn: str) -> None:
    policy = tls_only("b", region, None)
    assert policy is not None
    assert policy["Statement"][0]["Resource"] == [arn, f"{arn}/*"]


def test_a_bucket_in_another_region_is_an_error_that_says_which() -> None:
    with pytest.raises(BucketError, match="eu-west-1") as caught:
        decide("b", "us-east-1", replace(FINISHED, region="eu-west-1"))
    assert "REGION = 'eu-west-1'" in caught.value.hint


def test_a_new_bucket_is_private_encrypted_marked_and_a_second_run_changes_nothing(hw: Headwater) -> None:
    plan = hw.bucket_plan()
    assert not plan.exists
    report = hw.bucket()
    assert report.created
    assert hw.bucket_plan().changes == ()
    again = hw.bucket()
    assert (again.created, again.changes) == (False, ())
    s3, name = hw.connections.s3, hw.settings.bucket_name
    block = s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"]
    assert all(block.values())
    policy = json.loads(s3.get_bucket_policy(Bucket=name)["Policy"])
    assert policy["Statement"][0]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert s3.get_bucket_tagging(Bucket=name)["TagSet"] == [{"Key": "CreatedBy", "Value": "headwater"}]


def test_an_adopted_bucket_is_not_marked_and_keeps_its_policy_even_a_public_one(hw: Headwater) -> None:
    s3, name = hw.connections.s3, hw.settings.bucket_name
    s3.create_bucket(Bucket=name)
    s3.put_bucket_policy(Bucket=name, Policy=json.dumps({"Version": "2012-10-17", "Statement": [OTHERS]}))
    report = hw.bucket()
    assert not report.created
    statements = json.loads(s3.get_bucket_policy(Bucket=name)["Policy"])["Statement"]
    assert statements[0] == OTHERS
    assert len(statements) == 2
    with pytest.raises(s3.exceptions.ClientError, match="NoSuchTagSet"):
        s3.get_bucket_tagging(Bucket=name)


def test_a_bucket_outside_us_east_1_has_its_location(hw: Headwater) -> None:
    elsewhere = Headwater(settings=replace(hw.settings, region="eu-central-1"))
    elsewhere.bucket()
    location = hw.connections.s3.get_bucket_location(Bucket=hw.settings.bucket_name)["LocationConstraint"]
    assert location == "eu-central-1"
    with pytest.raises(BucketError, match="eu-central-1"):
        hw.bucket()


def test_a_bucket_of_another_account_is_an_error_that_says_to_change_the_name(
    hw: Headwater, as_account: Callable[[str], Headwater]
) -> None:
    hw.bucket()
    other = as_account("111111111111")
    with pytest.raises(BucketError) as caught:
        other.bucket()
    assert "change BUCKET_NAME in config.py" in caught.value.hint


def test_a_bucket_that_someone_takes_between_plan_and_apply_is_the_same_error(
    hw: Headwater, as_account: Callable[[str], Headwater]
) -> None:
    from headwater.stages import bucket

    other = as_account("111111111111")
    plan = other.bucket_plan()
    hw.bucket()
    with pytest.raises(BucketError, match="taken by another AWS account"):
        bucket.apply(plan, other.connections)


def test_without_credentials_the_error_says_how_to_get_some(hw: Headwater) -> None:
    with pytest.raises(AwsError, match="no AWS credentials were found") as caught:
        Headwater(settings=replace(hw.settings, target="aws")).bucket()
    assert "aws configure" in caught.value.hint


@pytest.mark.parametrize("name", ["My_Lake", "ab", "a" * 64, "192.168.1.1", "xn--lake", "lake-"])
def test_an_invalid_name_is_refused_before_any_call(name: str) -> None:
    with pytest.raises(SettingsError, match="BUCKET_NAME"):
        Headwater(bucket_name=name)


def test_the_command_shows_the_plan_then_does_it(command: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    dry = command("bucket", "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert "would be created" in dry.stdout
    done = command("bucket", "--json")
    assert json.loads(done.stdout)["created"] is True
    assert "nothing to change" in command("bucket").stdout
    assert command("bucket", HEADWATER_BUCKET_NAME="No").returncode == 3

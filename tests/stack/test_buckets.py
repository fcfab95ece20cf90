"""The engine's listing of MiniStack's files says exactly what S3's own listing says."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any, cast

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headwater.stack import fast_checksums
from headwater.stack.buckets import MinistackStorage
from headwater.stack.info import StackInfo, read
from headwater.stack.lakehouse.errors import AccessDenied, NoSuchBucket
from headwater.stack.lakehouse.model import Scope

MINE = Scope("000000000000", "us-east-1")
KEYS = [
    "orders/year=2025/month=01/day=15/a.parquet",
    "orders/year=2025/month=01/day=15/b.parquet",
    "orders/year=2025/month=01/day=15.parquet",
    "orders/year=2025/month=01/day=15",
    "orders/year=2025/month=01/day=15 too",
    "orders-old/a",
    "orders/",
    "orders//double",
    "orders/./dot",
    "orders/a.meta.json",
    "orders/a.tmp",
    "orders/über/ä b+c%20'\"",
    "orders/!first",
    "orders/~last",
    ".hidden/x",
    "z" * 300,
]


@pytest.fixture
def stack(stack_state: Path) -> StackInfo:
    found = read(stack_state)
    assert found is not None
    return found


def s3(stack: StackInfo, account: str = MINE.account) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=stack.endpoint_url,
        aws_access_key_id=account,
        aws_secret_access_key="x",
        region_name=MINE.region,
        config=Config(retries={"max_attempts": 0}),  # botocore would repeat even what is refused for its checksum
    )


def storage(state: Path) -> MinistackStorage:
    return MinistackStorage(state / "s3", cast(Any, None), cast(Any, None))


def test_lists_what_s3_lists_in_the_same_order(stack: StackInfo, stack_state: Path) -> None:
    client = s3(stack)
    client.create_bucket(Bucket="listing")
    for key in KEYS:
        client.put_object(Bucket="listing", Key=key, Body=key.encode())
    for prefix in (
        "",
        "orders",
        "orders/",
        "orders/year=2025/month=01/day=15",
        "orders/year=2025/month=01/",
        "orders/a.tmp",
        "no",
        "z",
        "z" * 300,
    ):
        listed = client.list_objects_v2(Bucket="listing", Prefix=prefix).get("Contents", [])
        found = list(storage(stack_state).objects(MINE, "listing", prefix))
        assert [o.key for o in found] == [o["Key"] for o in listed], prefix
        assert [o.size for o in found] == [o["Size"] for o in listed]
        assert all(o.path.read_bytes() == o.key.encode() for o in found)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    keys=st.sets(
        st.text(st.sampled_from("ab=/.-~% é"), min_size=1, max_size=8).filter(lambda k: k.strip("/.")),
        min_size=1,
        max_size=6,
    ),
    prefix=st.text(st.sampled_from("ab=/."), max_size=3),
)
def test_any_keys_are_listed_as_s3_lists_them(stack: StackInfo, stack_state: Path, keys: set[str], prefix: str) -> None:
    client = s3(stack)
    client.create_bucket(Bucket="any-keys")
    for found in client.list_objects_v2(Bucket="any-keys").get("Contents", []):
        client.delete_object(Bucket="any-keys", Key=found["Key"])
    for key in keys:
        client.put_object(Bucket="any-keys", Key=key, Body=b"x")
    listed = client.list_objects_v2(Bucket="any-keys", Prefix=prefix).get("Contents", [])
    assert [o.key for o in storage(stack_state).objects(MINE, "any-keys", prefix)] == [o["Key"] for o in listed]


def test_a_delete_marker_hides_its_object(stack: StackInfo, stack_state: Path) -> None:
    client = s3(stack)
    client.create_bucket(Bucket="versioned")
    client.put_bucket_versioning(Bucket="versioned", VersioningConfiguration={"Status": "Enabled"})
    for key in ("gone", "kept"):
        client.put_object(Bucket="versioned", Key=key, Body=b"1")
        client.put_object(Bucket="versioned", Key=key, Body=b"22")
    client.delete_object(Bucket="versioned", Key="gone")
    found = list(storage(stack_state).objects(MINE, "versioned", ""))
    assert [(o.key, o.size) for o in found] == [("kept", 2)]


def test_other_accounts_and_missing_buckets_are_told_apart(stack: StackInfo, stack_state: Path) -> None:
    s3(stack, "111122223333").create_bucket(Bucket="foreign")
    with pytest.raises(AccessDenied):
        list(storage(stack_state).objects(MINE, "foreign", ""))
    for bucket in ("absent", "../s3", "..", "UPPER"):
        with pytest.raises(NoSuchBucket):
            list(storage(stack_state).objects(MINE, bucket, ""))


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
def test_checksums_of_every_kind_are_stored_and_wrong_ones_refused(stack: StackInfo, algorithm: Any) -> None:
    client, name = s3(stack), f"Checksum{algorithm}"
    client.create_bucket(Bucket="sums")
    client.put_object(Bucket="sums", Key="k", Body=b"body", ChecksumAlgorithm=algorithm)
    right = client.head_object(Bucket="sums", Key="k", ChecksumMode="ENABLED")[name]
    client.put_object(Bucket="sums", Key="k", Body=b"body", **{name: right})
    with pytest.raises(ClientError, match="BadDigest"):
        client.put_object(Bucket="sums", Key="k", Body=b"not the body", **{name: right})


def test_ministacks_slow_checksums_are_replaced_by_equal_fast_ones() -> None:
    from ministack.services import s3 as ministack_s3

    slow = ministack_s3._crc32c, ministack_s3._crc64nvme
    assert fast_checksums.install(ministack_s3)
    fast = ministack_s3._crc32c, ministack_s3._crc64nvme
    ministack_s3._crc32c, ministack_s3._crc64nvme = slow
    assert fast[0] is not slow[0]
    for data in (b"", b"a", bytes(range(256)) * 7):
        assert [f(data) for f in fast] == [s(data) for s in slow]


def test_an_unknown_ministack_is_left_as_it_is() -> None:
    other = ModuleType("s3")
    other._crc32c = lambda body: 0  # type: ignore[attr-defined] # a function of another meaning
    assert not fast_checksums.install(other)
    assert other._crc32c(b"x") == 0


def test_a_failed_condition_is_named_as_s3_names_it(stack: StackInfo) -> None:
    client = s3(stack)
    client.create_bucket(Bucket="conditions")
    client.put_object(Bucket="conditions", Key="k", Body=b"old")
    with pytest.raises(ClientError) as exists:
        client.put_object(Bucket="conditions", Key="k", Body=b"new", IfNoneMatch="*")
    assert exists.value.response["Error"]["Condition"] == "If-None-Match"
    with pytest.raises(ClientError) as differs:
        client.put_object(Bucket="conditions", Key="k", Body=b"new", IfMatch='"0"')
    error = differs.value.response["Error"]
    assert (error["Code"], error["Condition"]) == ("PreconditionFailed", "If-Match")
    assert client.get_object(Bucket="conditions", Key="k")["Body"].read() == b"old"

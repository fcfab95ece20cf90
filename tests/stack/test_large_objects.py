"""Large objects go to and from disk piece by piece, whatever the order and the sizes of their parts."""

from __future__ import annotations

import base64
import hashlib
import os
import zlib
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from awscrt import checksums
from botocore.config import Config
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headwater.stack.launcher import ensure_running, shutdown

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MIB = 1024 * 1024
BUCKETS = ("plain", "versioned")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    state = tmp_path_factory.mktemp("large") / ".headwater"
    yield state
    shutdown(state, remove=True)


@pytest.fixture(scope="module")
def s3(folder: Path) -> S3Client:
    client = boto3.client(
        "s3",
        endpoint_url=ensure_running(folder).endpoint_url,
        aws_access_key_id="000000000000",
        aws_secret_access_key="x",
        region_name="us-east-1",
        config=Config(
            retries={"max_attempts": 1}, request_checksum_calculation="when_required", s3={"addressing_style": "path"}
        ),
    )
    for bucket in BUCKETS:
        client.create_bucket(Bucket=bucket)
    client.put_bucket_versioning(Bucket="versioned", VersioningConfiguration={"Status": "Enabled"})
    return client


def begin(s3: S3Client, bucket: str = "plain", **declared: Any) -> dict[str, Any]:
    upload_id = s3.create_multipart_upload(Bucket=bucket, Key="k", **declared)["UploadId"]
    return {"Bucket": bucket, "Key": "k", "UploadId": upload_id}


def send(s3: S3Client, upload: dict[str, Any], parts: dict[int, bytes], **declared: Any) -> list[Any]:
    """Send parts in the order of the mapping; what a completion names, in the order of their numbers."""
    etags = {
        number: s3.upload_part(**upload, PartNumber=number, Body=data, **declared)["ETag"]
        for number, data in parts.items()
    }
    return [{"PartNumber": number, "ETag": etags[number]} for number in sorted(etags)]


def etag(parts: list[bytes]) -> str:
    digests = b"".join(hashlib.md5(part, usedforsecurity=False).digest() for part in parts)
    return f'"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(parts)}"'


def whole(s3: S3Client, bucket: str = "plain") -> bytes:
    return s3.get_object(Bucket=bucket, Key="k")["Body"].read()


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
@pytest.mark.parametrize("bucket", BUCKETS)
def test_parts_in_any_order_make_the_object(s3: S3Client, bucket: str, data: st.DataObject) -> None:
    sizes = data.draw(st.lists(st.sampled_from([1, 1000, 4096, 5000]), min_size=1, max_size=5))
    numbers = data.draw(st.lists(st.integers(1, 9), min_size=len(sizes), max_size=len(sizes), unique=True))
    parts = {number: os.urandom(size) for number, size in zip(numbers, sizes, strict=True)}
    again = data.draw(st.sampled_from(numbers))

    upload = begin(s3, bucket)
    send(s3, upload, parts)
    parts[again] = os.urandom(len(parts[again]) // 2 + 1)
    send(s3, upload, {again: parts[again]})
    left_out = data.draw(st.sampled_from([None, *(numbers if len(numbers) > 1 else [])]))
    named = [n for n in sorted(parts) if n != left_out]
    etags = {part["PartNumber"]: part["ETag"] for part in s3.list_parts(**upload)["Parts"]}
    done = s3.complete_multipart_upload(
        **upload, MultipartUpload={"Parts": [{"PartNumber": n, "ETag": etags[n]} for n in named]}
    )

    expected = [parts[n] for n in named]
    head = s3.head_object(Bucket=bucket, Key="k")
    assert whole(s3, bucket) == b"".join(expected)
    assert (done["ETag"], head["ETag"], head["ContentLength"]) == (
        etag(expected),
        etag(expected),
        len(b"".join(expected)),
    )


@pytest.mark.parametrize(
    ("algorithm", "crc", "width"),
    [("CRC32", zlib.crc32, 4), ("CRC32C", checksums.crc32c, 4), ("CRC64NVME", checksums.crc64nvme, 8)],
)
def test_a_full_object_checksum_is_compared_and_kept(s3: S3Client, algorithm: str, crc: Any, width: int) -> None:
    parts = {number: os.urandom(300_000 + (number < 3) * 50_000) for number in (2, 1, 3)}
    content = b"".join(parts[number] for number in sorted(parts))
    right, wrong = (base64.b64encode(crc(data).to_bytes(width, "big")).decode() for data in (content, content[:-1]))

    upload = begin(s3, ChecksumAlgorithm=algorithm, ChecksumType="FULL_OBJECT")
    named: Any = {"MultipartUpload": {"Parts": send(s3, upload, parts, ChecksumAlgorithm=algorithm)}}
    with pytest.raises(ClientError, match="BadDigest"):
        s3.complete_multipart_upload(**upload, **named, ChecksumType="FULL_OBJECT", **{f"Checksum{algorithm}": wrong})
    with pytest.raises(ClientError, match="FULL_OBJECT"):
        s3.complete_multipart_upload(**upload, **named, ChecksumType="COMPOSITE")
    for _ in range(2):  # a completion whose answer was lost is asked for again
        done = s3.complete_multipart_upload(
            **upload, **named, ChecksumType="FULL_OBJECT", **{f"Checksum{algorithm}": right}
        )
        assert (done[f"Checksum{algorithm}"], done["ChecksumType"]) == (right, "FULL_OBJECT")  # type: ignore[literal-required]
    head: Any = s3.head_object(Bucket="plain", Key="k", ChecksumMode="ENABLED")
    assert (head[f"Checksum{algorithm}"], head["ChecksumType"]) == (right, "FULL_OBJECT")
    assert whole(s3) == content


def test_checksum_types_that_cannot_be_are_refused(s3: S3Client) -> None:
    for algorithm, kind in (("SHA256", "FULL_OBJECT"), ("CRC64NVME", "COMPOSITE")):
        with pytest.raises(ClientError, match=f"{kind} checksum type cannot be used"):
            begin(s3, ChecksumAlgorithm=algorithm, ChecksumType=kind)


def test_what_came_in_parts_is_locked_as_was_asked_for_at_the_beginning(s3: S3Client) -> None:
    s3.create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)
    until = datetime.now(timezone.utc) + timedelta(days=2)
    begun = s3.create_multipart_upload(
        Bucket="locked", Key="k", ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=until
    )
    named = {"Bucket": "locked", "Key": "k", "UploadId": begun["UploadId"]}
    part = s3.upload_part(**named, PartNumber=1, Body=b"x")
    done = s3.complete_multipart_upload(**named, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
    assert s3.head_object(Bucket="locked", Key="k")["ObjectLockMode"] == "GOVERNANCE"
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.delete_object(Bucket="locked", Key="k", VersionId=done["VersionId"])


def test_parts_leave_no_files_behind_and_take_no_memory(s3: S3Client, folder: Path) -> None:
    spools, part = folder / "uploads", os.urandom(8 * MIB)
    pid = int((folder / "lock").read_text())

    def resident() -> int:
        status = Path(f"/proc/{pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) * 1024

    before = resident()
    aborted, completed = begin(s3), begin(s3)
    send(s3, aborted, {1: part})
    named = send(s3, completed, dict.fromkeys(range(1, 21), part))
    assert resident() - before < 80 * MIB
    s3.abort_multipart_upload(**aborted)
    s3.complete_multipart_upload(**completed, MultipartUpload={"Parts": named})
    assert not list(spools.iterdir())
    assert resident() - before < 80 * MIB

    digest = hashlib.sha256()
    for chunk in s3.get_object(Bucket="plain", Key="k")["Body"].iter_chunks(MIB):
        digest.update(chunk)
    assert digest.digest() == hashlib.sha256(part * 20).digest()
    assert resident() - before < 80 * MIB


@pytest.mark.parametrize("bucket", BUCKETS)
def test_ranges_are_what_they_ask_for(s3: S3Client, bucket: str) -> None:
    content = os.urandom(9 * MIB)
    s3.put_object(Bucket=bucket, Key="k", Body=content)
    for asked, start, end in (("0-0", 0, 1), ("5-99", 5, 100), ("8000000-", 8_000_000, None), ("-10", -10, None)):
        answer = s3.get_object(Bucket=bucket, Key="k", Range=f"bytes={asked}")
        assert answer["Body"].read() == content[start:end]
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 206
    with pytest.raises(ClientError, match="InvalidRange"):
        s3.get_object(Bucket=bucket, Key="k", Range=f"bytes={len(content)}-")
    assert whole(s3, bucket) == content
    assert s3.head_object(Bucket=bucket, Key="k")["ContentLength"] == len(content)

    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    assert whole(s3, bucket) == b""

"""The S3 edge: listings beyond a page, conditional and checksummed writes, streams that end whole or not at all."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from headwater import Headwater
from headwater.errors import AwsError
from headwater.services import buckets, multipart, objects
from headwater.services.checksums import FIRST_PART_SIZE, SINGLE_PUT_LIMIT, fingerprint
from headwater.services.multipart import MultipartWriter
from headwater.services.objects import ObjectExists, WriteOptions

S3 = tuple[Any, str]


@pytest.fixture
def s3(hw: Headwater) -> Iterator[S3]:
    """A client and the name of an empty bucket."""
    buckets.create(hw.connections.s3, hw.settings.bucket_name, "us-east-1")
    yield hw.connections.s3, hw.settings.bucket_name


def keys(s3: S3, prefix: str = "") -> list[str]:
    return [item.key for item in objects.list_objects(*s3, prefix)]


def test_a_listing_goes_beyond_a_thousand_keys_and_so_does_a_deletion(s3: S3) -> None:
    for number in range(1_005):
        objects.put_bytes(*s3, f"many/{number:05d}", b"")
    objects.put_bytes(*s3, "manyother", b"")
    assert len(keys(s3, "many/")) == 1_005
    result = objects.delete(*s3, keys(s3, "many/"))
    assert (result.deleted, result.failures) == (1_005, ())
    assert keys(s3) == ["manyother"]


def test_an_object_has_checksum_metadata_and_tags(s3: S3) -> None:
    options = WriteOptions(tags={"Database": "a b&c"}, metadata={"origin": "test"}, content_type="text/plain")
    objects.put_bytes(*s3, "k", b"hello", options)
    found = objects.head(*s3, "k")
    assert found is not None
    assert (found.size, found.crc32, found.metadata) == (5, "NhCmhg==", {"origin": "test"})
    client, bucket = s3
    assert client.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == [{"Key": "Database", "Value": "a b&c"}]


def test_a_missing_object_is_none_and_a_missing_bucket_is_an_error(s3: S3) -> None:
    assert objects.head(*s3, "nothing") is None
    with pytest.raises(AwsError, match="NoSuchBucket"):
        list(objects.list_objects(s3[0], "no-such-bucket-here"))


@pytest.mark.parametrize("size", [5, FIRST_PART_SIZE + 5])
def test_a_conditional_write_does_not_replace_an_object(s3: S3, size: int) -> None:
    objects.put_bytes(*s3, "k", b"first")
    once = WriteOptions(if_none_match=True)
    with pytest.raises(ObjectExists), MultipartWriter(*s3, "k", options=once) as writer:
        writer.write(b"x" * size)
    assert objects.read_bytes(*s3, "k") == b"first"
    assert not list(multipart.list_unfinished(*s3))


def test_a_file_is_reported_by_s3_as_its_fingerprint_says_in_one_piece_and_in_parts(s3: S3, tmp_path: Path) -> None:
    for size in (0, 1, 100_000, SINGLE_PUT_LIMIT + 3):
        path = tmp_path / "file"
        path.write_bytes(os.urandom(size))
        etag = objects.put_file(*s3, "file", path)
        found, expected = objects.head(*s3, "file"), fingerprint(path)
        assert found is not None
        assert (etag, found.etag, found.size, found.crc32) == (expected.etag, expected.etag, size, expected.crc32)


def test_a_stream_becomes_one_object_whatever_the_pieces(s3: S3) -> None:
    data = os.urandom(2 * FIRST_PART_SIZE + 12_345)
    with MultipartWriter(*s3, "stream", options=WriteOptions(tags={"a": "b"})) as writer:
        for start in range(0, len(data), 999_983):
            writer.write(data[start : start + 999_983])
        assert keys(s3) == []
    assert writer.written.size == len(data)
    assert writer.written.stream_crc32 == zlib.crc32(data)
    head = objects.head(*s3, "stream")
    assert head is not None
    assert (head.etag, head.crc32) == (writer.written.etag, writer.written.crc32)
    pieces = list(objects.read_chunks(*s3, "stream", 100_000))
    assert b"".join(pieces) == data
    assert max(map(len, pieces)) <= 100_000


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
@pytest.mark.parametrize("size", [100, 3 * FIRST_PART_SIZE])
def test_a_stream_that_breaks_off_leaves_neither_object_nor_parts(
    s3: S3, error: type[BaseException], size: int
) -> None:
    with pytest.raises(error), MultipartWriter(*s3, "broken") as writer:
        writer.write(b"x" * size)
        raise error
    assert keys(s3) == []
    assert not list(multipart.list_unfinished(*s3))
    with pytest.raises(RuntimeError):
        _ = writer.written


def test_giving_up_while_a_file_is_read_leaves_nothing(s3: S3, tmp_path: Path) -> None:
    class GivenUp(BaseException):
        pass

    def check() -> None:
        raise GivenUp

    for size in (10, SINGLE_PUT_LIMIT + 10):
        path = tmp_path / "file"
        with path.open("wb") as file:
            file.truncate(size)
        with pytest.raises(GivenUp):
            objects.put_file(*s3, "file", path, check=check)
    assert keys(s3) == []
    assert not list(multipart.list_unfinished(*s3))


def test_versions_and_delete_markers_are_listed_and_deleted_singly(s3: S3) -> None:
    client, bucket = s3
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    objects.put_bytes(*s3, "k", b"one")
    objects.put_bytes(*s3, "k", b"three")
    objects.delete(*s3, ["k"])
    versions = list(objects.list_versions(*s3))
    assert sorted((version.size, version.is_marker) for version in versions) == [(0, True), (3, False), (5, False)]
    assert objects.delete(*s3, versions).deleted == 3
    assert list(objects.list_versions(*s3)) == []


def test_folders_are_one_level_deep(s3: S3) -> None:
    for key in ("a/year=2024/x", "a/year=2025/month=01/x", "a/file"):
        objects.put_bytes(*s3, key, b"")
    assert list(objects.list_folders(*s3, "a/")) == ["a/year=2024/", "a/year=2025/"]

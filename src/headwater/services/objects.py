"""The S3 edge for objects: list, head, put, read and delete, always with CRC32 checksums and Headwater's errors."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from io import FileIO
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from botocore.exceptions import ClientError, FlexibleChecksumError, HTTPClientError, IncompleteReadError

from headwater.errors import AwsError, VerificationError
from headwater.services.aws import aws_errors, error_code
from headwater.services.checksums import MIB, SINGLE_PUT_LIMIT, crc32_base64
from headwater.services.guards import FULL, Guards, first_accepted, for_put, refused, stop_own_checksums

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

DELETE_BATCH = 1000  # DeleteObjects takes no more
READ_ATTEMPTS = 5


class ObjectExists(AwsError):
    """A write with ``if_none_match`` met an object that is already there; nothing was changed."""


@dataclass(frozen=True)
class ObjectInfo:
    """An object as a listing shows it; ``size`` in bytes, ``etag`` without quotes."""

    key: str
    size: int
    etag: str
    last_modified: datetime


@dataclass(frozen=True)
class ObjectHead:
    """An object as HEAD shows it; ``crc32`` is base64 (``…-N`` if it came in N parts), None if it has none."""

    key: str
    size: int
    etag: str
    last_modified: datetime
    crc32: str | None
    metadata: Mapping[str, str]


@dataclass(frozen=True)
class ObjectVersion:
    """One version of an object, or one delete marker, of a versioned bucket (``null``: written before versioning)."""

    key: str
    version_id: str
    size: int
    is_marker: bool


@dataclass(frozen=True)
class WriteOptions:
    """How an object is written. ``if_none_match``: raise ObjectExists instead of replacing one.

    ``extra``: further arguments of PutObject and CreateMultipartUpload, such as ``StorageClass``.
    """

    tags: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/octet-stream"
    if_none_match: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)

    def request(self, *, tagged: bool = True) -> dict[str, Any]:
        """The arguments that PutObject and CreateMultipartUpload share."""
        given: dict[str, Any] = {"ContentType": self.content_type, **self.extra}
        if self.tags and tagged:
            given["Tagging"] = urlencode(self.tags)
        if self.metadata:
            given["Metadata"] = dict(self.metadata)
        return given

    def condition(self) -> dict[str, Any]:
        """The arguments that make the object's creation conditional."""
        return {"IfNoneMatch": "*"} if self.if_none_match else {}


@dataclass(frozen=True)
class PutObject:
    """An object that was written in one request: its ETag, and what the provider checked of it."""

    etag: str
    guards: Guards


@dataclass(frozen=True)
class DeleteFailure:
    """An object that S3 declined to delete, and why."""

    key: str
    code: str
    message: str


@dataclass(frozen=True)
class DeleteResult:
    """How many objects or versions are gone, and which are not."""

    deleted: int
    failures: tuple[DeleteFailure, ...]


def list_objects(s3: S3Client, bucket: str, prefix: str = "") -> Iterator[ObjectInfo]:
    """Every object below a prefix, in key order, page by page: memory does not grow with their number."""
    with aws_errors(f"list s3://{bucket}/{prefix}"):
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for item in page.get("Contents", []):
                yield ObjectInfo(item["Key"], item["Size"], item["ETag"].strip('"'), item["LastModified"])


def list_folders(s3: S3Client, bucket: str, prefix: str) -> Iterator[str]:
    """The prefixes one slash below ``prefix``, which ends with a slash itself; objects directly there are left out."""
    with aws_errors(f"list s3://{bucket}/{prefix}"):
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, Delimiter="/"):
            for item in page.get("CommonPrefixes", []):
                yield item["Prefix"]


def list_versions(s3: S3Client, bucket: str, prefix: str = "") -> Iterator[ObjectVersion]:
    """Every version and delete marker below a prefix; in a bucket without versioning, the objects as ``null``."""
    seen: set[ObjectVersion] = set()
    with aws_errors(f"list the versions in s3://{bucket}/{prefix}"):
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
            versions = {ObjectVersion(v["Key"], v["VersionId"], v["Size"], False) for v in page.get("Versions", [])}
            markers = {ObjectVersion(m["Key"], m["VersionId"], 0, True) for m in page.get("DeleteMarkers", [])}
            # MiniStack begins a page with the last entry of the one before; S3 does not.
            yield from sorted((versions | markers) - seen, key=lambda version: version.key)
            seen = versions | markers


def head(s3: S3Client, bucket: str, key: str) -> ObjectHead | None:
    """An object's size, checksum and metadata; None if there is no such object."""
    with aws_errors(f"look at s3://{bucket}/{key}"):
        try:
            found = _head(s3, bucket, key)
        except ClientError as error:
            if error_code(error) in ("404", "NoSuchKey", "NotFound"):
                return None
            raise
    return ObjectHead(
        key=key,
        size=found["ContentLength"],
        etag=found["ETag"].strip('"'),
        last_modified=found["LastModified"],
        crc32=found.get("ChecksumCRC32"),
        metadata=found["Metadata"],
    )


def _head(s3: S3Client, bucket: str, key: str) -> Any:
    """With the checksum, or without it if the provider refuses to be asked. Raises botocore's errors."""
    try:
        return s3.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
    except ClientError as error:
        if not refused(error):
            raise
    return s3.head_object(Bucket=bucket, Key=key)


def _get(s3: S3Client, **named: Any) -> Any:
    """Botocore asks for the checksum by itself, and no longer if the provider refuses. Raises botocore's errors."""
    try:
        return s3.get_object(**named)
    except ClientError as error:
        if not refused(error):
            raise
    stop_own_checksums(s3)
    return s3.get_object(**named)


def put_bytes(s3: S3Client, bucket: str, key: str, data: bytes, options: WriteOptions | None = None) -> str:
    """Write a small object in one request; S3 checks its CRC32. Returns the ETag. Raises ObjectExists, AwsError."""
    return write_bytes(s3, bucket, key, data, options).etag


def write_bytes(s3: S3Client, bucket: str, key: str, data: bytes, options: WriteOptions | None = None) -> PutObject:
    """As ``put_bytes``; what the provider checked, too. Raises ObjectExists, AwsError, VerificationError."""
    return _put(s3, bucket, key, data, options or WriteOptions(), zlib.crc32(data))


class _CheckedFile(FileIO):
    """A file that calls ``check`` before each read, so that a transfer that is under way can be given up."""

    def __init__(self, path: Path, check: Callable[[], None]) -> None:
        super().__init__(path, "rb")
        self._check = check

    def read(self, size: int | None = -1, /) -> bytes:
        self._check()
        return super().read(-1 if size is None else size)


def put_file(
    s3: S3Client,
    bucket: str,
    key: str,
    path: Path,
    options: WriteOptions | None = None,
    check: Callable[[], None] = lambda: None,
) -> str:
    """Write a file, streamed: up to 64 MiB in one request, above in parts. Returns the ETag.

    ``check`` is called now and then and may raise to give up; then nothing appears. Raises also OSError.
    """
    options = options or WriteOptions()
    with _CheckedFile(path, check) as file:
        crc, size = 0, 0
        while size <= SINGLE_PUT_LIMIT and (block := file.read(MIB)):
            crc = zlib.crc32(block, crc)
            size += len(block)
        file.seek(0)
        if size <= SINGLE_PUT_LIMIT:
            return _put(s3, bucket, key, file, options, crc).etag
        from headwater.services.multipart import MultipartWriter

        with MultipartWriter(s3, bucket, key, options=options, concurrency=2) as writer:
            while block := file.read(MIB):
                writer.write(block)
        return writer.written.etag


def _put(s3: S3Client, bucket: str, key: str, body: bytes | FileIO, options: WriteOptions, crc: int) -> PutObject:
    def blocks() -> Iterator[bytes]:
        if isinstance(body, bytes):
            yield body
            return
        body.seek(0)
        yield from iter(lambda: body.read(MIB), b"")

    def put(guards: Guards) -> str:
        if options.if_none_match and not guards.condition and head(s3, bucket, key) is not None:
            raise ObjectExists(f"s3://{bucket}/{key} is already there; it was not replaced")
        named: Any = {**guards.headers(crc, blocks), **_condition(options, guards)}
        named |= options.request(tagged=guards.tags)
        if not isinstance(body, bytes):
            body.seek(0)
        return s3.put_object(Bucket=bucket, Key=key, Body=body, **named)["ETag"].strip('"')

    with aws_errors(f"write s3://{bucket}/{key}"):
        try:
            guards, etag = first_accepted(s3, for_put(options.if_none_match, bool(options.tags)), put)
        except ClientError as error:
            if (written := _written_before(error, s3, (bucket, key), crc32_base64(crc))) is not None:
                return PutObject(written, FULL)
            raise_if_exists(error, bucket, key)
            raise
    if guards.checksum != "crc32" or guards.condition != options.if_none_match:
        _read_back(s3, bucket, key, crc)
    return PutObject(etag, guards)


def _condition(options: WriteOptions, guards: Guards) -> dict[str, Any]:
    return options.condition() if guards.condition else {}


def _read_back(s3: S3Client, bucket: str, key: str, crc: int) -> None:
    """What the provider did not check is checked here. Raises VerificationError, AwsError."""
    there = 0
    for chunk in read_chunks(s3, bucket, key):
        there = zlib.crc32(chunk, there)
    if there != crc:
        raise VerificationError(
            f"s3://{bucket}/{key} is not what was sent: CRC32 {crc32_base64(crc)} was, {crc32_base64(there)} is there",
            hint="was something else written there at the same time?",
        )


def _written_before(error: ClientError, s3: S3Client, place: tuple[str, str], crc32: str) -> str | None:
    """The ETag, if this very object was written by a request whose answer was lost and which was then retried."""
    retried = error.response.get("ResponseMetadata", {}).get("RetryAttempts", 0) > 0
    if not retried or error_code(error) not in ("PreconditionFailed", "412"):
        return None
    there = head(s3, *place)
    return there.etag if there is not None and there.crc32 == crc32 else None


def raise_if_exists(error: ClientError, bucket: str, key: str) -> None:
    """Raise ObjectExists if S3 declined a conditional write."""
    if error_code(error) in ("PreconditionFailed", "412", "ConditionalRequestConflict"):
        raise ObjectExists(f"s3://{bucket}/{key} is already there; it was not replaced") from error


def read_bytes(s3: S3Client, bucket: str, key: str) -> bytes:
    """A small object as a whole, for example a manifest."""
    return b"".join(read_chunks(s3, bucket, key))


def read_chunks(s3: S3Client, bucket: str, key: str, chunk_size: int = MIB, start: int = 0) -> Iterator[bytes]:
    """An object's bytes from ``start`` on in pieces of at most ``chunk_size``; a lost connection is taken up again.

    Raises VerificationError if they are not what S3 has a checksum of; AwsError, also when the object is replaced while
    it is being read, as its parts would not fit together.
    """
    position, attempt, pinned = start, 1, ""
    with aws_errors(f"read s3://{bucket}/{key}"):
        while True:
            resume: dict[str, Any] = {"Range": f"bytes={position}-"} if position else {}
            condition: dict[str, Any] = {"IfMatch": pinned} if pinned else {}
            answer = _get(s3, Bucket=bucket, Key=key, **resume, **condition)
            pinned = answer["ETag"]
            try:
                for chunk in answer["Body"].iter_chunks(chunk_size):
                    position += len(chunk)
                    attempt = 1
                    yield chunk
                return
            except (HTTPClientError, IncompleteReadError):
                if attempt == READ_ATTEMPTS:
                    raise
                attempt += 1
            except FlexibleChecksumError as error:
                raise VerificationError(f"s3://{bucket}/{key} is not what S3's own checksum says: {error}") from error
            finally:
                answer["Body"].close()


def delete(s3: S3Client, bucket: str, items: Iterable[str | ObjectVersion]) -> DeleteResult:
    """Delete objects (keys) or single versions, 1,000 a request; what is not there counts as deleted."""
    deleted, failures = 0, []
    pending = iter(items)
    while batch := list(islice(pending, DELETE_BATCH)):
        with aws_errors(f"delete objects in s3://{bucket}"):
            named: list[Any] = [
                {"Key": i} if isinstance(i, str) else {"Key": i.key, "VersionId": i.version_id} for i in batch
            ]
            answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": named, "Quiet": True})
        errors = answer.get("Errors", [])
        failures += [DeleteFailure(e.get("Key", ""), e.get("Code", ""), e.get("Message", "")) for e in errors]
        deleted += len(batch) - len(errors)
    return DeleteResult(deleted, tuple(failures))

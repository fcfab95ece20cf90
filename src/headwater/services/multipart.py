"""Streams of unknown length into one S3 object: in parts, with bounded memory, and never a partial object."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from headwater.errors import AwsError, VerificationError
from headwater.services import objects, removal
from headwater.services.aws import aws_errors, error_code
from headwater.services.checksums import MIB, composite_crc32, crc32_base64, joined_crc32, part_size, same_checksum
from headwater.services.guards import FULL, Guards, first_accepted, for_completion, for_put, for_upload, not_above
from headwater.services.interruption import uninterrupted
from headwater.services.objects import ObjectExists, WriteOptions

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import (
        CompleteMultipartUploadOutputTypeDef,
        CreateMultipartUploadOutputTypeDef,
    )

IN_FLIGHT_BYTES = 128 * MIB
DAMAGED = ("BadDigest", "InvalidDigest", "XAmzContentChecksumMismatch")
DAMAGED_ATTEMPTS = 3
NO_CONDITION = "refused by this provider; looked for before, read back afterwards"
NO_TAGS = "refused by this provider: lifecycle rules cannot go by them"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class WrittenObject:
    """An object as S3 confirmed it. ``crc32`` is S3's (``…-N`` for N parts), ``stream_crc32`` that of all the bytes.

    ``guards``: what the provider checked; what it did not is for the caller to make up for.
    """

    key: str
    size: int
    etag: str
    crc32: str
    stream_crc32: int
    guards: Guards = FULL

    def integrity(self, versioning: str) -> dict[str, str]:
        """Which checks this provider did, in words, for a manifest."""
        whole = "crc32 of the whole" if "-" not in self.crc32 else "crc32 of the parts' crc32s"
        untagged = {} if self.guards.tags else {"tags": NO_TAGS}
        return {
            **untagged,
            "part_checksum": self.guards.checksum,
            "object_checksum": whole,
            "conditional_write": "if-none-match" if self.guards.condition else NO_CONDITION,
            "versioning": versioning,
        }


@dataclass(frozen=True)
class UnfinishedUpload:
    """A multipart upload that was neither completed nor aborted; its parts cost storage."""

    key: str
    upload_id: str
    started: datetime


@dataclass(frozen=True)
class _SentPart:
    number: int
    etag: str
    crc: int
    size: int

    def named(self, guards: Guards) -> Any:
        """The part as CompleteMultipartUpload takes it."""
        checksum = {"ChecksumCRC32": crc32_base64(self.crc)} if guards.checksum == "crc32" else {}
        return {"PartNumber": self.number, "ETag": self.etag, **checksum}


class MultipartWriter:
    """A context manager with ``write(bytes)``: the object appears, whole, when the block ends without an exception.

    After any exception, KeyboardInterrupt included, nothing appears and no parts stay behind. Parts are sent by
    ``concurrency`` threads while the next one fills; at most that many wait, so that a slow network slows the writer
    instead of filling memory. A stream that fits into the first part is sent in one request. ``full_object``: let S3
    check one CRC32 over all the bytes at the end, where the provider can; otherwise the CRC32 of the parts' CRC32s.

    >>> with MultipartWriter(s3, "lake", "backup.dump", options=WriteOptions(if_none_match=True)) as writer:
    ...     writer.write(b"...")                                                              # doctest: +SKIP
    >>> writer.written.size                                                                   # doctest: +SKIP
    3
    """

    def __init__(
        self,
        s3: S3Client,
        bucket: str,
        key: str,
        *,
        options: WriteOptions | None = None,
        concurrency: int = 4,
        full_object: bool = False,
    ) -> None:
        self._s3, self._bucket, self._key = s3, bucket, key
        self._options = options or WriteOptions()
        self._threads = ThreadPoolExecutor(concurrency, thread_name_prefix="upload-part")
        self._concurrency = concurrency
        self._pieces: list[memoryview] = []
        self._waiting = 0
        self._upload_id: str | None = None
        self._sent: list[Future[_SentPart]] = []
        self._written: WrittenObject | None = None
        self._want_full, self._full, self._name_checksum = full_object, False, False
        self._guards = Guards(self._options.if_none_match)
        self.size = 0

    @property
    def written(self) -> WrittenObject:
        """What S3 confirmed; only after the block has ended."""
        if self._written is None:
            raise RuntimeError("the upload is not complete")
        return self._written

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Take bytes; blocks while too many parts are under way. Raises AwsError when a part could not be sent."""
        # bytes are kept as they are and joined once for each part: a large stream is copied once, not three times.
        left = memoryview(data if isinstance(data, bytes) else bytes(data))
        self.size += len(data)
        while self._waiting + len(left) >= (wanted := part_size(len(self._sent) + 1)):
            missing = wanted - self._waiting
            part = b"".join((*self._pieces, left[:missing]))
            self._pieces, self._waiting, left = [], 0, left[missing:]
            self._send(part)
        self._pieces.append(left)
        self._waiting += len(left)
        return len(data)

    def __enter__(self) -> MultipartWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._abort()
            return
        try:
            self._finish()
        except BaseException:
            self._abort()
            raise

    def _send(self, part: bytes) -> None:
        if self._upload_id is None:
            begun = partial(abort, self._s3, self._bucket, self._key)
            self._upload_id = uninterrupted(self._create, begun)
        self._wait_for_room(len(part))
        self._sent.append(self._threads.submit(self._upload_part, len(self._sent) + 1, part))

    def _wait_for_room(self, size: int) -> None:
        allowed = max(1, min(self._concurrency, IN_FLIGHT_BYTES // size))
        while len(pending := [future for future in self._sent if not future.done()]) >= allowed:
            wait(pending, return_when=FIRST_COMPLETED)
        for future in self._sent:
            if future.done():
                future.result()

    def _create(self) -> str:
        def create(guards: Guards) -> CreateMultipartUploadOutputTypeDef:
            declared: Any = {"ChecksumAlgorithm": "CRC32"} if guards.checksum == "crc32" else {}
            if self._want_full and guards.whole:
                declared["ChecksumType"] = "FULL_OBJECT"
            return self._s3.create_multipart_upload(
                Bucket=self._bucket, Key=self._key, **declared, **self._options.request(tagged=guards.tags)
            )

        with aws_errors(f"begin the upload of s3://{self._bucket}/{self._key}"):
            accepted, answer = first_accepted(self._s3, for_upload(self._guards, bool(self._options.tags)), create)
        self._guards = replace(self._guards, checksum=accepted.checksum, tags=accepted.tags)
        # A provider that does not know the type leaves it out of the answer.
        kind = answer.get("ChecksumType")
        self._full, self._name_checksum = kind == "FULL_OBJECT", self._want_full and kind is not None
        return answer["UploadId"]

    def _upload_part(self, number: int, part: bytes) -> _SentPart:
        crc = zlib.crc32(part)

        def upload(guards: Guards) -> str:
            return self._s3.upload_part(
                Bucket=self._bucket,
                Key=self._key,
                UploadId=self._upload_id or "",
                PartNumber=number,
                Body=part,
                **guards.headers(crc, lambda: (part,)),
            )["ETag"]

        with aws_errors(f"upload part {number} of s3://{self._bucket}/{self._key}"):
            for attempt in range(1, DAMAGED_ATTEMPTS + 1):
                try:
                    ladder = [guards for guards in for_put(False) if not_above(guards, self._guards)]
                    accepted, etag = first_accepted(self._s3, ladder, upload)
                    break
                except ClientError as error:  # botocore does not send again what was damaged on the way
                    if error_code(error) not in DAMAGED or attempt == DAMAGED_ATTEMPTS:
                        raise
        if accepted.checksum != self._guards.checksum:  # the next parts need not ask for what this one was refused
            self._guards = replace(self._guards, checksum=accepted.checksum)
        return _SentPart(number, etag, crc, len(part))

    def _finish(self) -> None:
        if self._upload_id is None:
            self._threads.shutdown()
            data = b"".join(self._pieces)
            stream_crc = zlib.crc32(data)
            crc = crc32_base64(stream_crc)
            where = (self._s3, self._bucket, self._key)
            put = uninterrupted(
                lambda: objects.write_bytes(*where, data, self._options), lambda put: self._take_back(put.etag)
            )
            etag, self._guards = put.etag, put.guards
        else:
            if self._waiting:
                self._send(b"".join(self._pieces))
            parts = [future.result() for future in self._sent]
            self._threads.shutdown()
            self._check_parts(parts)
            stream_crc = joined_crc32((part.crc, part.size) for part in parts)
            crc = crc32_base64(stream_crc) if self._full else composite_crc32([part.crc for part in parts])
            etag, crc = uninterrupted(lambda: self._complete(parts, crc), lambda made: self._take_back(made[0]))
        self._pieces.clear()
        self._written = WrittenObject(self._key, self.size, etag, crc, stream_crc, self._guards)

    def _take_back(self, etag: str) -> None:
        removal.delete_if(self._s3, self._bucket, self._key, etag)

    def _check_parts(self, parts: list[_SentPart]) -> None:
        sent = sum(part.size for part in parts)
        if sent != self.size:
            raise VerificationError(f"s3://{self._bucket}/{self._key}: {self.size:,} bytes came, {sent:,} were sent")

    def _complete(self, parts: list[_SentPart], crc: str) -> tuple[str, str]:
        def complete(guards: Guards) -> CompleteMultipartUploadOutputTypeDef:
            if self._options.if_none_match and not guards.condition:
                self._require_absent()
            checks: Any = {"ChecksumCRC32": crc} if self._name_checksum and guards.whole else {}
            if self._full and guards.whole:
                checks["ChecksumType"] = "FULL_OBJECT"
            if guards.whole:
                checks["MpuObjectSize"] = self.size
            if guards.condition:
                checks |= self._options.condition()
            return self._s3.complete_multipart_upload(
                Bucket=self._bucket,
                Key=self._key,
                UploadId=self._upload_id or "",
                MultipartUpload={"Parts": [part.named(guards) for part in parts]},
                **checks,
            )

        with aws_errors(f"complete the upload of s3://{self._bucket}/{self._key}"):
            try:
                accepted, answer = first_accepted(self._s3, for_completion(self._guards), complete)
            except ClientError as error:
                if (etag := self._completed_before(error, crc)) is not None:
                    return etag, crc
                objects.raise_if_exists(error, self._bucket, self._key)
                raise
        self._guards = replace(accepted, checksum=self._guards.checksum)  # the parts had theirs
        return answer["ETag"].strip('"'), self._confirmed(answer.get("ChecksumCRC32", crc), crc, parts)

    def _confirmed(self, reported: str, crc: str, parts: list[_SentPart]) -> str:
        """The object's CRC32 in the provider's form. Raises VerificationError if it is not of what was sent."""
        by_parts = composite_crc32([part.crc for part in parts])
        for sent in (crc, by_parts):
            if same_checksum(reported, sent):
                return sent
        raise VerificationError(f"s3://{self._bucket}/{self._key}: sent CRC32 {crc}, S3 reports {reported}")

    def _require_absent(self) -> None:
        if objects.head(self._s3, self._bucket, self._key) is not None:
            raise ObjectExists(f"s3://{self._bucket}/{self._key} is already there; it was not replaced")

    def _completed_before(self, error: ClientError, crc: str) -> str | None:
        """The ETag, if this very upload was completed by a request whose answer was lost and then retried."""
        if error_code(error) not in ("NoSuchUpload", "PreconditionFailed"):
            return None
        there = objects.head(self._s3, self._bucket, self._key)
        if there is None or there.size != self.size or not same_checksum(there.crc32, crc):
            return None
        return there.etag

    def _abort(self) -> None:
        # Parts under way have to end first: one that arrives after the abort would be kept, and paid for.
        self._threads.shutdown(wait=True, cancel_futures=True)
        self._pieces.clear()
        if self._upload_id is None:
            return
        try:
            abort(self._s3, self._bucket, self._key, self._upload_id)
        except AwsError as error:  # the exception that led here says more than this one
            log.warning("%s", error)


def list_unfinished(s3: S3Client, bucket: str, prefix: str = "") -> Iterator[UnfinishedUpload]:
    """Every unfinished multipart upload below a prefix."""
    with aws_errors(f"list the unfinished uploads in s3://{bucket}/{prefix}"):
        for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=prefix):
            for upload in page.get("Uploads", []):
                yield UnfinishedUpload(upload["Key"], upload["UploadId"], upload["Initiated"])


def abort(s3: S3Client, bucket: str, key: str, upload_id: str) -> None:
    """Abort an upload and free its parts; one that is already gone is fine."""
    with aws_errors(f"abort the upload of s3://{bucket}/{key}"):
        try:
            s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload_id)
        except ClientError as error:
            if error_code(error) != "NoSuchUpload":
                raise

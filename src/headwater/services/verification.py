"""The record of a backup's verifications: a small object beside its manifest, of which every run replaces its part."""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from headwater.errors import AwsError, SettingsError, VerificationError
from headwater.services import objects
from headwater.services.aws import aws_errors, error_code
from headwater.services.guards import Guards, first_accepted, for_put
from headwater.services.objects import ObjectHead

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LEVELS = ("head", "full", "restore")
ATTEMPTS = 10
KEPT = 50
_RACED = ("PreconditionFailed", "412", "ConditionalRequestConflict", "409")


@dataclass(frozen=True)
class Verification:
    """One verification: its level, when it was (UTC), whether the backup passed, and in words what was found.

    ``etag`` is the dump's at that time: a record about another object says nothing about this one.
    """

    level: str
    at: datetime
    passed: bool
    seconds: float
    detail: str
    etag: str


@dataclass(frozen=True)
class VerifyResult:
    """One backup's outcome."""

    id: str
    level: str
    passed: bool
    seconds: float
    detail: str


@dataclass(frozen=True)
class VerifyReport:
    """What was verified, and whether all of it passed; ``database`` is ``cluster-…`` for physical backups."""

    database: str
    passed: bool
    results: tuple[VerifyResult, ...]


def newest(records: tuple[Verification, ...], etag: str) -> Verification | None:
    """The newest record about this very object."""
    return max((record for record in records if record.etag == etag), key=lambda record: record.at, default=None)


def proves(records: tuple[Verification, ...], etag: str) -> Verification | None:
    """The newest proof that this object can be read back whole; None if the last word on it is that it cannot."""
    deep = [record for record in records if record.etag == etag and record.level in ("full", "restore")]
    last = newest(records, etag)
    if last is None or not last.passed:
        return None
    return max((record for record in deep if record.passed), key=lambda record: record.at, default=None)


def parse(data: bytes) -> tuple[Verification, ...]:
    """Read a stored record; one that cannot be read proves nothing, and is empty."""
    try:
        body = json.loads(data)
        return tuple(
            Verification(**{**item, "at": datetime.fromisoformat(item["at"])}) for item in body["verifications"]
        )
    except (ValueError, TypeError, KeyError):
        return ()


def read(s3: S3Client, bucket: str, key: str) -> tuple[Verification, ...]:
    """Read a stored record; one that the storage has damaged is as empty. Raises AwsError."""
    try:
        return parse(objects.read_bytes(s3, bucket, key))
    except VerificationError:
        return ()


def to_json(records: tuple[Verification, ...]) -> bytes:
    """The record as it is stored."""
    body = {"schema_version": 1, "verifications": [{**asdict(r), "at": r.at.isoformat()} for r in records]}
    return (json.dumps(body, indent=2, sort_keys=True) + "\n").encode()


def append(s3: S3Client, bucket: str, key: str, record: Verification) -> None:
    """Add a record; two at once both arrive, because each write is on the condition that nobody wrote in between.

    Raises AwsError.
    """
    with aws_errors(f"record the verification in s3://{bucket}/{key}"):
        for _ in range(ATTEMPTS):
            there = objects.head(s3, bucket, key)
            known = () if there is None else read(s3, bucket, key)
            data = to_json((*known, record)[-KEPT:])
            try:
                guards = _put(s3, (bucket, key), data, there)
            except ClientError as error:
                if error_code(error) not in _RACED:
                    raise
            else:
                # A provider that knows no conditions: what is there now tells whether somebody else wrote as well.
                if guards.condition or record in read(s3, bucket, key):
                    return
    raise AwsError(f"cannot record the verification in s3://{bucket}/{key}: others kept writing", hint="try again")


def _put(s3: S3Client, place: tuple[str, str], data: bytes, there: ObjectHead | None) -> Guards:
    """Write on the condition that nobody did since; what of that the provider took. Raises botocore's errors."""
    unchanged: Any = {"IfNoneMatch": "*"} if there is None else {"IfMatch": f'"{there.etag}"'}

    def put(guards: Guards) -> None:
        named: Any = {**guards.headers(zlib.crc32(data), lambda: (data,)), **(unchanged if guards.condition else {})}
        s3.put_object(Bucket=place[0], Key=place[1], Body=data, ContentType="application/json", **named)

    return first_accepted(s3, for_put(True), put)[0]


def parse_subset(text: str) -> tuple[int, int]:
    """Read ``2/7``. Raises SettingsError.

    >>> parse_subset("2/7")
    (2, 7)
    """
    named = re.fullmatch(r"(\d{1,4})/(\d{1,4})", text)
    if named is None or not 1 <= int(named[1]) <= int(named[2]):
        raise SettingsError(f"{text!r} is not a subset", hint="N/T: the Nth of T parts, for example 1/7")
    return int(named[1]), int(named[2])


def group_of(backup: str, of: int) -> int:
    """Which of ``of`` groups (from 1) a backup is in: by its id alone, so that T runs see every backup once."""
    return int.from_bytes(hashlib.sha256(backup.encode()).digest()[:8], "big") % of + 1


def require_passed(report: VerifyReport, remedy: str = "headwater backup create") -> None:
    """Raise VerificationError that names the backups that did not pass."""
    failed = [f"{result.id}: {result.detail}" for result in report.results if not result.passed]
    if failed:
        raise VerificationError(
            f"{len(failed)} of {len(report.results)} backups of {report.database} failed: {'; '.join(failed[:3])}",
            hint=f"make a new one now: `{remedy}`",
        )

"""What an S3 request asks the provider to check, and how to do with less where a provider refuses to.

Amazon S3 takes conditions (``If-None-Match``) and CRC32 checksums; other providers answer some of these with 501
NotImplemented or 400. Whatever a provider refuses is left out, one thing after the other, and made up for: instead of
the condition, the object is looked for before; what was written is read back and compared.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from botocore.exceptions import ClientError

from headwater.services.aws import error_code
from headwater.services.checksums import crc32_base64

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

Checksum = Literal["crc32", "md5", "none"]
Result = TypeVar("Result")
_ORDER: tuple[Checksum, ...] = ("crc32", "md5", "none")
_REFUSALS = (
    "NotImplemented",
    "XNotImplemented",
    "NotSupported",
    "UnsupportedArgument",
    "UnsupportedOperation",
    "InvalidArgument",
    "InvalidRequest",
    "InvalidHeader",
    "BadRequest",
    "400",  # the answer to a HEAD has no body that could say more
)


@dataclass(frozen=True)
class Guards:
    """What one write asked for. ``condition``: that there is no such object yet; ``checksum``: of its bytes.

    ``whole``: at a multipart upload's completion, the object's size and checksum. ``tags``: that it is tagged, which
    guards nothing, but is refused in the same way.
    """

    condition: bool = True
    checksum: Checksum = "crc32"
    whole: bool = True
    tags: bool = True

    def headers(self, crc: int, blocks: Callable[[], Iterable[bytes]]) -> dict[str, Any]:
        """The arguments of PutObject or UploadPart that carry the checksum of a body with this CRC32."""
        if self.checksum == "crc32":
            return {"ChecksumCRC32": crc32_base64(crc)}
        if self.checksum == "md5":
            digest = hashlib.md5(usedforsecurity=False)
            for block in blocks():
                digest.update(block)
            return {"ContentMD5": base64.b64encode(digest.digest()).decode()}
        return {}


FULL = Guards()


def for_put(condition: bool, tagged: bool = False) -> Iterable[Guards]:
    """What to try, from all to nothing, losing as little as possible.

    >>> [guards.checksum for guards in for_put(False)]
    ['crc32', 'md5', 'none']
    """
    for tags in (True, False) if tagged else (True,):
        for checksum in _ORDER:
            yield from (Guards(asked, checksum, tags=tags) for asked in ((True, False) if condition else (False,)))


def for_upload(guards: Guards, tagged: bool = False) -> Iterable[Guards]:
    """What to try at the beginning of a multipart upload: one checksum of the whole, one of the parts', none."""
    for tags in (True, False) if tagged else (True,):
        yield Guards(guards.condition, guards.checksum, tags=tags)
        yield Guards(guards.condition, "crc32", False, tags)
        yield Guards(guards.condition, "md5", False, tags)


def not_above(guards: Guards, most: Guards) -> bool:
    """Whether this asks for no stronger checksum than ``most``, which the provider has taken before."""
    return _ORDER.index(guards.checksum) >= _ORDER.index(most.checksum)


def for_completion(guards: Guards) -> Iterable[Guards]:
    """What to try at the completion of an upload whose parts were written with ``guards``."""
    for whole in (True, False):
        for asked in (True, False) if guards.condition else (False,):
            yield Guards(asked, guards.checksum, whole, guards.tags)
    if guards.checksum == "crc32":
        yield Guards(False, "none", False, guards.tags)


def refused(error: ClientError) -> bool:
    """Whether a provider says that it does not know what was asked for, rather than that something is wrong.

    >>> answer = {"Error": {"Code": "NotImplemented"}, "ResponseMetadata": {"HTTPStatusCode": 501}}
    >>> refused(ClientError(answer, "PutObject"))
    True
    """
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return status == 501 or (status == 400 and error_code(error) in _REFUSALS)


def first_accepted(s3: S3Client, ladder: Iterable[Guards], call: Callable[[Guards], Result]) -> tuple[Guards, Result]:
    """Call with ever fewer guards until the provider takes it. If it never does, its first answer is raised."""
    first: ClientError | None = None
    before = _own_checksums(s3)
    for guards in ladder:
        if guards.checksum != "crc32":
            stop_own_checksums(s3)
        try:
            return guards, call(guards)
        except ClientError as error:
            if not refused(error):
                raise
            first = first or error
    s3.meta.config.request_checksum_calculation, s3.meta.config.response_checksum_validation = before  # type: ignore[attr-defined] # set by botocore
    raise first or RuntimeError("an empty ladder")


def stop_own_checksums(s3: S3Client) -> None:
    """Let botocore add and ask for no checksums of its own from now on: this provider refused them."""
    config: Any = s3.meta.config
    config.request_checksum_calculation = config.response_checksum_validation = "when_required"


def _own_checksums(s3: S3Client) -> tuple[Any, Any]:
    config: Any = s3.meta.config
    return config.request_checksum_calculation, config.response_checksum_validation

"""Keeps the parts of unfinished uploads on disk, where they become the object; MiniStack holds them in memory.

MiniStack joins all parts and writes the object when an upload is completed: twice the object's size of memory, and
for every 350 MB more than a second in which the server answers nobody. Here a part is written to its place in the
object's file as it comes, and completing renames that file. It also is where the stack learns full-object checksums,
and to lock what came in parts.
"""

from __future__ import annotations

import base64
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

Response = tuple[int, dict[str, Any], bytes]

_FULL, _COMPOSITE = "FULL_OBJECT", "COMPOSITE"
_LOCK = "x-amz-object-lock-"
_UPLOAD_ID = re.compile(rb"<UploadId>([^<]+)</UploadId>")
_PART_NUMBER = re.compile(rb"<PartNumber>\s*(\d+)\s*</PartNumber>")
# What a completion does, in this order: each is a step that we stand in for.
_STEPS = (
    'hashlib.md5(stored["body"]).digest()',
    "_composite_checksum(checksum_algorithm, part_digests)",
    'b"".join(combined_parts)',
    "_maybe_replicate(bucket_name, key, obj, combined)",
    "_persist_object(bucket_name, key, obj)",
)


class _PlacedPart(bytes):
    """Stands for the bytes of a part that is in the file: without content, but with the part's length and digest."""

    size: int
    digest: bytes

    def __len__(self) -> int:
        return self.size


class _KnownDigests:
    """Stands in for ``hashlib`` while an upload is completed: a part's MD5 is known since it came."""

    def __init__(self, hashlib: Any) -> None:
        self._hashlib = hashlib

    def __getattr__(self, name: str) -> Any:
        return getattr(self._hashlib, name)

    def md5(self, data: bytes = b"") -> Any:
        """A digest of ``data``."""
        return _Known(data.digest) if isinstance(data, _PlacedPart) else self._hashlib.md5(data)


class _Known:
    def __init__(self, digest: bytes) -> None:
        self._digest = digest

    def digest(self) -> bytes:
        """The digest."""
        return self._digest


class _Spool:
    """The file of one upload. All parts but the last have one size, as with every client: the first that comes sets
    it. A part that is larger stays in memory."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.slot = 0

    def place(self, number: int, part: dict[str, Any]) -> None:
        """Write a part to its place, and keep a stand-in of it. Raises OSError."""
        body = part["body"]
        self.slot = self.slot or len(body)
        if not 0 < len(body) <= self.slot:
            return
        descriptor = os.open(self.file, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            view, offset = memoryview(body), (number - 1) * self.slot
            while view:
                written = os.pwrite(descriptor, view, offset)
                view, offset = view[written:], offset + written
        finally:
            os.close(descriptor)
        placed = _PlacedPart()
        placed.size, placed.digest = len(body), bytes.fromhex(part["etag"].strip('"'))
        part["body"] = placed

    def holds_whole(self, parts: dict[int, dict[str, Any]]) -> bool:
        """Whether these parts, by number, lie in the file one behind the other."""
        placed = all(isinstance(part["body"], _PlacedPart) for part in parts.values())
        together = list(parts) == list(range(1, len(parts) + 1))
        return placed and together and all(part["size"] == self.slot for part in list(parts.values())[:-1])

    def take_back(self, parts: dict[int, dict[str, Any]]) -> None:
        """Read all parts into memory, as MiniStack has them. Raises OSError."""
        for number, part in parts.items():
            if isinstance(part["body"], _PlacedPart):
                with self.file.open("rb") as file:
                    file.seek((number - 1) * self.slot)
                    part["body"] = file.read(part["size"])


class UploadsOnDisk:
    """MiniStack's multipart uploads with their parts in ``folder``, which is on the disk of its objects."""

    def __init__(self, s3: ModuleType, folder: Path) -> None:
        self._s3: Any = s3
        self._folder = folder
        names = ("create_multipart_upload", "upload_part", "upload_part_copy", "complete_multipart_upload")
        self._original = {name: getattr(s3, f"_{name}") for name in (*names, "abort_multipart_upload")}

    def install(self) -> bool:
        """Take the place of MiniStack's own functions; False if they are not the ones that we know.

        What was left of the uploads of an earlier process is removed: nobody can complete them.
        """
        import inspect

        shutil.rmtree(self._folder, ignore_errors=True)
        rest = inspect.getsource(self._original["complete_multipart_upload"])
        for step in _STEPS:
            _, found, rest = rest.partition(step)
            if not found:
                return False
        for name in self._original:
            setattr(self._s3, f"_{name}", getattr(self, f"_{name}"))
        return True

    def _upload(self, query: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = self._s3._multipart_uploads.get(self._s3._qp(query, "uploadId")) or {}
        return found

    def _create_multipart_upload(self, bucket: str, key: str, headers: dict[str, str]) -> Response:
        wanted, algorithm = headers.get("x-amz-checksum-type", "").upper(), _algorithm(headers)
        # CRC64NVME has no other type, and the SHAs of parts cannot be combined.
        kind = wanted or (_FULL if algorithm == "CRC64NVME" else _COMPOSITE)
        if wanted and (algorithm not in _combiners() if kind == _FULL else algorithm in ("", "CRC64NVME")):
            text = f"The {wanted} checksum type cannot be used with the {algorithm.lower() or 'missing'} algorithm."
            return self._refused(text, bucket, key)
        status, answer, body = self._original["create_multipart_upload"](bucket, key, headers)
        named = _UPLOAD_ID.search(body)
        if status == 200 and named is not None:
            upload_id = named[1].decode()
            upload = self._s3._multipart_uploads[upload_id]
            self._folder.mkdir(mode=0o700, exist_ok=True)
            upload["spool"], upload["checksum_type"] = _Spool(self._folder / upload_id), kind
            upload["lock"] = {name: value for name, value in headers.items() if name.startswith(_LOCK)}
            if algorithm:
                answer["x-amz-checksum-type"] = kind
        return status, answer, body

    def _refused(self, text: str, bucket: str, key: str) -> Response:
        answer: Response = self._s3._error("InvalidRequest", text, 400, f"/{bucket}/{key}")
        return answer

    def _upload_part(
        self, bucket: str, key: str, body: bytes, query: dict[str, Any], headers: dict[str, str]
    ) -> Response:
        return self._placed(query, self._original["upload_part"](bucket, key, body, query, headers))

    def _upload_part_copy(self, bucket: str, key: str, query: dict[str, Any], headers: dict[str, str]) -> Response:
        return self._placed(query, self._original["upload_part_copy"](bucket, key, query, headers))

    def _placed(self, query: dict[str, Any], response: Response) -> Response:
        upload = self._upload(query)
        if response[0] != 200 or "spool" not in upload:
            return response
        number = int(self._s3._qp(query, "partNumber"))
        try:
            upload["spool"].place(number, upload["parts"][number])
        except OSError as error:
            del upload["parts"][number]
            failed: Response = self._s3._error("InternalError", f"The part cannot be kept: {error.strerror}", 500)
            return failed
        return response

    def _abort_multipart_upload(self, bucket: str, key: str, query: dict[str, Any]) -> Response:
        upload = self._upload(query)
        response: Response = self._original["abort_multipart_upload"](bucket, key, query)
        if response[0] == 204 and "spool" in upload:
            upload["spool"].file.unlink(missing_ok=True)
        return response

    def _complete_multipart_upload(
        self, bucket: str, key: str, body: bytes, query: dict[str, Any], headers: dict[str, str] | None = None
    ) -> Response:
        upload, original = self._upload(query), self._original["complete_multipart_upload"]
        if "spool" not in upload:  # unknown, or completed before
            answer: Response = original(bucket, key, body, query, headers)
            return answer
        wanted = (headers or {}).get("x-amz-checksum-type", "").upper()
        if wanted and wanted != upload["checksum_type"]:
            text = f"The upload was created with the {upload['checksum_type']} checksum type, not {wanted}."
            return self._refused(text, bucket, key)
        spool, numbers = upload["spool"], sorted(int(found) for found in _PART_NUMBER.findall(body))
        parts = {number: upload["parts"][number] for number in numbers if number in upload["parts"]}
        in_place = bool(parts) and self._is_plain(bucket) and spool.holds_whole(parts)
        if not in_place:
            spool.take_back(parts)
        with self._standing_in(upload, [part["size"] for part in parts.values()], in_place):
            response: Response = original(bucket, key, body, query, headers)
        if response[0] == 200:
            spool.file.unlink(missing_ok=True)
            # MiniStack does it for a PUT only.
            self._s3._apply_object_lock_from_headers(bucket, key, upload["lock"], response[1].get("x-amz-version-id"))
            if upload["checksum_type"] == _FULL:
                response = (response[0], response[1], response[2].replace(_COMPOSITE.encode(), _FULL.encode()))
                self._s3._completed_multipart_uploads[self._s3._qp(query, "uploadId")]["response"] = response
        return response

    def _is_plain(self, bucket: str) -> bool:
        """Whether a bucket keeps one copy of its objects; elsewhere MiniStack wants the bytes themselves."""
        return not (self._s3._bucket_versioning.get(bucket) or self._s3._bucket_replication.get(bucket))

    @contextmanager
    def _standing_in(self, upload: dict[str, Any], sizes: list[int], in_place: bool) -> Iterator[None]:
        """Let one completion use what is known of the parts; ``in_place``: the file instead of their bytes.

        Nothing else runs meanwhile: MiniStack completes an upload in one step of its event loop.
        """
        s3 = self._s3
        replicate, persist, checksum = s3._maybe_replicate, s3._persist_object, s3._composite_checksum

        def sized(bucket: str, key: str, obj: dict[str, Any], data: bytes) -> None:
            if upload["checksum_type"] == _FULL and obj["checksums"]:
                obj["checksum_type"] = _FULL
            if in_place:
                obj["size"] = sum(sizes)
            else:
                replicate(bucket, key, obj, data)

        def moved(bucket: str, key: str, obj: dict[str, Any]) -> None:
            if in_place:
                path = Path(s3._object_disk_path(bucket, key))
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                os.truncate(upload["spool"].file, sum(sizes))
                upload["spool"].file.replace(path)
                obj["body"] = None
            persist(bucket, key, obj)

        def summed(algorithm: str, digests: list[str | None]) -> Any:
            if upload["checksum_type"] != _FULL or None in digests:
                return checksum(algorithm, digests)
            return _whole(algorithm, [digest or "" for digest in digests], sizes)

        with (
            _replaced(s3, "hashlib", _KnownDigests(s3.hashlib)),
            _replaced(s3, "_maybe_replicate", sized),
            _replaced(s3, "_persist_object", moved),
            _replaced(s3, "_composite_checksum", summed),
        ):
            yield


@contextmanager
def _replaced(module: Any, name: str, value: Any) -> Iterator[None]:
    before = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, before)


def _algorithm(headers: dict[str, str]) -> str:
    named = headers.get("x-amz-checksum-algorithm") or headers.get("x-amz-sdk-checksum-algorithm") or ""
    return named.upper().replace("_", "")


def _combiners() -> dict[str, Callable[[int, int, int], int]]:
    """What makes the checksum of two pieces of those of the pieces."""
    from awscrt import checksums

    return {
        "CRC32": checksums.combine_crc32,
        "CRC32C": checksums.combine_crc32c,
        "CRC64NVME": checksums.combine_crc64nvme,
    }


def _whole(algorithm: str, digests: list[str], sizes: list[int]) -> str:
    """The checksum of all bytes, of the parts' checksums in base64."""
    combine, raw = _combiners()[algorithm], [base64.b64decode(digest) for digest in digests]
    total = int.from_bytes(raw[0], "big")
    for part, size in zip(raw[1:], sizes[1:], strict=True):
        total = combine(total, int.from_bytes(part, "big"), size)
    return base64.b64encode(total.to_bytes(len(raw[0]), "big")).decode()

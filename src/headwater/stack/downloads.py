"""Lets MiniStack serve large objects from their files piece by piece: it reads a whole object for every range."""

from __future__ import annotations

import inspect
import mmap
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from headwater.stack.buckets import Message, Receive, Send

PIECE = 1024 * 1024
STREAMED_FROM = 8 * PIECE
_STEPS = ("body = _read_body(bucket_name, key, obj)", "slice_body = body[start : end + 1]")


class DownloadsFromDisk:
    """MiniStack's GetObject with the object's file mapped instead of read."""

    def __init__(self, s3: ModuleType) -> None:
        self._s3: Any = s3
        self._read_body, self._dispatch = self._s3._read_body, self._s3._dispatch
        self._downloading = False

    def install(self) -> bool:
        """Take the place of MiniStack's own functions; False if they are not the ones that we know."""
        rest = inspect.getsource(self._s3._get_object)
        for step in _STEPS:
            _, found, rest = rest.partition(step)
            if not found:
                return False
        self._s3._read_body, self._s3._dispatch = self._mapped_body, self._dispatched
        return True

    def _mapped_body(self, bucket: str, key: str, obj: dict[str, Any]) -> bytes | mmap.mmap:
        path = self._s3._object_disk_path(bucket, key) if self._downloading and obj.get("body") is None else None
        if path is None:
            body: bytes = self._read_body(bucket, key, obj)
            return body
        try:
            with Path(path).open("rb") as file:
                # Objects are replaced by renaming: the mapped file stays as it is for as long as it is read.
                return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError):  # it is gone, or empty: MiniStack says so
            return bytes(self._read_body(bucket, key, obj))

    def _dispatched(
        self, method: str, bucket: str, key: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
    ) -> tuple[int, dict[str, Any], Any]:
        self._downloading = method == "GET" and bool(key)
        try:
            status, answer, found = self._dispatch(method, bucket, key, headers, body, query)
        finally:
            self._downloading = False
        return status, answer, _answered(found) if isinstance(found, mmap.mmap) else found


def _answered(body: mmap.mmap) -> Any:
    if len(body) < STREAMED_FROM:
        return body[:]
    from ministack.core.responses import StreamingResponse

    return StreamingResponse(_stream(body))


def _stream(body: mmap.mmap) -> Callable[[Send, Receive], Awaitable[None]]:
    async def run(send: Send, _receive: Receive) -> None:
        for start in range(0, len(body), PIECE):
            message: Message = {"type": "http.response.body", "body": body[start : start + PIECE]}
            await send({**message, "more_body": start + PIECE < len(body)})

    return run

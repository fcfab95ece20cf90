"""The engine's view of MiniStack's S3: lists and reads its files in place, and writes through its ASGI application."""

from __future__ import annotations

import asyncio
import json
import os
import re
import stat
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from headwater.stack.lakehouse.errors import AccessDenied, NoSuchBucket
from headwater.stack.lakehouse.model import Scope, StoredObject

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

# MiniStack keeps an object at <data>/<account>/<bucket>/<key>, its metadata beside it, and a key that no path can
# hold (a//b, a key below another key's file) in a reserved folder under an encoded name.
_SIDECAR = ".meta.json"
_PARTIAL = ".tmp"
_ENCODED_KEYS = ".ministack-keys"
_VERSIONS = ".versions"
_BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


class BucketFiles:
    """``lakehouse.model.Files`` in MiniStack's data folder."""

    def __init__(self, data: Path) -> None:
        self._data = data

    def objects(self, scope: Scope, bucket: str, prefix: str) -> Iterator[StoredObject]:
        """The objects below a prefix in key order, from the files themselves."""
        root = self._bucket_folder(scope, bucket)
        marked = (self._data / _VERSIONS / scope.account / bucket).is_dir()
        found = _walk(root, "", prefix)
        if (root / _ENCODED_KEYS).is_dir():
            found = iter(sorted([*found, *_encoded(root / _ENCODED_KEYS, prefix)], key=lambda o: o.key.encode()))
        for stored in found:
            # Only a bucket that has had versions can hold a delete marker, which hides the file below it.
            if not (marked and _is_deleted(stored.path)):
                yield stored

    def _bucket_folder(self, scope: Scope, bucket: str) -> Path:
        if not _BUCKET_NAME.fullmatch(bucket):
            raise NoSuchBucket(bucket)
        folder = self._data / scope.account / bucket
        if folder.is_dir():
            return folder
        if any((account / bucket).is_dir() for account in self._data.iterdir() if account.name != _VERSIONS):
            raise AccessDenied(bucket)
        raise NoSuchBucket(bucket)


class MinistackStorage:
    """``lakehouse.model.Storage`` over MiniStack's data folder; blocking methods are for worker threads."""

    def __init__(self, data: Path, application: Application, loop: asyncio.AbstractEventLoop) -> None:
        self._files = BucketFiles(data)
        self._application = application
        self._loop = loop

    def objects(self, scope: Scope, bucket: str, prefix: str) -> Iterator[StoredObject]:
        """The objects below a prefix in key order, from the files themselves."""
        return self._files.objects(scope, bucket, prefix)

    def put(self, scope: Scope, bucket: str, key: str, body: bytes | Path, content_type: str) -> None:
        """Store one object by a PutObject request to MiniStack."""
        data = body.read_bytes() if isinstance(body, Path) else body
        self._request("PUT", scope, bucket, key, data, content_type)

    def delete(self, scope: Scope, bucket: str, keys: Iterable[str]) -> None:
        """Delete objects one by one by DeleteObject requests to MiniStack."""
        for key in keys:
            self._request("DELETE", scope, bucket, key, b"", "application/octet-stream")

    def _request(self, method: str, scope: Scope, bucket: str, key: str, body: bytes, content_type: str) -> None:
        call = _call(self._application, _http_scope(method, scope, bucket, key, len(body), content_type), body)
        status, answer = asyncio.run_coroutine_threadsafe(call, self._loop).result()
        if status < 300:
            return
        code = re.search(rb"<Code>([^<]+)</Code>", answer)
        name = code.group(1).decode() if code else str(status)
        if name == "NoSuchBucket":
            raise NoSuchBucket(bucket)
        if name in ("AccessDenied", "AllAccessDisabled"):
            raise AccessDenied(bucket)
        raise OSError(f"S3 answered {name} to {method} s3://{bucket}/{key}")


def _walk(folder: Path, path: str, prefix: str) -> Iterator[StoredObject]:
    """Files below ``folder`` (whose key is ``path``) that begin with ``prefix``, in S3's order of UTF-8 bytes."""
    head, slash, tail = prefix.rpartition("/")
    if slash:
        if any(part in ("", ".", "..") for part in head.split("/")):
            return
        folder, path = folder / head, f"{head}/"
    # The key itself comes first: who wants no other need not wait for a look at the results of years.
    exact = _exact(folder, path, tail)
    if exact is not None:
        yield exact
    try:
        # One system call for all entries and their kinds: a query may list thousands of folders.
        with os.scandir(folder) as found:
            wanted = (entry for entry in found if entry.name.startswith(tail)) if tail else found
            entries = [(entry.name + "/" if entry.is_dir() else entry.name, entry.path) for entry in wanted]
    except (FileNotFoundError, NotADirectoryError):
        return
    # A folder sorts as its name plus "/", which is where its keys stand among the others.
    for name, location in sorted(entries, key=lambda entry: entry[0].encode()):
        if (exact is not None and name == tail) or (not path and name == f"{_ENCODED_KEYS}/"):
            continue
        if name.endswith("/"):
            yield from _walk(Path(location), f"{path}{name}", "")
        elif not name.endswith((_SIDECAR, _PARTIAL)):
            stored = _stored(f"{path}{name}", Path(location))
            if stored is not None:
                yield stored


def _exact(folder: Path, path: str, name: str) -> StoredObject | None:
    if not name or name.endswith((_SIDECAR, _PARTIAL)):
        return None
    try:
        status = (folder / name).stat()
    except (OSError, ValueError):
        return None  # also a name that no file can have
    if not stat.S_ISREG(status.st_mode):
        return None
    return StoredObject(f"{path}{name}", folder / name, status.st_size, status.st_mtime)


def _encoded(folder: Path, prefix: str) -> Iterator[StoredObject]:
    for entry in folder.iterdir():
        if entry.name.endswith((_SIDECAR, _PARTIAL)):
            continue
        key = _sidecar(entry).get("key")
        stored = _stored(key, entry) if isinstance(key, str) and key.startswith(prefix) else None
        if stored is not None:
            yield stored


def _stored(key: str, path: Path) -> StoredObject | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None  # deleted while we were listing
    return StoredObject(key, path, status.st_size, status.st_mtime)


def _is_deleted(path: Path) -> bool:
    return bool(_sidecar(path).get("is_delete_marker"))


def _sidecar(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.with_name(path.name + _SIDECAR).read_text())
    except (OSError, ValueError):
        return {}
    return content


def _http_scope(method: str, scope: Scope, bucket: str, key: str, length: int, content_type: str) -> Message:
    path = f"/{bucket}/{key}"
    # The credential names the account; MiniStack checks no signature.
    day = time.strftime("%Y%m%d", time.gmtime())
    credential = f"{scope.account}/{day}/{scope.region}/s3/aws4_request"
    headers = {
        "host": "127.0.0.1",
        "authorization": f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=local",
        "content-length": str(length),
        "content-type": content_type,
    }
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": quote(path).encode(),
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 0),
        "server": ("127.0.0.1", 0),
    }


async def _call(application: Application, scope: Message, body: bytes) -> tuple[int, bytes]:
    """One request to an ASGI application in this process: its status and body."""
    status, chunks = 500, []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
        elif message["type"] == "http.response.body":
            chunks.append(message.get("body", b""))

    await application(scope, receive, send)
    return status, b"".join(chunks)

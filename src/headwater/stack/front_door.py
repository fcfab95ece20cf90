"""The stack's one address: Athena and Glue go to the lakehouse, everything else to MiniStack."""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Protocol

from headwater.stack.buckets import Application, Message, Receive, Send
from headwater.stack.conditions import naming_condition
from headwater.stack.lakehouse.model import Scope

HEALTH_PATH = "/_headwater/health"
DEFAULT_ACCOUNT = "000000000000"
DEFAULT_REGION = "us-east-1"

_CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/\d{8}/([^/,\s]+)/")
_OURS = ("AmazonAthena.", "AWSGlue.")
_MUTATING = ("PUT", "POST", "DELETE")


class Service(Protocol):
    """What the front door needs of the lakehouse."""

    def at_once(self, target: str, scope: Scope, body: bytes) -> bytes | None:
        """Answer what needs no wait; ``None`` for all else."""
        ...

    def call(self, target: str, scope: Scope, body: bytes) -> tuple[int, bytes]:
        """Answer one request; blocking."""
        ...


class FrontDoor:
    """The ASGI application that the stack serves."""

    def __init__(
        self,
        ministack: Application,
        lakehouse: Service,
        health: Callable[[], dict[str, object]],
        save_buckets: Callable[[], None],
    ) -> None:
        self._ministack = ministack
        self._lakehouse = lakehouse
        self._health = health
        self._save_buckets = save_buckets
        # Calls are short (queries run in the lakehouse's own workers), but they touch SQLite and the disk.
        self._workers = ThreadPoolExecutor(16, thread_name_prefix="lakehouse-call")

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Route one connection."""
        if scope["type"] != "http":
            await self._ministack(scope, receive, send)
            return
        if scope["path"] == HEALTH_PATH:
            await _answer(send, 200, json.dumps(self._health()).encode(), "application/json")
            return
        headers = {name.lower(): value for name, value in scope["headers"]}
        target = headers.get(b"x-amz-target", b"").decode("latin-1")
        if target.startswith(_OURS):
            await self._answer_lakehouse(target, headers.get(b"authorization", b"").decode("latin-1"), receive, send)
        elif scope["method"] in _MUTATING and _is_bucket_level(scope["path"]):
            await self._answer_durably(scope, receive, send)
        else:
            await self._ministack(scope, receive, naming_condition(headers, send))

    async def _answer_lakehouse(self, target: str, authorization: str, receive: Receive, send: Send) -> None:
        body, scope = await _body(receive), caller(authorization)
        known = self._lakehouse.at_once(target, scope, body)
        if known is not None:
            status, answer = 200, known
        else:
            call = partial(self._lakehouse.call, target, scope, body)
            status, answer = await asyncio.get_running_loop().run_in_executor(self._workers, call)
        await _answer(send, status, answer, "application/x-amz-json-1.1")

    async def _answer_durably(self, scope: Message, receive: Receive, send: Send) -> None:
        """Save the buckets' configuration before a change is acknowledged: MiniStack itself saves at shutdown only."""
        held: list[Message] = []

        async def hold(message: Message) -> None:
            held.append(message)

        await self._ministack(scope, receive, hold)
        if held and held[0].get("status", 500) < 300:
            self._save_buckets()
        for message in held:
            await send(message)


def caller(authorization: str) -> Scope:
    """Who calls: a 12-digit access key is the account of that number, as in MiniStack; any other is the default.

    >>> caller("AWS4-HMAC-SHA256 Credential=111122223333/20250115/eu-west-1/glue/aws4_request, …")
    Scope(account='111122223333', region='eu-west-1')
    """
    found = _CREDENTIAL.search(authorization)
    if found is None:
        return Scope(DEFAULT_ACCOUNT, DEFAULT_REGION)
    key, region = found.groups()
    return Scope(key if re.fullmatch(r"\d{12}", key) else DEFAULT_ACCOUNT, region)


def _is_bucket_level(path: str) -> bool:
    """Whether a path names at most a bucket; requests for objects are durable by themselves."""
    return "/" not in path.strip("/")


async def _body(receive: Receive) -> bytes:
    chunks = []
    while True:
        message = await receive()
        chunks.append(message.get("body", b""))
        if message["type"] != "http.request" or not message.get("more_body"):
            return b"".join(chunks)


async def _answer(send: Send, status: int, body: bytes, content_type: str) -> None:
    headers = [
        (b"content-type", content_type.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"x-amzn-requestid", str(uuid.uuid4()).encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})

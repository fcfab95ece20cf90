"""The name of the condition that a request failed, which MiniStack leaves out of S3's answer and clients look for."""

from __future__ import annotations

from collections.abc import Mapping

from headwater.stack.buckets import Message, Send

_CONDITIONS = {b"if-none-match": b"If-None-Match", b"if-match": b"If-Match"}
_FAILED = 412
_BEHIND = b"</Message>"


def naming_condition(headers: Mapping[bytes, bytes], send: Send) -> Send:
    """``send`` that names the request's condition in the error that says PreconditionFailed."""
    name = next((shown for header, shown in _CONDITIONS.items() if header in headers), None)
    return send if name is None else _Naming(name, send).send


class _Naming:
    """Holds back the start of an answer until its body, which then is longer, is there."""

    def __init__(self, name: bytes, send: Send) -> None:
        self._element = b"<Condition>" + name + b"</Condition>"
        self._send = send
        self._start: Message | None = None
        self._body = b""

    async def send(self, message: Message) -> None:
        """Pass one message on."""
        if message["type"] == "http.response.start" and message["status"] == _FAILED:
            self._start = message
            return
        if self._start is None or message["type"] != "http.response.body":
            await self._send(message)
            return
        self._body += message.get("body", b"")
        if not message.get("more_body"):
            await self._answer(self._start)

    async def _answer(self, start: Message) -> None:
        body = self._body.replace(_BEHIND, _BEHIND + self._element, 1)
        kept = [
            (key, value) for key, value in start["headers"] if body == self._body or key.lower() != b"content-length"
        ]
        length = [] if body == self._body else [(b"content-length", str(len(body)).encode())]
        await self._send({**start, "headers": kept + length})
        await self._send({"type": "http.response.body", "body": body})

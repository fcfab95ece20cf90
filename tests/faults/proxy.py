"""An HTTP proxy before the S3 server that breaks chosen requests: what networks and services do on bad days.

Each ``Rule`` names the requests that it breaks and how. Whatever no rule names passes through unchanged.
"""

from __future__ import annotations

import http.client
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

# The requests of a multipart upload and of a manifest, as "METHOD path?query".
CREATE = r"POST .*\?uploads"
PART = r"PUT .*[?&]partNumber="
COMPLETE = r"POST .*\?uploadId="
MANIFEST = r"PUT .*\.manifest\.json"
DUMP_GET = r"GET /[^?]+(\.dump|\.gz)"


def part(number: int) -> str:
    """The request that uploads the part with this number."""
    return rf"PUT .*[?&]partNumber={number}(&|$)"


@dataclass
class Request:
    """One request on its way to S3, and the answer once there is one."""

    line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Answer:
    """What S3 (or the fault) answers; ``cut``: the connection breaks after so many bytes of the body."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    cut: int | None = None


Forward = Callable[[Request], Answer]
Break = Callable[[Request, Forward], "Answer | None"]  # None: the connection breaks without an answer


@dataclass
class Rule:
    """Break the first ``times`` requests that match, after letting ``skip`` of them pass; ``hits`` counts them."""

    pattern: str
    fault: Break
    times: int = 1
    skip: int = 0
    hits: int = field(default=0, init=False)


def flip_request(request: Request, forward: Forward) -> Answer | None:
    """One bit of the request's body changes on the way."""
    return forward(Request(request.line, request.headers, flipped(request.body)))


def flip_answer(request: Request, forward: Forward) -> Answer | None:
    """One bit of the answer's body changes on the way."""
    answer = forward(request)
    return Answer(answer.status, answer.headers, flipped(answer.body))


def cut_request(request: Request, forward: Forward) -> Answer | None:
    """The connection breaks before S3 has the whole request."""
    return None


def cut_answer(request: Request, forward: Forward) -> Answer | None:
    """The connection breaks in the middle of the answer."""
    answer = forward(request)
    return Answer(answer.status, answer.headers, answer.body, cut=len(answer.body) // 2)


def lose_answer(request: Request, forward: Forward) -> Answer | None:
    """S3 does as it is told, but its answer never arrives."""
    forward(request)
    return None


def acknowledge_only(request: Request, forward: Forward) -> Answer | None:
    """A part is acknowledged and not stored."""
    return Answer(200, [("ETag", '"00000000000000000000000000000000"')], b"")


def fail(status: int, code: str) -> Break:
    """S3 answers with an error and does nothing."""
    return lambda request, forward: Answer(status, [("Content-Type", "application/xml")], error_body(code))


def refuse(*headers: str, status: int = 501, code: str = "NotImplemented") -> Break:
    """A provider that declines every request with one of these headers (beginnings of their names)."""

    def fault(request: Request, forward: Forward) -> Answer | None:
        if named(request.headers, headers):
            return Answer(status, [("Content-Type", "application/xml")], error_body(code))
        answer = forward(request)
        kept = [(name, value) for name, value in answer.headers if not name.lower().startswith(headers)]
        unsaid = re.sub(rb"<Checksum\w+>[^<]*</Checksum\w+>", b"", answer.body)
        return Answer(answer.status, kept, unsaid if request.line.startswith("POST") else answer.body, answer.cut)

    return fault


def ignore(*headers: str) -> Break:
    """A provider that does not know these headers and says nothing of it."""

    def fault(request: Request, forward: Forward) -> Answer | None:
        kept = {name: value for name, value in request.headers.items() if not named({name: value}, headers)}
        return forward(Request(request.line, kept, request.body))

    return fault


def both(first: Break, second: Break) -> Break:
    """What ``first`` lets through meets ``second``."""
    return lambda request, forward: first(request, lambda passed: second(passed, forward) or Answer(500, [], b""))


def named(headers: dict[str, str], beginnings: tuple[str, ...]) -> list[str]:
    """Those of the headers whose names begin so."""
    return [name for name in headers if name.lower().startswith(beginnings)]


def call(before: Callable[[], Any] | None = None, after: Callable[[], Any] | None = None) -> Break:
    """Do something when the request arrives, or when S3 has carried it out and before its answer is passed on."""

    def fault(request: Request, forward: Forward) -> Answer | None:
        if before:
            before()
        answer = forward(request)
        if after:
            after()
        return answer

    return fault


def stall(seconds: float) -> Break:
    """Nothing happens for a while; then the connection breaks."""

    def fault(request: Request, forward: Forward) -> Answer | None:
        time.sleep(seconds)
        return None

    return fault


def error_body(code: str) -> bytes:
    """S3's XML for an error."""
    xml = '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{0}</Code><Message>{0} (injected)</Message></Error>'
    return xml.format(code).encode()


def flipped(data: bytes) -> bytes:
    """The data with one bit in its middle changed."""
    changed = bytearray(data)
    if changed:
        changed[len(changed) // 2] ^= 1
    return bytes(changed)


class FaultProxy:
    """The proxy; ``seen`` lists every request line in order."""

    def __init__(self, upstream: str, rules: list[Rule]) -> None:
        self.upstream = urlsplit(upstream)
        self.rules = rules
        self.seen: list[str] = []
        self._lock = threading.Lock()
        proxy = self

        class Handler(_Handler):
            owner = proxy

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def fault_for(self, line: str) -> Break | None:
        """The fault that this request meets."""
        with self._lock:
            self.seen.append(line)
            for rule in self.rules:
                if re.search(rule.pattern, line):
                    rule.hits += 1
                    if rule.skip < rule.hits <= rule.skip + rule.times:
                        return rule.fault
        return None

    def forward(self, request: Request) -> Answer:
        """Carry a request to S3 and its answer back."""
        connection = http.client.HTTPConnection(self.upstream.hostname or "", self.upstream.port, timeout=60)
        try:
            method, _, path = request.line.partition(" ")
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in request.headers.items():
                if name.lower() not in ("content-length", "expect", "transfer-encoding"):
                    connection.putheader(name, value)
            connection.putheader("Content-Length", str(len(request.body)))
            connection.endheaders(request.body)
            answer = connection.getresponse()
            return Answer(answer.status, answer.getheaders(), answer.read())
        finally:
            connection.close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: FaultProxy

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        request = Request(f"{self.command} {self.path}", dict(self.headers.items()), body)
        fault = self.owner.fault_for(request.line)
        with suppress(OSError):
            answer = fault(request, self.owner.forward) if fault else self.owner.forward(request)
            if answer is None:
                self.close_connection = True
                self.connection.close()
                return
            self._send(answer)

    def _send(self, answer: Answer) -> None:
        self.send_response_only(answer.status)
        for name, value in answer.headers:
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        length = {name.lower(): value for name, value in answer.headers}.get("content-length")
        bodiless = self.command == "HEAD" and length is not None
        self.send_header("Content-Length", length if bodiless and length else str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body if answer.cut is None else answer.body[: answer.cut])
        self.wfile.flush()
        if answer.cut is not None:
            self.close_connection = True

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any  # noqa: N815 - the names that http.server calls

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def faults(upstream: str, *rules: Rule) -> Iterator[FaultProxy]:
    """A running proxy before ``upstream``."""
    proxy = FaultProxy(upstream, list(rules))
    thread = threading.Thread(target=proxy.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.server.shutdown()
        proxy.server.server_close()
        thread.join()

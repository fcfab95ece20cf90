"""The S3 edge over a network that breaks: a read is taken up where it stopped, a lost answer is not a lost object."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import boto3
import pytest
from botocore.config import Config

from headwater import Headwater
from headwater.errors import AwsError
from headwater.services import buckets, multipart, objects
from headwater.services.checksums import FIRST_PART_SIZE
from headwater.services.multipart import MultipartWriter


class Cutter:
    """A TCP proxy that cuts the answers to requests that contain ``marker`` after ``limit`` bytes, ``times`` times."""

    def __init__(self, port: int, marker: bytes, limit: int, times: int) -> None:
        self.upstream, self.marker, self.limit, self.left = port, marker, limit, times
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self.server.accept()
                upstream = socket.create_connection(("127.0.0.1", self.upstream))
                cut = threading.Event()
                threading.Thread(target=self._requests, args=(client, upstream, cut), daemon=True).start()
                threading.Thread(target=self._answers, args=(client, upstream, cut), daemon=True).start()

    def _requests(self, client: socket.socket, upstream: socket.socket, cut: threading.Event) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                if self.marker in data and self.left > 0:
                    self.left -= 1
                    cut.set()
                upstream.sendall(data)

    def _answers(self, client: socket.socket, upstream: socket.socket, cut: threading.Event) -> None:
        passed = 0
        with suppress(OSError), client, upstream:
            while data := upstream.recv(65536):
                if cut.is_set() and passed + len(data) > self.limit:
                    client.sendall(data[: max(0, self.limit - passed)])
                    client.shutdown(socket.SHUT_RDWR)
                    return
                passed += len(data) if cut.is_set() else 0
                client.sendall(data)


@contextmanager
def through(hw: Headwater, marker: bytes, limit: int, times: int) -> Iterator[Any]:
    """An S3 client whose connections are cut."""
    stack = hw.connections.stack
    assert stack is not None
    cutter = Cutter(stack.port, marker, limit, times)
    client = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{cutter.port}",
        aws_access_key_id=stack.access_key_id,
        aws_secret_access_key=stack.secret_access_key,
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}, retries={"mode": "standard", "max_attempts": 3}),
    )
    yield client
    client.close()
    cutter.server.close()


@pytest.fixture
def bucket(hw: Headwater) -> str:
    """An empty bucket."""
    buckets.create(hw.connections.s3, hw.settings.bucket_name, "us-east-1")
    return hw.settings.bucket_name


def test_a_read_goes_on_where_the_connection_broke(hw: Headwater, bucket: str) -> None:
    data = os.urandom(3_000_000)
    objects.put_bytes(hw.connections.s3, bucket, "large", data)
    with through(hw, b"GET /" + bucket.encode() + b"/large", 1_000_000, times=2) as client:
        assert b"".join(objects.read_chunks(client, bucket, "large")) == data


def test_a_read_that_breaks_again_and_again_without_getting_on_is_an_error(hw: Headwater, bucket: str) -> None:
    objects.put_bytes(hw.connections.s3, bucket, "large", os.urandom(3_000_000))
    with (
        through(hw, b"GET /" + bucket.encode() + b"/large", 500, times=100) as client,
        pytest.raises(AwsError, match="large"),
    ):
        list(objects.read_chunks(client, bucket, "large"))


def test_an_object_replaced_while_it_is_read_is_an_error(hw: Headwater, bucket: str) -> None:
    objects.put_bytes(hw.connections.s3, bucket, "large", os.urandom(3_000_000))
    with through(hw, b"GET /" + bucket.encode() + b"/large", 1_000_000, times=1) as client:
        pieces = objects.read_chunks(client, bucket, "large", 100_000)
        next(pieces)
        objects.put_bytes(hw.connections.s3, bucket, "large", os.urandom(3_000_000))
        with pytest.raises(AwsError, match="PreconditionFailed"):
            list(pieces)


def test_an_upload_whose_last_answer_is_lost_is_complete(hw: Headwater, bucket: str) -> None:
    once = objects.WriteOptions(if_none_match=True)
    # Completing is the only POST that names an upload id.
    with (
        through(hw, b"POST /" + bucket.encode() + b"/again?uploadId=", 0, times=1) as client,
        MultipartWriter(client, bucket, "again", options=once) as writer,
    ):
        writer.write(os.urandom(FIRST_PART_SIZE + 1))
    head = objects.head(hw.connections.s3, bucket, "again")
    assert head is not None
    assert (head.etag, head.size) == (writer.written.etag, FIRST_PART_SIZE + 1)
    assert not list(multipart.list_unfinished(hw.connections.s3, bucket))

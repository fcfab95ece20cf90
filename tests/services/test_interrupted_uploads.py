"""Ctrl-C while S3 carries out a request: its answer is waited for, and what it made is taken back."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from headwater import Headwater
from headwater.services import multipart, objects
from headwater.services.multipart import MultipartWriter
from headwater.services.preflight import check_rights

SECONDS = 10


@pytest.fixture
def handled() -> Iterator[threading.Event]:
    """Set when the main thread has been interrupted."""
    seen = threading.Event()

    def interrupt(*_: object) -> None:
        seen.set()
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    yield seen
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    ("request_", "size"),
    [
        ("create_multipart_upload", 12 << 20),
        ("complete_multipart_upload", 12 << 20),
        ("put_object", 1 << 20),
        ("check", 0),
    ],
)
def test_an_interrupted_request_leaves_neither_an_object_nor_an_upload(
    hw: Headwater, handled: threading.Event, monkeypatch: pytest.MonkeyPatch, request_: str, size: int
) -> None:
    hw.bucket()
    s3, bucket = hw.connections.s3, hw.settings.bucket_name
    name = "create_multipart_upload" if request_ == "check" else request_
    real = getattr(s3, name)

    def interrupted(**arguments: Any) -> Any:
        answer = real(**arguments)  # S3 has done it, and we do not know yet
        os.kill(os.getpid(), signal.SIGINT)
        handled.wait(SECONDS)
        return answer

    monkeypatch.setattr(s3, name, interrupted)
    with pytest.raises(KeyboardInterrupt):
        if request_ == "check":
            check_rights(s3, bucket, "key")
        else:
            with MultipartWriter(s3, bucket, "key") as writer:
                writer.write(b"x" * size)

    assert handled.is_set()
    assert list(multipart.list_unfinished(s3, bucket)) == []
    assert objects.head(s3, bucket, "key") is None

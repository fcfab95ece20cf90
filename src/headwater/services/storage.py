"""How S3 is to keep a backup's objects, and how fast they may be sent: what every kind of backup can be asked."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from headwater.errors import SettingsError

LOCK_MODES = ("GOVERNANCE", "COMPLIANCE")


@dataclass(frozen=True)
class Storage:
    """How S3 is to keep the objects; ``lock_days``: Object Lock for that long, in ``lock_mode`` (None: GOVERNANCE)."""

    storage_class: str | None = None
    kms_key: str | None = None
    lock_days: int | None = None
    lock_mode: str | None = None

    def __post_init__(self) -> None:
        if self.lock_mode is not None and self.lock_mode not in LOCK_MODES:
            raise SettingsError(f"lock mode {self.lock_mode!r} is not known", hint=f"use {' or '.join(LOCK_MODES)}")
        if self.lock_mode is not None and self.lock_days is None:
            raise SettingsError(f"lock mode {self.lock_mode} without days locks nothing", hint="give --lock-days")

    def request(self, taken: datetime) -> dict[str, Any]:
        """The arguments of PutObject and CreateMultipartUpload."""
        given: dict[str, Any] = {}
        if self.storage_class:
            given["StorageClass"] = self.storage_class
        if self.kms_key:
            given |= {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self.kms_key}
        if self.lock_days:
            until = taken + timedelta(days=self.lock_days)
            given |= {"ObjectLockMode": self.lock_mode or LOCK_MODES[0], "ObjectLockRetainUntilDate": until}
        return given


USUAL = Storage()  # the bucket's own defaults


def slowed(chunks: Iterable[bytes], rate: int | None) -> Iterator[bytes]:
    """The same chunks, at most ``rate`` bytes a second on average; None: as fast as they come."""
    began, sent = time.monotonic(), 0
    for chunk in chunks:
        yield chunk
        sent += len(chunk)
        if rate:
            time.sleep(max(0.0, sent / rate - (time.monotonic() - began)))

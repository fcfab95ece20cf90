"""Until when a cluster could be recovered, and what that would cost now: the noun that reports of backups share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class WalStatus:
    """The state of one cluster's archive at ``now``.

    ``recoverable_until``: no later moment can be recovered to (the last segment of an unbroken run after the newest
    usable physical backup, or that backup's end). ``rpo_seconds``: how long ago that was, what a disaster would cost
    now; both None without a usable backup. ``slot_status`` is PostgreSQL's word, ``none`` without a slot, ``unknown``
    if the server does not answer.
    """

    cluster: str
    backup: str
    recoverable_until: datetime | None
    rpo_seconds: float | None
    segments: int
    missing: tuple[str, ...]
    slot_status: str
    receiving: bool
    retained_bytes: int

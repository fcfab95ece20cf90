"""Which of the archived log's segments go with the physical backups that go: pure, and rather too few than too many."""

from __future__ import annotations

from collections.abc import Iterable

from headwater.physical_manifest import PhysicalManifest
from headwater.wal_segments import Segment


def removable_segments(segments: Iterable[Segment], kept: Iterable[PhysicalManifest]) -> tuple[Segment, ...]:
    """The segments that no kept backup needs: those before the oldest kept one's beginning, on its timeline or older.

    Without a kept backup nothing goes: the log may be all that there is.
    """
    found = list(kept)
    if not found:
        return ()
    first = min(manifest.start_segment.number for manifest in found)
    oldest = min(manifest.timeline for manifest in found)
    return tuple(s for s in segments if s.number < first and s.timeline <= oldest)

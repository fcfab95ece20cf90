"""The manifest of one archived segment: what its object has to be, kept apart from the object. Written last."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timezone
from typing import Any

from headwater.errors import BackupError
from headwater.manifest import RESTORE_VERSION, StoredDump, digest_of, sealed

SCHEMA_VERSION = 1
_MOMENTS = ("closed", "until")


@dataclass(frozen=True)
class WalManifest:
    """One segment, or one history file, of a cluster's log.

    ``stored``: the object, and what PostgreSQL wrote; ``closed``: when it was whole, by the clock of the machine that
    received it. ``until``: no later moment can be recovered to with the log up to here (the server's clock; a commit
    after it is in there), None if that is not known. ``encryption``: ``age`` if the object is encrypted.
    """

    name: str
    cluster: str
    closed: datetime
    stored: StoredDump
    headwater_version: str
    until: datetime | None = None
    encryption: str | None = None
    kind: str = "wal"
    schema_version: int = SCHEMA_VERSION

    def to_json(self) -> bytes:
        """The manifest as it is stored: UTF-8, keys sorted."""
        moments = {name: as_text(getattr(self, name)) for name in _MOMENTS}
        body = sealed({**asdict(self), **moments})
        return (json.dumps(body, indent=2, sort_keys=True) + "\n").encode()

    def same_log(self, other: WalManifest) -> bool:
        """Whether both speak of the same log in the same object; when each was received does not matter."""
        return (self.name, self.cluster, self.stored, self.encryption) == (
            other.name,
            other.cluster,
            other.stored,
            other.encryption,
        )


def parse_wal(data: bytes, key: str) -> WalManifest:
    """Read a stored manifest. Raises BackupError that names the object if it is not one that this version knows."""
    try:
        body: dict[str, Any] = json.loads(data)
        if body.get("schema_version") != SCHEMA_VERSION or body.get("kind") != "wal":
            raise BackupError(
                f"{key} is a {body.get('kind')} manifest of schema {body.get('schema_version')}, this Headwater knows"
                f" those of segments of schema {SCHEMA_VERSION}",
                hint="use the Headwater that wrote it, or a newer one",
            )
        if body.get("digest") != digest_of(body):
            raise BackupError(
                f"{key} was changed after it was written: its digest is not that of its fields", hint=RESTORE_VERSION
            )
        known = {field.name for field in fields(WalManifest)}
        body = {name: value for name, value in body.items() if name in known}
        body |= {name: as_moment(body[name]) for name in _MOMENTS}
        body["stored"] = StoredDump(**body["stored"])
        return WalManifest(**body)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BackupError(f"{key} is not the manifest of a segment: {error}", hint=RESTORE_VERSION) from error


def as_text(moment: datetime | None) -> str | None:
    """A moment as manifests and metadata hold it: ISO 8601, UTC.

    >>> as_text(datetime(2025, 1, 15, 10, 30, tzinfo=timezone.utc))
    '2025-01-15T10:30:00+00:00'
    """
    return None if moment is None else moment.astimezone(timezone.utc).isoformat()


def as_moment(text: str | None) -> datetime | None:
    """The other way. Raises ValueError if it has no time zone."""
    moment = None if text is None else datetime.fromisoformat(text)
    if moment is not None and moment.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return moment

"""Decides what a backup would be: which server and pg_dump, which key, and whether anything stands in its way."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from headwater.connections import Connections
from headwater.manifest import GLOBALS_SUFFIX, MANIFEST_SUFFIX
from headwater.services import buckets, codec, objects, postgres, tools
from headwater.services.preflight import bucket_facts, check_rights, judge_bucket
from headwater.stages.backup import preflight
from headwater.stages.backup.options import CreateOptions

DEFAULTS = CreateOptions()
HASHED_BYTES = 256 * 1024**2
"""Databases up to this size are hashed unless that is declined."""


@dataclass(frozen=True)
class CreatePlan:
    """What will be dumped, with what, and where it will go. ``estimate`` is the database's size on disk, in bytes."""

    database: str
    bucket: str
    key: str
    manifest_key: str
    taken: datetime
    retention_days: int
    server_version: str
    estimate: int
    tool: tools.Tool
    globals_key: str = ""
    options: CreateOptions = DEFAULTS
    versioning: str = "unknown"
    warnings: tuple[str, ...] = ()

    @property
    def hashes(self) -> bool:
        """Whether every table's content is hashed: as asked for, else if that takes no more than about a second."""
        return self.estimate <= HASHED_BYTES if self.options.hashes is None else self.options.hashes


def plan_create(connections: Connections, now: datetime, options: CreateOptions = DEFAULTS) -> CreatePlan:
    """Check what can be checked before anything is read: the server, pg_dump, the bucket and its clock, the key.

    Raises PostgresError, BackupError (pg_dump missing or older than the server, something that cannot work),
    BucketError, AwsError, SettingsError (a recipient that is none).
    """
    settings, address = connections.settings, connections.postgres()
    if options.encrypt_to:
        codec.age_recipients(options.encrypt_to)
    with postgres.connect(address) as connection:
        server = preflight.server_facts(connection)
    tool = tools.find("pg_dump", server.major, connections.postgres_tools)
    bucket = settings.bucket_name
    buckets.require(connections.s3, connections.sts, bucket)
    facts = bucket_facts(connections.s3, bucket, datetime.now(now.tzinfo))
    judge_bucket(facts, options.storage.lock_days)
    warnings = preflight.judge(server, tool.major)
    taken = _free_second(connections, now.replace(microsecond=0))
    place = settings.layout.backup_key
    key = place(address.database, taken, options.suffix)
    check_rights(connections.s3, bucket, key)
    return CreatePlan(
        database=address.database,
        bucket=bucket,
        key=key,
        manifest_key=place(address.database, taken, MANIFEST_SUFFIX),
        taken=taken,
        retention_days=settings.retention_days,
        server_version=server.version,
        estimate=server.size,
        tool=tool,
        globals_key=place(address.database, taken, GLOBALS_SUFFIX),
        options=options,
        versioning=facts.versioning,
        warnings=warnings,
    )


def _free_second(connections: Connections, taken: datetime) -> datetime:
    """The first second from ``taken`` on in which no other backup began."""
    settings = connections.settings
    while True:
        stem = settings.layout.backup_key(settings.db_name, taken, ".")
        if next(objects.list_objects(connections.s3, settings.bucket_name, stem), None) is None:
            return taken
        taken += timedelta(seconds=1)

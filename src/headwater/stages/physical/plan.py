"""Decides what a physical backup would be: which cluster, program and keys, and whether anything stands in its way."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from headwater.connections import Connections
from headwater.errors import BackupError, SettingsError
from headwater.physical_manifest import BASE_SUFFIX, FILES_SUFFIX, PHYSICAL_MANIFEST_SUFFIX, SEALED, PhysicalManifest
from headwater.services import buckets, clusters, codec, objects, tools
from headwater.services.codec import Compression
from headwater.services.physical_backups import choose_physical, list_physical
from headwater.services.preflight import MOST_BYTES, bucket_facts, check_rights, judge_bucket
from headwater.services.storage import USUAL, Storage

FAST = Compression()


@dataclass(frozen=True)
class PhysicalOptions:
    """How to copy. ``incremental``: only what changed since the newest backup; ``encrypt_to``: age recipients.

    ``limit_rate``: stored bytes a second; ``prune``: apply the retention rules afterwards.
    """

    incremental: bool = False
    compression: Compression = FAST
    encrypt_to: tuple[str, ...] = ()
    storage: Storage = USUAL
    limit_rate: int | None = None
    prune: bool = True

    def __post_init__(self) -> None:
        if self.compression.method != "zstd":
            raise SettingsError(f"physical backups are not compressed with {self.compression.method}", hint="use zstd")


DEFAULTS = PhysicalOptions()


@dataclass(frozen=True)
class PhysicalPlan:
    """What will be copied and where it will go. ``previous``: the backup that an incremental one builds on."""

    cluster: clusters.Cluster
    bucket: str
    key: str
    files_key: str
    manifest_key: str
    taken: datetime
    retention_days: int
    previous: PhysicalManifest | None
    tool: tools.Tool
    options: PhysicalOptions = DEFAULTS
    versioning: str = "unknown"


def plan_create(connections: Connections, now: datetime, options: PhysicalOptions = DEFAULTS) -> PhysicalPlan:
    """Check the server, the program, the bucket and, for an incremental backup, what it builds on.

    Raises PostgresError, BackupError, SettingsError, BucketError, AwsError.
    """
    settings, address = connections.settings, connections.postgres("postgres")
    if options.encrypt_to:
        codec.age_recipients(options.encrypt_to)
    cluster = clusters.observe(address)
    _check(cluster, options)
    tool = tools.find("pg_basebackup", cluster.server_major, connections.postgres_tools)
    bucket = settings.bucket_name
    buckets.require(connections.s3, connections.sts, bucket)
    facts = bucket_facts(connections.s3, bucket, datetime.now(now.tzinfo))
    judge_bucket(facts, options.storage.lock_days)
    previous = None
    if options.incremental:
        previous = choose_physical(list_physical(connections.s3, settings.layout, cluster.identifier), "latest")
    taken = _free_second(connections, cluster.identifier, now.replace(microsecond=0))
    key = settings.layout.physical_key(cluster.identifier, taken, _suffix(options))
    check_rights(connections.s3, bucket, key)
    return PhysicalPlan(
        cluster=cluster,
        bucket=bucket,
        key=key,
        files_key=settings.layout.physical_key(cluster.identifier, taken, FILES_SUFFIX),
        manifest_key=settings.layout.physical_key(cluster.identifier, taken, PHYSICAL_MANIFEST_SUFFIX),
        taken=taken,
        retention_days=settings.retention_days,
        previous=previous,
        tool=tool,
        options=options,
        versioning=facts.versioning,
    )


def _suffix(options: PhysicalOptions) -> str:
    return BASE_SUFFIX + (SEALED if options.encrypt_to else "")


def _check(cluster: clusters.Cluster, options: PhysicalOptions) -> None:
    if cluster.size > MOST_BYTES:
        raise BackupError(f"a cluster of {cluster.size >> 40} TiB may not fit into one S3 object")
    if options.incremental and cluster.server_major < 17:
        raise SettingsError(f"incremental backups need PostgreSQL 17, the server is {cluster.server_version}")
    if options.incremental and not cluster.summarizes:
        raise BackupError(
            "the server does not summarize its log, which incremental backups need",
            hint="let a superuser run: ALTER SYSTEM SET summarize_wal = on; SELECT pg_reload_conf()",
        )


def _free_second(connections: Connections, cluster: str, taken: datetime) -> datetime:
    """The first second from ``taken`` on in which no other backup began."""
    settings = connections.settings
    while True:
        beginning = settings.layout.physical_key(cluster, taken, ".")
        if next(objects.list_objects(connections.s3, settings.bucket_name, beginning), None) is None:
            return taken
        taken += timedelta(seconds=1)

"""Decide what a restore would do: which backup, into which new database, with which pg_restore."""

from __future__ import annotations

import os
from dataclasses import dataclass

from headwater.connections import Connections
from headwater.errors import BackupError, Refused, SettingsError
from headwater.manifest import BackupManifest
from headwater.services import backups, objects, postgres, tools

SUFFIX = "_restored"
MOST_JOBS = 4


@dataclass(frozen=True)
class RestoreOptions:
    """``backup``: an id or ``latest``; ``to``: the new database, by default the backup's with ``_restored`` after it.

    ``jobs``: parallel connections of pg_restore (None: one a core, at most 4). ``owner``: whether objects get the
    owners and rights that they had, which needs the same roles on the server.
    """

    backup: str = "latest"
    to: str | None = None
    jobs: int | None = None
    owner: bool = True


@dataclass(frozen=True)
class RestorePlan:
    """What will be restored where. The database ``to`` does not exist yet."""

    backup: BackupManifest
    bucket: str
    to: str
    jobs: int
    owner: bool
    tool: tools.Tool


def plan(connections: Connections, options: RestoreOptions | None = None) -> RestorePlan:
    """Choose and check, touch nothing.

    Raises BackupError (no such backup, no pg_restore), Refused (the database exists), PostgresError, AwsError,
    SettingsError (a name that PostgreSQL cannot have).
    """
    options = options or RestoreOptions()
    settings = connections.settings
    found = backups.list_backups(connections.s3, settings.layout, settings.db_name)
    manifest = backups.choose(found, options.backup).manifest
    _check_object(connections, manifest)
    to = checked_name(options.to or f"{manifest.database}{SUFFIX}")
    with postgres.connect(connections.postgres("postgres")) as connection:
        if postgres.database_exists(connection, to):
            raise Refused(
                f"database {to} exists already; restore only ever makes a new one",
                hint="give another name with --to, or drop that database first",
            )
        server_major = postgres.server_major(connection)
    # An archive can be read by the major version that wrote it and by newer ones.
    needed = max(server_major, int(manifest.client_version.partition(".")[0]))
    tool = tools.find("pg_restore", needed, connections.postgres_tools)
    jobs = options.jobs or min(MOST_JOBS, os.cpu_count() or 1)
    return RestorePlan(manifest, settings.bucket_name, to, jobs, options.owner, tool)


def checked_name(name: str) -> str:
    """A name that PostgreSQL takes whole. Raises SettingsError.

    >>> checked_name("app_restored")
    'app_restored'
    """
    if not name.strip() or "\0" in name or len(name.encode()) > 63:
        raise SettingsError(f"{name!r} cannot be a database's name", hint="use 1 to 63 bytes")
    return name


def _check_object(connections: Connections, manifest: BackupManifest) -> None:
    """Size and checksum as S3 reports them, before a byte is downloaded."""
    dump, bucket = manifest.dump, connections.settings.bucket_name
    found = objects.head(connections.s3, bucket, dump.key)
    if found is None:
        raise BackupError(f"backup {manifest.id} cannot be used: s3://{bucket}/{dump.key} is gone")
    if found.size != dump.size or (found.crc32 is not None and found.crc32 != dump.checksum):
        raise BackupError(
            f"backup {manifest.id} cannot be used: s3://{bucket}/{dump.key} is not what was written"
            f" ({found.size:,} bytes, CRC32 {found.crc32}; the manifest says {dump.size:,}, {dump.checksum})",
            hint="choose another one from `headwater backup list`",
        )

"""Decide what a restore would do: which backup, into which database, with which pg_restore, in which steps."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from headwater.connections import Connections
from headwater.errors import BackupError, Refused, SettingsError
from headwater.manifest import BackupManifest
from headwater.services import backups, codec, objects, postgres, tools
from headwater.services.dangling import dispensable, unmet

SUFFIX = "_restored"
_PARTS = re.compile(r""""(?:[^"]|"")*"|[^".]+""")
MOST_JOBS = 4


@dataclass(frozen=True)
class RestoreOptions:
    """``backup``: an id, ``latest`` or a time; ``to``: the new database, by default the backup's with ``_restored``.

    ``jobs``: parallel connections of pg_restore (None: one a core, at most 4). ``owner``: whether objects get the
    owners and rights that they had, which needs the same roles on the server; ``roles``: make those that are missing
    first. ``into``: an existing database instead of a new one; with ``clean``, what is in it and in the backup is
    dropped first. ``tables``: only these and what is theirs, as ``schema.table``. ``identity``: the age key of an
    encrypted backup.
    """

    backup: str = "latest"
    to: str | None = None
    jobs: int | None = None
    owner: bool = True
    into: str | None = None
    clean: bool = False
    tables: tuple[str, ...] = ()
    roles: bool = False
    identity: Path | None = None


@dataclass(frozen=True)
class RestorePlan:
    """What will be restored where. ``new``: the database ``to`` does not exist yet; ``steps`` says it in words.

    ``passed_over``: newer backups that cannot be used, and why. ``lacks``: what a partial backup needs and does not
    have, so that the database must have it.
    """

    backup: BackupManifest
    bucket: str
    to: str
    jobs: int
    owner: bool
    tool: tools.Tool
    new: bool = True
    clean: bool = False
    tables: tuple[tuple[str, str], ...] = ()
    roles: bool = False
    identity: Path | None = None
    steps: tuple[str, ...] = ()
    passed_over: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()


def plan(connections: Connections, options: RestoreOptions | None = None) -> RestorePlan:
    """Choose and check, touch nothing.

    Raises BackupError (no such backup, no pg_restore), Refused (the database exists, or is not empty), PostgresError,
    AwsError, SettingsError (a name that PostgreSQL cannot have, an identity that is none).
    """
    options = options or RestoreOptions()
    settings = connections.settings
    found = backups.list_backups(connections.s3, settings.layout, settings.db_name)
    manifest = backups.choose(found, options.backup).manifest
    passed_over = backups.passed_over(found, manifest, options.backup)
    _check_object(connections, manifest)
    _check_options(manifest, options)
    named = options.to if options.into is None else options.into
    to = checked_name(f"{manifest.database}{SUFFIX}" if named is None else named)
    with postgres.connect(connections.postgres("postgres")) as connection:
        there = _check_target(connection, connections, to, options)
        server_major = postgres.server_major(connection)
    # An archive can be read by the major version that wrote it and by newer ones.
    needed = max(server_major, int(manifest.client_version.partition(".")[0]))
    tool = tools.find("pg_restore", needed, connections.postgres_tools)
    # Into a database that exists in one transaction, all or nothing, which is one connection's.
    jobs = 1 if options.into is not None else options.jobs or min(MOST_JOBS, os.cpu_count() or 1)
    return RestorePlan(
        backup=manifest,
        bucket=settings.bucket_name,
        to=to,
        jobs=jobs,
        owner=options.owner,
        tool=tool,
        new=options.into is None,
        clean=options.clean,
        tables=tuple(parse_table(text) for text in options.tables),
        roles=options.roles,
        identity=options.identity,
        steps=_steps(manifest, to, options, jobs, there),
        passed_over=passed_over,
        lacks=() if options.tables else unmet(manifest.lacks),
    )


def _check_options(manifest: BackupManifest, options: RestoreOptions) -> None:
    if options.into is not None and options.to is not None:
        raise SettingsError("give --to for a new database or --into for an existing one, not both")
    if options.clean and options.into is None:
        raise SettingsError("--clean is for --into: a new database has nothing to clean")
    if options.roles and manifest.globals is None:
        raise BackupError(f"backup {manifest.id} has no roles", hint="it was made with --globals none, or in part")
    if manifest.encryption:
        if options.identity is None:
            raise BackupError(f"backup {manifest.id} is encrypted", hint="give --identity FILE")
        codec.age_identities(options.identity)


def _check_target(
    connection: psycopg.Connection[Any], connections: Connections, to: str, options: RestoreOptions
) -> int:
    """How many tables there are to drop. Raises Refused, BackupError."""
    exists = postgres.database_exists(connection, to)
    if options.into is None:
        if exists:
            raise Refused(
                f"database {to} exists already; restore only ever makes a new one",
                hint="give another name with --to, or say --into NAME --clean to replace what is in it",
            )
        return 0
    if not exists:
        raise BackupError(f"there is no database {to} to restore into", hint="--to NAME makes a new one")
    with postgres.connect(connections.postgres(to)) as target:
        tables = len(postgres.user_tables(target))
    if tables and not options.clean:
        raise Refused(
            f"database {to} is not empty ({tables} tables)",
            hint="say --clean to drop what is in it and in the backup",
        )
    return tables


def _steps(manifest: BackupManifest, to: str, options: RestoreOptions, jobs: int, there: int) -> tuple[str, ...]:
    steps = [f"download {manifest.dump.size:,} bytes, compare every digest with the manifest, unpack"]
    if options.into is not None:
        steps.append("let pg_restore decode all of it once, without a database")
    if options.roles:
        steps.append("create the roles that the server lacks")
    if options.into is None:
        steps.append(f"create database {to} (encoding {manifest.source.encoding}, collation {manifest.source.collate})")
    what = f"tables {', '.join(options.tables)} and all that is theirs" if options.tables else "everything"
    how = "in one transaction" if options.into is not None else f"with {jobs} jobs"
    drop = f"DROP what is in {to} ({there} tables) and in the backup, then " if options.clean else ""
    steps.append(f"{drop}restore {what} {how}")
    if left := dispensable(manifest.lacks):
        unless = f" (keys only if {to} has none either)" if options.into is not None else ""
        steps.append(f"leave out what leads to tables that are not in the backup{unless}: {', '.join(left)}")
    steps.append("ANALYZE, and compare every table with the manifest")
    return tuple(steps)


def parse_table(text: str) -> tuple[str, str]:
    """``(schema, table)`` of ``schema.table``; without a schema, it is ``public``.

    >>> parse_table("orders"), parse_table('app."Odd.Name"'), parse_table('"a""b"')
    (('public', 'orders'), ('app', 'Odd.Name'), ('public', 'a"b'))
    """
    parts = _PARTS.findall(text)
    if not parts or len(parts) > 2 or ".".join(parts) != text or '""' in parts:
        raise SettingsError(f"{text!r} is not a table's name", hint="write schema.table")
    names = [part[1:-1].replace('""', '"') if part.startswith('"') else part for part in parts]
    return ("public", names[0]) if len(names) == 1 else (names[0], names[1])


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

"""Saves what belongs to the cluster and not to the database: roles and tablespaces, by pg_dumpall."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterable
from pathlib import Path

from headwater.connections import Connections
from headwater.errors import BackupError
from headwater.manifest import StoredGlobals
from headwater.model import PostgresAddress
from headwater.services import codec, objects, tools
from headwater.services.objects import WriteOptions

LONGEST = 300  # seconds


def read_globals(address: PostgresAddress, major: int, folders: Iterable[Path], *, passwords: bool) -> bytes:
    """The SQL script. Raises BackupError with the remedy."""
    tool = tools.find("pg_dumpall", major, folders)
    arguments = [str(tool.path), "--globals-only", "--no-password", *([] if passwords else ["--no-role-passwords"])]
    without = "give --globals none to do without, or a login that may read roles"
    try:
        done = subprocess.run(
            arguments,
            env=dict(tools.login(address)),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=LONGEST,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BackupError(f"cannot read the roles: {error}", hint=without) from error
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise BackupError(f"cannot read the roles: {' '.join(said)}", hint=without)
    return done.stdout


def store_globals(
    connections: Connections, key: str, script: bytes, options: WriteOptions, recipients: list[object]
) -> tuple[str, int, str]:
    """Write the script; its key, stored size and SHA-256. Raises ObjectExists, AwsError."""
    data = b"".join(codec.encrypted([script], recipients)) if recipients else script
    objects.put_bytes(connections.s3, connections.settings.bucket_name, key, data, options)
    return key, len(data), hashlib.sha256(data).hexdigest()


def described(stored: tuple[str, int, str], *, passwords: bool, encryption: str | None) -> StoredGlobals:
    """What the manifest says of them."""
    return StoredGlobals(*stored, passwords=passwords, encryption=encryption)

"""Makes the roles and tablespaces that a backup speaks of and the server lacks; those that exist stay as they are."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import psycopg

from headwater.connections import Connections
from headwater.errors import BackupError, VerificationError
from headwater.manifest import BackupManifest
from headwater.services import codec, objects, postgres
from headwater.services.scripts import statements

_NAMED = re.compile(r'(?:CREATE|ALTER) ROLE ("(?:[^"]|"")+"|\S+?)(?:;| )')


def restore_roles(connections: Connections, manifest: BackupManifest, identities: list[Any]) -> tuple[str, ...]:
    """Create what is missing; the names of the new roles. Raises VerificationError, BackupError, PostgresError."""
    script = _script(connections, manifest, identities)
    with postgres.connect(connections.postgres("postgres")) as connection:
        existing = {str(row[0]) for row in connection.execute("SELECT quote_ident(rolname) FROM pg_roles")}
        made = []
        for statement in statements(script):
            name = _NAMED.match(statement)
            if (name and name[1] in existing) or statement.startswith("CREATE TABLESPACE"):
                continue  # a tablespace's folder is the server's own business
            try:
                connection.execute(statement.encode())
            except psycopg.Error as error:
                raise BackupError(f"cannot make the roles: {statement}: {str(error).splitlines()[0]}") from error
            if name and statement.startswith("CREATE"):
                made.append(name[1])
    return tuple(made)


def _script(connections: Connections, manifest: BackupManifest, identities: list[Any]) -> str:
    stored = manifest.globals
    if stored is None:
        raise BackupError(f"backup {manifest.id} has no roles")
    data = objects.read_bytes(connections.s3, connections.settings.bucket_name, stored.key)
    if (len(data), hashlib.sha256(data).hexdigest()) != (stored.size, stored.sha256):
        raise VerificationError(f"the roles of backup {manifest.id} are not what was written")
    if stored.encryption:
        data = b"".join(codec.decrypted([data], identities))
    return data.decode()

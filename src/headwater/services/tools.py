"""Finds PostgreSQL's client programs and runs them with the login in their environment, never in their arguments."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from headwater.errors import BackupError
from headwater.model import PostgresAddress

# Where packages put the programs of several versions side by side, next to what PATH finds.
_FOLDERS = (
    ("/usr/lib/postgresql", "*/bin"),  # Debian, Ubuntu
    ("/usr", "pgsql-*/bin"),  # Red Hat, Rocky
    ("/opt/homebrew/opt", "postgresql@*/bin"),
    ("/opt/homebrew/opt", "libpq/bin"),
    ("/usr/local/opt", "postgresql@*/bin"),
    ("/Applications/Postgres.app/Contents/Versions", "*/bin"),
)


@dataclass(frozen=True)
class Tool:
    """One client program: where it is and its version, for example ``(18, 1)``."""

    path: Path
    version: tuple[int, ...]

    @property
    def major(self) -> int:
        """The major version, which must not be older than the server's."""
        return self.version[0]

    @property
    def version_text(self) -> str:
        """The version as PostgreSQL writes it."""
        return ".".join(map(str, self.version))


def find(program: str, server_major: int, folders: Iterable[Path] = ()) -> Tool:
    """The best ``pg_dump`` or ``pg_restore`` for a server: never older, and as little newer as possible.

    As little newer, because what pg_dump 18 writes need not load into a server 16: its scripts set parameters that 16
    does not know. Raises BackupError with the remedy if there is none.
    """
    found = installed(program, folders)
    suitable = [tool for tool in found if tool.major >= server_major]
    if suitable:
        return choose(suitable)
    hint = (
        f"install PostgreSQL {server_major}'s client programs (Debian: `apt install postgresql-client-{server_major}`,"
        f" macOS: `brew install libpq`), or `pip install 'headwater[stack]'`"
    )
    if not found:
        raise BackupError(f"{program} was not found on PATH or where packages put it", hint=hint)
    newest = max(found, key=lambda tool: tool.version)
    raise BackupError(
        f"{program} {newest.version_text} ({newest.path}) is older than the server ({server_major}): it would refuse",
        hint=hint,
    )


def choose(tools: Iterable[Tool]) -> Tool:
    """The lowest major version, and of it the newest minor; the first found if that is a tie.

    >>> choose([Tool(Path("a"), (18, 0)), Tool(Path("b"), (16, 1)), Tool(Path("c"), (16, 4))]).path.name
    'c'
    """
    return min(tools, key=lambda tool: (tool.major, tuple(-part for part in tool.version[1:])))


def installed(program: str, folders: Iterable[Path] = ()) -> list[Tool]:
    """Every runnable ``program``: on PATH, which a user sets on purpose, in ``folders``, and where packages put it."""
    on_path = shutil.which(program)
    candidates = [Path(on_path)] if on_path else []
    candidates += [folder / program for folder in folders]
    for root, pattern in _FOLDERS:
        candidates += sorted(Path(root).glob(f"{pattern}/{program}"))
    found: dict[Path, Tool] = {}
    for path in candidates:
        # Resolved to tell duplicates apart, but called by its name: Debian's wrapper looks at the name.
        if path.is_file() and path.resolve() not in found:
            version = _version(path)
            if version:
                found[path.resolve()] = Tool(path, version)
    return list(found.values())


def _version(path: Path) -> tuple[int, ...] | None:
    try:
        done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None  # not for this machine, or broken: the same as not there
    match = re.search(r"\(PostgreSQL\) (\d+(?:\.\d+)*)", done.stdout)
    return tuple(int(part) for part in match[1].split(".")) if match else None


def login(address: PostgresAddress) -> Mapping[str, str]:
    """The environment for a client program that connects to ``address``.

    The environment is readable by the same user and root only, leaves no file behind if we are killed, and takes any
    database name as it is (``--dbname`` would read ``a=b`` as connection parameters).
    """
    variables = {
        **os.environ,  # handed on, not read: PATH, PGSSLMODE and the like
        "PGHOST": address.host,
        "PGPORT": str(address.port),
        "PGUSER": address.user,
        "PGDATABASE": address.database,
        "PGAPPNAME": "headwater",
        "PGCONNECT_TIMEOUT": "10",
        "LC_MESSAGES": "C",
        "LANGUAGE": "en",  # the same where LC_ALL is set, which overrides the former
    }
    if address.password is not None:
        variables["PGPASSWORD"] = address.password
    return variables

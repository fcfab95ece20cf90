"""Runs PostgreSQL's programs as root's stand-in: PostgreSQL refuses to run as root, so root gets a system user."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from pathlib import Path

from headwater.stack.fault import StackFault

SYSTEM_USER = "headwater"

# The user must read programs below .venv and data below .headwater, which often lie in a folder that only root may
# enter (/root, mktemp -d). Rather than opening such folders to everybody, the process keeps one capability:
# to search and read past permissions. Containers often lack the first, and have the second.
_CAPABILITIES = {"dac_read_search": 2, "dac_override": 1}


def is_root() -> bool:
    """Whether this process runs as root."""
    return os.geteuid() == 0


def give(path: Path) -> None:
    """Make the stand-in the owner of a path, when we are root."""
    if is_root():
        user = system_user()
        os.chown(path, user.pw_uid, user.pw_gid)


def system_user() -> pwd.struct_passwd:
    """The stand-in, created if need be. Raises StackFault."""
    try:
        return pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        pass
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin")
    if useradd is None:
        raise StackFault("PostgreSQL cannot run as root, and useradd is missing", hint="run as an ordinary user")
    command = [useradd, "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        return pwd.getpwnam(SYSTEM_USER)  # made by us, or by a second stack a moment ago
    except KeyError:
        raise StackFault(
            f"cannot create the system user {SYSTEM_USER}: {made.stderr.strip()}",
            hint="PostgreSQL cannot run as root: create that user, or run as an ordinary user",
        ) from None


def command(arguments: list[str], *paths: Path) -> list[str]:
    """The arguments as they must be run here: unchanged, or through ``setpriv`` when we are root.

    ``paths`` are the files and folders that the program needs to reach.
    """
    if not is_root():
        return arguments
    user = system_user()
    setpriv = shutil.which("setpriv", path="/usr/bin:/bin:/usr/sbin")
    if setpriv is None:
        raise StackFault(
            "PostgreSQL cannot run as root, and setpriv (util-linux) is missing", hint="install util-linux"
        )
    drop = [setpriv, f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    if all(_reachable(path, user.pw_uid) for path in paths):
        return [*drop, "--inh-caps=-all", *arguments]
    for name, bit in _CAPABILITIES.items():
        if _has_capability(bit):
            return [*drop, f"--inh-caps=-all,+{name}", f"--ambient-caps=-all,+{name}", *arguments]
    raise StackFault(
        f"the system user {SYSTEM_USER} cannot enter {paths[0]}, and this container may not give it the right to",
        hint="move the project to a folder that other users may enter, or run as an ordinary user",
    )


def _reachable(path: Path, uid: int) -> bool:
    """Whether another user may enter every folder on the way to ``path``."""
    for folder in path.resolve().parents:
        status = folder.stat()
        if status.st_uid != uid and not status.st_mode & 0o001:
            return False
    return True


def _has_capability(bit: int) -> bool:
    """Whether this process holds a capability (Linux; the bits are those of capabilities(7))."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return False
    held = next((int(line.split()[1], 16) for line in lines if line.startswith("CapEff:")), 0)
    return bool(held >> bit & 1)

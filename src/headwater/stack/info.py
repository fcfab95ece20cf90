"""What a running stack tells its clients: the file ``.headwater/stack.json``, readable by its owner only."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

INFO_FILE = "stack.json"

# A 12-digit access key selects the account of that number in MiniStack; this one is where other emulators'
# customary credentials ("test") end up as well, so that a user's old scripts see the same buckets.
ACCESS_KEY_ID = "000000000000"
SECRET_ACCESS_KEY = "local"  # noqa: S105 - MiniStack accepts any secret; it is bound to 127.0.0.1


@dataclass(frozen=True)
class Login:
    """How to log in to the stack's PostgreSQL."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class StackInfo:
    """Where the stack listens, and how to log in."""

    pid: int
    port: int
    token: str = field(repr=False)
    postgres: Login
    started: float
    access_key_id: str = ACCESS_KEY_ID
    secret_access_key: str = field(default=SECRET_ACCESS_KEY, repr=False)

    @property
    def endpoint_url(self) -> str:
        """The one URL of S3, STS, Glue and Athena."""
        return f"http://127.0.0.1:{self.port}"


def write(state: Path, info: StackInfo) -> None:
    """Replace the file in one step."""
    write_private(state / INFO_FILE, json.dumps(asdict(info)))


def read(state: Path) -> StackInfo | None:
    """The last stack's info, running or not; None if there is none or it cannot be understood."""
    try:
        raw = json.loads((state / INFO_FILE).read_text())
        raw["postgres"] = Login(**raw["postgres"])
        return StackInfo(**raw)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, in one step: it is whole or as before, whenever we are killed."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)

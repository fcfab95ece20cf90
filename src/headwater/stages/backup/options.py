"""What can be asked of a backup, and the pg_dump arguments that follow from it; pure."""

from __future__ import annotations

from dataclasses import dataclass

from headwater.errors import SettingsError
from headwater.manifest import DUMP_SUFFIXES
from headwater.services.codec import Compression
from headwater.services.storage import USUAL, Storage

FORMATS = ("custom", "directory")
GLOBALS = ("roles", "passwords", "none")
DEFAULT_COMPRESSION = Compression()


@dataclass(frozen=True)
class Selection:
    """pg_dump's own patterns; anything given makes the backup partial: it never stands for the whole database."""

    tables: tuple[str, ...] = ()
    schemas: tuple[str, ...] = ()
    exclude_tables: tuple[str, ...] = ()
    exclude_schemas: tuple[str, ...] = ()
    exclude_table_data: tuple[str, ...] = ()

    @property
    def flags(self) -> tuple[str, ...]:
        """The arguments of pg_dump."""
        named = {
            "--table": self.tables,
            "--schema": self.schemas,
            "--exclude-table": self.exclude_tables,
            "--exclude-schema": self.exclude_schemas,
            "--exclude-table-data": self.exclude_table_data,
        }
        return tuple(f"{option}={pattern}" for option, patterns in named.items() for pattern in patterns)


@dataclass(frozen=True)
class CreateOptions:
    """How to back up. ``jobs`` is for the directory format; ``limit_rate`` in stored bytes a second.

    ``globals``: save ``roles`` (and tablespaces) without passwords, with ``passwords``, or ``none``. ``hashes``: also
    take a content hash of every table, which reads it once more (None: of a small database). ``encrypt_to``: age
    recipients. ``max_size_drop``: a share (0.5: half) by which a backup may be smaller than the one before without an
    alarm.
    """

    format: str = "custom"
    jobs: int = 1
    selection: Selection = Selection()
    compression: Compression = DEFAULT_COMPRESSION
    encrypt_to: tuple[str, ...] = ()
    globals: str = "roles"
    hashes: bool | None = None
    storage: Storage = USUAL
    limit_rate: int | None = None
    lock_wait_seconds: int = 60
    max_size_drop: float = 0.5
    prune: bool = True

    def __post_init__(self) -> None:
        for name, value, allowed in (
            ("format", self.format, FORMATS),
            ("globals", self.globals, GLOBALS),
        ):
            if value not in allowed:
                raise SettingsError(f"{name} {value!r} is not known", hint=f"use {' or '.join(allowed)}")
        if self.jobs < 1 or (self.jobs > 1 and self.format != "directory"):
            raise SettingsError(
                f"{self.jobs} jobs need the directory format: a custom archive has one writer",
                hint="give --format directory",
            )
        if not 0 < self.max_size_drop <= 1:
            raise SettingsError(f"a size drop of {self.max_size_drop} is not a share between 0 and 1")

    @property
    def partial(self) -> bool:
        """Whether something is left out."""
        return bool(self.selection.flags)

    @property
    def suffix(self) -> str:
        """What the dump's key ends with, for example ``.dump.zst``."""
        kind = ".dump" if self.format == "custom" else ".dir.tar"
        found = f"{kind}{self.compression.ending}{'.age' if self.encrypt_to else ''}"
        if found not in DUMP_SUFFIXES:
            raise SettingsError(f"{found} is not an ending that backups have")
        return found

    @property
    def flags(self) -> tuple[str, ...]:
        """The arguments of pg_dump that describe the backup; without the snapshot, and never with a secret."""
        jobs = (f"--jobs={self.jobs}",) if self.format == "directory" else ()
        # Without it, pg_dump is content if one of several patterns is like something: a misspelt one would be missed.
        strict = ("--strict-names",) if self.selection.tables or self.selection.schemas else ()
        return (
            f"--format={self.format}",
            "--compress=0",  # our own compression is faster and smaller than pg_dump's gzip
            "--no-password",
            f"--lock-wait-timeout={self.lock_wait_seconds}s",
            *jobs,
            *strict,
            *self.selection.flags,
        )

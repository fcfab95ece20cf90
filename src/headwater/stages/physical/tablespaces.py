"""Copies clusters with tablespaces of their own as one tar, and puts the tablespaces into new places at a recovery.

pg_basebackup writes a tar for each tablespace, which no single stream can hold: it writes them into a spool, and what
is stored is one tar with all of them, a tablespace's files below ``pg_tblspc/<oid>/``, as PostgreSQL's manifest says.
"""

from __future__ import annotations

import re
import shutil
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from headwater.errors import BackupError, VerificationError
from headwater.services.programs import Program

BLOCK = 1024 * 1024
MAP = "tablespace_map"
FOLDER = "pg_tblspc"
SPARE_BYTES = 256 * 1024 * 1024


def require_space(folder: Path, needed: int) -> None:
    """Raise BackupError unless the spool has room for the whole cluster."""
    free = shutil.disk_usage(folder).free
    if free < needed + SPARE_BYTES:
        raise BackupError(
            f"not enough space in {folder}: a cluster with tablespaces goes through there, which needs"
            f" {needed + SPARE_BYTES >> 20:,} MiB, {free >> 20:,} are free",
            hint="make room, or run from a project folder on a larger disk",
        )


def spooled_blocks(program: Program, spool: Path) -> Iterator[bytes]:
    """Wait for pg_basebackup, which fills the spool, then one tar of all that is in it, PostgreSQL's manifest last.

    Raises BackupError unless it ended well.
    """
    for _ in program.blocks():
        pass
    if program.wait() != 0:
        return  # whoever runs it says why
    try:
        names = sorted(path.name for path in spool.glob("*.tar"))
        for name in names:
            oid = name.removesuffix(".tar")
            yield from _members(spool / name, "" if oid == "base" else f"{FOLDER}/{oid}/")
            (spool / name).unlink()
        data = (spool / "backup_manifest").read_bytes()
    except (OSError, tarfile.TarError) as error:
        raise BackupError(f"cannot spool the copy in {spool}: {error}", hint="is the disk full?") from error
    info = tarfile.TarInfo("backup_manifest")
    info.size, info.mode = len(data), 0o600
    yield info.tobuf(tarfile.GNU_FORMAT) + data + bytes(-len(data) % tarfile.BLOCKSIZE)
    yield bytes(2 * tarfile.BLOCKSIZE)


def _members(file: Path, below: str) -> Iterator[bytes]:
    with tarfile.open(file) as tar:
        for member in tar:
            member.name = below + member.name
            yield member.tobuf(tarfile.GNU_FORMAT)
            content = tar.extractfile(member) if member.isfile() else None
            if content is not None:
                while block := content.read(BLOCK):
                    yield block
                yield bytes(-member.size % tarfile.BLOCKSIZE)


def locations(folder: Path) -> dict[str, str]:
    """Where the tablespaces of a rebuilt data directory were, by their oids. Raises VerificationError."""
    file = folder / MAP
    if not file.exists():
        return {}
    found = {}
    # One a line: the oid and the path, in which line ends are escaped with a backslash.
    for line in re.findall(r"(?:[^\\\n]|\\[\s\S])+", file.read_text()):
        if line.strip():
            oid, _, path = line.partition(" ")
            if not oid.isdecimal() or not path:
                raise VerificationError(f"the backup's {MAP} cannot be read: {line!r}")
            found[oid] = re.sub(r"\\(.)", r"\1", path, flags=re.DOTALL)
    return found


def place(folder: Path, wanted: Mapping[str, Path], usual: Path) -> dict[str, Path]:
    """Move the tablespaces out of a rebuilt data directory, and write where they are for PostgreSQL's first start.

    ``wanted``: new places by the former ones; the others go below ``usual``, by their oids. Returns the places by oid.
    Raises BackupError if there is something already, or a tablespace is named that the backup does not have.
    """
    there = locations(folder)
    if unknown := sorted(set(wanted) - set(there.values())):
        raise BackupError(
            f"the backup has no tablespace at {unknown[0]}",
            hint=f"it has {', '.join(sorted(there.values())) or 'none'}",
        )
    if not there:
        return {}
    made = {oid: wanted.get(path, usual / oid).absolute() for oid, path in there.items()}
    for oid, path in made.items():
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise BackupError(f"{path} exists already; a recovery only ever makes new tablespaces")
        source = folder / FOLDER / oid
        source.mkdir(exist_ok=True)  # an empty one
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.exists():
            path.rmdir()
        shutil.move(source, path)
    escaped = {oid: re.sub(r"([\\\n\r])", r"\\\1", str(path)) for oid, path in made.items()}
    lines = [f"{oid} {path}\n" for oid, path in escaped.items()]
    (folder / MAP).write_text("".join(lines))
    return made

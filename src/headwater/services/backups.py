"""The backups on S3: manifests, the dumps that they speak of, and what does not fit together."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headwater.errors import BackupError
from headwater.layout import Layout
from headwater.manifest import DUMP_SUFFIX, MANIFEST_SUFFIX, BackupManifest, parse
from headwater.services import objects

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

READERS = 8


@dataclass(frozen=True)
class ListedBackup:
    """A backup and where its manifest is. ``problem`` is empty if the dump is there in its recorded size."""

    manifest: BackupManifest
    manifest_key: str
    problem: str


@dataclass(frozen=True)
class Backups:
    """One database's backups, newest first; ``orphans`` are dumps without a manifest, ``unreadable`` says why."""

    database: str
    backups: tuple[ListedBackup, ...]
    orphans: tuple[str, ...]
    unreadable: tuple[str, ...]

    @property
    def usable(self) -> tuple[ListedBackup, ...]:
        """Those whose dump is there."""
        return tuple(backup for backup in self.backups if not backup.problem)


def list_backups(s3: S3Client, layout: Layout, database: str) -> Backups:
    """List the backups of ``database``. Raises AwsError."""
    sizes: dict[str, int] = {}
    for item in objects.list_objects(s3, layout.bucket, layout.backup_folder(database)):
        if item.key.endswith((MANIFEST_SUFFIX, DUMP_SUFFIX)):
            sizes[item.key] = item.size
    keys = [key for key in sizes if key.endswith(MANIFEST_SUFFIX)]
    with ThreadPoolExecutor(READERS, "headwater-manifests") as executor:
        read = list(executor.map(lambda key: _read(s3, layout.bucket, key), keys))
    listed, unreadable = [], []
    for key, manifest in zip(keys, read, strict=True):
        if isinstance(manifest, str):
            unreadable.append(manifest)
        else:
            listed.append(ListedBackup(manifest, key, _problem(manifest, database, sizes)))
    # A dump whose manifest cannot be read is no orphan: somebody may be able to read it.
    spoken_for = {backup.manifest.dump.key for backup in listed}
    spoken_for |= {key.removesuffix(MANIFEST_SUFFIX) + DUMP_SUFFIX for key in keys}
    return Backups(
        database=database,
        backups=tuple(sorted(listed, key=lambda item: (item.manifest.taken, item.manifest.id), reverse=True)),
        orphans=tuple(key for key in sizes if key.endswith(DUMP_SUFFIX) and key not in spoken_for),
        unreadable=tuple(unreadable),
    )


def choose(found: Backups, wanted: str) -> ListedBackup:
    """The backup with this id, or the newest usable one for ``latest``. Raises BackupError that says what there is."""
    make_one = "make one: `headwater backup create`"
    if wanted == "latest":
        if found.usable:
            return found.usable[0]
        raise BackupError(f"there is no backup of {found.database} to restore", hint=make_one)
    for backup in found.backups:
        if backup.manifest.id == wanted:
            if backup.problem:
                raise BackupError(f"backup {wanted} of {found.database} cannot be used: {backup.problem}")
            return backup
    known = ", ".join(backup.manifest.id for backup in found.backups[:5])
    hint = f"the newest are {known}; see `headwater backup list`" if known else make_one
    raise BackupError(f"there is no backup {wanted} of {found.database}", hint=hint)


def _read(s3: S3Client, bucket: str, key: str) -> BackupManifest | str:
    data = objects.read_bytes(s3, bucket, key)
    try:
        return parse(data, key)
    except BackupError as error:
        return str(error)


def _problem(manifest: BackupManifest, database: str, sizes: dict[str, int]) -> str:
    size = sizes.get(manifest.dump.key)
    if manifest.database != database:
        return f"its manifest speaks of database {manifest.database}"
    if size is None:
        return f"its dump {manifest.dump.key} is gone"
    if size != manifest.dump.size:
        return f"its dump has {size:,} bytes, {manifest.dump.size:,} were written"
    return ""

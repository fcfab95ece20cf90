"""The backups on S3: manifests, the dumps that they speak of, their verifications, and what does not fit together."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from headwater.errors import BackupError, VerificationError
from headwater.layout import Layout
from headwater.manifest import (
    DUMP_SUFFIXES,
    GLOBALS_SUFFIX,
    MANIFEST_SUFFIX,
    RESTORE_VERSION,
    VERIFY_SUFFIX,
    BackupManifest,
    StoredDump,
    backup_id,
    parse,
    stem,
    verify_key,
)
from headwater.services import objects, verification
from headwater.services.objects import ObjectInfo
from headwater.services.verification import Verification

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from headwater.services.physical_backups import PhysicalList

READERS = 8
_DUMPS = (*DUMP_SUFFIXES, GLOBALS_SUFFIX, VERIFY_SUFFIX)
_OWN = re.compile(r"\d{4}/\d{2}/\d{2}/backup_[^/]*")


@dataclass(frozen=True)
class ListedBackup:
    """A backup and where its manifest is. ``problem`` is empty if the dump is there in its recorded size.

    ``manifest_etag`` makes removing it conditional. ``verifications`` are about whichever dump was there at the time.
    """

    manifest: BackupManifest
    manifest_key: str
    problem: str
    manifest_etag: str = ""
    verifications: tuple[Verification, ...] = ()

    @property
    def last_verification(self) -> Verification | None:
        """The newest one of this dump, passed or not."""
        return verification.newest(self.verifications, self.manifest.dump.etag)

    @property
    def proof(self) -> Verification | None:
        """The newest full or restore verification that this dump passed, unless it failed one since."""
        return None if self.problem else verification.proves(self.verifications, self.manifest.dump.etag)


@dataclass(frozen=True)
class Orphan:
    """A dump, roles script or record without a manifest: an interrupted run's, or not ours."""

    key: str
    size: int
    etag: str
    last_modified: datetime


@dataclass(frozen=True)
class Backups:
    """One database's backups, newest first; ``orphans`` are dumps without a manifest, ``unreadable`` says why.

    ``orphan_objects`` are those dumps and whatever else lies there without a manifest. ``clusters``: the physical
    backups below the same prefix, whichever cluster's they are.
    """

    database: str
    backups: tuple[ListedBackup, ...]
    orphans: tuple[str, ...]
    unreadable: tuple[str, ...]
    orphan_objects: tuple[Orphan, ...] = ()
    clusters: tuple[PhysicalList, ...] = ()

    @property
    def usable(self) -> tuple[ListedBackup, ...]:
        """Those whose dump is there."""
        return tuple(backup for backup in self.backups if not backup.problem)

    @property
    def whole(self) -> tuple[ListedBackup, ...]:
        """The usable ones of the whole database: what `latest` means, and what its freshness is measured by."""
        return tuple(backup for backup in self.usable if not backup.manifest.partial)

    @property
    def newest_proven(self) -> ListedBackup | None:
        """The newest whole backup that a full or restore verification has proven."""
        return next((backup for backup in self.whole if backup.proof), None)


def list_backups(s3: S3Client, layout: Layout, database: str) -> Backups:
    """List the logical backups of ``database``. Raises AwsError."""
    folder = layout.backup_folder(database)
    found = {
        item.key: item
        for item in objects.list_objects(s3, layout.bucket, folder)
        # By its shape, too: another project's prefix may lie inside of this folder.
        if item.key.endswith((MANIFEST_SUFFIX, *_DUMPS)) and _OWN.fullmatch(item.key[len(folder) :])
    }
    keys = [key for key in found if key.endswith(MANIFEST_SUFFIX)]
    with ThreadPoolExecutor(READERS, "headwater-manifests") as executor:
        read = list(executor.map(lambda key: _read(s3, layout.bucket, key, database, found), keys))
    listed = [item for item in read if isinstance(item, ListedBackup)]
    orphans = _orphans(found, keys)
    return Backups(
        database=database,
        backups=tuple(sorted(listed, key=lambda item: (item.manifest.taken, item.manifest.id), reverse=True)),
        orphans=tuple(orphan.key for orphan in orphans if orphan.key.endswith(DUMP_SUFFIXES)),
        unreadable=tuple(item for item in read if isinstance(item, str)),
        orphan_objects=orphans,
    )


def _orphans(found: dict[str, ObjectInfo], manifests: Iterable[str]) -> tuple[Orphan, ...]:
    """Dumps beside which no manifest lies. One whose manifest cannot be read is none: somebody may be able to."""
    known = {key.removesuffix(MANIFEST_SUFFIX) for key in manifests}
    return tuple(
        Orphan(item.key, item.size, item.etag, item.last_modified)
        for item in found.values()
        if item.key.endswith(_DUMPS) and stem(item.key) not in known
    )


def choose(found: Backups, wanted: str) -> ListedBackup:
    """The backup with this id, or whose id alone begins so; the newest usable one for ``latest``; the newest up to a
    time such as 2025-01-15T10:00Z.

    Raises BackupError that says what there is.
    """
    make_one = "make one: `headwater backup create`; for physical ones, see `headwater backup physical --help`"
    moment = _moment(wanted)
    if wanted == "latest" or moment is not None:
        until = [item for item in found.whole if moment is None or item.manifest.taken <= moment]
        if until:
            return until[0]
        when = "" if moment is None else f" taken up to {moment.isoformat()}"
        oldest = f"the oldest is {found.whole[-1].manifest.id}" if found.whole else make_one
        raise BackupError(f"there is no backup of {found.database} to restore{when}", hint=oldest)
    wanted = _whole_id(found, wanted)
    for backup in found.backups:
        if backup.manifest.id == wanted:
            if backup.problem:
                raise BackupError(f"backup {wanted} of {found.database} cannot be used: {backup.problem}")
            return backup
    for reason in found.unreadable:
        if f"backup_{wanted}{MANIFEST_SUFFIX}" in reason:
            raise BackupError(f"backup {wanted} of {found.database} cannot be used: {reason}", hint=RESTORE_VERSION)
    known = ", ".join(backup.manifest.id for backup in found.backups[:5])
    hint = f"the newest are {known}; see `headwater backup list`" if known else make_one
    raise BackupError(f"there is no backup {wanted} of {found.database}", hint=hint)


def _whole_id(found: Backups, beginning: str) -> str:
    """The only id that begins so, or the text itself."""
    ids = {backup.manifest.id for backup in found.backups if backup.manifest.id.startswith(beginning)}
    return ids.pop() if len(ids) == 1 and beginning else beginning


def passed_over(found: Backups, chosen: BackupManifest, wanted: str) -> tuple[str, ...]:
    """The backups, newer than the chosen one, that ``wanted`` would have meant if they could be used, and why not."""
    moment = _moment(wanted)
    if wanted != "latest" and moment is None:
        return ()
    until = "~" if moment is None else backup_id(moment)
    damaged = [
        (item.manifest.id, f"backup {item.manifest.id}: {item.problem}")
        for item in found.backups
        if item.problem and not item.manifest.partial
    ]
    named = re.compile(r"backup_(\d{8}T\d{6}Z)\.")
    unreadable = [(match[1], text) for text in found.unreadable if (match := named.search(text))]
    return tuple(text for name, text in sorted([*damaged, *unreadable]) if chosen.id < name <= until)


def _moment(text: str) -> datetime | None:
    """A time with its zone; None if the text is none. Raises BackupError for what only looks like one."""
    if not re.match(r"\d{4}-\d{2}-\d{2}", text):
        return None
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError as error:
        raise BackupError(f"{text} is not a time", hint="write it like 2025-01-15T10:00Z") from error
    if moment.tzinfo is None:
        whole = text if len(text) > len("2025-01-15") else f"{text}T23:59"
        raise BackupError(f"{text} has no time zone", hint=f"for UTC, write {whole}Z or {whole}+00:00")
    return moment


def _read(
    s3: S3Client, bucket: str, key: str, database: str, found: dict[str, ObjectInfo]
) -> ListedBackup | str | None:
    """The backup of a manifest; a text if it cannot be read, None if it is of another kind."""
    try:
        manifest = parse(objects.read_bytes(s3, bucket, key), key)
    except (BackupError, VerificationError) as error:
        return str(error)
    if manifest.kind != "logical":
        return None
    records: tuple[Verification, ...] = ()
    if (record := verify_key(key)) in found:
        records = verification.read(s3, bucket, record)
    problem = _problem(manifest, key, database, found)
    return ListedBackup(manifest, key, problem, found[key].etag, records)


def _problem(manifest: BackupManifest, key: str, database: str, found: dict[str, ObjectInfo]) -> str:
    if manifest.database != database:
        return f"its manifest speaks of database {manifest.database}"
    return stored_problem(manifest.dump, key, found)


def stored_problem(stored: StoredDump, manifest_key: str, found: Mapping[str, ObjectInfo]) -> str:
    """What is wrong with an object that the manifest with that key speaks of, by the list of objects; or nothing."""
    there = found.get(stored.key)
    if stem(stored.key) != stem(manifest_key):
        return f"its manifest speaks of another backup's {stored.key}"
    if there is None:
        return f"{stored.key} is gone"
    if there.size != stored.size:
        return f"{stored.key} has {there.size:,} bytes, {stored.size:,} were written"
    if there.etag != stored.etag:
        return f"{stored.key} was replaced: its ETag is {there.etag}, {stored.etag} was written"
    return ""

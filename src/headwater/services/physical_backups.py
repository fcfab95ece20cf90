"""The physical backups on S3: manifests, what they speak of, and which of them a recovery needs together."""

from __future__ import annotations

import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from headwater.errors import BackupError, VerificationError
from headwater.layout import CLUSTER, Layout
from headwater.manifest import RESTORE_VERSION, VERIFY_SUFFIX, stem
from headwater.physical_manifest import PHYSICAL_MANIFEST_SUFFIX, PHYSICAL_SUFFIXES, PhysicalManifest, parse_physical
from headwater.services import objects, verification
from headwater.services.backups import Orphan, stored_problem
from headwater.services.objects import ObjectInfo
from headwater.services.verification import Verification

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

READERS = 8


@dataclass(frozen=True)
class ListedPhysical:
    """A physical backup and where its manifest is. ``problem`` is empty if it and all that it builds on is there.

    ``chain`` are the ids that a recovery needs, the full backup's first; ``manifest_etag`` makes removing conditional.
    """

    manifest: PhysicalManifest
    manifest_key: str
    problem: str
    manifest_etag: str
    chain: tuple[str, ...]
    verifications: tuple[Verification, ...] = ()

    @property
    def last_verification(self) -> Verification | None:
        """The newest one of this very tar, passed or not."""
        return verification.newest(self.verifications, self.manifest.dump.etag)

    @property
    def proof(self) -> Verification | None:
        """The newest full verification that it passed, unless it failed one since."""
        return None if self.problem else verification.proves(self.verifications, self.manifest.dump.etag)


@dataclass(frozen=True)
class PhysicalBackups:
    """One cluster's physical backups, newest first; ``orphans`` are objects without a manifest."""

    cluster: str
    backups: tuple[ListedPhysical, ...]
    orphans: tuple[Orphan, ...]
    unreadable: tuple[str, ...]

    @property
    def usable(self) -> tuple[ListedPhysical, ...]:
        """Those that can be restored."""
        return tuple(backup for backup in self.backups if not backup.problem)

    @property
    def newest_proven(self) -> ListedPhysical | None:
        """The newest one that a full verification has proven."""
        return next((backup for backup in self.usable if backup.proof), None)


@dataclass(frozen=True)
class PhysicalList:
    """The backups, newest first, and the archived log: its first and last segment, and what is missing between."""

    backups: PhysicalBackups
    segments: int
    first_segment: str
    last_segment: str
    missing: tuple[str, ...]


def list_clusters(s3: S3Client, layout: Layout) -> tuple[str, ...]:
    """The system identifiers of the clusters that there are backups or segments of. Raises AwsError."""
    pattern = re.compile(rf"/{CLUSTER}(\d+)/$")
    folders = objects.list_folders(s3, layout.bucket, f"{layout.backup_prefix}/")
    return tuple(found[1] for folder in folders if (found := pattern.search(folder)))


def list_physical(s3: S3Client, layout: Layout, cluster: str) -> PhysicalBackups:
    """List a cluster's physical backups. Raises AwsError."""
    found = {
        item.key: item
        for item in objects.list_objects(s3, layout.bucket, layout.cluster_folder(cluster))
        if item.key.endswith(PHYSICAL_SUFFIXES)
    }
    keys = [key for key in found if key.endswith(PHYSICAL_MANIFEST_SUFFIX)]
    with ThreadPoolExecutor(READERS, "headwater-manifests") as executor:
        read = list(executor.map(lambda key: _read(s3, layout.bucket, key, found), keys))
    listed: dict[str, ListedPhysical] = {}
    for item in sorted(
        (item for item in read if not isinstance(item, str)), key=lambda item: (item.manifest.taken, item.manifest.id)
    ):
        manifest = item.manifest
        before = listed.get(manifest.previous or "")  # what it builds on is older: known by now
        chain = (*before.chain, manifest.id) if before else (manifest.id,)
        listed[manifest.id] = replace(item, problem=_problem(item, cluster, found, before), chain=chain)
    stems = {stem(key) for key in keys}
    return PhysicalBackups(
        cluster=cluster,
        backups=tuple(reversed(listed.values())),
        orphans=tuple(
            Orphan(item.key, item.size, item.etag, item.last_modified)
            for item in found.values()
            if stem(item.key) not in stems
        ),
        unreadable=tuple(item for item in read if isinstance(item, str)),
    )


def chain(backups: PhysicalBackups, wanted: PhysicalManifest) -> tuple[PhysicalManifest, ...]:
    """The full backup that ``wanted`` builds on, every incremental one between, and itself. Raises BackupError."""
    known = {item.manifest.id: item for item in backups.backups}
    found = [wanted]
    while (previous := found[-1].previous) is not None:
        if previous not in known:
            raise BackupError(f"physical backup {found[-1].id} builds on {previous}, which is gone")
        found.append(known[previous].manifest)
    for manifest in found:
        if problem := known[manifest.id].problem:
            raise BackupError(f"physical backup {wanted.id} cannot be used: {manifest.id}: {problem}")
    return tuple(reversed(found))


def choose_physical(found: PhysicalBackups, wanted: str) -> PhysicalManifest:
    """The backup with this id, or the newest usable one for ``latest``. Raises BackupError that says what there is."""
    for item in found.usable if wanted == "latest" else found.backups:
        if wanted in ("latest", item.manifest.id):
            if item.problem:
                raise BackupError(f"physical backup {wanted} cannot be used: {item.problem}")
            return item.manifest
    for reason in found.unreadable:
        if f"backup_{wanted}{PHYSICAL_MANIFEST_SUFFIX}" in reason:
            raise BackupError(f"physical backup {wanted} cannot be used: {reason}", hint=RESTORE_VERSION)
    known = ", ".join(item.manifest.id for item in found.backups[:5])
    hint = f"the newest are {known}" if known else "make one: `headwater backup create --physical`"
    raise BackupError(f"there is no physical backup {wanted} of cluster {found.cluster}", hint=hint)


def _read(s3: S3Client, bucket: str, key: str, found: Mapping[str, ObjectInfo]) -> ListedPhysical | str:
    """The backup of a manifest, before anything has been compared; a text if the manifest cannot be read."""
    try:
        manifest = parse_physical(objects.read_bytes(s3, bucket, key), key)
    except (BackupError, VerificationError) as error:
        return str(error)
    record = stem(key) + VERIFY_SUFFIX
    records: tuple[Verification, ...] = ()
    if record in found:
        records = verification.read(s3, bucket, record)
    return ListedPhysical(manifest, key, "", found[key].etag, (), records)


def _problem(item: ListedPhysical, cluster: str, found: Mapping[str, ObjectInfo], before: ListedPhysical | None) -> str:
    manifest = item.manifest
    if manifest.cluster != cluster:
        return f"its manifest speaks of cluster {manifest.cluster}"
    for stored in (manifest.dump, manifest.files):
        if problem := stored_problem(stored, item.manifest_key, found):
            return problem
    if manifest.previous is not None:
        if before is None:
            return f"it builds on {manifest.previous}, which is gone"
        if before.problem:
            return f"it builds on {manifest.previous}: {before.problem}"
    return ""

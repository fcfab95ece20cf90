"""The physical backups on S3: manifests, what they speak of, and which of them a recovery needs together."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headwater.errors import BackupError
from headwater.layout import CLUSTER, Layout
from headwater.physical_manifest import (
    BASE_SUFFIX,
    FILES_SUFFIX,
    PHYSICAL_MANIFEST_SUFFIX,
    PhysicalManifest,
    parse_physical,
)
from headwater.services import objects

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

READERS = 8


@dataclass(frozen=True)
class ListedPhysical:
    """A physical backup and where its manifest is. ``problem`` is empty if it and all that it builds on is there."""

    manifest: PhysicalManifest
    manifest_key: str
    problem: str


@dataclass(frozen=True)
class PhysicalBackups:
    """One cluster's physical backups, newest first; ``orphans`` are objects without a manifest."""

    cluster: str
    backups: tuple[ListedPhysical, ...]
    orphans: tuple[str, ...]
    unreadable: tuple[str, ...]

    @property
    def usable(self) -> tuple[ListedPhysical, ...]:
        """Those that can be restored."""
        return tuple(backup for backup in self.backups if not backup.problem)


def list_clusters(s3: S3Client, layout: Layout) -> tuple[str, ...]:
    """The system identifiers of the clusters that there are backups or segments of. Raises AwsError."""
    pattern = re.compile(rf"/{CLUSTER}(\d+)/$")
    folders = objects.list_folders(s3, layout.bucket, f"{layout.backup_prefix}/")
    return tuple(found[1] for folder in folders if (found := pattern.search(folder)))


def list_physical(s3: S3Client, layout: Layout, cluster: str) -> PhysicalBackups:
    """List a cluster's physical backups. Raises AwsError."""
    sizes: dict[str, int] = {}
    for item in objects.list_objects(s3, layout.bucket, layout.cluster_folder(cluster)):
        if item.key.endswith((PHYSICAL_MANIFEST_SUFFIX, BASE_SUFFIX, FILES_SUFFIX)):
            sizes[item.key] = item.size
    keys = [key for key in sizes if key.endswith(PHYSICAL_MANIFEST_SUFFIX)]
    with ThreadPoolExecutor(READERS, "headwater-manifests") as executor:
        read = list(executor.map(lambda key: _read(s3, layout.bucket, key), keys))
    manifests = {key: item for key, item in zip(keys, read, strict=True) if isinstance(item, PhysicalManifest)}
    problems: dict[str, str] = {}
    listed = []
    for key, manifest in sorted(manifests.items(), key=lambda item: (item[1].taken, item[1].id)):
        problems[manifest.id] = _problem(manifest, cluster, sizes, problems)  # what it builds on is older: known by now
        listed.append(ListedPhysical(manifest, key, problems[manifest.id]))
    stems = {key.removesuffix(PHYSICAL_MANIFEST_SUFFIX) for key in keys}
    data = [key for key in sizes if not key.endswith(PHYSICAL_MANIFEST_SUFFIX)]
    return PhysicalBackups(
        cluster=cluster,
        backups=tuple(reversed(listed)),
        orphans=tuple(k for k in data if k.removesuffix(BASE_SUFFIX).removesuffix(FILES_SUFFIX) not in stems),
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
    known = ", ".join(item.manifest.id for item in found.backups[:5])
    hint = f"the newest are {known}" if known else "make one: `headwater backup create --physical`"
    raise BackupError(f"there is no physical backup {wanted} of cluster {found.cluster}", hint=hint)


def _read(s3: S3Client, bucket: str, key: str) -> PhysicalManifest | str:
    data = objects.read_bytes(s3, bucket, key)
    try:
        return parse_physical(data, key)
    except BackupError as error:
        return str(error)


def _problem(manifest: PhysicalManifest, cluster: str, sizes: dict[str, int], problems: dict[str, str]) -> str:
    if manifest.cluster != cluster:
        return f"its manifest speaks of cluster {manifest.cluster}"
    for stored in (manifest.dump, manifest.files):
        size = sizes.get(stored.key)
        if size is None:
            return f"{stored.key} is gone"
        if size != stored.size:
            return f"{stored.key} has {size:,} bytes, {stored.size:,} were written"
    if manifest.previous is not None:
        if manifest.previous not in problems:
            return f"it builds on {manifest.previous}, which is gone"
        if problems[manifest.previous]:
            return f"it builds on {manifest.previous}: {problems[manifest.previous]}"
    return ""

"""Looks at everything that clean might remove, and changes nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from headwater.connections import Connections
from headwater.layout import ATHENA_RESULTS_PREFIX, Layout, is_lake_file
from headwater.services import buckets, glue, multipart, objects
from headwater.stages.clean.plan import NAMED, OTHER, CleanOptions, CleanPlan, Contents, Found, decide


def plan(connections: Connections, options: CleanOptions | None = None) -> CleanPlan:
    """Look at catalog, bucket, folders and stack, and say what ``apply`` would remove.

    Raises Refused if there is something that Headwater did not make, BucketError if the bucket is someone else's.
    """
    options = options or CleanOptions()
    return decide(connections.settings.bucket_name, look(connections, options), options)


def look(connections: Connections, options: CleanOptions) -> Found:
    """What is there."""
    layout = connections.settings.layout
    paths = tuple(_output_files(layout.output, everything=options.everything))
    found = Found(output_files=paths, output_size=_size(paths))
    if connections.stack_folder is not None:
        found = replace(found, stack=layout.state, stack_size=_size(layout.state.rglob("*")))
    if connections.has_services:
        found = _look_at_catalog(connections, _look_at_bucket(connections, found))
    return found


def _output_files(output: Path, *, everything: bool) -> Iterable[Path]:
    for path in sorted(output.rglob("*")):
        if path.is_file() or path.is_symlink():
            lake_file = path.with_suffix(".parquet") if path.suffix == ".tmp" else path
            if everything or is_lake_file(lake_file.relative_to(output).as_posix()):
                yield path


def _size(paths: Iterable[Path]) -> int:
    total = 0
    for path in paths:
        with suppress(OSError):  # the running stack removes files of its own
            total += path.lstat().st_size  # a link's own size, not what it points to
    return total


def _look_at_catalog(connections: Connections, found: Found) -> Found:
    settings = connections.settings
    database = settings.athena_database
    if not glue.database_exists(connections.glue, database):
        return found
    lake = f"s3://{settings.bucket_name}/{settings.datalake_prefix}/"
    tables = list(glue.list_tables(connections.glue, database))
    ours = tuple(t.name for t in tables if t.location.startswith(lake))
    foreign = tuple(t.name for t in tables if not t.location.startswith(lake))
    return replace(found, database=database, tables=ours, foreign_tables=foreign)


@dataclass
class _Tally:
    """Adds up a bucket's contents by prefix."""

    layout: Layout
    parts: dict[str, Contents] = field(default_factory=lambda: defaultdict(lambda: Contents("")))
    foreign: set[str] = field(default_factory=set)
    foreign_count: int = 0

    def add(self, key: str, *, size: int = 0, unfinished: bool = False) -> None:
        prefix = prefix_of(self.layout, key)
        part = self.parts[prefix]
        self.parts[prefix] = Contents(
            prefix, part.objects + (not unfinished), part.size + size, part.unfinished + unfinished
        )
        if not self.layout.is_ours(key) and key not in self.foreign:
            self.foreign_count += 1
            if len(self.foreign) < NAMED:
                self.foreign.add(key)


def prefix_of(layout: Layout, key: str) -> str:
    """Which of the three prefixes a key is below."""
    for prefix in (layout.datalake_prefix, layout.backup_prefix, ATHENA_RESULTS_PREFIX):
        if key.startswith(f"{prefix}/"):
            return f"{prefix}/"
    return OTHER


def _look_at_bucket(connections: Connections, found: Found) -> Found:
    layout, s3 = connections.settings.layout, connections.s3
    if buckets.region_of(s3, layout.bucket, buckets.account_id(connections.sts)) is None:
        return found
    tally = _Tally(layout)
    for version in objects.list_versions(s3, layout.bucket):
        tally.add(version.key, size=version.size)
    for upload in multipart.list_unfinished(s3, layout.bucket):
        tally.add(upload.key, unfinished=True)
    return replace(
        found,
        bucket=layout.bucket,
        bucket_is_ours=buckets.is_ours(s3, layout.bucket),
        contents=tuple(tally.parts[prefix] for prefix in sorted(tally.parts)),
        foreign_objects=tally.foreign_count,
        foreign_keys=tuple(sorted(tally.foreign)),
    )

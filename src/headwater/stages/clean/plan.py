"""Decides what is removed, and stops when there is something that Headwater did not make."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from headwater.errors import Refused

NAMED = 10
OTHER = "(other)"
"""How the objects outside the three prefixes are called in a plan."""


@dataclass(frozen=True)
class CleanOptions:
    """``everything``: also foreign objects and tables. ``keep_stack``: leave the embedded services' data alone."""

    everything: bool = False
    keep_stack: bool = False


@dataclass(frozen=True)
class Contents:
    """What lies below one prefix: versions and delete markers count as objects, ``size`` is all versions' bytes."""

    prefix: str
    objects: int = 0
    size: int = 0
    unfinished: int = 0


@dataclass(frozen=True)
class Found:
    """What is there. Foreign names are at most ten each, the counts are of all."""

    database: str | None = None
    tables: tuple[str, ...] = ()
    foreign_tables: tuple[str, ...] = ()
    bucket: str | None = None
    bucket_is_ours: bool = False
    contents: tuple[Contents, ...] = ()
    foreign_objects: int = 0
    foreign_keys: tuple[str, ...] = ()
    output_files: tuple[Path, ...] = field(default=(), repr=False)
    output_size: int = 0
    stack: Path | None = None
    stack_size: int = 0


@dataclass(frozen=True)
class CleanPlan:
    """Exactly what goes, in this order. ``bucket`` is emptied of ``contents``, and itself removed if we created it."""

    bucket: str
    tables: tuple[str, ...]
    foreign_tables: tuple[str, ...]
    database: str | None
    contents: tuple[Contents, ...]
    bucket_exists: bool
    remove_bucket: bool
    output_files: int
    output_size: int
    stack: Path | None
    stack_size: int
    everything: bool
    output_paths: tuple[Path, ...] = field(default=(), repr=False)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to remove."""
        things = (self.tables, self.database, self.contents, self.remove_bucket, self.output_files, self.stack)
        return not any(things)


def decide(bucket: str, found: Found, options: CleanOptions) -> CleanPlan:
    """The plan for what is there. Pure. Raises Refused, naming up to ten foreign objects or tables."""
    if not options.everything:
        _stop_at_foreign(bucket, found)
    stack = None if options.keep_stack else found.stack
    return CleanPlan(
        bucket=bucket,
        tables=found.tables,
        foreign_tables=found.foreign_tables,
        database=found.database,
        contents=tuple(part for part in found.contents if part.objects or part.unfinished),
        bucket_exists=found.bucket is not None,
        remove_bucket=found.bucket is not None and found.bucket_is_ours,
        output_files=len(found.output_files),
        output_size=found.output_size,
        stack=stack,
        stack_size=found.stack_size if stack is not None else 0,
        everything=options.everything,
        output_paths=found.output_files,
    )


def _stop_at_foreign(bucket: str, found: Found) -> None:
    if found.foreign_objects:
        raise Refused(
            f"bucket {bucket} holds {found.foreign_objects:,} objects that Headwater did not put there: "
            f"{_named(found.foreign_keys, found.foreign_objects)}",
            hint="nothing was removed; move them away, or use --everything to remove them too",
        )
    if found.foreign_tables:
        raise Refused(
            f"Athena database {found.database} holds {len(found.foreign_tables)} tables that are not of this lake: "
            f"{_named(found.foreign_tables[:NAMED], len(found.foreign_tables))}",
            hint="nothing was removed; drop them yourself, or use --everything to drop them too",
        )


def _named(names: tuple[str, ...], count: int) -> str:
    return ", ".join(names) + (f" and {count - len(names):,} more" if count > len(names) else "")

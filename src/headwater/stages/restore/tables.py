"""Restores single tables with all that is theirs: what to take from the archive, and what to compare afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from psycopg import sql

from headwater.errors import BackupError
from headwater.manifest import BackupManifest
from headwater.services import postgres, restoring, toc
from headwater.services.dangling import Complete, without_dangling
from headwater.services.restoring import Load
from headwater.services.toc import Choice, Entry
from headwater.stages.restore.plan import RestorePlan, parse_table


def choose(plan: RestorePlan, archive: Path) -> Choice:
    """What of the archive belongs to the plan's tables. Raises BackupError for one that the backup does not have."""
    numbers: set[int] = set()
    for schema, table in plan.tables:
        found = restoring.tables_called(plan.tool, archive, schema, table)
        if not found:
            known = sorted(plan.backup.row_counts or ())
            raise BackupError(
                f"backup {plan.backup.id} has no table {postgres.table_label(schema, table)}",
                hint=f"it has {', '.join(known[:20])}" if known else "see `pg_restore --list`",
            )
        numbers |= found
    everything = toc.parse(restoring.table_of_contents(plan.tool, archive, "--verbose"))
    return toc.choose(everything, numbers, onto=plan.clean)


def expected(manifest: BackupManifest, choice: Choice) -> BackupManifest:
    """The manifest as far as the chosen tables and their partitions go."""
    if manifest.row_counts is None:
        return manifest
    labels = [label for label in manifest.row_counts if _in_list(label) in set(_names(choice.rows))]
    hashes = manifest.content_hashes
    return replace(
        manifest,
        row_counts={label: manifest.row_counts[label] for label in labels},
        content_hashes=None if hashes is None else {label: hashes[label] for label in labels},
    )


def wanted(plan: RestorePlan, choice: Choice | None, load: Load) -> Complete:
    """What pg_restore is to restore, and what it cannot, because a partial backup does not have what that leads to."""
    entries = _wanted(plan, choice, load)
    return without_dangling(load, entries) if plan.backup.partial else Complete(entries, ())


def _wanted(plan: RestorePlan, choice: Choice | None, load: Load) -> tuple[Entry, ...]:
    """All of it, or the choice; schemas that the archive lacks are made here, those that are there, left alone."""
    if choice is None:
        entries = load.entries()
        if plan.backup.partial:
            restoring.make_missing_schemas(load, entries)
        return entries
    with postgres.connect(load.address) as connection:
        for schema in sorted({schema for schema, _ in plan.tables}):
            connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))
        there = [str(row[0]) for row in connection.execute("SELECT nspname FROM pg_namespace")]
    present = {f"- {_sanitized(name)}" for name in there}
    return tuple(e for e in choice.entries if not (e.kind == "SCHEMA" and e.text.rpartition(" ")[0] in present))


def _names(texts: Iterable[str]) -> Iterator[str]:
    return (text.rpartition(" ")[0] for text in texts)  # without the owner


def _in_list(label: str) -> str:
    return " ".join(map(_sanitized, parse_table(label)))


def _sanitized(name: str) -> str:
    """A name as pg_restore lists it: on one line."""
    return name.replace("\n", " ").replace("\r", " ")

"""Leaves out what leads from a partial archive to tables that it does not have: pg_restore would stop there.

Foreign keys, and partitions of a table that was not chosen; without them, the tables and their rows are as they were.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from headwater.services import postgres, restoring
from headwater.services.restoring import Load
from headwater.services.scripts import named_after, statements
from headwater.services.toc import Entry

LEADS_TO = {"FK CONSTRAINT": "REFERENCES", "TABLE ATTACH": "ONLY"}
LEFT_OUT = (*LEADS_TO, "INDEX ATTACH")
_SHOWN = 5
_NOTES = ("COMMENT", "SECURITY LABEL")

Name = tuple[str, str]


@dataclass(frozen=True)
class Complete:
    """What can be restored, in the archive's order, and in words what cannot because of a table that is not there."""

    entries: tuple[Entry, ...]
    left_out: tuple[str, ...]


def without_dangling(load: Load, entries: Iterable[Entry]) -> Complete:
    """Left out is what leads to a table that is not in the archive; except a foreign key to one in the database.

    Raises BackupError, PostgresError.
    """
    order = tuple(entries)
    leading = [entry for entry in order if entry.kind in LEADS_TO]
    made = statements(restoring.script(load, leading)) if leading else ()
    commands = [text for text in made if text.startswith("ALTER TABLE ")]
    if len(commands) != len(leading):  # not as any known pg_restore writes it: let it try all
        return Complete(order, ())
    targets = [named_after(LEADS_TO[entry.kind], text) for entry, text in zip(leading, commands, strict=True)]
    gone = dict(_dangling(load, [(e, target) for e, target in zip(leading, targets, strict=True) if target]))
    indexes = {entry.number for entry in order if entry.kind in ("INDEX", "CONSTRAINT")}
    # One whose parent is not here. Of the next level down, both are here, and have to be put together.
    gone |= {e.number: e.label for e in order if e.kind == "INDEX ATTACH" and len(e.needs & indexes) < 2}
    notes = {entry.number for entry in order if entry.kind in _NOTES and entry.needs & {*gone}}
    kept = tuple(entry for entry in order if entry.number not in gone and entry.number not in notes)
    return Complete(kept, tuple(gone.values()))


def _dangling(load: Load, leading: Sequence[tuple[Entry, Name]]) -> Iterator[tuple[int, str]]:
    """The numbers of those that cannot be restored, and why."""
    inside = {name: restoring.tables_called(load.tool, load.archive, *name) for name in {name for _, name in leading}}
    beside, everything = _in_database(load, inside), load.entries()
    filled = {number for entry in everything if entry.kind == "TABLE DATA" for number in entry.needs}
    parents = {number for entry in everything if entry.kind == "TABLE ATTACH" for number in entry.needs}
    for entry, name in leading:
        label, numbers, key = postgres.table_label(*name), inside[name], entry.kind == "FK CONSTRAINT"
        # Into a table that is there already, a partition would get that one's indexes before its own, and then these
        # cannot be made: that is left to a person.
        if not numbers and not (key and name in beside):
            yield entry.number, f"{entry.label} ({label} is not in the backup)"
        elif key and numbers and not numbers & (filled | parents) and entry.needs & filled:
            yield entry.number, f"{entry.label} (the backup has no rows of {label})"


def unmet(lacks: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """What a partial backup needs and a restore cannot do without: the database has to have it.

    >>> unmet({"TABLE a t": ("TYPE a mood",), "FK CONSTRAINT a t t_fkey": ("TABLE a u",)})
    ('TABLE a t needs TYPE a mood',)
    """
    return tuple(f"{name} needs {shown(what)}" for name, what in lacks.items() if not name.startswith(LEFT_OUT))


def dispensable(lacks: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """What leads to what a partial backup does not have, so that a restore leaves it out.

    >>> dispensable({"TABLE a t": ("TYPE a mood",), "FK CONSTRAINT a t t_fkey": ("TABLE a u",)})
    ('FK CONSTRAINT a t t_fkey (leads to TABLE a u)',)
    """
    return tuple(f"{name} (leads to {shown(what)})" for name, what in lacks.items() if name.startswith(LEFT_OUT))


def shown(texts: Sequence[str]) -> str:
    """The first of them, and how many more there are."""
    more = f" and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return ", ".join(dict.fromkeys(texts[:_SHOWN])) + more


def _in_database(load: Load, names: Iterable[Name]) -> set[Name]:
    with postgres.connect(load.address) as connection:
        rows = connection.execute(
            "SELECT n.nspname, c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace"
            " WHERE c.relkind IN ('r', 'p', 'f')"
        ).fetchall()
    return {(str(schema), str(table)) for schema, table in rows} & set(names)

"""Chooses what belongs to some tables from an archive's table of contents, which pg_restore's own --table does not.

``pg_restore --table`` restores rows in a bare table. Its list with ``--verbose`` names every entry and what that
depends on, and ``--use-list`` restores any choice of it: with indexes, constraints, sequences, triggers, rights.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace

from headwater.errors import BackupError

_TABLES = ("TABLE", "FOREIGN TABLE", "VIEW", "MATERIALIZED VIEW")
# What is no object of its own in the catalogs: there, the same words could be an object in a schema called "DATA".
_DERIVED = (
    "TABLE DATA",
    "TABLE ATTACH",
    "INDEX ATTACH",
    "SEQUENCE OWNED BY",
    "SEQUENCE SET",
    "MATERIALIZED VIEW DATA",
    "STATISTICS DATA",
    "ROW SECURITY",
)
_PARTS = (
    *("TABLE DATA", "TABLE ATTACH", "INDEX ATTACH", "SEQUENCE OWNED BY", "SEQUENCE SET", "STATISTICS DATA"),
    *("ROW SECURITY", "SEQUENCE", "DEFAULT", "CONSTRAINT", "CHECK CONSTRAINT", "FK CONSTRAINT", "INDEX", "TRIGGER"),
    *("RULE", "POLICY", "STATISTICS", "COMMENT", "SECURITY LABEL", "ACL"),
)
_NOTES = ("SEQUENCE OWNED BY", "SEQUENCE SET", "COMMENT", "SECURITY LABEL", "ACL")
_KINDS = sorted({*_TABLES, *_DERIVED, *_PARTS, "EVENT TRIGGER"}, key=len, reverse=True)
_INDEXES = ("INDEX", "CONSTRAINT")
_NO_OBJECT = "0 0"
_ENTRY = re.compile(r"(\d+); (\d+ \d+) (.*)")
_NEEDS = re.compile(r";\s+depends on:([ \d]*)")


@dataclass(frozen=True)
class Entry:
    """One entry: its kind such as ``FK CONSTRAINT``, and the rest as pg_restore writes it: schema, name, owner.

    ``object``: the catalog and the number that the server knows it by, the same in every dump of the database.
    """

    number: int
    kind: str
    text: str
    needs: frozenset[int]
    object: str = _NO_OBJECT

    @property
    def label(self) -> str:
        """What it is called, for people: kind, schema and name."""
        return f"{self.kind} {self.text.rpartition(' ')[0]}"

    @property
    def same(self) -> tuple[str, str, str]:
        """What is equal for the same thing in another dump."""
        return (self.kind, self.object, self.text if self.object == _NO_OBJECT else "")


@dataclass(frozen=True)
class Choice:
    """The entries to restore, in the archive's order; ``rows``: the tables' texts; ``left_out``: theirs, not here."""

    entries: tuple[Entry, ...]
    rows: tuple[str, ...]
    left_out: tuple[str, ...]


def listing(entries: Iterable[Entry]) -> str:
    """The file that ``pg_restore --use-list`` reads: a partition's indexes and constraints before those of its parent.

    What ``--clean`` drops, it drops from the end of the list, and PostgreSQL refuses to drop a partition's inherited
    constraint: the parent's has to go first, and takes it along.
    """
    order = tuple(entries)
    inheritable = {entry.number for entry in order if entry.kind in _INDEXES}
    heirs: dict[int, list[Entry]] = {}
    for entry in order:
        for parent in entry.needs & inheritable if entry.number in inheritable else ():
            heirs.setdefault(parent, []).append(entry)
    done: set[int] = set()

    def emit(entry: Entry) -> Iterator[Entry]:
        if entry.number not in done:
            done.add(entry.number)
            for heir in heirs.get(entry.number, ()):
                yield from emit(heir)
            yield entry

    return "".join(f"{one.number};\n" for entry in order for one in emit(entry))


def parse(listing: str) -> tuple[Entry, ...]:
    """Read what ``pg_restore --list --verbose`` writes.

    >>> parse("5; 1259 7 TABLE public t me\\n;\\tdepends on: 3 4\\n")[0].needs == {3, 4}
    True
    """
    found: list[Entry] = []
    for line in listing.splitlines():
        if needs := _NEEDS.match(line):
            last = found.pop()
            found.append(replace(last, needs=frozenset(map(int, needs[1].split()))))
        elif entry := _ENTRY.match(line):
            kind = _kind(entry[3], derived=entry[2].startswith("0 "))
            found.append(Entry(int(entry[1]), kind, entry[3].removeprefix(kind).strip(), frozenset(), entry[2]))
    return tuple(found)


def _kind(text: str, *, derived: bool) -> str:
    for kind in _KINDS:
        if text.startswith(f"{kind} ") and (derived or kind not in _DERIVED):
            return kind
    return text.partition(" ")[0]


def event_triggers_apart(entries: Iterable[Entry]) -> tuple[tuple[Entry, ...], tuple[Entry, ...]]:
    """The entries without event triggers, and those with what is said about them.

    They fire on what the rest of a restore does, such as filling a materialized view, and on logins: what they then
    write was not in the backup.
    """
    order = tuple(entries)
    triggers = {entry.number for entry in order if entry.kind == "EVENT TRIGGER"}
    late = [entry.number in triggers or bool(entry.needs & triggers) for entry in order]
    pairs = tuple(zip(order, late, strict=True))
    return tuple(entry for entry, last in pairs if not last), tuple(entry for entry, last in pairs if last)


def choose(entries: Iterable[Entry], tables: Collection[int], *, onto: bool = False) -> Choice:
    """What to restore for the tables with these numbers, their partitions included.

    All that is theirs, and whatever that needs: types, functions, schemas, parents. ``onto``: into a database where the
    rest is, so that what they only need is left alone. What leads to other tables, such as a foreign key, is left out.
    """
    order = tuple(entries)
    known = {entry.number: entry for entry in order}
    chosen = _with_partitions(order, tables)
    allowed = {n for n in _closure(known, chosen) if known[n].kind in _TABLES}
    own = set(chosen)
    candidates = [entry for entry in order if entry.kind in _PARTS and entry.number not in own]
    while more := [
        entry
        for entry in candidates
        if entry.number not in own
        and entry.needs & own
        and all(n in allowed for n in _closure(known, {entry.number}) if known[n].kind in _TABLES)
    ]:
        own |= {entry.number for entry in more}
    needed = _closure(known, own) - own
    needed |= {e.number for e in candidates if e.kind in _NOTES and e.needs and e.needs <= needed | own}
    if onto:
        sequences = {n for e in order if e.kind == "SEQUENCE OWNED BY" for n in e.needs if n in needed}
        needed = {n for n in needed if n in sequences or known[n].needs & sequences}
        _require_parents(order, chosen)
    texts = tuple(known[number].text for number in sorted(chosen))
    return Choice(
        entries=tuple(entry for entry in order if entry.number in own | needed),
        rows=texts,
        left_out=tuple(_left_out(candidates, own, texts)),
    )


def lacking(whole: Iterable[Entry], part: Iterable[Entry]) -> dict[str, tuple[str, ...]]:
    """What of a partial dump needs what that does not have, by the database's whole table of contents.

    Schemas are none of it: a restore makes those. Nor is what a partition and its indexes are made a part of: those are
    steps of their own.
    """
    known = {entry.number: entry for entry in whole}
    parents = {entry.text: entry.needs for entry in known.values() if entry.kind == "TABLE ATTACH"}
    there = {entry.same for entry in part}
    found = {}
    for entry in known.values():
        needs = entry.needs - parents.get(entry.text, frozenset()) if entry.kind in _TABLES else entry.needs
        others = [known[number] for number in sorted(needs) if number in known] if entry.same in there else []
        aside = ("SCHEMA", *(_INDEXES if entry.kind in _INDEXES else ()))
        missing = [other.label for other in others if other.same not in there and other.kind not in aside]
        if missing:
            found[entry.label] = tuple(missing)
    return found


def _with_partitions(order: Collection[Entry], tables: Collection[int]) -> set[int]:
    """The tables and the partitions of those among them that have any."""
    chosen, numbers = set(tables), {entry.text: entry.number for entry in order if entry.kind == "TABLE"}
    attached = [(numbers.get(entry.text), entry.needs) for entry in order if entry.kind == "TABLE ATTACH"]
    while more := {n for n, needs in attached if n is not None and n not in chosen and (needs - {n}) & chosen}:
        chosen |= more
    return chosen


def _require_parents(order: Iterable[Entry], chosen: Collection[int]) -> None:
    """Raise BackupError for a partition without its parent: its constraints cannot be dropped without the parent's."""
    for entry in order:
        inside = entry.needs & set(chosen)
        if entry.kind == "TABLE ATTACH" and inside and not entry.needs <= set(chosen):
            raise BackupError(
                f"{entry.text.rpartition(' ')[0]} is a partition: it cannot be replaced without its parent",
                hint="name its parent, or restore into a new database and copy the rows",
            )


def _closure(known: dict[int, Entry], numbers: Collection[int]) -> set[int]:
    """These entries and all that they need."""
    seen: set[int] = set()
    waiting = [number for number in numbers if number in known]
    while waiting:
        number = waiting.pop()
        if number not in seen:
            seen.add(number)
            waiting += [n for n in known[number].needs if n in known and n not in seen]
    return seen


def _left_out(candidates: Iterable[Entry], own: Collection[int], tables: Collection[str]) -> Iterator[str]:
    names = [text.rpartition(" ")[0] for text in tables]  # without the owner
    for entry in candidates:
        if entry.number not in own and any(entry.text.startswith(f"{name} ") for name in names):
            yield entry.label

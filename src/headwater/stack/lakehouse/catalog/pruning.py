"""Reads the partitions that satisfy conditions on keys, through the index that touches the fewest rows."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from headwater.stack.lakehouse import errors
from headwater.stack.lakehouse.catalog.filters import comparable, matches
from headwater.stack.lakehouse.catalog.partitions import bindable, partition_json, sort_key, values_of
from headwater.stack.lakehouse.catalog.sqlite import KEY_COLUMNS, Connections
from headwater.stack.lakehouse.catalog.tables import TableRow
from headwater.stack.lakehouse.model import GlueJson, KeyFilter, Partition

_OPERATORS = {"=": "=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
# A caller often wants few partitions, so the first read is small; a filtered read sorts each time, so later ones grow.
_FIRST_PAGE = 1_024
_LARGEST_PAGE = 16_384
# An index that finds no more rows than this is good enough; counting further costs more than it saves.
_COUNT_LIMIT = 2_000
# SQLite allows 32,766 bound values a statement; longer lists are checked row by row instead.
_MAX_LIST = 10_000


@dataclass(frozen=True)
class _Condition:
    """One condition as SQL on one of the columns k0, k1 …"""

    ordinal: int
    op: str
    sql: str
    values: tuple[int | float | str | None, ...]


@dataclass(frozen=True)
class Selection:
    """Which partitions of a table: conditions for SQLite, and those that it cannot check."""

    table: TableRow
    conditions: tuple[_Condition, ...]
    residual: tuple[tuple[int, KeyFilter], ...]

    @classmethod
    def of(cls, table: TableRow, filters: Sequence[KeyFilter]) -> Selection:
        """Bind filters to the keys of the table. Raises ``InvalidInputException`` for a key that it does not have."""
        ordinals = {name.lower(): ordinal for ordinal, (name, _) in enumerate(table.key_types)}
        conditions: list[_Condition] = []
        residual: list[tuple[int, KeyFilter]] = []
        for item in filters:
            ordinal = ordinals.get(item.key.lower())
            if ordinal is None:
                raise errors.invalid_input(f"Column {item.key} is not a partition key of table {table.name}.")
            if ordinal < KEY_COLUMNS and len(item.values) <= _MAX_LIST:
                conditions.append(_condition(ordinal, item, table.key_types[ordinal][1]))
            else:
                residual.append((ordinal, item))
        return cls(table, tuple(conditions), tuple(residual))

    def admits(self, values: Sequence[str]) -> bool:
        """Whether the conditions that SQLite did not check hold too."""
        types = self.table.key_types
        return all(matches(item, values[ordinal], types[ordinal][1]) for ordinal, item in self.residual)


def _condition(ordinal: int, item: KeyFilter, kind: str) -> _Condition:
    values = tuple(bindable(comparable(value, kind)) for value in item.values)
    if item.op in ("=", "in"):
        marks = ", ".join("?" * len(values))
        return _Condition(ordinal, item.op, f"k{ordinal} IN ({marks})", values)
    if item.op not in _OPERATORS or len(values) != 1:
        raise errors.invalid_input(f"Condition {item.op!r} with {len(values)} values on a partition key is not valid.")
    return _Condition(ordinal, item.op, f"k{ordinal} {_OPERATORS[item.op]} ?", values)


def select_partitions(
    connections: Connections, selection: Selection, after: Sequence[str] | None, limit: int | None
) -> Iterator[Partition]:
    """Partitions in the order of their values, read page by page so that no read stays open between two pages."""
    table = selection.table
    last = None if after is None else sort_key(after)
    bodies: dict[int, GlueJson] = {}
    remaining = limit
    size = _FIRST_PAGE
    with connections.read() as connection:
        index = _best_index(connection, selection)
    while remaining is None or remaining > 0:
        if remaining is not None and not selection.residual:
            size = min(size, remaining)
        with connections.read() as connection:
            found = _page(connection, selection, index, last, size)
            _load_bodies(connection, bodies, {row[3] for row in found})
        for key, location, created, body_id in found:
            values = values_of(key)
            if not selection.admits(values):
                continue
            # A body that is gone was replaced between the two reads: its partition is then gone or changed too.
            if body_id in bodies:
                yield Partition(values, location, partition_json(table, values, location, created, bodies[body_id]))
                remaining = None if remaining is None else remaining - 1
                if remaining == 0:
                    return
        if len(found) < size:
            return
        last = found[-1][0]
        size = min(size * 4, _LARGEST_PAGE)


def _page(
    connection: sqlite3.Connection, selection: Selection, index: str, last: bytes | None, size: int
) -> list[tuple[bytes, str, float, int]]:
    where = ["table_id = ?", *(condition.sql for condition in selection.conditions)]
    bound: list[object] = [selection.table.id, *(v for condition in selection.conditions for v in condition.values)]
    if last is not None:
        where.append("sort_key > ?")
        bound.append(last)
    return connection.execute(
        f"SELECT sort_key, location, created, body_id FROM partitions INDEXED BY {index}"  # noqa: S608  # our own index and column names
        f" WHERE {' AND '.join(where)} ORDER BY sort_key LIMIT ?",
        (*bound, size),
    ).fetchall()


def _load_bodies(connection: sqlite3.Connection, bodies: dict[int, GlueJson], wanted: set[int]) -> None:
    for body_id in wanted - bodies.keys():
        row = connection.execute("SELECT body FROM partition_bodies WHERE id = ?", (body_id,)).fetchone()
        if row is not None:
            bodies[body_id] = json.loads(row[0])


def _best_index(connection: sqlite3.Connection, selection: Selection) -> str:
    """The index whose usable conditions leave the fewest rows; SQLite itself keeps no statistics to decide by."""
    candidates = _candidates(selection.conditions)
    if len(candidates) == 1:
        return next(iter(candidates))
    counts: dict[str, int] = {}
    for index, usable in candidates.items():
        where = " AND ".join(["table_id = ?", *(condition.sql for condition in usable)])
        (counts[index],) = connection.execute(
            f"SELECT count(*) FROM (SELECT 1 FROM partitions INDEXED BY {index} WHERE {where} LIMIT ?)",  # noqa: S608  # our own index and column names
            (selection.table.id, *(value for condition in usable for value in condition.values), _COUNT_LIMIT),
        ).fetchone()
    return min(counts, key=counts.__getitem__)


def _candidates(conditions: Sequence[_Condition]) -> dict[str, list[_Condition]]:
    by_key: dict[int, list[_Condition]] = {}
    for condition in conditions:
        by_key.setdefault(condition.ordinal, []).append(condition)
    if not by_key:
        return {"partitions_by_values": []}
    candidates = {f"partitions_by_k{ordinal}": usable for ordinal, usable in by_key.items() if ordinal > 0}
    if 0 in by_key:
        # The composite index serves equalities on the leading keys, and what is asked of the key after them.
        usable: list[_Condition] = []
        for ordinal in range(KEY_COLUMNS):
            usable += by_key.get(ordinal, [])
            if not any(condition.op in ("=", "in") for condition in by_key.get(ordinal, [])):
                break
        if len(usable) == len(conditions):
            return {"partitions_by_keys": usable}
        candidates["partitions_by_keys"] = usable
    return candidates

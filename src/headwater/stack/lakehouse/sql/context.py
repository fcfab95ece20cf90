"""What the rules of one statement share: its text for error positions, the session, and the tables it reads."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from sqlglot import exp

from headwater.stack.lakehouse.model import Table
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.failures import Position, SqlError
from headwater.stack.lakehouse.sql.foreign import position
from headwater.stack.lakehouse.sql.known import last_before, span
from headwater.stack.lakehouse.sql.pins import Pins
from headwater.stack.lakehouse.sql.predicates import KeyPredicate
from headwater.stack.lakehouse.sql.query import Query

if TYPE_CHECKING:
    from headwater.stack.lakehouse.sources.model import Reader

_MOST_RELATIONS = 20_000

Moment = str | int | datetime | None
"""The version of a table that a query asks for: a snapshot's number, the name of a branch or tag, or a time in UTC."""


class Snapshot(Protocol):
    """The columns of an Iceberg table at one moment."""

    @property
    def names(self) -> tuple[str, ...]:
        """Their names, in lower case."""
        ...

    @property
    def types(self) -> tuple[t.Type, ...]:
        """Their types."""
        ...

    def relation(self, reader: Reader) -> str:
        """The rows, as an item of FROM for DuckDB."""
        ...


class TableSource(Protocol):
    """Where table names are looked up. Raises ``SqlError`` when there is none."""

    def table(self, parts: Sequence[str], position: Position) -> Table:
        """The table that a name of one to three parts means."""
        ...

    def snapshot(self, table: Table, at: Moment, position: Position) -> Snapshot | None:
        """What a query sees of an Iceberg table; ``None`` for any other table."""
        ...

    def rows(self, parts: Sequence[str], position: Position) -> Query | None:
        """The rows of a table that is made of what the catalog knows, or ``None`` if the name means no such table."""
        ...

    def within(self, database: str) -> TableSource:
        """The same with another current database."""
        ...


@dataclass
class Scan:
    """One reading of a table: its number in the statement, and the conditions found for its partitions and buckets."""

    number: int
    table: Table
    key_types: dict[str, t.Type]
    predicates: list[KeyPredicate] = field(default_factory=list)
    bucket_types: dict[str, t.Type] = field(default_factory=dict)
    pins: Pins = field(default_factory=dict)
    partitions_only: bool = False
    snapshot: Snapshot | None = None

    def pin(self, column: str, hashes: frozenset[int]) -> None:
        """Note that rows whose bucket column has another hash are not wanted."""
        self.pins[column] = self.pins.get(column, hashes) & hashes

    @property
    def placeholder(self) -> str:
        """The text that stands for the scan in the statement until its files are known."""
        return f"\x00scan{self.number}\x00"


@dataclass
class Context:
    """The state of one translation; made for it and thrown away with it."""

    sql: str
    tables: TableSource
    now: datetime
    scans: list[Scan] = field(default_factory=list)
    relations: int = 0
    views: tuple[str, ...] = ()

    def position(self, node: exp.Expression) -> Position:
        """Line and column of the first token below a node."""
        found = span(node)
        return position(self.sql, found[0]) if found is not None else (1, 1)

    def operator(self, node: exp.Expression, *signs: str) -> Position:
        """Line and column of the sign between a node's two sides; of the node where it is not to be found."""
        left, right = (span(side) if side is not None else None for side in map(node.args.get, ("this", "expression")))
        if left is None or right is None:
            return self.position(node)
        place = max(self.sql.rfind(sign, left[1] + 1, right[0]) for sign in signs)
        return position(self.sql, place) if place >= 0 else self.position(node)

    def before(self, node: exp.Expression, word: str) -> Position:
        """Line and column of the keyword that a node follows."""
        found = span(node)
        place = last_before(word, self.sql, found[0]) if found is not None else None
        return position(self.sql, place) if place is not None else self.position(node)

    def after(self, node: exp.Expression, pattern: str) -> Position:
        """Line and column of the first match behind a node; of the node where there is none."""
        place = span(node)
        found = re.compile(pattern, re.IGNORECASE).search(self.sql, place[1] + 1) if place is not None else None
        return position(self.sql, found.start()) if found is not None else self.position(node)

    def relation_name(self) -> str:
        """A fresh alias. WITH queries of which each uses the one before twice would else never come to an end."""
        self.relations += 1
        if self.relations > _MOST_RELATIONS:
            message = "Query is too complex: too many relations; let each WITH query be used once"
            raise SqlError("COMPILER_ERROR", message)
        return f"r{self.relations}"

"""What the statements that write data say, as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlglot import exp

from headwater.stack.lakehouse.hive.ast import TableName
from headwater.stack.lakehouse.writes.tokens import Value


@dataclass(frozen=True)
class QueryText:
    """A query inside a statement, parsed; ``text`` has it at its place in the statement."""

    tree: exp.Expression
    text: str


@dataclass(frozen=True)
class CreateTableAs:
    """``CREATE TABLE … WITH (…) AS query [WITH NO DATA]``."""

    table: TableName
    query: QueryText
    properties: Mapping[str, Value] = field(default_factory=dict)
    if_not_exists: bool = False
    comment: str | None = None
    with_data: bool = True


@dataclass(frozen=True)
class Insert:
    """``INSERT INTO table [(columns)] query``."""

    table: TableName
    query: QueryText
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Unload:
    """``UNLOAD (query) TO 'location' WITH (…)``."""

    query: QueryText
    location: str
    properties: Mapping[str, Value] = field(default_factory=dict)


Write = CreateTableAs | Insert | Unload

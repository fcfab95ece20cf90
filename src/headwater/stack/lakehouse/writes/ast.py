"""What the statements that write data say, as frozen values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sqlglot import exp

from headwater.stack.lakehouse.hive.ast import TableName
from headwater.stack.lakehouse.sql.foreign import refuse_reserved_names
from headwater.stack.lakehouse.sql.parse import parse_query
from headwater.stack.lakehouse.writes.tokens import Value


@dataclass(frozen=True)
class QueryText:
    """A query inside a statement, parsed; ``text`` has it at its place in the statement."""

    tree: exp.Expression
    text: str

    @classmethod
    def read(cls, text: str) -> QueryText:
        """Parse it. Raises ``SyntaxRefused``."""
        tree = parse_query(text)
        refuse_reserved_names(text, tree)
        return cls(tree, text)

    def __reduce__(self) -> tuple[Callable[[str], QueryText], tuple[str]]:
        """To another process goes the text: pickle cannot hold a tree that is some hundred levels deep."""
        return QueryText.read, (self.text,)


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


@dataclass(frozen=True)
class Delete:
    """``DELETE FROM table [WHERE condition]``; expressions are kept as text."""

    table: TableName
    condition: str = "true"


@dataclass(frozen=True)
class Update:
    """``UPDATE table SET column = expression, … [WHERE condition]``."""

    table: TableName
    values: Mapping[str, str]
    condition: str = "true"


@dataclass(frozen=True)
class Clause:
    """``WHEN [NOT] MATCHED [AND condition] THEN …``; without values it deletes."""

    matched: bool
    condition: str
    values: Mapping[str, str] | None


@dataclass(frozen=True)
class Merge:
    """``MERGE INTO table AS target USING source ON condition WHEN …``; ``source`` is a table or a query in brackets."""

    table: TableName
    target: str
    source: str
    alias: str
    condition: str
    clauses: tuple[Clause, ...]


@dataclass(frozen=True)
class Optimize:
    """``OPTIMIZE table REWRITE DATA USING BIN_PACK [WHERE condition]``."""

    table: TableName
    condition: str | None = None


@dataclass(frozen=True)
class Vacuum:
    """``VACUUM table``."""

    table: TableName


Change = Delete | Update | Merge | Optimize | Vacuum
Write = CreateTableAs | Insert | Unload | Change

"""What a translated query hands to the query around it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlglot import exp

from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.expression import Expr, Zoned
from headwater.stack.lakehouse.sql.scope import Field, KeyOrigin


@dataclass(frozen=True)
class OutputColumn:
    """One column of a query: its name (``None`` when it has none), its type, and the partition keys it passes on.

    Beside a ``zoned`` one, ``c3``, stand the instant ``i3`` and the zone ``z3``: it has zones that depend on the data.
    """

    name: str | None
    type: t.Type
    origins: frozenset[KeyOrigin] = frozenset()
    zoned: bool = False

    def stored(self, place: int) -> str:
        """The name of the column, in the query, that a table without zones stores."""
        return f"{'i' if self.zoned else 'c'}{place}"


@dataclass(frozen=True)
class Query:
    """DuckDB SQL whose columns are named ``c0``, ``c1``, …, and what they are to the user."""

    sql: str
    columns: tuple[OutputColumn, ...]


@dataclass(frozen=True)
class Named:
    """The WITH queries in sight. Trino expands each where it is used, and so does this; recursive ones are written."""

    queries: Mapping[str, tuple[exp.CTE, Named] | Query] = field(default_factory=dict)


@dataclass(frozen=True)
class Relation:
    """One item of a FROM clause: its SQL and the fields it brings into sight."""

    sql: str
    fields: tuple[Field, ...]


def fields_of(alias: str, qualifier: tuple[str, ...], query: Query, names: list[str]) -> tuple[Field, ...]:
    """The fields of a derived table ``(query) AS alias``; ``names`` renames the columns."""
    found = []
    for i, column in enumerate(query.columns):
        name = names[i] if i < len(names) else column.name
        beside = Zoned(f"{alias}.i{i}", f"{alias}.z{i}") if column.zoned else None
        found.append(Field(name, Expr(f"{alias}.c{i}", column.type, zoned=beside), qualifier, column.origins))
    return tuple(found)

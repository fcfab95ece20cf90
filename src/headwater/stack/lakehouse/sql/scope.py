"""Which columns a name can mean: the fields in sight at one place of a query, and how Trino resolves a name to one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from headwater.stack.lakehouse.sql.expression import Expr
from headwater.stack.lakehouse.sql.failures import Position, SqlError

KeyOrigin = tuple[int, str]
"""A partition key or bucket column of one table scan: the scan's number and the column's name."""


@dataclass(frozen=True)
class Field:
    """A column in sight: its name, the relation names that may qualify it, and what it is in DuckDB.

    ``origins`` are the partition keys and bucket columns whose values the column passes on unchanged; a condition on
    the column prunes those scans. ``raw`` is a timestamp as the file has it, before it is rounded. ``hidden`` columns
    (``"$path"``) are found by name but are not part of ``*``.
    """

    name: str | None
    value: Expr
    qualifier: tuple[str, ...] = ()
    origins: frozenset[KeyOrigin] = frozenset()
    hidden: bool = False
    raw: str = ""

    @cached_property
    def key(self) -> str | None:
        """What it is found by: names have no case, but ``*`` shows them as they were written."""
        return self.name and self.name.lower()


@dataclass(frozen=True)
class Scope:
    """The fields of a FROM clause, the variables of enclosing lambdas, and the scope of the enclosing query.

    ``grouped`` is the SQL of the GROUP BY expressions where the query has them: a query inside may use nothing else.
    ``behind`` are fields that a name means only if none of the others does: in ORDER BY, those of FROM.
    """

    fields: tuple[Field, ...] = ()
    parent: Scope | None = None
    variables: Mapping[str, Expr] = field(default_factory=dict)
    grouped: frozenset[str] | None = None
    behind: tuple[Field, ...] = ()

    def with_variables(self, variables: Mapping[str, Expr]) -> Scope:
        """The scope inside a lambda."""
        return replace(self, variables={**self.variables, **variables})

    def visible(self, qualifier: Sequence[str] = ()) -> Iterator[Field]:
        """What ``*`` or ``qualifier.*`` stands for."""
        for candidate in self.fields:
            if not candidate.hidden and (not qualifier or _qualifies(candidate.qualifier, qualifier)):
                yield candidate

    def find(self, parts: Sequence[str], position: Position) -> tuple[Field, Sequence[str]] | None:
        """The field that a dotted name means here, and the parts left over for row fields. ``None`` if none does."""
        return _find(self.fields, parts, position) or _find(self.behind, parts, position)

    def resolve(self, parts: Sequence[str], position: Position) -> tuple[Expr, Sequence[str]]:
        """The value of a dotted name, looked for in lambdas, then here, then in the enclosing queries."""
        if parts[0] in self.variables:
            return self.variables[parts[0]], parts[1:]
        found = self.find(parts, position)
        if found is not None:
            return found[0].value, found[1]
        if self.parent is not None:
            return self.parent._resolve_inside(parts, position)
        raise SqlError("COLUMN_NOT_FOUND", f"Column '{'.'.join(parts)}' cannot be resolved", position)

    def _resolve_inside(self, parts: Sequence[str], position: Position) -> tuple[Expr, Sequence[str]]:
        """As a query inside of this one sees it."""
        value, rest = self.resolve(parts, position)
        if self.grouped is not None and self.owns(parts, position) and value.sql not in self.grouped:
            message = f"Subquery uses '{'.'.join(parts)}' which must appear in GROUP BY clause"
            raise SqlError("EXPRESSION_NOT_AGGREGATE", message, position)
        return value, rest

    def owns(self, parts: Sequence[str], position: Position) -> bool:
        """Whether a name is a column of this query, not a variable and not a column of a query around it."""
        return parts[0] not in self.variables and self.find(parts, position) is not None


def _find(fields: Sequence[Field], parts: Sequence[str], position: Position) -> tuple[Field, Sequence[str]] | None:
    for length in range(len(parts), 0, -1):
        *qualifier, name = parts[:length]
        found = [f for f in fields if f.key == name and _qualifies(f.qualifier, qualifier)]
        if len(found) > 1:
            raise SqlError("AMBIGUOUS_NAME", f"Column '{name}' is ambiguous", position)
        if found:
            return found[0], parts[length:]
    return None


def _qualifies(qualifier: Sequence[str], wanted: Sequence[str]) -> bool:
    return not wanted or tuple(qualifier[-len(wanted) :]) == tuple(wanted)


def row_field(value: Expr, name: str) -> Expr | None:
    """The field of a row value, or ``None`` if it has no such field."""
    if value.type.name != "row":
        return None
    found = [index for index, field in enumerate(value.type.names) if field is not None and field.lower() == name]
    if len(found) > 1:
        raise SqlError("AMBIGUOUS_NAME", f"Ambiguous row field reference: {name}")
    return Expr(f"struct_extract({value.sql}, 'f{found[0]}')", value.type.items[found[0]]) if found else None

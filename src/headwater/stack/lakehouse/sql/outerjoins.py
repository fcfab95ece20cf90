"""Sub-queries in the ON of an outer join: DuckDB runs few of them there, so each is computed beside its own side."""

# ruff: noqa: S608 - writing SQL is what this module is for; values and names in it are quoted or fixed
from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.context import Context
from headwater.stack.lakehouse.sql.expression import Expr, Zoned
from headwater.stack.lakehouse.sql.expressions import Expressions
from headwater.stack.lakehouse.sql.query import Relation
from headwater.stack.lakehouse.sql.scope import Field

_ALIAS = re.compile(r"\br\d+(?=\.)")
_DEFINED = re.compile(r"\bAS (r\d+)\b")
_WHAT = "JOIN ON clause"


@dataclass(frozen=True)
class Sides:
    """The two sides of an outer join and its condition."""

    left: Relation
    right: Relation
    condition: exp.Expression


def without_subqueries(sides: Sides, rules: Expressions) -> Sides:
    """The same join, with the predicates that contain queries as columns of the sides.

    What speaks of both sides stays where it is, as does what is beside a LATERAL item that sees its neighbours.
    """
    if next(_predicates(sides.condition), None) is None:
        return sides
    if not all(_stands_alone(side.sql) for side in (sides.left, sides.right)):
        return sides
    condition, join = sides.condition.copy(), rules.context.relation_name()
    computed: tuple[list[Expr], list[Expr]] = ([], [])
    aliases = [_aliases(side) for side in (sides.left, sides.right)]
    for node in list(_predicates(condition)):
        for part, value, used in _parts(node, aliases, rules):
            if used & aliases[0] and used & aliases[1]:
                return sides
            side = 1 if used & aliases[1] else 0
            column = exp.column(exp.to_identifier(_name(join, side, len(computed[side])), quoted=True))
            condition = column if part is condition else condition
            part.replace(column)
            computed[side].append(value)
    left = _beside(sides.left, computed[0], rules.context, [_name(join, 0, i) for i in range(len(computed[0]))])
    right = _beside(sides.right, computed[1], rules.context, [_name(join, 1, i) for i in range(len(computed[1]))])
    return Sides(left, right, condition)


def _parts(
    node: exp.Expression, aliases: Sequence[set[str]], rules: Expressions
) -> Iterator[tuple[exp.Expression, Expr, set[str]]]:
    """A condition with its value and the relations that it uses; of one that uses both sides, the queries in it."""
    value = rules.typed(node, t.BOOLEAN, _WHAT)
    used = set(_ALIAS.findall(value.sql))
    if not all(used & side for side in aliases) or _is_membership(node):
        yield node, value, used
        return
    for part in list(node.walk(prune=lambda below: isinstance(below, exp.Query) or _is_membership(below))):
        if isinstance(part, exp.Expression) and (isinstance(part, exp.Subquery) or _is_membership(part)):
            inner = rules.translate(part)
            yield part, inner, set(_ALIAS.findall(inner.sql))


def _is_membership(node: exp.Expr) -> bool:
    """What compares with the rows of a query, and is true or false as a whole."""
    if isinstance(node, exp.Exists):
        return True
    if isinstance(node, exp.In):
        return node.args.get("query") is not None
    return any(isinstance(side, (exp.Any, exp.All)) for side in (node.args.get("this"), node.args.get("expression")))


def _stands_alone(sql: str) -> bool:
    return "LATERAL" not in sql or set(_ALIAS.findall(sql)) <= set(_DEFINED.findall(sql))


def _predicates(node: exp.Expression) -> Iterator[exp.Expression]:
    """The smallest conditions that contain queries."""
    if isinstance(node, (exp.And, exp.Or)):
        yield from _predicates(node.this)
        yield from _predicates(node.expression)
    elif isinstance(node, (exp.Not, exp.Paren)):
        yield from _predicates(node.this)
    elif node.find(exp.Query) is not None:
        yield node


def _name(join: str, side: int, number: int) -> str:
    """A name of its own for each, which no query can write."""
    return f"\x00{join}_{side}_{number}"


def _aliases(side: Relation) -> set[str]:
    return {alias for field in side.fields for alias in _ALIAS.findall(field.value.sql)}


def _beside(side: Relation, values: Sequence[Expr], context: Context, names: Sequence[str]) -> Relation:
    """A side with values as columns that only the join's condition names."""
    if not values:
        return side
    alias = context.relation_name()
    written, fields = [], []
    for i, field in enumerate(side.fields):
        written.append(f"{field.value.sql} AS c{i}")
        zoned = field.value.zoned
        if zoned is not None:
            written.append(f"{zoned.instant} AS i{i}, {zoned.zone} AS z{i}")
            zoned = Zoned(f"{alias}.i{i}", f"{alias}.z{i}")
        value = Expr(f"{alias}.c{i}", field.value.type, zoned=zoned)
        fields.append(replace(field, value=value, raw=""))
    for i, (name, value) in enumerate(zip(names, values, strict=True)):
        written.append(f"{value.sql} AS s{i}")
        fields.append(Field(name, Expr(f"{alias}.s{i}", value.type), hidden=True))
    return Relation(f"(SELECT {', '.join(written)} FROM {side.sql}) AS {alias}", tuple(fields))

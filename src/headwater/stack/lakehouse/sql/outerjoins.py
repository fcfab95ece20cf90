"""Sub-queries in the ON of an outer join: DuckDB runs few of them there, so each is computed beside its own side."""

# ruff: noqa: S608 - writing SQL is what this module is for; values and names in it are quoted or fixed
from __future__ import annotations

import re
from collections.abc import Iterator
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
    found = [(node, rules.typed(node, t.BOOLEAN, _WHAT).sql) for node in _predicates(sides.condition)]
    if not found or not all(_stands_alone(side.sql) for side in (sides.left, sides.right)):
        return sides
    condition = sides.condition.copy()
    nodes = list(_predicates(condition))
    computed: tuple[list[str], list[str]] = ([], [])
    aliases = [_aliases(side) for side in (sides.left, sides.right)]
    for node, (_, sql) in zip(nodes, found, strict=True):
        used = set(_ALIAS.findall(sql))
        if used & aliases[0] and used & aliases[1]:
            return sides
        side = 1 if used & aliases[1] else 0
        column = exp.column(exp.to_identifier(_name(side, len(computed[side])), quoted=True))
        condition = column if node is condition else condition
        node.replace(column)
        computed[side].append(sql)
    left = _beside(sides.left, computed[0], 0, rules.context)
    return Sides(left, _beside(sides.right, computed[1], 1, rules.context), condition)


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


def _name(side: int, number: int) -> str:
    return f"\x00condition{side}_{number}"  # which no query can write


def _aliases(side: Relation) -> set[str]:
    return {alias for field in side.fields for alias in _ALIAS.findall(field.value.sql)}


def _beside(side: Relation, conditions: list[str], number: int, context: Context) -> Relation:
    """A side with the values of conditions as columns that only the join's condition names."""
    if not conditions:
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
    for i, sql in enumerate(conditions):
        written.append(f"{sql} AS s{i}")
        fields.append(Field(_name(number, i), Expr(f"{alias}.s{i}", t.BOOLEAN), hidden=True))
    return Relation(f"(SELECT {', '.join(written)} FROM {side.sql}) AS {alias}", tuple(fields))

"""Conditions that leave bucket columns only some values, so that the files of other buckets need not be opened."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import prod

from sqlglot import exp

from headwater.stack.lakehouse.hive.buckets import Bucketing, bucket_of, hash_of
from headwater.stack.lakehouse.sql import types as t

Pins = dict[str, frozenset[int]]
"""For each bucket column the hashes that its values can have."""

_MOST = 1_000
_LIMITS = {"tinyint": 2**7, "smallint": 2**15, "integer": 2**31, "bigint": 2**63}


def pinned(node: exp.Expression, kind: t.Type) -> frozenset[int] | None:
    """The hashes of the values that a condition on one column admits, if it names them one by one."""
    if isinstance(node, exp.EQ):
        values: Sequence[exp.Expression] = [node.expression if isinstance(node.this, exp.Column) else node.this]
        column = node.this if isinstance(node.this, exp.Column) else node.expression
    elif isinstance(node, exp.In) and not node.args.get("query"):
        values, column = node.expressions, node.this
    else:
        return None
    if not isinstance(column, exp.Column):
        return None
    found = [_literal(value, kind) for value in values]
    known = [value for value in found if value is not None]
    return frozenset(hash_of(value, kind.name) for value in known) if len(known) == len(found) else None


def buckets(bucketing: Bucketing, pins: Pins) -> frozenset[int] | None:
    """The buckets that can hold rows; ``None`` means any."""
    if not all(column in pins for column in bucketing.columns):
        return None
    choices = [pins[column] for column in bucketing.columns]
    if prod(map(len, choices)) > _MOST:
        return None
    return frozenset(bucket_of(hashes, bucketing.count) for hashes in product(*choices))


def _literal(node: exp.Expression, kind: t.Type) -> bool | int | str | None:
    """A literal as a value of the column's type; ``None`` for what writers do not agree on the hash of."""
    if isinstance(node, exp.Boolean):
        return bool(node.this) if kind == t.BOOLEAN else None
    negative = isinstance(node, exp.Neg)
    literal = node.this if negative else node
    if not isinstance(literal, exp.Literal):
        return None
    if literal.is_string:
        return literal.name if kind == t.VARCHAR and not negative and literal.name.isascii() else None
    if kind.name not in _LIMITS or not literal.name.isdigit():
        return None
    value = -int(literal.name) if negative else int(literal.name)
    fits = -_LIMITS[kind.name] <= value < _LIMITS[kind.name] and (value >= 0 or kind == t.BIGINT)
    return value if fits else None

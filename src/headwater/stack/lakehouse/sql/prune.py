"""Pruning, first half: the conditions in WHERE and ON that speak only of a scan's partition keys or a bucket column."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from headwater.stack.lakehouse.model import KeyFilter
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.context import Scan
from headwater.stack.lakehouse.sql.expression import Expr, quote_name
from headwater.stack.lakehouse.sql.pins import pinned
from headwater.stack.lakehouse.sql.predicates import KeyPredicate
from headwater.stack.lakehouse.sql.scope import Field, KeyOrigin, Scope

if TYPE_CHECKING:
    from headwater.stack.lakehouse.sql.select import Queries

VOLATILE = ("random", "rand", "uuid", "shuffle")


def note_conditions(condition: exp.Expression, scope: Scope, queries: Queries, prunable: Iterable[Field]) -> None:
    """Add to each scan the conjuncts that its partition keys alone decide, and the values of its bucket columns.

    ``prunable`` are the fields whose scans may lose rows that fail the condition: all of FROM for WHERE, only the
    optional side for the ON of an outer join.
    """
    allowed = {origin for f in prunable for origin in f.origins}
    if not allowed:
        return
    for conjunct in conjuncts(condition):
        for number, keys in _scans(conjunct, scope, allowed):
            scan = queries.context.scans[number]
            if not all(key in scan.key_types for key in keys.values()):
                _pin(scan, conjunct, set(keys.values()))
                continue
            fields = tuple(_as_key(f, number, scan.key_types) for f in scope.fields)
            value = queries.expressions(Scope(fields)).translate(conjunct)
            scan.predicates.append(KeyPredicate(value.sql, tuple(_filters(conjunct, keys, scan.key_types))))


def _pin(scan: Scan, conjunct: exp.Expression, columns: set[str]) -> None:
    if len(columns) == 1 and (column := columns.pop()) in scan.bucket_types:
        hashes = pinned(conjunct, scan.bucket_types[column])
        if hashes is not None:
            scan.pin(column, hashes)


def conjuncts(node: exp.Expression) -> Iterator[exp.Expression]:
    """The conditions that all have to hold."""
    if isinstance(node, exp.Paren):
        yield from conjuncts(node.this)
    elif isinstance(node, exp.And):
        yield from conjuncts(node.this)
        yield from conjuncts(node.expression)
    else:
        yield node


def _scans(conjunct: exp.Expression, scope: Scope, allowed: set[KeyOrigin]) -> Iterator[tuple[int, dict[str, str]]]:
    """Each scan whose keys are all that the conjunct uses, with the key that each column name stands for."""
    origins: list[frozenset[KeyOrigin]] = []
    names: list[str] = []
    for node in conjunct.walk():
        if isinstance(node, exp.Query) or (isinstance(node, exp.Anonymous) and node.name.lower() in VOLATILE):
            return
        if isinstance(node, exp.Column):
            found = scope.find([part.name.lower() for part in node.parts], (1, 1))
            if found is None or found[1]:
                return
            origins.append(found[0].origins & allowed)
            names.append(".".join(part.name.lower() for part in node.parts))
    if not origins:
        return
    for number in set.intersection(*({scan for scan, _ in o} for o in origins)):
        keys = {name: key for name, o in zip(names, origins, strict=True) for scan, key in o if scan == number}
        yield number, keys


def _as_key(f: Field, number: int, kinds: dict[str, t.Type]) -> Field:
    for scan, key in f.origins:
        if scan == number and key in kinds:
            return replace(f, value=Expr(f"k.{quote_name(key)}", kinds[key]))
    return f


# --- what the catalog's index can answer ---------------------------------------------------------------------------

OPERATORS: dict[type[exp.Expression], str] = {exp.EQ: "=", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">="}
MIRRORED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


def _filters(node: exp.Expression, keys: dict[str, str], kinds: dict[str, t.Type]) -> Iterator[KeyFilter]:
    operator = OPERATORS.get(type(node))
    if operator is not None:
        left, right = node.this, node.expression
        if isinstance(right, exp.Column):
            left, right, operator = right, left, MIRRORED[operator]
        yield from _filter(left, operator, [right], keys, kinds)
    elif isinstance(node, exp.Between):
        yield from _filter(node.this, ">=", [node.args["low"]], keys, kinds)
        yield from _filter(node.this, "<=", [node.args["high"]], keys, kinds)
    elif isinstance(node, exp.In) and not node.args.get("query"):
        yield from _filter(node.this, "in", node.expressions, keys, kinds)
    elif isinstance(node, exp.Paren):
        yield from _filters(node.this, keys, kinds)
    elif isinstance(node, exp.Or):
        found = [list(_filters(side, keys, kinds)) for side in (node.this, node.expression)]
        if all(len(side) == 1 and side[0].op in ("=", "in") for side in found) and found[0][0].key == found[1][0].key:
            yield KeyFilter(found[0][0].key, "in", found[0][0].values + found[1][0].values)


def _filter(
    column: exp.Expression,
    operator: str,
    values: Sequence[exp.Expression],
    keys: dict[str, str],
    kinds: dict[str, t.Type],
) -> Iterator[KeyFilter]:
    if not isinstance(column, exp.Column):
        return
    key = keys[".".join(part.name.lower() for part in column.parts)]
    wants_text = t.is_text(kinds[key])
    if not wants_text and kinds[key].name not in t.INTEGERS:
        return
    texts = [_constant(value, text=wants_text) for value in values]
    known = tuple(text for text in texts if text is not None)
    if len(known) == len(texts):
        yield KeyFilter(key, operator, known)


def _constant(node: exp.Expression, *, text: bool) -> str | None:
    """A literal as the catalog keeps it: text, or a whole number."""
    if isinstance(node, exp.Neg) and not text:
        digits = _constant(node.this, text=False)
        return None if digits is None else f"-{digits}"
    if not isinstance(node, exp.Literal) or bool(node.is_string) != text:
        return None
    return node.name if text or node.name.isdigit() else None

"""GROUP BY, in all of its forms."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Protocol

from sqlglot import exp

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.sql.calls import Registry
from headwater.stack.lakehouse.sql.comparison import with_sorted_keys
from headwater.stack.lakehouse.sql.datazones import at_instant
from headwater.stack.lakehouse.sql.expression import Expr
from headwater.stack.lakehouse.sql.expressions import Expressions
from headwater.stack.lakehouse.sql.failures import SqlError
from headwater.stack.lakehouse.sql.placement import place_of, refuse_grouped, shown
from headwater.stack.lakehouse.sql.stars import is_star


class HasValue(Protocol):
    """A SELECT item, as GROUP BY 1 needs it."""

    @property
    def value(self) -> Expr:
        """Its translated expression."""
        ...


@dataclass(frozen=True)
class Grouping:
    """The clause's SQL and the expressions that may be used outside of aggregates; ``plain`` = one grouping set.

    ``queries`` are those that contain a query: each translation gives it other names, so the same tree tells it.
    """

    sql: str
    expressions: frozenset[str]
    plain: bool
    queries: tuple[tuple[exp.Expression, Expr], ...] = ()


# Written out, because a query may aggregate without an aggregate being left in its SQL: SELECT typeof(sum(x)).
ONE_GROUP = Grouping("()", frozenset(), False)


def group_by(tree: exp.Select, rules: Expressions, items: Callable[[], Sequence[HasValue]]) -> Grouping | None:
    """Translate GROUP BY. Ordinals mean SELECT items; aliases are not seen, as in Trino."""
    clause = tree.args.get("group")
    if clause is None:
        return None
    elements = [*clause.expressions]
    if clause.args.get("totals") or (clause.args.get("all") and not elements):
        raise Unsupported("GROUP BY ALL without expressions, and WITH TOTALS")
    for kind in ("grouping_sets", "cube", "rollup"):
        elements.extend(e for e in clause.args.get(kind) or [])
    found: list[str] = []
    _refuse_ordinal_aggregates(tree, elements, rules)
    if clause.args.get("all") is False:
        return _distinct_sets(elements, rules, items)
    parts = [_element(element, rules, items, found) for element in elements]
    plain = all(not isinstance(e, (exp.GroupingSets, exp.Cube, exp.Rollup)) for e in elements)
    return Grouping(", ".join(parts), frozenset(found), plain, tuple(_with_queries(tree, elements, rules, items)))


def _with_queries(
    tree: exp.Select, elements: Sequence[exp.Expression], rules: Expressions, items: Callable[[], Sequence[HasValue]]
) -> Iterator[tuple[exp.Expression, Expr]]:
    for element in elements:
        if isinstance(element, exp.Literal) and element.name.isdigit() and not any(map(is_star, tree.expressions)):
            chosen = tree.expressions[int(element.name) - 1].unalias()
            if chosen.find(exp.Query) is not None:
                yield chosen, items()[int(element.name) - 1].value
        elif element.find(exp.Query) is not None:
            yield element, rules.translate(element)


def _distinct_sets(
    elements: Sequence[exp.Expression], rules: Expressions, items: Callable[[], Sequence[HasValue]]
) -> Grouping:
    """``GROUP BY DISTINCT``: the sets that the elements make together, each once."""
    found: list[str] = []
    sets: list[list[str]] = [[]]
    for element in elements:
        choices = _sets_of(element, rules, items, found)
        sets = [[*chosen, *(e for e in choice if e not in chosen)] for chosen in sets for choice in choices]
    unique = {frozenset(chosen): chosen for chosen in reversed(sets)}
    written = ", ".join(f"({', '.join(chosen)})" for chosen in reversed(unique.values()))
    return Grouping(f"GROUPING SETS ({written})", frozenset(found), False)


def _sets_of(
    node: exp.Expression, rules: Expressions, items: Callable[[], Sequence[HasValue]], found: list[str]
) -> list[list[str]]:
    def columns(inner: exp.Expression) -> list[str]:
        parts = (
            inner.expressions
            if isinstance(inner, exp.Tuple)
            else [inner.this if isinstance(inner, exp.Paren) else inner]
        )
        return [_element(part, rules, items, found) for part in parts]

    if isinstance(node, exp.GroupingSets):
        return [choice for inner in node.expressions for choice in _sets_of(inner, rules, items, found)]
    if isinstance(node, (exp.Cube, exp.Rollup)):
        groups = [columns(inner) for inner in node.expressions]
        sizes = range(len(groups), -1, -1)
        chosen = (
            (groups[:size] for size in sizes)
            if isinstance(node, exp.Rollup)
            else (pick for size in sizes for pick in combinations(groups, size))
        )
        return [[column for group in pick for column in group] for pick in chosen]
    return [columns(node)]


def _element(
    node: exp.Expression, rules: Expressions, items: Callable[[], Sequence[HasValue]], found: list[str]
) -> str:
    if isinstance(node, (exp.GroupingSets, exp.Cube, exp.Rollup)):
        word = {"groupingsets": "GROUPING SETS"}.get(node.key, node.key.upper())
        return f"{word} ({', '.join(_set(e, rules, items, found) for e in node.expressions)})"
    if isinstance(node, exp.Tuple):
        return f"({', '.join(_element(e, rules, items, found) for e in node.expressions)})"
    if isinstance(node, exp.Literal) and not node.is_string and node.name.isdigit() and not _is_in_set(node):
        selected = items()
        index = int(node.name)
        if not 1 <= index <= len(selected):
            message = f"GROUP BY position {node.name} is not in select list"
            raise SqlError("INVALID_COLUMN_REFERENCE", message, rules.context.position(node))
        value = selected[index - 1].value
    else:
        _check_key(node, rules)
        value = rules.translate(node)
    found.append(value.sql)
    # Parentheses keep DuckDB from reading a constant as an ordinal.
    return f"({with_sorted_keys(at_instant(value).sql, value.type)})"


def _check_key(node: exp.Expression, rules: Expressions) -> None:
    refuse_grouped(node, "GROUP BY clause", rules.registry, rules.context)
    if _is_in_set(node) and not isinstance(node.unnest(), (exp.Column, exp.Dot)):
        message = f"GROUP BY expression must be a column reference: {shown(node)}"
        raise SqlError("INVALID_COLUMN_REFERENCE", message, place_of(node, rules.context))


def _is_in_set(node: exp.Expression) -> bool:
    found = node.find_ancestor(exp.GroupingSets, exp.Cube, exp.Rollup, exp.Select)
    return found is not None and not isinstance(found, exp.Select)


def _refuse_ordinal_aggregates(tree: exp.Select, elements: Sequence[exp.Expression], rules: Expressions) -> None:
    for element in elements:
        if isinstance(element, exp.Literal) and element.name.isdigit() and not any(map(is_star, tree.expressions)):
            chosen = tree.expressions[int(element.name) - 1 : int(element.name)]
            for node in chosen:
                refuse_grouped(node.unalias(), "GROUP BY clause", rules.registry, rules.context)


def _set(node: exp.Expression, rules: Expressions, items: Callable[[], Sequence[HasValue]], found: list[str]) -> str:
    if isinstance(node, exp.Tuple):
        return f"({', '.join(_element(e, rules, items, found) for e in node.expressions)})"
    if isinstance(node, exp.Paren):
        return f"({_element(node.this, rules, items, found)})"
    return _element(node, rules, items, found)


def is_aggregated(tree: exp.Select, registry: Registry) -> bool:
    """Whether the SELECT or HAVING of this query (not of a query inside) calls an aggregate function."""
    if tree.args.get("having") is not None:
        return True
    ordering = tree.args["order"].expressions if tree.args.get("order") else []
    return any(_calls_aggregate(item, registry) for item in (*tree.expressions, *ordering))


def _calls_aggregate(node: exp.Expression, registry: Registry) -> bool:
    if isinstance(node, (exp.Select, exp.SetOperation)):
        return False
    if isinstance(node, exp.Window):
        inner = node.this.this if isinstance(node.this, (exp.IgnoreNulls, exp.RespectNulls, exp.Filter)) else node.this
        children = [*inner.iter_expressions(), *(e for k in ("partition_by",) for e in node.args.get(k) or [])]
        children.extend(node.args["order"].iter_expressions() if node.args.get("order") else [])
        return any(_calls_aggregate(child, registry) for child in children)
    if isinstance(node, exp.GroupConcat):
        return True
    if isinstance(node, exp.Anonymous):
        functions = registry.get(node.name.lower())
        if functions and functions[0].kind == "aggregate":
            return True
    return any(_calls_aggregate(child, registry) for child in node.iter_expressions())

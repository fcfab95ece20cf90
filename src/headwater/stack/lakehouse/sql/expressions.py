"""Expressions: each kind of node has one rule here; a node without a rule is refused, never passed through."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from sqlglot import exp

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.calls import Clauses, Registry, Request, call
from headwater.stack.lakehouse.sql.coerce import coerce
from headwater.stack.lakehouse.sql.comparison import with_no_null_inside, with_sorted_keys
from headwater.stack.lakehouse.sql.context import Context
from headwater.stack.lakehouse.sql.datazones import at_instant, of_group
from headwater.stack.lakehouse.sql.expression import Expr
from headwater.stack.lakehouse.sql.failures import SqlError, check_size
from headwater.stack.lakehouse.sql.functions.model import Variables
from headwater.stack.lakehouse.sql.known import gathered
from headwater.stack.lakehouse.sql.parts import check_parts
from headwater.stack.lakehouse.sql.placement import refuse_grouped, refuse_nested
from headwater.stack.lakehouse.sql.query import Query
from headwater.stack.lakehouse.sql.scope import Scope

_DEEPEST = 12


class Subqueries(Protocol):
    """The query translator, as expressions see it."""

    def query(self, tree: exp.Expression, outer: Scope | None = None) -> Query:
        """Translate any query. The outer scope is visible to it."""
        ...


@dataclass(frozen=True)
class Known:
    """The value of a node in one place, with what its key names: that must not be thrown away and made again."""

    node: exp.Expression
    scope: Scope
    value: Expr


@dataclass(frozen=True)
class Expressions:
    """Translates expressions in one scope.

    ``grouped`` is the SQL of the GROUP BY expressions when the query aggregates: outside of aggregates nothing else may
    be used; ``grouped_queries`` are those that contain queries, with their values. ``lambda_depth`` numbers lambda
    variables by depth, so that equal text gives equal SQL. ``known`` are the nodes that are translated: rules look at a
    node more than once, and at each level that would double the work.
    """

    context: Context
    registry: Registry
    subqueries: Subqueries
    rules: Mapping[type[exp.Expression], Rule]
    scope: Scope
    grouped: frozenset[str] | None = None
    grouped_queries: tuple[tuple[exp.Expression, Expr], ...] = ()
    lambda_depth: int = 0
    known: dict[tuple[int, int, frozenset[str] | None, int], Known] = field(default_factory=dict, compare=False)

    def translate(self, node: exp.Expression) -> Expr:
        """The typed DuckDB expression. Raises ``SqlError`` and ``Unsupported``."""
        key = (id(node), id(self.scope), self.grouped, self.lambda_depth)
        known = self.known.get(key)
        if known is not None:
            return known.value
        value = self._ungrouped(node) if self.grouped is not None else None
        if value is None:
            rule = self.rules.get(type(node))
            if rule is None:
                raise Unsupported(f"{type(node).key.upper()} ({node.sql(dialect='trino')})")
            check_parts(node)
            value = rule(self, node)
        check_size(value.sql)
        self.known[key] = Known(node, self.scope, value)
        return value

    def _ungrouped(self, node: exp.Expression) -> Expr | None:
        """What is grouped by as a whole, or the same in each row."""
        for grouped, value in self.grouped_queries:
            if grouped == node:
                return replace(value, sql=with_sorted_keys(value.sql, value.type))
        if isinstance(node, (exp.Literal, exp.Star)) or self.needs_groups(node):
            return None
        value = replace(self, grouped=None).translate(node)
        if value.sql in (self.grouped or ()) or value.constant:
            return of_group(replace(value, sql=with_sorted_keys(value.sql, value.type)))
        return None

    def subquery(self, tree: exp.Expression) -> Query:
        """A query inside of this expression."""
        return self.subqueries.query(tree, replace(self.scope, grouped=self.grouped))

    def typed(self, node: exp.Expression, kind: t.Type, what: str) -> Expr:
        """An expression that must have a type."""
        value = self.translate(node)
        if value.type != kind and value.type.name != "unknown":
            raise SqlError(
                "TYPE_MISMATCH",
                f"{what} must evaluate to a {kind}: actual type {value.type}",
                self.context.position(node),
            )
        return coerce(value, kind)

    def call(
        self, name: str, arguments: Sequence[exp.Expression | Expr], node: exp.Expression, clauses: Clauses
    ) -> Expr:
        """A call of a registered function."""
        functions = self.registry.get(name)
        inside = self
        if functions and functions[0].kind == "aggregate" and not clauses.over.startswith(" OVER"):
            trees = [argument for argument in arguments if not isinstance(argument, Expr)]
            refuse_nested(name, trees, self.registry, self.context.position(node))
            self.refuse_outputs(node)
            inside = replace(self, grouped=None)
        values = tuple(a if isinstance(a, (exp.Lambda, Expr)) else inside.translate(a) for a in arguments)
        request = Request(name, values, self.context.position(node), self.context.now, clauses)
        return call(self.registry, request, inside.compile_lambda)

    def refuse_outputs(self, call: exp.Expression) -> None:
        """In ORDER BY, an aggregate is computed before there are output columns."""
        for column in call.find_all(exp.Column) if self.scope.behind else ():
            parts = [part.name.lower() for part in column.parts]
            found = replace(self.scope, behind=()).find(parts, self.context.position(column))
            if found is not None and parts[0] not in self.scope.variables:
                message = "Invalid reference to output projection attribute from ORDER BY aggregation"
                raise SqlError("COLUMN_NOT_FOUND", message, self.context.position(column))

    def compile_lambda(self, node: exp.Lambda, kinds: Sequence[t.Type], written: Variables) -> tuple[str, Expr]:
        """``x -> body``: the variables' text and the body. ``written`` says how the variables look, if not plainly."""
        refuse_grouped(node.this, "Lambda expression", self.registry, self.context)
        inner_query = node.this.find(exp.Query)
        if inner_query is not None:
            place = self.context.position(inner_query)
            raise SqlError("NOT_SUPPORTED", "Lambda expression cannot contain subqueries", place)
        if self.needs_groups(node.this) and node.this.find(exp.Query) is None:
            message = "Lambda expression cannot contain aggregations, window functions or grouping operations"
            raise SqlError("EXPRESSION_NOT_SCALAR", message, self.context.position(node))
        if self.lambda_depth > _DEEPEST:
            raise Unsupported(f"lambda expressions that are nested more than {_DEEPEST} deep")
        names = [variable.name.lower() for variable in node.expressions]
        depth = str(self.lambda_depth)
        pairs = written or tuple((f"v#_{i}", f"v#_{i}") for i in range(len(names)))
        values = [Expr(value.replace("#", depth), kind) for (_, value), kind in zip(pairs, kinds, strict=True)]
        inner = replace(
            self,
            scope=self.scope.with_variables(dict(zip(names, values, strict=True))),
            lambda_depth=self.lambda_depth + 1,
        )
        return ", ".join(variable.replace("#", depth) for variable, _ in pairs if variable), inner.translate(node.this)

    def needs_groups(self, node: exp.Expression) -> bool:
        """Whether aggregates or queries are in it: these have no meaning from before the rows are grouped."""

        def needs(found: exp.Expression, below: Sequence[bool]) -> bool:
            if isinstance(found, (exp.Window, exp.GroupConcat, exp.Query)) or any(below):
                return True
            if not isinstance(found, exp.Anonymous):
                return False
            functions = self.registry.get(found.name.lower())
            return found.name.lower() == "grouping" or bool(functions and functions[0].kind != "scalar")

        return gathered(node, "groups", needs)

    def ordering(self, node: exp.Ordered, clause: str) -> str:
        """``expression [ASC|DESC] NULLS LAST``: Trino puts NULLs last in both directions."""
        return f"{self.sort_key(self.translate(node.this), node, clause)}{direction(node)}"

    def sort_key(self, value: Expr, node: exp.Ordered, clause: str) -> str:
        """The SQL of a value to sort by, which must have an order."""
        if not t.is_orderable(value.type):
            message = f"{value.type} is not orderable, and therefore cannot be used in {clause}"
            raise SqlError("TYPE_MISMATCH", message, self.context.position(node))
        return with_no_null_inside(at_instant(value).sql, value.type)


def direction(node: exp.Ordered) -> str:
    """The direction and the place of NULLs of one ORDER BY item, always written out."""
    check_parts(node)
    nulls = "FIRST" if node.args.get("nulls_first") else "LAST"
    return f" {'DESC' if node.args.get('desc') else 'ASC'} NULLS {nulls}"


Rule = Callable[[Expressions, exp.Expression], Expr]

"""Queries inside of expressions: as a value, in EXISTS, in IN, and behind ANY and ALL."""

# ruff: noqa: S608 - writing SQL is what this module is for; values and names in it are quoted or fixed
from __future__ import annotations

from sqlglot import exp

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.comparison import equal_values, together, with_sorted_keys
from headwater.stack.lakehouse.sql.expression import Expr
from headwater.stack.lakehouse.sql.expressions import Expressions
from headwater.stack.lakehouse.sql.failures import SqlError
from headwater.stack.lakehouse.sql.query import Query

# sqlglot reads these before VALUES as calls.
_QUANTIFIERS = {"ALL": "ALL", "ANY": "ANY", "SOME": "ANY"}


def scalar_subquery_rule(self: Expressions, node: exp.Expression) -> Expr:
    """A query of several columns is a row of them."""
    query = self.subquery(node)
    if len(query.columns) == 1:
        only = f"SELECT c0 FROM ({query.sql})" if query.columns[0].zoned else query.sql
        return Expr(f"({only})", query.columns[0].type)
    packed = ", ".join(f"f{i} := x.c{i}" for i in range(len(query.columns)))
    return Expr(f"(SELECT struct_pack({packed}) FROM ({query.sql}) AS x)", _row_type(query))


def _row_type(query: Query) -> t.Type:
    return t.row_of(*((column.name and column.name.lower(), column.type) for column in query.columns))


def exists_rule(self: Expressions, node: exp.Expression) -> Expr:
    return Expr(f"EXISTS ({self.subquery(node.this).sql})", t.BOOLEAN)


def quantified(right: exp.Expression) -> tuple[str, exp.Expression | None]:
    """``ALL`` or ``ANY`` and its query, if the right side of a comparison is such a thing."""
    if isinstance(right, (exp.Any, exp.All)):
        return right.key.upper(), right.this
    if isinstance(right, exp.Anonymous) and right.name.upper() in _QUANTIFIERS and len(right.expressions) == 1:
        return _QUANTIFIERS[right.name.upper()], right.expressions[0]
    return "", None


def compare_with_all(
    self: Expressions, node: exp.Expression, inner: exp.Expression, operator: str, quantifier: str
) -> Expr:
    """``value = ANY (query)``."""
    if isinstance(inner, exp.Paren):
        inner = inner.this
    if not isinstance(inner, (exp.Subquery, exp.Select, exp.SetOperation, exp.Values)):
        raise Unsupported(f"{quantifier} without a subquery")
    query, left = self.subquery(inner), self.translate(node.this)
    kinds = [column.type for column in query.columns]
    pair = together([left, Expr("x.c0", kinds[0])]) if len(kinds) == 1 else None
    if pair is None:
        message = f"Cannot apply operator: {left.type} {operator} {', '.join(map(str, kinds))}"
        raise SqlError("TYPE_MISMATCH", message, self.context.position(node))
    one, other = (with_sorted_keys(side.sql, side.type) for side in pair)
    return Expr(f"({one} {operator} {quantifier} (SELECT {other} FROM ({query.sql}) AS x))", t.BOOLEAN)


def within_query(self: Expressions, node: exp.Expression, value: Expr, tree: exp.Expression) -> Expr:
    """``value IN (query)``: a row is compared with all columns of the query, any other value with its only one."""
    query = self.subquery(tree)
    found = [Expr(f"x.c{i}", column.type) for i, column in enumerate(query.columns)]
    given = _fields(value) if value.type.name == "row" else [value]
    pairs = [together([a, b]) for a, b in zip(given, found, strict=False)]
    merged = [pair for pair in pairs if pair is not None]
    if len(given) != len(found) or len(merged) != len(found):
        wanted = value.type if value.type.name == "row" else t.row_of((None, value.type))
        message = f"Value expression and result of subquery must be of the same type: {wanted} vs {_row_type(query)}"
        raise SqlError("TYPE_MISMATCH", message, self.context.after(node.this, r"\bIN\b"))
    if len(found) == 1:
        one, other = (with_sorted_keys(side.sql, side.type) for side in merged[0])
        return Expr(f"({one} IN (SELECT {other} FROM ({query.sql}) AS x))", t.BOOLEAN)
    if _decides(node):
        sides = [[with_sorted_keys(side.sql, side.type) for side in pair] for pair in merged]
        left, right = (", ".join(pair[side] for pair in sides) for side in (0, 1))
        return Expr(f"(({left}) IN (SELECT {right} FROM ({query.sql}) AS x))", t.BOOLEAN)
    # DuckDB says NULL of (1, NULL) IN (2, 2), as if the NULL could make the rows equal.
    equal = " AND ".join(equal_values(a.sql, b.sql, a.type) for a, b in merged)
    outcome = "CASE WHEN bool_or(x.e) THEN true WHEN bool_or(x.e IS NULL) THEN NULL ELSE false END"
    return Expr(f"(SELECT {outcome} FROM (SELECT {equal} AS e FROM ({query.sql}) AS x) AS x)", t.BOOLEAN)


def _fields(value: Expr) -> list[Expr]:
    return [Expr(f"struct_extract({value.sql}, 'f{i}')", kind) for i, kind in enumerate(value.type.items)]


def _decides(node: exp.Expression) -> bool:
    """Whether the condition is one that rows must fulfil: there NULL means the same as false."""
    parent = node.parent
    while isinstance(parent, (exp.And, exp.Paren)):
        parent = parent.parent
    return isinstance(parent, (exp.Where, exp.Having))

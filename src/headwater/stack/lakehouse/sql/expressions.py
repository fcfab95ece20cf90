"""Expressions: each kind of node has one rule here; a node without a rule is refused, never passed through."""

# ruff: noqa: S608 - writing SQL is what this module is for; values and names in it are quoted or fixed
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from sqlglot import exp

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.arithmetic import arithmetic
from headwater.stack.lakehouse.sql.calls import Clauses, Registry, Request, call
from headwater.stack.lakehouse.sql.casts import cast
from headwater.stack.lakehouse.sql.coerce import coerce
from headwater.stack.lakehouse.sql.comparison import comparison, one_of, together
from headwater.stack.lakehouse.sql.context import Context
from headwater.stack.lakehouse.sql.declared import type_of
from headwater.stack.lakehouse.sql.expression import Expr, quote_text
from headwater.stack.lakehouse.sql.failures import SqlError
from headwater.stack.lakehouse.sql.functions.model import Variables
from headwater.stack.lakehouse.sql.literals import interval, number
from headwater.stack.lakehouse.sql.scope import Scope, row_field
from headwater.stack.lakehouse.sql.windows import window_frame


class Subqueries(Protocol):
    """The query translator, as expressions see it."""

    def subquery(self, tree: exp.Expression, scope: Scope) -> tuple[str, tuple[t.Type, ...]]:
        """A query inside an expression: its SQL and its column types. The scope is visible to it."""
        ...


@dataclass(frozen=True)
class Expressions:
    """Translates expressions in one scope.

    ``grouped`` is the SQL of the GROUP BY expressions when the query aggregates: outside of aggregates nothing else may
    be used. ``lambda_depth`` numbers lambda variables by depth, so that equal text gives equal SQL.
    """

    context: Context
    registry: Registry
    subqueries: Subqueries
    scope: Scope
    grouped: frozenset[str] | None = None
    lambda_depth: int = 0

    def translate(self, node: exp.Expression) -> Expr:
        """The typed DuckDB expression. Raises ``SqlError`` and ``Unsupported``."""
        if self.grouped is not None:
            free = replace(self, grouped=None)
            if not isinstance(node, (exp.Literal, exp.Star)) and not _has_aggregate(node, self.registry):
                value = free.translate(node)
                if value.sql in self.grouped or value.constant:
                    return value
        rule = _RULES.get(type(node))
        if rule is None:
            raise Unsupported(f"{type(node).key.upper()} ({node.sql(dialect='trino')})")
        return rule(self, node)

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

    def call(self, name: str, arguments: Sequence[exp.Expression], node: exp.Expression, clauses: Clauses) -> Expr:
        """A call of a registered function."""
        functions = self.registry.get(name)
        inside = self
        if functions and functions[0].kind == "aggregate" and not clauses.over.startswith(" OVER"):
            inside = replace(self, grouped=None)
        values = tuple(a if isinstance(a, exp.Lambda) else inside.translate(a) for a in arguments)
        request = Request(name, values, self.context.position(node), self.context.now, clauses)
        return call(self.registry, request, inside.compile_lambda)

    def compile_lambda(self, node: exp.Lambda, kinds: Sequence[t.Type], written: Variables) -> tuple[str, Expr]:
        """``x -> body``: the variables' text and the body. ``written`` says how the variables look, if not plainly."""
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

    def ordering(self, node: exp.Ordered) -> str:
        """``expression [ASC|DESC] NULLS LAST``: Trino puts NULLs last in both directions."""
        return f"{self.translate(node.this).sql}{direction(node)}"


def direction(node: exp.Ordered) -> str:
    """The direction and the place of NULLs of one ORDER BY item, always written out."""
    nulls = "FIRST" if node.args.get("nulls_first") else "LAST"
    return f" {'DESC' if node.args.get('desc') else 'ASC'} NULLS {nulls}"


def _has_aggregate(node: exp.Expression, registry: Registry) -> bool:
    for found in node.walk(prune=lambda n: isinstance(n, exp.Query)):
        if isinstance(found, (exp.Window, exp.GroupConcat)):
            return True
        if isinstance(found, exp.Anonymous):
            functions = registry.get(found.name.lower())
            if found.name.lower() == "grouping" or (functions and functions[0].kind != "scalar"):
                return True
    return False


# --- names and literals ------------------------------------------------------------------------------------------


def _column(self: Expressions, node: exp.Expression) -> Expr:
    parts = [part.name.lower() for part in node.parts] if isinstance(node, exp.Column) else [node.name.lower()]
    position = self.context.position(node)
    value, rest = self.scope.resolve(parts, position)
    for name in rest:
        inner = row_field(value, name)
        if inner is None:
            raise SqlError("COLUMN_NOT_FOUND", f"Column '{'.'.join(parts)}' cannot be resolved", position)
        value = inner
    if self.grouped is not None and parts[0] not in self.scope.variables and value.sql not in self.grouped:
        name = ".".join(parts)
        message = f"'{name}' must be an aggregate expression or appear in GROUP BY clause"
        raise SqlError("EXPRESSION_NOT_AGGREGATE", message, position)
    return value


def _dot(self: Expressions, node: exp.Expression) -> Expr:
    value = self.translate(node.this)
    inner = row_field(value, node.expression.name.lower())
    if inner is None:
        name = node.expression.name
        raise SqlError("COLUMN_NOT_FOUND", f"Column '{name}' cannot be resolved", self.context.position(node))
    return inner


def _literal(self: Expressions, node: exp.Expression) -> Expr:
    if node.args.get("is_string"):
        text = node.name
        return Expr(quote_text(text), t.varchar(len(text)), literal=text, constant=True)
    return number(node.name, self.context.position(node))


def _parameter(self: Expressions, node: exp.Expression) -> Expr:
    """Parameters are put into the text before it is parsed, so one that is left has no value."""
    message = "Incorrect number of parameters: a value is missing"
    raise SqlError("INVALID_PARAMETER_USAGE", message, self.context.position(node))


def _now(self: Expressions, node: exp.Expression) -> Expr:
    """Trino reads the clock once for each query."""
    moment = self.context.now
    stamp = quote_text(moment.strftime("%Y-%m-%d %H:%M:%S.") + f"{moment.microsecond // 1000:03d}")
    if isinstance(node, exp.CurrentDate):
        return Expr(f"CAST({stamp} AS DATE)", t.DATE, constant=True)
    if isinstance(node, exp.Localtimestamp):
        return Expr(f"CAST({stamp} AS TIMESTAMP)", t.TIMESTAMP, constant=True)
    if isinstance(node, exp.CurrentTimestamp):
        return Expr(f"CAST({stamp} AS TIMESTAMP)", t.TIMESTAMPTZ, constant=True)
    return Expr(f"CAST(CAST({stamp} AS TIMESTAMP) AS TIME)", t.TIME, constant=True)


# --- logic and comparison ------------------------------------------------------------------------------------------


def _and_or(self: Expressions, node: exp.Expression) -> Expr:
    word = "AND" if isinstance(node, exp.And) else "OR"
    # Flat, because a chain of a thousand ORs must not be a thousand calls deep.
    terms: list[exp.Expression] = list(node.flatten(unnest=False))  # type: ignore[arg-type]  # trees are Expressions
    parts = [self.typed(term, t.BOOLEAN, "Logical expression term").sql for term in terms]
    return Expr(f"({f' {word} '.join(parts)})", t.BOOLEAN)


def _not(self: Expressions, node: exp.Expression) -> Expr:
    return Expr(f"(NOT {self.typed(node.this, t.BOOLEAN, 'Value of logical NOT expression').sql})", t.BOOLEAN)


_COMPARISONS: Mapping[type[exp.Expression], str] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
    exp.NullSafeEQ: "IS NOT DISTINCT FROM",
    exp.NullSafeNEQ: "IS DISTINCT FROM",
}


def _compare(self: Expressions, node: exp.Expression) -> Expr:
    operator = _COMPARISONS[type(node)]
    right = node.expression
    if isinstance(right, (exp.Any, exp.All)):
        return _quantified(self, node, operator)
    return comparison(operator, self.translate(node.this), self.translate(right), self.context.position(node))


def _quantified(self: Expressions, node: exp.Expression, operator: str) -> Expr:
    inner: exp.Expression = node.expression.this
    if not isinstance(inner, (exp.Subquery, exp.Select, exp.SetOperation)):
        raise Unsupported(f"{node.expression.key.upper()} without a subquery")
    sql, kinds = self.subqueries.subquery(inner, self.scope)
    left = self.translate(node.this)
    if len(kinds) != 1 or left.type.name != kinds[0].name:
        raise Unsupported("a quantified comparison whose two sides have different types")
    return Expr(f"({left.sql} {operator} {node.expression.key.upper()} ({sql}))", t.BOOLEAN)


def _between(self: Expressions, node: exp.Expression) -> Expr:
    if node.args.get("symmetric"):
        raise Unsupported("BETWEEN SYMMETRIC")
    values = together([self.translate(node.args[key]) for key in ("this", "low", "high")])
    if values is None:
        message = "Cannot check if the value is BETWEEN: the types differ"
        raise SqlError("TYPE_MISMATCH", message, self.context.position(node))
    value, low, high = values
    return Expr(f"({value.sql} BETWEEN {low.sql} AND {high.sql})", t.BOOLEAN)


def _in(self: Expressions, node: exp.Expression) -> Expr:
    value = self.translate(node.this)
    query = node.args.get("query")
    if query is None:
        return one_of(value, [self.translate(item) for item in node.expressions], self.context.position(node))
    sql, kinds = self.subqueries.subquery(query, self.scope)
    if len(kinds) != 1:
        message = f"Multiple columns returned by subquery are not yet supported. Found {len(kinds)}"
        raise SqlError("NOT_SUPPORTED", message, self.context.position(node))
    pair = together([value, Expr("x.c0", kinds[0])])
    if pair is None:
        message = f"value and result of subquery must be of the same type for IN expression: {value.type} vs {kinds[0]}"
        raise SqlError("TYPE_MISMATCH", message, self.context.position(node))
    return Expr(f"({pair[0].sql} IN (SELECT {pair[1].sql} FROM ({sql}) AS x))", t.BOOLEAN)


def _is(self: Expressions, node: exp.Expression) -> Expr:
    if not isinstance(node.expression, exp.Null):
        raise SqlError("SYNTAX_ERROR", "IS takes NULL", self.context.position(node))
    return Expr(f"({self.translate(node.this).sql} IS NULL)", t.BOOLEAN)


def _like(self: Expressions, node: exp.Expression) -> Expr:
    """Trino's LIKE has no escape character unless one is given; DuckDB's neither."""
    escape = ""
    if isinstance(node, exp.Escape):
        character = self.translate(node.expression)
        if not isinstance(character.literal, str) or len(character.literal) != 1:
            message = "Escape string must be a single character"
            raise SqlError("INVALID_FUNCTION_ARGUMENT", message, self.context.position(node))
        escape, node = f" ESCAPE {character.sql}", node.this
    value, pattern = self.translate(node.this), self.translate(node.expression)
    for side, label in ((value, "Left side"), (pattern, "Pattern")):
        if not t.is_text(side.type) and side.type.name != "unknown":
            message = f"{label} of LIKE expression must evaluate to a varchar (actual: {side.type})"
            raise SqlError("TYPE_MISMATCH", message, self.context.position(node))
    return Expr(f"({value.sql} LIKE {pattern.sql}{escape})", t.BOOLEAN)


def _exists(self: Expressions, node: exp.Expression) -> Expr:
    sql, _ = self.subqueries.subquery(node.this, self.scope)
    return Expr(f"EXISTS ({sql})", t.BOOLEAN)


def _scalar_subquery(self: Expressions, node: exp.Expression) -> Expr:
    sql, kinds = self.subqueries.subquery(node, self.scope)
    if len(kinds) != 1:
        message = f"Multiple columns returned by subquery are not yet supported. Found {len(kinds)}"
        raise SqlError("NOT_SUPPORTED", message, self.context.position(node))
    return Expr(f"({sql})", kinds[0])


# --- conditionals --------------------------------------------------------------------------------------------------


def _case(self: Expressions, node: exp.Expression) -> Expr:
    operand = self.translate(node.this) if node.args.get("this") else None
    conditions: list[str] = []
    results: list[Expr] = []
    for branch in node.args["ifs"]:
        if operand is None:
            conditions.append(self.typed(branch.this, t.BOOLEAN, "CASE WHEN clause").sql)
        else:
            when = self.translate(branch.this)
            conditions.append(comparison("=", operand, when, self.context.position(branch)).sql)
        results.append(self.translate(branch.args["true"]))
    default = node.args.get("default")
    results.append(self.translate(default) if default is not None else Expr("NULL", t.UNKNOWN, constant=True))
    merged = together(results)
    if merged is None:
        kinds = ", ".join(str(r.type) for r in results)
        message = f"All CASE results must be the same type or coercible to a common type. Found: {kinds}"
        raise SqlError("TYPE_MISMATCH", message, self.context.position(node))
    whens = " ".join(f"WHEN {c} THEN {r.sql}" for c, r in zip(conditions, merged, strict=False))
    return Expr(f"CASE {whens} ELSE {merged[-1].sql} END", merged[-1].type)


def _if(self: Expressions, node: exp.Expression) -> Expr:
    default = node.args.get("false")
    branch = exp.If(this=node.this, true=node.args["true"])
    return _case(self, exp.Case(ifs=[branch], default=default))


# --- operators -----------------------------------------------------------------------------------------------------


_ARITHMETIC: Mapping[type[exp.Expression], str] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Mod: "%"}


def _arithmetic(self: Expressions, node: exp.Expression) -> Expr:
    left, right = self.translate(node.this), self.translate(node.expression)
    return arithmetic(_ARITHMETIC[type(node)], left, right, self.context.position(node))


def _negate(self: Expressions, node: exp.Expression) -> Expr:
    value = self.translate(node.this)
    if isinstance(node.this, exp.Literal) and not node.this.is_string:
        return number("-" + node.this.name, self.context.position(node))
    if not t.is_numeric(value.type) and not value.type.name.startswith("interval"):
        raise SqlError("TYPE_MISMATCH", f"Cannot negate {value.type}", self.context.position(node))
    return Expr(f"(-{value.sql})", value.type, constant=value.constant)


def _concat(self: Expressions, node: exp.Expression) -> Expr:
    left, right = self.translate(node.this), self.translate(node.expression)
    if "array" in (left.type.name, right.type.name):
        return self.call("concat", [node.this, node.expression], node, Clauses())
    for side in (left, right):
        if side.type.name not in ("varchar", "char", "varbinary", "unknown"):
            return self.call("concat", [node.this, node.expression], node, Clauses())
    kind = t.VARBINARY if "varbinary" in (left.type.name, right.type.name) else t.VARCHAR
    return Expr(
        f"({coerce(left, kind).sql} || {coerce(right, kind).sql})", kind, constant=left.constant and right.constant
    )


def _paren(self: Expressions, node: exp.Expression) -> Expr:
    return self.translate(node.this)


def _cast(self: Expressions, node: exp.Expression) -> Expr:
    if node.args.get("format"):
        raise Unsupported("CAST with FORMAT")
    target, position = type_of(node.args["to"]), self.context.position(node)
    return cast(self.translate(node.this), target, safe=isinstance(node, exp.TryCast), position=position)


def _interval(self: Expressions, node: exp.Expression) -> Expr:
    if not isinstance(node, exp.Interval):
        raise Unsupported(node.key)
    return interval(node, self.context.position(node))


def _at_time_zone(self: Expressions, node: exp.Expression) -> Expr:
    """A timestamp gets the session's zone (UTC) first; then the same instant is shown in the other zone."""
    value, zone = self.translate(node.this), self.translate(node.args["zone"])
    if value.type.name not in ("timestamp", "timestamptz"):
        message = f"Type of value must be a time or timestamp with or without time zone (actual {value.type})"
        raise SqlError("TYPE_MISMATCH", message, self.context.position(node))
    if not isinstance(zone.literal, str):
        raise Unsupported("AT TIME ZONE with a zone that is not a literal")
    return Expr(value.sql, t.Type("timestamptz", value.type.params, zone=zone.literal))


# --- calls ---------------------------------------------------------------------------------------------------------


def _anonymous(self: Expressions, node: exp.Expression) -> Expr:
    return _function(self, node, "")


def _function(self: Expressions, node: exp.Expression, over: str, nulls: str = "") -> Expr:
    name = node.name.lower()
    special = _SPECIAL.get(name)
    if special is not None:
        return special(self, node)
    arguments = list(node.expressions)
    distinct, order = "", ""
    if arguments and isinstance(arguments[0], exp.Distinct):
        distinct, arguments = "DISTINCT ", list(arguments[0].expressions)
    if arguments and isinstance(arguments[-1], exp.Order):
        items = arguments[-1]
        inner = replace(self, grouped=None)
        order = " ORDER BY " + ", ".join(inner.ordering(item) for item in items.expressions)
        arguments[-1] = items.this
        if isinstance(arguments[-1], exp.Distinct):
            distinct, arguments = "DISTINCT ", list(arguments[-1].expressions)
    if arguments and isinstance(arguments[0], exp.Star):
        arguments = []
    return self.call(name, arguments, node, Clauses(distinct, order + nulls, over))


def _filter(self: Expressions, node: exp.Expression) -> Expr:
    if not isinstance(node.this, exp.Anonymous):
        raise Unsupported(f"FILTER on {node.this.key.upper()}")
    inner = replace(self, grouped=None)
    condition = inner.typed(node.expression.this, t.BOOLEAN, "Filter expression")
    return _function(self, node.this, f" FILTER (WHERE {condition.sql})")


def _window(self: Expressions, node: exp.Expression) -> Expr:
    function, nulls, condition = node.this, "", ""
    if isinstance(function, (exp.IgnoreNulls, exp.RespectNulls)):
        nulls = " IGNORE NULLS" if isinstance(function, exp.IgnoreNulls) else ""
        function = function.this
    if isinstance(function, exp.Filter):
        inner = replace(self, grouped=None) if self.grouped is None else self
        condition = f" FILTER (WHERE {inner.typed(function.expression.this, t.BOOLEAN, 'Filter expression').sql})"
        function = function.this
    if not isinstance(function, exp.Anonymous) or node.args.get("alias"):
        raise Unsupported(f"the window {node.sql(dialect='trino')}")
    parts = []
    if node.args.get("partition_by"):
        parts.append("PARTITION BY " + ", ".join(self.translate(p).sql for p in node.args["partition_by"]))
    if node.args.get("order"):
        parts.append("ORDER BY " + ", ".join(self.ordering(o) for o in node.args["order"].expressions))
    parts.append(window_frame(node.args.get("spec"), self.translate))
    body = " ".join(part for part in parts if part)
    return _function(self, function, f"{condition} OVER ({body})", nulls)


def _bracket(self: Expressions, node: exp.Expression) -> Expr:
    return self.call("$subscript", [node.this, *node.expressions], node, Clauses())


def _array(self: Expressions, node: exp.Expression) -> Expr:
    values = together([self.translate(item) for item in node.expressions])
    if values is None:
        message = "All ARRAY elements must be the same type or coercible to a common type"
        raise SqlError("TYPE_MISMATCH", message, self.context.position(node))
    kind = t.array(values[0].type if values else t.UNKNOWN)
    constant = all(value.constant for value in values)
    return Expr(f"CAST([{', '.join(v.sql for v in values)}] AS {t.to_duckdb(kind)})", kind, constant=constant)


def _row(self: Expressions, node: exp.Expression) -> Expr:
    values = [self.translate(item) for item in node.expressions]
    packed = ", ".join(f"f{i} := {value.sql}" for i, value in enumerate(values))
    constant = all(value.constant for value in values)
    return Expr(f"struct_pack({packed})", t.row_of(*((None, v.type) for v in values)), constant=constant)


def _try(self: Expressions, node: exp.Expression) -> Expr:
    value = self.translate(node.expressions[0])
    return Expr(f"TRY({value.sql})", value.type)


def _coalesce(self: Expressions, node: exp.Expression) -> Expr:
    values = together([self.translate(item) for item in node.expressions])
    if values is None or len(values) < 2:
        message = "All COALESCE operands must be the same type or coercible to a common type"
        raise SqlError("TYPE_MISMATCH", message, self.context.position(node))
    return Expr(f"coalesce({', '.join(v.sql for v in values)})", values[0].type)


def _nullif(self: Expressions, node: exp.Expression) -> Expr:
    left, right = (self.translate(item) for item in node.expressions)
    equal = comparison("=", left, right, self.context.position(node))
    return Expr(f"CASE WHEN {equal.sql} THEN NULL ELSE {left.sql} END", left.type)


def _grouping(self: Expressions, node: exp.Expression) -> Expr:
    inner = replace(self, grouped=None)
    return Expr(f"CAST(grouping({', '.join(inner.translate(e).sql for e in node.expressions)}) AS INTEGER)", t.INTEGER)


def _named(name: str, *keys: str) -> Callable[[Expressions, exp.Expression], Expr]:
    """A node with its own syntax that means an ordinary function: ``SUBSTRING(x FROM 2)`` is ``substring(x, 2)``."""

    def rule(self: Expressions, node: exp.Expression) -> Expr:
        arguments = [node.args[key] for key in keys if node.args.get(key) is not None]
        return self.call(name, arguments, node, Clauses())

    return rule


def _extract(self: Expressions, node: exp.Expression) -> Expr:
    unit = node.this.name.lower()
    names = {"dow": "day_of_week", "doy": "day_of_year", "yow": "year_of_week"}
    return self.call(names.get(unit, unit), [node.expression], node, Clauses())


def _trim(self: Expressions, node: exp.Expression) -> Expr:
    name = {"LEADING": "ltrim", "TRAILING": "rtrim"}.get(str(node.args.get("position") or "").upper(), "trim")
    arguments = [node.this, *([node.expression] if node.expression else [])]
    return self.call(name, arguments, node, Clauses())


def _listagg(self: Expressions, node: exp.Expression) -> Expr:
    inner = replace(self, grouped=None)
    ordered = node.this
    order, value = "", ordered
    if isinstance(ordered, exp.Order):
        order, value = " ORDER BY " + ", ".join(inner.ordering(o) for o in ordered.expressions), ordered.this
    distinct = ""
    if isinstance(value, exp.Distinct):
        distinct, value = "DISTINCT ", value.expressions[0]
    separator = node.args.get("separator") or exp.Literal.string("")
    return self.call("listagg", [value, separator], node, Clauses(distinct, order))


Rule = Callable[[Expressions, exp.Expression], Expr]

_SPECIAL: Mapping[str, Rule] = {
    "row": _row,
    "try": _try,
    "coalesce": _coalesce,
    "nullif": _nullif,
    "grouping": _grouping,
}

_RULES: Mapping[type[exp.Expression], Rule] = {
    exp.Column: _column,
    exp.Identifier: _column,
    exp.Dot: _dot,
    exp.Literal: _literal,
    exp.Null: lambda _, __: Expr("NULL", t.UNKNOWN, constant=True),
    exp.Boolean: lambda _, node: Expr(str(bool(node.this)).lower(), t.BOOLEAN, bool(node.this), constant=True),
    exp.HexString: lambda _, node: Expr(f"unhex({quote_text(node.name)})", t.VARBINARY, constant=True),
    exp.Placeholder: _parameter,
    exp.CurrentDate: _now,
    exp.CurrentTimestamp: _now,
    exp.Localtimestamp: _now,
    exp.Localtime: _now,
    exp.And: _and_or,
    exp.Or: _and_or,
    exp.Not: _not,
    **dict.fromkeys(_COMPARISONS, _compare),
    exp.Between: _between,
    exp.In: _in,
    exp.Is: _is,
    exp.Like: _like,
    exp.Escape: _like,
    exp.Exists: _exists,
    exp.Subquery: _scalar_subquery,
    exp.Case: _case,
    exp.If: _if,
    **dict.fromkeys(_ARITHMETIC, _arithmetic),
    exp.Neg: _negate,
    exp.DPipe: _concat,
    exp.Paren: _paren,
    exp.Cast: _cast,
    exp.TryCast: _cast,
    exp.Interval: _interval,
    exp.AtTimeZone: _at_time_zone,
    exp.Anonymous: _anonymous,
    exp.Filter: _filter,
    exp.Window: _window,
    exp.Bracket: _bracket,
    exp.Array: _array,
    exp.Tuple: _row,
    exp.Substring: _named("substring", "this", "start", "length"),
    exp.StrPosition: _named("strpos", "this", "substr"),
    exp.Extract: _extract,
    exp.Trim: _trim,
    exp.GroupConcat: _listagg,
}

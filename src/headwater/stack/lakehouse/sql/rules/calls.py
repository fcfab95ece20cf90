"""Function calls with their clauses, and the few calls that are syntax rather than functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from sqlglot import exp

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.calls import Clauses
from headwater.stack.lakehouse.sql.comparison import comparison, together
from headwater.stack.lakehouse.sql.datazones import at_instant, either, zoned
from headwater.stack.lakehouse.sql.expression import Expr, attempt, fail, once
from headwater.stack.lakehouse.sql.expressions import Expressions, Rule
from headwater.stack.lakehouse.sql.failures import Position, SqlError
from headwater.stack.lakehouse.sql.parts import check_parts
from headwater.stack.lakehouse.sql.placement import refuse_grouped, shown
from headwater.stack.lakehouse.sql.windows import frame_place, refuse_nested_windows, window_body


def anonymous_rule(self: Expressions, node: exp.Expression) -> Expr:
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
        order = " ORDER BY " + ", ".join(inner.ordering(item, "ORDER BY") for item in items.expressions)
        arguments[-1] = items.this
        if isinstance(arguments[-1], exp.Distinct):
            distinct, arguments = "DISTINCT ", list(arguments[-1].expressions)
        if distinct:
            _refuse_other_order(inner, arguments, items, self.context.position(node))
    if arguments and isinstance(arguments[0], exp.Star):
        arguments = []
    _refuse_on_scalars(self, node, distinct=bool(distinct), ordered=bool(order), over=over)
    return self.call(name, arguments, node, Clauses(distinct, order + nulls, over))


def _refuse_other_order(
    inner: Expressions, arguments: Sequence[exp.Expression], order: exp.Order, position: Position
) -> None:
    listed = {inner.translate(argument).sql for argument in arguments if not isinstance(argument, exp.Lambda)}
    if any(inner.translate(item.this).sql not in listed for item in order.expressions):
        message = "For aggregate function with DISTINCT, ORDER BY expressions must appear in arguments"
        raise SqlError("EXPRESSION_NOT_IN_DISTINCT", message, position)


def _refuse_on_scalars(self: Expressions, node: exp.Expression, *, distinct: bool, ordered: bool, over: str) -> None:
    if any(entry.kind != "scalar" for entry in self.registry.get(node.name.lower(), ())):
        return
    message = "DISTINCT is not supported for non-aggregation functions" if distinct else ""
    message = "ORDER BY is only valid for aggregation functions" if ordered else message
    message = "Filter is only valid for aggregation functions" if over.startswith(" FILTER") else message
    if message and node.name.lower() in self.registry:
        raise SqlError("FUNCTION_NOT_AGGREGATE", message, self.context.position(node))


def filter_rule(self: Expressions, node: exp.Expression) -> Expr:
    inner = replace(self, grouped=None)
    self.refuse_outputs(node.expression)
    refuse_grouped(node.expression.this, "FILTER clause", self.registry, self.context)
    condition = inner.typed(node.expression.this, t.BOOLEAN, "Filter expression")
    if isinstance(node.this, exp.GroupConcat):
        return _listagg(self, node.this, f" FILTER (WHERE {condition.sql})")
    if not isinstance(node.this, exp.Anonymous):
        raise Unsupported(f"FILTER on {node.this.key.upper()}")
    return _function(self, node.this, f" FILTER (WHERE {condition.sql})")


def window_rule(self: Expressions, node: exp.Expression) -> Expr:
    function, nulls, condition = node.this, "", ""
    if isinstance(function, (exp.IgnoreNulls, exp.RespectNulls)):
        nulls = " IGNORE NULLS" if isinstance(function, exp.IgnoreNulls) else ""
        function = function.this
    if isinstance(function, exp.Filter):
        inner = replace(self, grouped=None) if self.grouped is None else self
        condition = f" FILTER (WHERE {inner.typed(function.expression.this, t.BOOLEAN, 'Filter expression').sql})"
        function = function.this
    if not isinstance(function, exp.Anonymous) or not isinstance(node, exp.Window):
        raise Unsupported(f"the window {node.sql(dialect='trino')}")
    refuse_nested_windows(self.context, function.expressions)
    _check_window_function(self, function, node, nulls)
    return _function(self, function, f"{condition} OVER ({window_body(self, node)})", nulls)


def _check_window_function(self: Expressions, function: exp.Anonymous, node: exp.Window, nulls: str) -> None:
    name, place = function.name.lower(), self.context.position(function)
    kinds = {entry.kind for entry in self.registry.get(name, ())}
    if kinds == {"scalar"}:
        raise SqlError("FUNCTION_NOT_WINDOW", f"Not a window function: {name}", place)
    if kinds == {"aggregate"} and nulls:
        raise SqlError("NULL_TREATMENT_NOT_ALLOWED", f"Cannot specify null treatment clause for {name} function", place)
    if name in ("lag", "lead"):
        if node.args.get("order") is None:
            raise SqlError("MISSING_ORDER_BY", f"{name} function requires an ORDER BY window clause", place)
        if node.args.get("spec") is not None:
            message = f"Cannot specify window frame for {name} function"
            raise SqlError("INVALID_WINDOW_FRAME", message, frame_place(self.context, node))


def bracket_rule(self: Expressions, node: exp.Expression) -> Expr:
    """``array[i]``, ``map[key]``, and ``row[1]`` with a number that is written out."""
    index = node.expressions[0]
    if isinstance(index, exp.Literal) and not index.is_string:
        value = self.translate(node.this)
        kind = self.translate(index).type
        if value.type.name == "array" and kind.name not in t.INTEGERS:
            message = f"Cannot use {kind} for subscript of {value.type}"
            raise SqlError("TYPE_MISMATCH", message, self.context.position(node))
        if value.type.name == "row":
            if not index.name.isdigit() or not 1 <= int(index.name) <= len(value.type.items):
                message = f"ROW subscript {index.name} is out of bounds"
                raise SqlError("INVALID_FUNCTION_ARGUMENT", message, self.context.position(node))
            place = int(index.name) - 1
            return Expr(f"struct_extract({value.sql}, 'f{place}')", value.type.items[place])
    return self.call("$subscript", [node.this, *node.expressions], node, Clauses())


def array_rule(self: Expressions, node: exp.Expression) -> Expr:
    values = together([self.translate(item) for item in node.expressions])
    if values is None:
        message = "All ARRAY elements must be the same type or coercible to a common type"
        raise SqlError("TYPE_MISMATCH", message, self.context.position(node))
    kind = t.array(values[0].type if values else t.UNKNOWN)
    constant = all(value.constant for value in values)
    # A list of NULLs that is converted as a whole breaks list_zip (an internal error up to DuckDB 1.5.5).
    empty = f"CAST(NULL AS {t.to_duckdb(kind.items[0])})"
    items = ", ".join(empty if value.sql == "NULL" else value.sql for value in values)
    return Expr(f"CAST([{items}] AS {t.to_duckdb(kind)})", kind, constant=constant)


def row_rule(self: Expressions, node: exp.Expression) -> Expr:
    values = [self.translate(item) for item in node.expressions]
    packed = ", ".join(f"f{i} := {value.sql}" for i, value in enumerate(values))
    constant = all(value.constant for value in values)
    return Expr(f"struct_pack({packed})", t.row_of(*((None, v.type) for v in values)), constant=constant)


def _try(self: Expressions, node: exp.Expression) -> Expr:
    value = self.translate(node.expressions[0])
    if value.zoned is not None:
        return zoned(attempt(value.zoned.instant), attempt(value.zoned.zone), value.type, attempt(value.sql))
    return Expr(attempt(value.sql), value.type)


def _coalesce(self: Expressions, node: exp.Expression) -> Expr:
    values = together([self.translate(item) for item in node.expressions])
    if values is None or len(values) < 2:
        message = "All COALESCE operands must be the same type or coercible to a common type"
        raise SqlError("TYPE_MISMATCH", message, self.context.position(node))
    return either(values, _first_of)


def _first_of(tests: Sequence[str], texts: Sequence[str]) -> str:
    if tests == texts:
        return f"coalesce({', '.join(texts)})"
    return f"CASE {' '.join(f'WHEN {a} IS NOT NULL THEN {b}' for a, b in zip(tests, texts, strict=True))} END"


def _nullif(self: Expressions, node: exp.Expression) -> Expr:
    place = self.context.position(node)

    def compared(sides: Sequence[Expr]) -> Expr:
        left, right = sides
        return Expr(f"CASE WHEN {comparison('=', left, right, place).sql} THEN NULL ELSE {left.sql} END", left.type)

    return once([self.translate(item) for item in node.expressions], compared)


def _grouping(self: Expressions, node: exp.Expression) -> Expr:
    inner = replace(self, grouped=None)
    place = self.context.position(node)
    if not _has_group_by(node):
        clause = "GROUPING SET/CUBE/ROLLUP/GROUP BY clause"
        message = f"A GROUPING() operation can only be used with a corresponding {clause}"
        raise SqlError("MISSING_GROUP_BY", message, place)
    for argument in node.expressions:
        if not isinstance(argument, exp.Column) or inner.translate(argument).sql not in (self.grouped or ()):
            what = "The arguments to GROUPING() must be expressions referenced by the GROUP BY"
            message = f"{what} at the associated query level. Mismatch due to {shown(argument)}."
            raise SqlError("INVALID_ARGUMENTS", message, place)
    kind = t.INTEGER if len(node.expressions) <= _BITS_OF_INTEGER else t.BIGINT
    keys = ", ".join(at_instant(inner.translate(e)).sql for e in node.expressions)
    # DuckDB has NULL for the grand total of no rows in a correlated query; there all arguments are left out.
    return Expr(f"CAST(coalesce(grouping({keys}), {2 ** len(node.expressions) - 1}) AS {kind})", kind)


def _has_group_by(node: exp.Expression) -> bool:
    query = node.find_ancestor(exp.Select)
    return query is not None and query.args.get("group") is not None


_BITS_OF_INTEGER = 31


def named_rule(name: str, *keys: str) -> Callable[[Expressions, exp.Expression], Expr]:
    """A node with its own syntax that means an ordinary function: ``SUBSTRING(x FROM 2)`` is ``substring(x, 2)``."""

    def rule(self: Expressions, node: exp.Expression) -> Expr:
        arguments = [node.args[key] for key in keys if node.args.get(key) is not None]
        return self.call(name, arguments, node, Clauses())

    return rule


def extract_rule(self: Expressions, node: exp.Expression) -> Expr:
    unit = node.this.name.lower()
    names = {"dow": "day_of_week", "doy": "day_of_year", "yow": "year_of_week"}
    return self.call(names.get(unit, unit), [node.expression], node, Clauses())


def trim_rule(self: Expressions, node: exp.Expression) -> Expr:
    name = {"LEADING": "ltrim", "TRAILING": "rtrim"}.get(str(node.args.get("position") or "").upper(), "trim")
    arguments = [node.this, *([node.expression] if node.expression else [])]
    return self.call(name, arguments, node, Clauses())


def listagg_rule(self: Expressions, node: exp.Expression) -> Expr:
    return _listagg(self, node, "")


def _listagg(self: Expressions, node: exp.Expression, condition: str) -> Expr:
    check_parts(node)
    inner = replace(self, grouped=None)
    ordered = node.this
    order, value = "", ordered
    if isinstance(ordered, exp.Order):
        items = ", ".join(inner.ordering(item, "ORDER BY") for item in ordered.expressions)
        order, value = f" ORDER BY {items}", ordered.this
    distinct = ""
    if isinstance(value, exp.Distinct):
        distinct, value = "DISTINCT ", value.expressions[0]
    separator = node.args.get("separator") or exp.Literal.string("")
    kind = inner.translate(value).type
    if not t.is_text(kind) and kind.name != "unknown":
        message = f"Expected expression of varchar, but '{shown(value)}' has {kind} type"
        raise SqlError("TYPE_MISMATCH", message, self.context.before(value, r"\blistagg\b"))
    listed = self.call("listagg", [value, separator], node, Clauses(distinct, order, condition))
    if isinstance(node.args.get("on_overflow"), exp.OverflowTruncateBehavior):
        message = "'NOT_SUPPORTED: a truncated result of listagg is not supported by the local Athena'"
    else:
        longest = "Concatenated string has the length in bytes larger than the maximum output length 1048576"
        message = f"'EXCEEDED_FUNCTION_MEMORY_LIMIT: {longest}'"
    checked = f"CASE WHEN strlen({listed}) > 1048576 THEN {fail(message, t.VARCHAR)} ELSE {listed} END"
    return Expr(checked, listed.type)


def _normalize(self: Expressions, node: exp.Expression) -> Expr:
    """``normalize(text, NFD)``: the form is a keyword."""
    text, *form = node.expressions
    if form and isinstance(form[0], exp.Column):
        form = [exp.Literal.string(form[0].name.upper())]
    return self.call("normalize", [text, *form], node, Clauses())


_SPECIAL: Mapping[str, Rule] = {
    "row": row_rule,
    "try": _try,
    "coalesce": _coalesce,
    "nullif": _nullif,
    "grouping": _grouping,
    "normalize": _normalize,
}

"""Arithmetic and the other operators with a syntax of their own."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from sqlglot import exp

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.arithmetic import arithmetic
from headwater.stack.lakehouse.sql.calls import Clauses
from headwater.stack.lakehouse.sql.casts import cast
from headwater.stack.lakehouse.sql.coerce import coerce
from headwater.stack.lakehouse.sql.datazones import at_instant, in_zone
from headwater.stack.lakehouse.sql.declared import type_of
from headwater.stack.lakehouse.sql.expression import Expr, bound, once, quote_text
from headwater.stack.lakehouse.sql.expressions import Expressions
from headwater.stack.lakehouse.sql.failures import SqlError
from headwater.stack.lakehouse.sql.literals import interval, is_literal_of, number
from headwater.stack.lakehouse.sql.parse import TYPED
from headwater.stack.lakehouse.sql.zonedtimes import time_at_zone
from headwater.stack.lakehouse.sql.zones import zone_ahead_or_refused, zone_or_refused

ARITHMETIC: Mapping[type[exp.Expression], str] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Mod: "%"}


Step = Callable[[Expressions, exp.Expression, Expr], Expr]
"""One operator of a chain, with the value of its left side."""
_LONG = 50
_BARE_ZERO = re.compile(r"-?(0?\.0+|0\.)")


def arithmetic_rule(self: Expressions, node: exp.Expression) -> Expr:
    return _chained(self, node, tuple(ARITHMETIC), _calculated)


def _chained(self: Expressions, node: exp.Expression, kinds: tuple[type[exp.Expression], ...], step: Step) -> Expr:
    """``a + b + c + …``: the time that DuckDB takes to plan an expression grows with the third power of its depth.

    So a long chain is cut: what stands to the left is bound before it goes on.
    """
    steps = [node]
    while isinstance(steps[-1].this, kinds):
        steps.append(steps[-1].this)
    if len(steps) <= _LONG or self.grouped is not None or self.needs_groups(node):
        return step(self, node, self.translate(node.this))
    above = (len(steps) - 1) % _LONG + 1
    before = self.translate(steps[above])
    value = replace(before, sql="hw_chain")
    for one in reversed(steps[:above]):
        value = step(self, one, value)
    return replace(value, sql=bound({"hw_chain": before.sql}, value.sql))


def _calculated(self: Expressions, node: exp.Expression, left: Expr) -> Expr:
    right = self.translate(node.expression)
    if isinstance(node, exp.Div) and _BARE_ZERO.fullmatch(node.expression.unnest().sql()):
        # Athena shows ±Infinity and NaN here; of DECIMAL '0.0' and of columns it says DIVISION_BY_ZERO.
        right = Expr(f"CAST({quote_text(str(right.literal))} AS DOUBLE)", t.DOUBLE, right.literal, constant=True)
    sign = ARITHMETIC[type(node)]
    place = self.context.operator(node, sign)
    return once([left, right], lambda sides: arithmetic(sign, sides[0], sides[1], place))


def negate_rule(self: Expressions, node: exp.Expression) -> Expr:
    if isinstance(node.this, exp.Literal) and not node.this.is_string:
        text = node.this.name
        return number(f"+{text[1:]}" if text.startswith("-") else f"-{text}", self.context.position(node))
    value = self.translate(node.this)
    if not t.is_numeric(value.type) and not value.type.name.startswith("interval"):
        raise SqlError("TYPE_MISMATCH", f"Cannot negate {value.type}", self.context.position(node))
    return Expr(f"(-{value.sql})", value.type, constant=value.constant)


def concat_rule(self: Expressions, node: exp.Expression) -> Expr:
    return _chained(self, node, (exp.DPipe,), _concatenated)


def _concatenated(self: Expressions, node: exp.Expression, left: Expr) -> Expr:
    right = self.translate(node.expression)
    _refuse_ambiguous(self, node, left.type, right.type)
    if "array" in (left.type.name, right.type.name) or "char" in (left.type.name, right.type.name):
        return self.call("concat", [left, right], node, Clauses())
    for side in (left, right):
        if side.type.name not in ("varchar", "char", "varbinary", "unknown"):
            return self.call("concat", [left, right], node, Clauses())
    kind = t.VARBINARY if "varbinary" in (left.type.name, right.type.name) else t.VARCHAR
    return Expr(
        f"({coerce(left, kind).sql} || {coerce(right, kind).sql})", kind, constant=left.constant and right.constant
    )


def _refuse_ambiguous(self: Expressions, node: exp.Expression, left: t.Type, right: t.Type) -> None:
    """``ARRAY[ARRAY[1]] || ARRAY[NULL]``: an array of arrays, or one more element."""
    if not left.name == right.name == "array":
        return
    inner = {left.items[0].name, right.items[0].name}
    if inner == {"array", "unknown"}:
        message = "Could not choose a best candidate operator. Explicit type casts must be added."
        raise SqlError("AMBIGUOUS_FUNCTION_CALL", message, self.context.position(node))


def paren_rule(self: Expressions, node: exp.Expression) -> Expr:
    return self.translate(node.this)


def cast_rule(self: Expressions, node: exp.Expression) -> Expr:
    if node.meta.get(TYPED):
        return _typed_literal(self, node)
    target, position = type_of(node.args["to"]), self.context.before(node, r"\b(?:TRY_)?CAST\s*\(")
    safe = isinstance(node, exp.TryCast)
    return once([self.translate(node.this)], lambda values: cast(values[0], target, safe=safe, position=position))


def _typed_literal(self: Expressions, node: exp.Expression) -> Expr:
    kind, value = type_of(node.args["to"]), self.translate(node.this)
    position = self.context.before(node, r"\w+\s*$")
    if kind.name == "char":
        kind = t.Type("char", (len(node.this.name),))
    if not is_literal_of(kind, node.this.name):
        word = kind.name.removesuffix("tz") if kind.name.startswith("time") else str(kind)
        message = f"'{node.this.name}' is not a valid {word.upper()} literal"
        raise SqlError("INVALID_LITERAL", message, position)
    return cast(value, kind, safe=False, position=position)


def interval_rule(self: Expressions, node: exp.Expression) -> Expr:
    if not isinstance(node, exp.Interval):
        raise Unsupported(node.key)
    return interval(node, self.context.position(node))


def at_time_zone_rule(self: Expressions, node: exp.Expression) -> Expr:
    """A timestamp gets the session's zone (UTC) first; then the same instant is shown in the other zone."""
    value, zone = self.translate(node.this), self.translate(node.args["zone"])
    if value.type.name in ("time", "timetz"):
        return time_at_zone(value, zone, self.context.now)
    if value.type.name not in ("timestamp", "timestamptz"):
        message = f"Type of value must be a time or timestamp with or without time zone (actual {value.type})"
        raise SqlError("TYPE_MISMATCH", message, self.context.position(node))
    if zone.type == t.DAY_TO_SECOND and isinstance(zone.literal, int):
        minutes, rest = divmod(abs(zone.literal), 60_000)
        if rest:
            raise SqlError("INVALID_FUNCTION_ARGUMENT", "Time zone offset must not have seconds")
        ahead = zone_ahead_or_refused(-minutes if zone.literal < 0 else minutes)
        return Expr(at_instant(value).sql, t.Type("timestamptz", value.type.params, zone=ahead))
    if not isinstance(zone.literal, str):
        if not t.is_text(zone.type):
            raise Unsupported(f"AT TIME ZONE with a zone of type {zone.type} that is not a literal")
        return in_zone(at_instant(value).sql, zone, value.type)
    named = zone_or_refused(zone.literal, self.context.position(node.args["zone"]))
    return Expr(at_instant(value).sql, t.Type("timestamptz", value.type.params, zone=named))

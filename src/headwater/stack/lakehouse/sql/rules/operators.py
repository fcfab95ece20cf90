"""Arithmetic and the other operators with a syntax of their own."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sqlglot import exp

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.arithmetic import arithmetic
from headwater.stack.lakehouse.sql.calls import Clauses
from headwater.stack.lakehouse.sql.casts import cast
from headwater.stack.lakehouse.sql.coerce import coerce
from headwater.stack.lakehouse.sql.declared import type_of
from headwater.stack.lakehouse.sql.expression import Expr, quote_text
from headwater.stack.lakehouse.sql.expressions import Expressions
from headwater.stack.lakehouse.sql.failures import SqlError
from headwater.stack.lakehouse.sql.literals import interval, is_literal_of, number
from headwater.stack.lakehouse.sql.parse import TYPED
from headwater.stack.lakehouse.sql.zones import zone_ahead_or_refused, zone_or_refused

ARITHMETIC: Mapping[type[exp.Expression], str] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Mod: "%"}


_BARE_ZERO = re.compile(r"-?(0?\.0+|0\.)")


def arithmetic_rule(self: Expressions, node: exp.Expression) -> Expr:
    left, right = self.translate(node.this), self.translate(node.expression)
    if isinstance(node, exp.Div) and _BARE_ZERO.fullmatch(node.expression.unnest().sql()):
        # Athena shows ±Infinity and NaN here; of DECIMAL '0.0' and of columns it says DIVISION_BY_ZERO.
        right = Expr(f"CAST({quote_text(str(right.literal))} AS DOUBLE)", t.DOUBLE, right.literal, constant=True)
    sign = ARITHMETIC[type(node)]
    return arithmetic(sign, left, right, self.context.operator(node, sign))


def negate_rule(self: Expressions, node: exp.Expression) -> Expr:
    if isinstance(node.this, exp.Literal) and not node.this.is_string:
        text = node.this.name
        return number(f"+{text[1:]}" if text.startswith("-") else f"-{text}", self.context.position(node))
    value = self.translate(node.this)
    if not t.is_numeric(value.type) and not value.type.name.startswith("interval"):
        raise SqlError("TYPE_MISMATCH", f"Cannot negate {value.type}", self.context.position(node))
    return Expr(f"(-{value.sql})", value.type, constant=value.constant)


def concat_rule(self: Expressions, node: exp.Expression) -> Expr:
    left, right = self.translate(node.this), self.translate(node.expression)
    if "array" in (left.type.name, right.type.name) or "char" in (left.type.name, right.type.name):
        return self.call("concat", [node.this, node.expression], node, Clauses())
    for side in (left, right):
        if side.type.name not in ("varchar", "char", "varbinary", "unknown"):
            return self.call("concat", [node.this, node.expression], node, Clauses())
    kind = t.VARBINARY if "varbinary" in (left.type.name, right.type.name) else t.VARCHAR
    return Expr(
        f"({coerce(left, kind).sql} || {coerce(right, kind).sql})", kind, constant=left.constant and right.constant
    )


def paren_rule(self: Expressions, node: exp.Expression) -> Expr:
    return self.translate(node.this)


def cast_rule(self: Expressions, node: exp.Expression) -> Expr:
    if node.meta.get(TYPED):
        return _typed_literal(self, node)
    target, position = type_of(node.args["to"]), self.context.before(node, r"\b(?:TRY_)?CAST\s*\(")
    return cast(self.translate(node.this), target, safe=isinstance(node, exp.TryCast), position=position)


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
    if value.type.name in ("time", "timetz") and isinstance(zone.literal, str):
        if not re.fullmatch(r"[+-]\d{2}:\d{2}", zone.literal):
            raise Unsupported("AT TIME ZONE of a time with a zone that is not an offset")
        return Expr(value.sql, t.Type("timetz", value.type.params, zone=zone.literal))
    if value.type.name not in ("timestamp", "timestamptz"):
        message = f"Type of value must be a time or timestamp with or without time zone (actual {value.type})"
        raise SqlError("TYPE_MISMATCH", message, self.context.position(node))
    if zone.type == t.DAY_TO_SECOND and isinstance(zone.literal, int):
        minutes, rest = divmod(abs(zone.literal), 60_000)
        if rest:
            raise SqlError("INVALID_FUNCTION_ARGUMENT", "Time zone offset must not have seconds")
        ahead = zone_ahead_or_refused(-minutes if zone.literal < 0 else minutes)
        return Expr(value.sql, t.Type("timestamptz", value.type.params, zone=ahead))
    if not isinstance(zone.literal, str):
        raise Unsupported("AT TIME ZONE with a zone that is not a literal")
    named = zone_or_refused(zone.literal, self.context.position(node.args["zone"]))
    return Expr(value.sql, t.Type("timestamptz", value.type.params, zone=named))

"""Logic, comparisons and conditionals."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from sqlglot import exp

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.comparison import comparison, one_of, together
from headwater.stack.lakehouse.sql.datazones import at_instant, either
from headwater.stack.lakehouse.sql.expression import Expr, can_fail, fail, null_of, once, quote_text
from headwater.stack.lakehouse.sql.expressions import Expressions
from headwater.stack.lakehouse.sql.failures import SqlError
from headwater.stack.lakehouse.sql.parts import check_parts
from headwater.stack.lakehouse.sql.rules.subqueries import compare_with_all, quantified, within_query


def and_or_rule(self: Expressions, node: exp.Expression) -> Expr:
    word = "AND" if isinstance(node, exp.And) else "OR"
    # Flat, because a chain of a thousand ORs must not be a thousand calls deep.
    terms: list[exp.Expression] = list(node.flatten(unnest=False))  # type: ignore[arg-type]  # trees are Expressions
    parts = [self.typed(term, t.BOOLEAN, "Logical expression term").sql for term in terms]
    if _is_condition_of_rows(node) or sum(map(can_fail, parts)) > _MOST_GUARDED:
        return Expr(f"({f' {word} '.join(parts)})", t.BOOLEAN)
    return Expr(_in_turn(word, parts), t.BOOLEAN)


_MOST_GUARDED = 50


def _in_turn(word: str, parts: Sequence[str]) -> str:
    """From left to right, where a later term can fail: Trino does not compute it if an earlier one decides."""
    first = next((i for i, part in enumerate(parts) if i and can_fail(part)), None)
    if first is None or any("random(" in part for part in parts[:first]):
        return f"({f' {word} '.join(parts)})"
    before = f"({f' {word} '.join(parts[:first])})"
    decides, decided = (f"NOT {before}", "false") if word == "AND" else (before, "true")
    return f"(CASE WHEN {decides} THEN {decided} ELSE {before} {word} {_in_turn(word, parts[first:])} END)"


def _is_condition_of_rows(node: exp.Expression) -> bool:
    """A term of WHERE or ON: DuckDB takes rows out term by term, and pushes terms into scans."""
    parent = node.parent
    while isinstance(parent, (exp.And, exp.Paren)):
        parent = parent.parent
    return isinstance(parent, exp.Join) or (isinstance(parent, exp.Where) and isinstance(parent.parent, exp.Select))


def negation_rule(self: Expressions, node: exp.Expression) -> Expr:
    return Expr(f"(NOT {self.typed(node.this, t.BOOLEAN, 'Value of logical NOT expression').sql})", t.BOOLEAN)


COMPARISONS: Mapping[type[exp.Expression], str] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
    exp.NullSafeEQ: "IS NOT DISTINCT FROM",
    exp.NullSafeNEQ: "IS DISTINCT FROM",
}


def compare_rule(self: Expressions, node: exp.Expression) -> Expr:
    operator = COMPARISONS[type(node)]
    right = node.expression
    quantifier, query = quantified(right)
    if query is not None:
        return compare_with_all(self, node, query, operator, quantifier)
    place = self.context.operator(node, operator, *(("!=",) if operator == "<>" else ()))
    sides = [self.translate(node.this), self.translate(right)]
    return once(sides, lambda values: comparison(operator, values[0], values[1], place))


def between_rule(self: Expressions, node: exp.Expression) -> Expr:
    if node.args.get("symmetric"):
        raise Unsupported("BETWEEN SYMMETRIC")
    values = together([at_instant(self.translate(node.args[key])) for key in ("this", "low", "high")])
    if values is None:
        message = "Cannot check if the value is BETWEEN: the types differ"
        raise SqlError("TYPE_MISMATCH", message, self.context.position(node))
    value, low, high = values
    return Expr(f"({value.sql} BETWEEN {low.sql} AND {high.sql})", t.BOOLEAN)


def membership_rule(self: Expressions, node: exp.Expression) -> Expr:
    value = self.translate(node.this)
    query = node.args.get("query")
    if query is None and isinstance(node.expressions[0], exp.Values):
        query = node.expressions[0]
    if query is None:
        return one_of(value, [self.translate(item) for item in node.expressions], self.context.position(node))
    return within_query(self, node, value, query)


def is_null_rule(self: Expressions, node: exp.Expression) -> Expr:
    if not isinstance(node.expression, exp.Null):
        raise SqlError("SYNTAX_ERROR", "IS takes NULL", self.context.position(node))
    return Expr(f"({at_instant(self.translate(node.this))} IS NULL)", t.BOOLEAN)


_ONE_CHARACTER = "Escape string must be a single character"


def like_rule(self: Expressions, node: exp.Expression) -> Expr:
    """Trino's LIKE has no escape character unless one is given; DuckDB's neither."""
    escape, computed = "", None
    if isinstance(node, exp.Escape):
        check_parts(node.this)
        character, node = self.translate(node.expression), node.this
        if character.type.name == "unknown":
            return null_of(t.BOOLEAN)
        if not t.is_text(character.type):
            message = f"Escape of LIKE expression must evaluate to a varchar (actual: {character.type})"
            raise SqlError("TYPE_MISMATCH", message, self.context.position(node))
        if not isinstance(character.literal, str):
            computed = character
        elif len(character.literal) > 1:
            raise SqlError("INVALID_FUNCTION_ARGUMENT", _ONE_CHARACTER, self.context.position(node))
        # An empty text is no escape character.
        elif character.literal:
            escape = f" ESCAPE {character.sql}"
            _check_escapes(self, node.expression, character.literal)
    value, pattern = self.translate(node.this), self.translate(node.expression)
    for side, label in ((value, "Left side"), (pattern, "Pattern")):
        if not t.is_text(side.type) and side.type.name != "unknown":
            message = f"{label} of LIKE expression must evaluate to a varchar (actual: {side.type})"
            raise SqlError("TYPE_MISMATCH", message, self.context.position(node))
    if computed is not None:
        refused = fail(quote_text(f"INVALID_FUNCTION_ARGUMENT: {_ONE_CHARACTER}"), t.BOOLEAN, computed.sql)
        function = "not_like_escape" if node.args.get("negate") else "like_escape"
        matched = f"{function}({value}, {pattern}, {computed})"
        return Expr(f"CASE WHEN length({computed}) > 1 THEN {refused} ELSE {matched} END", t.BOOLEAN)
    word = "NOT LIKE" if node.args.get("negate") else "LIKE"
    return Expr(f"({value.sql} {word} {pattern.sql}{escape})", t.BOOLEAN)


def _check_escapes(self: Expressions, node: exp.Expression, mark: str) -> None:
    """A pattern that is written out must not escape an ordinary character."""
    if not isinstance(node, exp.Literal) or not node.is_string:
        return
    if re.search(rf"{re.escape(mark)}(?![%_{re.escape(mark)}])", node.name.replace(mark * 2, "")):
        message = "Escape character must be followed by '%', '_' or the escape character itself"
        raise SqlError("INVALID_FUNCTION_ARGUMENT", message)


def case_rule(self: Expressions, node: exp.Expression) -> Expr:
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

    def choose(_: Sequence[str], texts: Sequence[str]) -> str:
        whens = " ".join(f"WHEN {c} THEN {r}" for c, r in zip(conditions, texts, strict=False))
        return f"CASE {whens} ELSE {texts[-1]} END"

    return either(merged, choose)


def if_then_rule(self: Expressions, node: exp.Expression) -> Expr:
    default = node.args.get("false")
    branch = exp.If(this=node.this, true=node.args["true"])
    return case_rule(self, exp.Case(ifs=[branch], default=default))

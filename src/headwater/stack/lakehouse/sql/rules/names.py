"""Names, literals and the clock."""

from __future__ import annotations

import re

from sqlglot import exp

from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.datazones import of_group
from headwater.stack.lakehouse.sql.expression import Expr, quote_text
from headwater.stack.lakehouse.sql.expressions import Expressions
from headwater.stack.lakehouse.sql.failures import SqlError
from headwater.stack.lakehouse.sql.literals import number
from headwater.stack.lakehouse.sql.scope import row_field


def column_rule(self: Expressions, node: exp.Expression) -> Expr:
    parts = [part.name.lower() for part in node.parts] if isinstance(node, exp.Column) else [node.name.lower()]
    position = self.context.position(node)
    value, rest = self.scope.resolve(parts, position)
    whole = value.sql
    for name in rest:
        inner = row_field(value, name)
        if inner is None:
            raise SqlError("COLUMN_NOT_FOUND", f"Column '{'.'.join(parts)}' cannot be resolved", position)
        value = inner
    if self.grouped is not None and self.scope.owns(parts, position) and not {whole, value.sql} & self.grouped:
        name = ".".join(parts)
        message = f"'{name}' must be an aggregate expression or appear in GROUP BY clause"
        raise SqlError("EXPRESSION_NOT_AGGREGATE", message, position)
    return of_group(value) if self.grouped is not None else value


def dot_rule(self: Expressions, node: exp.Expression) -> Expr:
    value = self.translate(node.this)
    inner = row_field(value, node.expression.name.lower())
    if inner is None:
        name = node.expression.name
        raise SqlError("COLUMN_NOT_FOUND", f"Column '{name}' cannot be resolved", self.context.position(node))
    return inner


def literal_rule(self: Expressions, node: exp.Expression) -> Expr:
    if node.args.get("is_string"):
        text = node.name
        return Expr(quote_text(text), t.varchar(len(text)), literal=text, constant=True)
    return number(node.name, self.context.position(node))


def binary_rule(self: Expressions, node: exp.Expression) -> Expr:
    """``X'65 83'``: spaces and line ends between the digits mean nothing."""
    digits = re.sub(r"[ \n\r\t]", "", node.name)
    if not re.fullmatch(r"[0-9A-Fa-f]*", digits):
        message = "Binary literal can only contain hexadecimal digits"
    elif len(digits) % 2:
        message = "Binary literal must contain an even number of digits"
    else:
        return Expr(f"unhex({quote_text(digits)})", t.VARBINARY, constant=True)
    raise SqlError("INVALID_LITERAL", message, self.context.position(node))


_UNICODE = r"{0}(?:{0}|\+([0-9A-Fa-f]{{6}})|([0-9A-Fa-f]{{4}}))"


def unicode_rule(self: Expressions, node: exp.Expression) -> Expr:
    """``U&'caf\\00e9'``: code points of four digits, or of six behind a plus."""
    escape = node.args.get("escape") or "\\"
    mark = re.escape(escape if isinstance(escape, str) else escape.name)

    def one(found: re.Match[str]) -> str:
        digits = found[1] or found[2]
        return chr(int(digits, 16)) if digits else found[0][0]

    text = re.sub(_UNICODE.format(mark), one, node.name)
    if re.search(mark, re.sub(_UNICODE.format(mark), "", node.name)):
        raise SqlError("INVALID_LITERAL", "Incomplete escape sequence", self.context.position(node))
    return Expr(quote_text(text), t.varchar(len(text)), literal=text, constant=True)


def parameter_rule(self: Expressions, node: exp.Expression) -> Expr:
    """Parameters are put into the text before it is parsed, so one that is left has no value."""
    message = "Incorrect number of parameters: a value is missing"
    raise SqlError("INVALID_PARAMETER_USAGE", message, self.context.position(node))


def now_rule(self: Expressions, node: exp.Expression) -> Expr:
    """Trino reads the clock once for each query."""
    moment = self.context.now
    stamp = quote_text(moment.strftime("%Y-%m-%d %H:%M:%S.") + f"{moment.microsecond // 1000:03d}")
    if isinstance(node, exp.CurrentDate):
        return Expr(f"CAST({stamp} AS DATE)", t.DATE, constant=True)
    if isinstance(node, exp.Localtimestamp):
        return Expr(f"CAST({stamp} AS TIMESTAMP)", t.TIMESTAMP, constant=True)
    if isinstance(node, exp.CurrentTimestamp):
        return Expr(f"CAST({stamp} AS TIMESTAMP)", t.TIMESTAMPTZ, constant=True)
    kind = t.TIMETZ if isinstance(node, exp.CurrentTime) else t.TIME
    return Expr(f"CAST(CAST({stamp} AS TIMESTAMP) AS TIME)", kind, constant=True)

"""Parameters of a statement: each ``?`` is filled with a constant before the statement is parsed."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp
from sqlglot.tokenizer_core import TokenType

from headwater.stack.lakehouse.errors import Unsupported, invalid_request
from headwater.stack.lakehouse.sql.expression import quote_text
from headwater.stack.lakehouse.sql.failures import Position, SyntaxRefused
from headwater.stack.lakehouse.sql.parse import parse_query, tokenize

_LITERALS = (
    exp.Literal,
    exp.Neg,
    exp.Null,
    exp.Boolean,
    exp.Cast,
    exp.Array,
    exp.Interval,
    exp.ByteString,
    exp.ParseJSON,
)


def with_parameters(sql: str, parameters: Sequence[str]) -> str:
    """The text with each ``?`` replaced by a constant.

    >>> with_parameters("select '?', ?, ?", ["'a'", "(1 + 1)"])
    "select '?', 'a', (1 + 1)"
    """
    return filled(sql, parameters) if parameters else sql


def filled(sql: str, parameters: Sequence[str]) -> str:
    """The same for a prepared statement, which has to have a value for each ``?``."""
    marks = [token for token in tokenize(sql) if token.token_type is TokenType.PLACEHOLDER]
    if len(marks) != len(parameters):
        message = f"Incorrect number of parameters: expected {len(marks)} but found {len(parameters)}"
        raise invalid_request(f"INVALID_PARAMETER_USAGE: line 1:1: {message}", "INVALID_INPUT")
    parts, last = [], 0
    for token, literal in zip(marks, parameters, strict=True):
        # Behind a minus, a negative number must not begin a comment.
        parts += [sql[last : token.start], f" {literal}" if literal.startswith("-") else literal]
        last = token.end + 1
    return "".join([*parts, sql[last:]])


def execution_parameter(value: str) -> str:
    """A literal as it stands; anything else is text, as Athena takes ``Washington`` for ``'Washington'``.

    >>> execution_parameter("it's")
    "'it''s'"
    """
    found = _expression(value)
    if found is None or not isinstance(found, _LITERALS) or found.find(exp.Anonymous, exp.Column, exp.Query):
        return quote_text(value)
    return value.strip()


def argument(value: str, place: Position) -> str:
    """An expression behind USING, as it stands for a ``?``. Raises ``SyntaxRefused`` if it is none.

    >>> argument(" 1 + 1", (1, 1))
    '(1 + 1)'
    """
    found = _expression(value)
    if found is None:
        raise SyntaxRefused(f"mismatched input '{value.strip()}'. Expecting: <expression>", place)
    if found.find(exp.Column, exp.Query, exp.Placeholder):
        raise Unsupported(f"the parameter {value.strip()}, which is not a constant,")
    return value.strip() if isinstance(found, _LITERALS) else f"({value.strip()})"


def _expression(value: str) -> exp.Expression | None:
    """The only expression that a text is, without comments."""
    try:
        item = parse_query(f"SELECT {value}")
    except SyntaxRefused:
        return None
    if any(token.comments for token in tokenize(value)):
        return None
    found = item.expressions if isinstance(item, exp.Select) and not item.args.get("from_") else []
    return found[0] if len(found) == 1 else None

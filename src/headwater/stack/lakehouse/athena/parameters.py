"""Parameters of a statement: each ``?`` is filled with a literal before the statement is parsed."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp
from sqlglot.tokenizer_core import TokenType

from headwater.stack.lakehouse.errors import invalid_request
from headwater.stack.lakehouse.sql.expression import quote_text
from headwater.stack.lakehouse.sql.failures import SyntaxRefused
from headwater.stack.lakehouse.sql.parse import parse_query, tokenize

_LITERALS = (exp.Literal, exp.Neg, exp.Null, exp.Boolean, exp.Cast, exp.Array, exp.Interval, exp.HexString)


def with_parameters(sql: str, parameters: Sequence[str]) -> str:
    """The text with each ``?`` replaced by an execution parameter.

    >>> with_parameters("select '?', ?, ?", ["'a'", "it's"])
    "select '?', 'a', 'it''s'"
    """
    return filled(sql, parameters) if parameters else sql


def filled(sql: str, parameters: Sequence[str]) -> str:
    """The same for a prepared statement, which has to have a value for each ``?``."""
    marks = [token for token in tokenize(sql) if token.token_type is TokenType.PLACEHOLDER]
    if len(marks) != len(parameters):
        message = f"Incorrect number of parameters: expected {len(marks)} but found {len(parameters)}"
        raise invalid_request(f"INVALID_PARAMETER_USAGE: line 1:1: {message}", "INVALID_INPUT")
    parts, last = [], 0
    for token, value in zip(marks, parameters, strict=True):
        literal = _literal(value)
        # Behind a minus, a negative number must not begin a comment.
        parts += [sql[last : token.start], f" {literal}" if literal.startswith("-") else literal]
        last = token.end + 1
    return "".join([*parts, sql[last:]])


def _literal(value: str) -> str:
    """A literal as it stands; anything else is text, as Athena takes ``Washington`` for ``'Washington'``."""
    try:
        item = parse_query(f"SELECT {value}")
    except SyntaxRefused:
        return quote_text(value)
    if any(token.comments for token in tokenize(value)):
        return quote_text(value)
    found = item.expressions if isinstance(item, exp.Select) and not item.args.get("from_") else []
    if len(found) != 1 or not isinstance(found[0], _LITERALS) or found[0].find(exp.Anonymous, exp.Column, exp.Query):
        return quote_text(value)
    return value.strip()

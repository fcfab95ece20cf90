"""Decides which statements to run: the examples, or those that a text holds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from headwater.errors import SettingsError
from headwater.stages.query.examples import EXAMPLES


@dataclass(frozen=True)
class Statement:
    """One statement; ``title`` is empty unless it is an example."""

    title: str
    sql: str


@dataclass(frozen=True)
class QueryPlan:
    """Statements to run one after the other; the first that fails ends it."""

    statements: tuple[Statement, ...]


def plan(text: str | None = None) -> QueryPlan:
    """The statements of a text, which semicolons separate; the examples for None. Raises SettingsError without any.

    >>> [statement.sql for statement in plan("SELECT 1; SELECT ';' -- done;").statements]
    ['SELECT 1', "SELECT ';' -- done;"]
    """
    if text is None:
        return QueryPlan(tuple(Statement(title, sql) for title, sql in EXAMPLES))
    statements = tuple(Statement("", sql) for sql in split(text))
    if not statements:
        raise SettingsError("there is no SQL statement to run", hint='for example: headwater query "SELECT 1"')
    return QueryPlan(statements)


# A semicolon inside a string, a quoted name or a comment does not end a statement. What is not closed runs to the end:
# Athena will then say what is wrong with it.
_TOKEN = re.compile(
    r"""
      (?P<comment> --[^\n]* | /\*.*?(?:\*/|\Z) )
    | (?P<quoted> '(?:[^']|'')*(?:'|\Z) | "(?:[^"]|"")*(?:"|\Z) | `[^`]*(?:`|\Z) )
    | (?P<end> ; )
    | (?P<other> [^;'"`/-]+ | . )
    """,
    re.VERBOSE | re.DOTALL,
)


def split(text: str) -> Iterator[str]:
    """The statements of a text, without their semicolons; pieces of nothing but comments are left out."""
    begin, has_content = 0, False
    for token in _TOKEN.finditer(text):
        if token.lastgroup == "end":
            if has_content:
                yield text[begin : token.start()].strip()
            begin, has_content = token.end(), False
        elif token.lastgroup != "comment" and token[0].strip():
            has_content = True
    if has_content:
        yield text[begin:].strip()

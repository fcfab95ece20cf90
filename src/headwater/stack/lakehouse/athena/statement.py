"""What kind of statement a text is, decided before it becomes an execution, as Athena refuses bad syntax at once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp
from sqlglot.tokenizer_core import TokenType

from headwater.stack.lakehouse.errors import Unsupported, invalid_request
from headwater.stack.lakehouse.hive import ast
from headwater.stack.lakehouse.hive.lexer import DdlSyntaxError
from headwater.stack.lakehouse.hive.parser import parse as parse_ddl
from headwater.stack.lakehouse.sql.failures import SyntaxRefused
from headwater.stack.lakehouse.sql.parse import AthenaSql, parse_query

_COMMENTS = re.compile(r"(?:\s+|--[^\n]*(?:\n|$)|/\*.*?\*/)+", re.DOTALL)
_WORD = re.compile(r"[A-Za-z]+")
_QUERIES = ("SELECT", "WITH", "VALUES", "TABLE", "")
_REFUSED = (
    *("INSERT", "UNLOAD", "EXPLAIN", "PREPARE", "EXECUTE", "DEALLOCATE", "DELETE", "UPDATE", "MERGE", "OPTIMIZE"),
    *(
        "VACUUM",
        "CREATE",
        "ALTER",
        "DROP",
        "SHOW",
        "DESCRIBE",
        "DESC",
        "MSCK",
        "CALL",
        "USE",
        "SET",
        "RESET",
        "ANALYZE",
    ),
    *("GRANT", "REVOKE", "TRUNCATE", "COMMENT", "REFRESH"),
)


@dataclass(frozen=True)
class SelectStatement:
    """A query, parsed; ``text`` is what was parsed, with parameters put in."""

    tree: exp.Expression
    text: str


@dataclass(frozen=True)
class DdlStatement:
    """A Hive DDL statement."""

    statement: ast.Statement


@dataclass(frozen=True)
class RefusedStatement:
    """A statement that Athena knows and this engine does not run: the execution fails with the reason."""

    failure: Unsupported


Statement = SelectStatement | DdlStatement | RefusedStatement


def read_statement(text: str, parameters: Sequence[str] = ()) -> Statement:
    """Classify and parse. Raises ``InvalidRequestException`` where Athena refuses to start the execution."""
    sql = text.strip().removesuffix(";").rstrip()
    bare = _COMMENTS.sub(" ", sql, count=1) if _COMMENTS.match(sql) else sql
    found = _WORD.match(bare.lstrip(" ("))
    word = found[0].upper() if found else ""
    if not bare.strip():
        raise invalid_request("Query string cannot be empty", "MALFORMED_QUERY")
    try:
        if word in _QUERIES:
            filled = with_parameters(sql, parameters)
            return SelectStatement(parse_query(filled), filled)
        ddl = parse_ddl(sql)
    except Unsupported as failure:
        return RefusedStatement(failure)
    except (SyntaxRefused, DdlSyntaxError) as error:
        message = error.request_message if isinstance(error, SyntaxRefused) else str(error)
        raise invalid_request(message, "MALFORMED_QUERY") from error
    if ddl is not None:
        return DdlStatement(ddl)
    if word in _REFUSED:
        return RefusedStatement(Unsupported(_headline(bare, word)))
    expecting = "'ALTER', 'CREATE', 'DELETE', 'DESCRIBE', 'DROP', 'EXPLAIN', 'INSERT', 'MSCK', 'SELECT', 'SHOW', 'WITH'"
    shown = bare.split(None, 1)[0]
    raise invalid_request(f"line 1:1: mismatched input '{shown}'. Expecting: {expecting}", "MALFORMED_QUERY")


def _headline(bare: str, word: str) -> str:
    if word == "CREATE" and re.match(r"(?is)create\s+table\s.*\bas\b", bare.lstrip()):
        return "CREATE TABLE AS"
    words = bare.split()
    return " ".join(words[:2]).upper() if word in ("CREATE", "ALTER", "DROP", "SHOW") else word


def with_parameters(sql: str, parameters: Sequence[str]) -> str:
    """The text with each ``?`` replaced by an execution parameter, which must be one literal.

    >>> with_parameters("select '?', ?", ["'a'"])
    "select '?', 'a'"
    """
    if not parameters:
        return sql
    marks = [token for token in AthenaSql().tokenize(sql) if token.token_type is TokenType.PLACEHOLDER]
    if len(marks) != len(parameters):
        message = f"Incorrect number of parameters: expected {len(marks)} but found {len(parameters)}"
        raise invalid_request(f"INVALID_PARAMETER_USAGE: line 1:1: {message}", "INVALID_INPUT")
    parts, last = [], 0
    for token, value in zip(marks, parameters, strict=True):
        parts += [sql[last : token.start], _literal(value)]
        last = token.end + 1
    return "".join([*parts, sql[last:]])


_LITERALS = (exp.Literal, exp.Neg, exp.Null, exp.Boolean, exp.Cast, exp.Array, exp.Interval, exp.HexString)


def _literal(value: str) -> str:
    try:
        item = parse_query(f"SELECT {value}")
    except SyntaxRefused as error:
        raise invalid_request(f"Execution parameter is not a literal: {value}") from error
    found = item.expressions if isinstance(item, exp.Select) and not item.args.get("from_") else []
    if len(found) != 1 or not isinstance(found[0], _LITERALS) or found[0].find(exp.Anonymous, exp.Column, exp.Query):
        raise invalid_request(f"Execution parameter is not a literal: {value}")
    return value.strip()

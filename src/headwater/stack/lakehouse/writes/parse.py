"""The text of statements that write as values; the queries inside are parsed as all queries are."""

from __future__ import annotations

from sqlglot import exp

from headwater.stack.lakehouse.sql.failures import SyntaxRefused
from headwater.stack.lakehouse.sql.foreign import position
from headwater.stack.lakehouse.sql.parse import parse_query
from headwater.stack.lakehouse.writes.ast import CreateTableAs, Insert, QueryText, Unload, Write
from headwater.stack.lakehouse.writes.changes import parse_change
from headwater.stack.lakehouse.writes.tokens import Tokens, blank

_QUERY_STARTS = ("select", "with", "values", "table", "(")


def parse_write(sql: str) -> Write | None:
    """Read one statement; ``None`` if it is none that writes. Raises ``SyntaxRefused``.

    >>> parse_write("INSERT INTO lake.t (a) VALUES (1)").columns
    ('a',)
    """
    tokens = Tokens(sql)
    if tokens.accept("create", "table"):
        return _create_table_as(tokens)
    if tokens.accept("insert"):
        return _insert(tokens)
    if tokens.accept("unload"):
        return _unload(tokens)
    return parse_change(tokens)


def _create_table_as(tokens: Tokens) -> CreateTableAs | None:
    if_not_exists = tokens.accept("if", "not", "exists")
    table = tokens.table()
    if not (tokens.at("as") or tokens.at("with") or tokens.at("comment")):
        return None
    comment = tokens.string() if tokens.accept("comment") else None
    properties = tokens.properties() if tokens.accept("with") else {}
    tokens.expect("as")
    no_data = tokens.ends_with("with", "no", "data")
    suffix = 3 if no_data else 2 if tokens.ends_with("with", "data") else 0
    query = _query(tokens.rest(suffix))
    return CreateTableAs(table, query, properties, if_not_exists, comment, not no_data)


def _insert(tokens: Tokens) -> Insert:
    tokens.expect("into")
    table = tokens.table()
    columns: tuple[str, ...] = ()
    if tokens.at("(") and not any(tokens.at("(", word) for word in _QUERY_STARTS):
        columns = tokens.names()
    if not any(tokens.at(word) for word in _QUERY_STARTS):
        raise tokens.mismatch("'('", "'SELECT'", "'TABLE'", "'VALUES'", "'WITH'")
    return Insert(table, _query(tokens.rest()), columns)


def _unload(tokens: Tokens) -> Unload:
    tokens.expect("(")
    start = tokens.offset
    depth = 1
    while depth:
        if tokens.at("("):
            depth += 1
        elif tokens.at(")"):
            depth -= 1
        end = tokens.offset
        tokens.advance()
    query = _query(blank(tokens.sql[:start]) + tokens.sql[start:end])
    tokens.expect("to")
    location = tokens.string()
    properties = tokens.properties() if tokens.accept("with") else {}
    tokens.end()
    return Unload(query, location, properties)


def _query(text: str) -> QueryText:
    tree = parse_query(text)
    if not isinstance(tree, exp.Query | exp.Values):
        word = text.split(None, 1)[0]
        place = position(text, len(text) - len(text.lstrip()))
        raise SyntaxRefused(f"mismatched input '{word}'. Expecting: '(', 'SELECT', 'TABLE', 'VALUES', 'WITH'", place)
    return QueryText(tree, text)

"""What kind of statement a text is, decided before it becomes an execution, as Athena refuses bad syntax at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from sqlglot import exp

from headwater.stack.lakehouse.athena.parameters import argument, execution_parameter, filled, with_parameters
from headwater.stack.lakehouse.errors import QueryFailed, Unsupported, invalid_request
from headwater.stack.lakehouse.hive import ast
from headwater.stack.lakehouse.hive.kinds import kind_of
from headwater.stack.lakehouse.hive.lexer import DdlSyntaxError
from headwater.stack.lakehouse.hive.parser import parse as parse_ddl
from headwater.stack.lakehouse.sql.failures import SyntaxRefused
from headwater.stack.lakehouse.sql.foreign import position, refuse_reserved_names
from headwater.stack.lakehouse.sql.parse import parse_query
from headwater.stack.lakehouse.writes.ast import CreateTableAs, Insert, Optimize, Unload, Vacuum, Write
from headwater.stack.lakehouse.writes.parse import parse_write
from headwater.stack.lakehouse.writes.tokens import Tokens

_COMMENTS = re.compile(r"(?:\s+|--[^\n]*(?:\n|$)|/\*.*?\*/)+", re.DOTALL)
_WORD = re.compile(r"[A-Za-z]+")
_IN_LINE = re.compile(r"[^\n]")
_QUERIES = ("SELECT", "WITH", "VALUES", "TABLE", "")
_WRITES = ("INSERT", "UNLOAD", "DELETE", "UPDATE", "MERGE", "OPTIMIZE", "VACUUM")
_REFUSED = (
    *("CREATE", "ALTER", "DROP", "SHOW", "DESCRIBE", "DESC", "MSCK"),
    *("CALL", "USE", "SET", "RESET", "ANALYZE", "GRANT", "REVOKE", "TRUNCATE", "COMMENT", "REFRESH"),
)
_EXPLAIN = {
    "FORMAT": ("TEXT", "JSON", "GRAPHVIZ"),
    "TYPE": ("LOGICAL", "DISTRIBUTED", "VALIDATE", "IO"),
}
_EXPECTED = "'ALTER', 'CREATE', 'DELETE', 'DESCRIBE', 'DROP', 'EXPLAIN', 'INSERT', 'MSCK', 'SELECT', 'SHOW', 'WITH'"

PreparedTexts = Callable[[str], str | None]
"""The text of a prepared statement by its name."""


@dataclass(frozen=True)
class SelectStatement:
    """A query, parsed; ``text`` is what was parsed, with parameters put in."""

    tree: exp.Expression
    text: str

    def __reduce__(self) -> tuple[Callable[[str], SelectStatement], tuple[str]]:
        """To another process goes the text: pickle cannot hold a tree that is some hundred levels deep."""
        return _select, (self.text,)


@dataclass(frozen=True)
class DdlStatement:
    """A Hive DDL statement."""

    statement: ast.Statement


@dataclass(frozen=True)
class WriteStatement:
    """A statement that writes files."""

    write: Write


@dataclass(frozen=True)
class ExplainStatement:
    """``EXPLAIN`` of a query or of a statement that writes, and ``EXPLAIN ANALYZE`` of what adds rows.

    ``style`` is TEXT, JSON or GRAPHVIZ; ``kind`` is LOGICAL, DISTRIBUTED, VALIDATE (which shows no plan) or IO.
    """

    of: SelectStatement | Write
    analyze: bool = False
    style: str = "TEXT"
    kind: str = "LOGICAL"


@dataclass(frozen=True)
class PrepareStatement:
    """``PREPARE name FROM text``."""

    name: str
    text: str


@dataclass(frozen=True)
class DeallocateStatement:
    """``DEALLOCATE PREPARE name``."""

    name: str


@dataclass(frozen=True)
class FailedStatement:
    """A statement that can start and only fail: one that this engine does not run, or that names what is not there."""

    failure: QueryFailed
    ddl: bool = False


Statement = (
    SelectStatement
    | DdlStatement
    | WriteStatement
    | ExplainStatement
    | PrepareStatement
    | DeallocateStatement
    | FailedStatement
)


@dataclass(frozen=True)
class Shape:
    """What Athena says of a statement before it runs, and how the name of its result ends and begins."""

    statement: str
    substatement: str = ""
    suffix: str = ".csv"
    folder: str = ""


def shape_of(statement: Statement) -> Shape:
    """The shape of a statement's record."""
    if isinstance(statement, FailedStatement) and statement.ddl:
        return Shape("DDL", suffix=".txt")
    if isinstance(statement, DdlStatement):
        return Shape(*kind_of(statement.statement), ".txt")
    if isinstance(statement, PrepareStatement | DeallocateStatement):
        return Shape("DDL", "PREPARE" if isinstance(statement, PrepareStatement) else "DEALLOCATE", ".txt")
    if isinstance(statement, ExplainStatement):
        return Shape("DML", "EXPLAIN", ".txt")
    if isinstance(statement, WriteStatement):
        if isinstance(statement.write, CreateTableAs):
            iceberg = str(statement.write.properties.get("table_type", "")).upper() == "ICEBERG"
            return Shape("DDL", "CREATE_TABLE_AS_SELECT", "", "" if iceberg else "tables/")
        if isinstance(statement.write, Optimize):
            return Shape("DDL", "CREATE_TABLE_AS_SELECT", "")
        if isinstance(statement.write, Vacuum):
            return Shape("DML", "VACUUM_TABLE", "")
        return Shape("DML", type(statement.write).__name__.upper(), "")
    return Shape("DML", "SELECT" if isinstance(statement, SelectStatement) else "")


def _no_prepared(name: str) -> str | None:
    del name
    return None


_PIECE = re.compile(
    r"(?P<space>\s+|--[^\n]*|/\*.*?\*/)|(?P<end>;)|'[^']*'|\"[^\"]*\"|`[^`]*`|[^\s'\"`;/-]+|.", re.DOTALL
)


def without_end(text: str) -> str:
    """A statement without its semicolon, and the blanks and comments behind it.

    >>> without_end("SELECT ';'; -- all of it")
    "SELECT ';'"
    """
    end = len(text)
    for piece in _PIECE.finditer(text):
        if piece.lastgroup == "end":
            end = min(end, piece.start())
        elif piece.lastgroup is None:
            end = len(text)
    return text[:end].strip()


def read_statement(
    text: str, parameters: Sequence[str] = (), prepared: PreparedTexts = _no_prepared, depth: int = 0
) -> Statement:
    """Classify and parse. Raises ``InvalidRequestException`` where Athena refuses to start the execution."""
    sql = without_end(text)
    if not depth:
        parameters = [execution_parameter(value) for value in parameters]
    bare = _COMMENTS.sub(" ", sql, count=1) if _COMMENTS.match(sql) else sql
    found = _WORD.match(bare.lstrip(" ("))
    word = found[0].upper() if found else ""
    if not bare.strip():
        raise invalid_request("Query string cannot be empty", "MALFORMED_QUERY")
    try:
        statement = _read(word, sql, text, parameters) or _command(word, sql, parameters, prepared, depth)
    except Unsupported as failure:
        return FailedStatement(failure, word not in (*_QUERIES, *_WRITES, "EXPLAIN", "EXECUTE"))
    except (SyntaxRefused, DdlSyntaxError) as error:
        message = error.request_message if isinstance(error, SyntaxRefused) else str(error)
        several = isinstance(error, SyntaxRefused) and any(p.lastgroup == "end" for p in _PIECE.finditer(sql))
        if several or "Only one sql statement is allowed" in message:
            message = f"Only one sql statement is allowed. Got: {text.strip()}"
        raise invalid_request(message, "MALFORMED_QUERY") from error
    if statement is not None:
        return statement
    if word in _REFUSED:
        return FailedStatement(Unsupported(_headline(bare, word)), ddl=True)
    shown = bare.split(None, 1)[0]
    raise invalid_request(f"line 1:1: mismatched input '{shown}'. Expecting: {_EXPECTED}", "MALFORMED_QUERY")


def _read(word: str, sql: str, text: str, parameters: Sequence[str]) -> Statement | None:
    """Queries, statements that write, and Hive DDL."""
    if word in _QUERIES:
        return _select(with_parameters(sql, parameters))
    if word in _WRITES:
        write = parse_write(with_parameters(sql, parameters))
        return None if write is None else WriteStatement(write)
    ddl = parse_ddl(text.lstrip())
    if isinstance(ddl, ast.CreateView):
        head = text[: text.rindex(ddl.query)].lstrip()
        ddl = replace(ddl, query=without_end(ddl.query), before=_IN_LINE.sub(" ", head))
        parse_query(ddl.before + ddl.query)  # syntax errors at their places in the statement
    if ddl is not None:
        return DdlStatement(ddl)
    if word == "CREATE":
        write = parse_write(with_parameters(sql, parameters))
        return None if write is None else WriteStatement(write)
    return None


def _select(sql: str) -> SelectStatement:
    tree = parse_query(sql)
    refuse_reserved_names(sql, tree)
    return SelectStatement(tree, sql)


def _command(word: str, sql: str, parameters: Sequence[str], prepared: PreparedTexts, depth: int) -> Statement | None:
    """EXPLAIN, and the statements on prepared statements."""
    if word not in ("EXPLAIN", "PREPARE", "EXECUTE", "DEALLOCATE"):
        return None
    tokens = Tokens(sql)
    tokens.advance()
    if word == "EXPLAIN":
        return _explain(tokens, parameters)
    if word == "PREPARE":
        return _prepare(tokens)
    if word == "DEALLOCATE":
        tokens.expect("prepare")
        name = tokens.name()
        tokens.end()
        return DeallocateStatement(name)
    name = tokens.name()
    values = list(parameters)
    if tokens.accept("using"):
        values = _arguments(tokens)
    tokens.end()
    body = prepared(name)
    if body is None or depth:
        return FailedStatement(QueryFailed(f"NOT_FOUND: line 1:1: Prepared statement not found: {name}"))
    filled(body, values)
    return read_statement(body, values, prepared, depth + 1)


def _prepare(tokens: Tokens) -> PrepareStatement:
    """What is prepared has to be of the grammar; whether it can run shows when it does."""
    name = tokens.name()
    tokens.expect("from")
    text = tokens.sql[tokens.offset :].strip()
    word = _WORD.match(text.lstrip("("))
    kind = word[0].upper() if word else ""
    with suppress(Unsupported):
        if text and kind in _QUERIES:
            _select(tokens.rest())
        elif kind != "EXPLAIN" and (kind not in (*_WRITES, "CREATE") or parse_write(tokens.rest()) is None):
            raise tokens.mismatch("'DELETE'", "'INSERT'", "'MERGE'", "'SELECT'", "'UNLOAD'", "'UPDATE'", "'VALUES'")
    return PrepareStatement(name, text)


def _arguments(tokens: Tokens) -> list[str]:
    """The expressions after USING, as text."""
    found: list[str] = []
    start, depth = tokens.offset, 0
    while tokens.coming is not None:
        if tokens.at("(") or tokens.at("["):
            depth += 1
        if tokens.at(")") or tokens.at("]"):
            depth -= 1
        if depth == 0 and tokens.at(","):
            found.append(argument(tokens.sql[start : tokens.offset], position(tokens.sql, start)))
            tokens.advance()
            start = tokens.offset
            continue
        tokens.advance()
    return [*found, argument(tokens.sql[start:], position(tokens.sql, start))]


def _explain(tokens: Tokens, parameters: Sequence[str]) -> Statement:
    analyze = tokens.accept("analyze")
    chosen: dict[str, str] = {}
    if tokens.accept("("):
        while True:
            option = _one_of(tokens, ("FORMAT",) if analyze else tuple(_EXPLAIN))
            chosen[option] = _one_of(tokens, ("TEXT", "JSON") if analyze else _EXPLAIN[option])
            if not tokens.accept(","):
                break
        tokens.expect(")")
    kind, style = chosen.get("TYPE", "LOGICAL"), chosen.get("FORMAT", "TEXT")
    if (kind, style) == ("IO", "GRAPHVIZ"):
        raise Unsupported("EXPLAIN (TYPE IO, FORMAT GRAPHVIZ)")
    return ExplainStatement(_explained(tokens, parameters, analyze=analyze), analyze, style, kind)


def _one_of(tokens: Tokens, words: Sequence[str]) -> str:
    for word in words:
        if tokens.accept(word.lower()):
            return word
    raise tokens.mismatch(*(f"'{word}'" for word in words))


def _explained(tokens: Tokens, parameters: Sequence[str], *, analyze: bool) -> SelectStatement | Write:
    """The statement behind EXPLAIN."""
    if any(tokens.at(word) for word in ("select", "with", "values", "(", "table")):
        return _select(with_parameters(tokens.rest(), parameters))
    word = tokens.advance().text.upper()
    tokens.back()
    write = None
    if word in (*_WRITES, "CREATE"):
        write = parse_write(with_parameters(tokens.rest(), parameters))
    if write is None or (analyze and not isinstance(write, CreateTableAs | Insert | Unload)):
        raise Unsupported(f"EXPLAIN {'ANALYZE ' if analyze else ''}{word}")
    return write


def _headline(bare: str, word: str) -> str:
    words = bare.split()
    return " ".join(words[:2]).upper() if word in ("CREATE", "ALTER", "DROP", "SHOW") else word

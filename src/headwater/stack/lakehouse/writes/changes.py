"""The text of DELETE, UPDATE, MERGE, OPTIMIZE and VACUUM; expressions stay text until they stand in a query."""

from __future__ import annotations

from headwater.stack.lakehouse.sql.expression import quote_name
from headwater.stack.lakehouse.sql.failures import SyntaxRefused
from headwater.stack.lakehouse.sql.foreign import position
from headwater.stack.lakehouse.sql.parse import parse_query
from headwater.stack.lakehouse.writes.ast import Change, Clause, Delete, Merge, Optimize, Update, Vacuum
from headwater.stack.lakehouse.writes.tokens import Tokens


def parse_change(tokens: Tokens) -> Change | None:
    """Read one statement; ``None`` if it is none of these. Raises ``SyntaxRefused``."""
    if tokens.accept("delete", "from"):
        table = tokens.table()
        return Delete(table, _condition(tokens))
    if tokens.accept("update"):
        table = tokens.table()
        tokens.expect("set")
        values = _assignments(tokens, "where")
        return Update(table, values, _condition(tokens))
    if tokens.accept("merge", "into"):
        return _merge(tokens)
    if tokens.accept("optimize"):
        table = tokens.table()
        tokens.expect("rewrite", "data", "using", "bin_pack")
        return Optimize(table, _condition(tokens) if tokens.at("where") else None)
    if tokens.accept("vacuum"):
        table = tokens.table()
        tokens.end()
        return Vacuum(table)
    return None


def _condition(tokens: Tokens) -> str:
    condition = expression(tokens) if tokens.accept("where") else "true"
    tokens.end()
    return condition


def expression(tokens: Tokens, *ends: str) -> str:
    """The text of an expression, up to one of the keywords or symbols that stand outside of all brackets and CASEs."""
    start = tokens.offset
    depth, stop = 0, start
    while tokens.coming is not None:
        if depth == 0 and any(tokens.at(end) for end in ends):
            break
        if any(tokens.at(opening) for opening in ("(", "[", "case")):
            depth += 1
        elif any(tokens.at(closing) for closing in (")", "]", "end")):
            depth -= 1
        stop = tokens.advance().end + 1
    text = tokens.sql[start:stop]
    if not text.strip():
        raise tokens.mismatch("<expression>")
    try:
        parse_query(f"SELECT {text}")
    except SyntaxRefused as error:
        raise SyntaxRefused(error.message, position(tokens.sql, start)) from error
    return text


def _assignments(tokens: Tokens, *ends: str) -> dict[str, str]:
    found: dict[str, str] = {}
    while True:
        name = tokens.name()
        while tokens.accept("."):  # t.column
            name = tokens.name()
        tokens.expect("=")
        found[name] = expression(tokens, ",", *ends)
        if not tokens.accept(","):
            return found


def _merge(tokens: Tokens) -> Merge:
    table = tokens.table()
    target = _alias(tokens, "using") or table.name
    tokens.expect("using")
    source, name = _source(tokens)
    alias = _alias(tokens, "on") or name
    if tokens.at("("):
        columns = ", ".join(quote_name(column) for column in tokens.names())
        source = f"{source} AS {quote_name(alias)} ({columns})"
    tokens.expect("on")
    condition = expression(tokens, "when")
    clauses: list[Clause] = []
    while tokens.accept("when"):
        clauses.append(_clause(tokens))
    tokens.end()
    if not clauses:
        raise tokens.mismatch("'WHEN'")
    return Merge(table, target, source, alias, condition, tuple(clauses))


def _alias(tokens: Tokens, following: str) -> str:
    if tokens.accept("as") or not tokens.at(following):
        return tokens.name()
    return ""


def _source(tokens: Tokens) -> tuple[str, str]:
    start = tokens.offset
    if not tokens.at("("):
        name = tokens.table().name
        last = tokens.offset
        return tokens.sql[start:last].rstrip(), name
    depth = 0
    while True:
        depth += int(tokens.at("(")) - int(tokens.at(")"))
        end = tokens.advance().end + 1
        if depth == 0:
            return tokens.sql[start:end], ""


def _clause(tokens: Tokens) -> Clause:
    matched = not tokens.accept("not")
    tokens.expect("matched")
    condition = expression(tokens, "then") if tokens.accept("and") else "true"
    tokens.expect("then")
    if matched and tokens.accept("delete"):
        return Clause(True, condition, None)
    if matched:
        tokens.expect("update", "set")
        return Clause(True, condition, _assignments(tokens, "when"))
    tokens.expect("insert")
    names = tokens.names() if tokens.at("(") else ()
    tokens.expect("values")
    tokens.expect("(")
    values = [expression(tokens, ",", ")")]
    while tokens.accept(","):
        values.append(expression(tokens, ",", ")"))
    tokens.expect(")")
    if names and len(names) != len(values):
        message = "Insert value list has different number of values than columns"
        raise SyntaxRefused(message, position(tokens.sql, tokens.offset))
    keys = names or tuple(f"#{place}" for place in range(len(values)))
    return Clause(False, condition, dict(zip(keys, values, strict=True)))

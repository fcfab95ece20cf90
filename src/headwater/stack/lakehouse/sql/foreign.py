"""What sqlglot reads and Trino does not: refused, because it would run here and fail on AWS."""

from __future__ import annotations

import re

from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from headwater.stack.lakehouse.sql.failures import Position, SyntaxRefused
from headwater.stack.lakehouse.sql.known import span


def position(sql: str, offset: int) -> Position:
    """Line and column, both from 1, of a character."""
    return sql.count("\n", 0, offset) + 1, offset - (sql.rfind("\n", 0, offset) + 1) + 1


_ENDS_LIST = (
    *(TokenType.FROM, TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.WHERE, TokenType.GROUP_BY, TokenType.ORDER_BY),
    *(TokenType.COMMA, TokenType.ON),
)
_BEFORE_VALUES = (
    *(TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.COMMA, TokenType.SELECT, TokenType.WHERE, TokenType.IN),
    *(TokenType.AND, TokenType.OR, TokenType.NOT, TokenType.WHEN, TokenType.THEN, TokenType.ELSE, TokenType.ARROW),
    *(TokenType.EQ, TokenType.NEQ, TokenType.LT, TokenType.LTE, TokenType.GT, TokenType.GTE, TokenType.DPIPE),
    *(TokenType.PLUS, TokenType.DASH, TokenType.STAR, TokenType.SLASH, TokenType.MOD),
)


def refuse_foreign_syntax(sql: str, tokens: list[Token]) -> None:
    """sqlglot forgives ``SELECT a, FROM t`` and knows ``x::int``; Trino doesn't."""
    if not tokens:
        raise SyntaxRefused("mismatched input '<EOF>'", position(sql, len(sql)))
    for place, (this, following) in enumerate(zip(tokens, [*tokens[1:], None], strict=True)):
        if this.token_type is TokenType.DCOLON:
            raise SyntaxRefused("mismatched input '::'", position(sql, this.start))
        # sqlglot reads 1st as a number with an alias.
        if this.token_type is TokenType.NUMBER and _glued(this, following):
            message = "identifiers must not start with a digit; surround the identifier with double quotes"
            raise SyntaxRefused(message, position(sql, this.start))
        if this.token_type is TokenType.COMMA and (following is None or following.token_type in _ENDS_LIST):
            text = following.text if following else "<EOF>"
            offset = following.start if following else len(sql)
            raise SyntaxRefused(f"mismatched input '{text}'", position(sql, offset))
        if _never_follows(this.token_type, following.token_type if following is not None else TokenType.FROM):
            raise _mismatch(sql, following.start if following is not None else len(sql))
        if this.token_type is TokenType.EQ and this.text == "==":
            raise SyntaxRefused("mismatched input '='", position(sql, this.start + 1))
        if this.token_type is TokenType.UNKNOWN and this.text == "`":
            message = "backquoted identifiers are not supported; use double quotes to quote identifiers"
            raise SyntaxRefused(message, position(sql, this.start))
        if this.token_type in (TokenType.COMMA, TokenType.OFFSET) and _ends_limit(tokens, place):
            raise SyntaxRefused(f"mismatched input '{this.text}'. Expecting: <EOF>", position(sql, this.start))
        if this.text.upper() == "LISTAGG" and following is not None and following.token_type is TokenType.L_PAREN:
            _check_listagg(sql, tokens[place + 2 :])
    _refuse_unclosed(sql, tokens)
    _refuse_skipped_words(sql, tokens)


_BEFORE_LISTS = (
    *(TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.SELECT, TokenType.DISTINCT, TokenType.FROM, TokenType.WHERE),
    *(TokenType.GROUP_BY, TokenType.ORDER_BY, TokenType.PARTITION_BY, TokenType.HAVING, TokenType.VALUES),
)


def _never_follows(this: TokenType, following: TokenType) -> bool:
    """``f(, 1)``, ``x AS )``, ``BETWEEN BETWEEN`` and ``[1]`` without ARRAY before it."""
    if following is TokenType.COMMA:
        return this in _BEFORE_LISTS
    if this is TokenType.ALIAS:
        return following in (*_ENDS_LIST, TokenType.PLACEHOLDER, TokenType.STRING)
    if following is TokenType.L_BRACKET:
        return this in _BEFORE_VALUES
    if this is TokenType.DISTINCT:
        return following is TokenType.R_PAREN
    if this is TokenType.PARTITION_BY:
        return following in (TokenType.ORDER_BY, TokenType.R_PAREN)
    return this is following and this in (TokenType.BETWEEN, TokenType.DOT)


_FETCH = re.compile(r"(FIRST|NEXT)( (\d+|\?))? ROWS?( (ONLY|WITH TIES))( |$|\))")


def _refuse_skipped_words(sql: str, tokens: list[Token]) -> None:
    """``CASE WHEN x 1 END``, ``sum(x) FILTER (x > 1)`` and ``FETCH 2 ROWS``: sqlglot does without some words."""
    open_cases = 0
    for place, token in enumerate(tokens):
        if token.token_type in (TokenType.WHEN, TokenType.THEN):
            open_cases += 1 if token.token_type is TokenType.WHEN else -1
        coming = [following.text.upper() for following in tokens[place + 1 : place + 6]]
        after_call = place > 0 and tokens[place - 1].token_type is TokenType.R_PAREN
        if token.token_type is TokenType.FILTER and after_call and coming[:1] == ["("] and coming[1:2] != ["WHERE"]:
            raise _mismatch(sql, tokens[place + 1].end + 1)
        counts = coming[:1] in (["FIRST"], ["NEXT"]) or "".join(coming[:1]).isdigit()
        if token.token_type is TokenType.FETCH and counts and not _FETCH.match(" ".join(coming)):
            raise _mismatch(sql, token.end + 1)
    if open_cases:
        raise _mismatch(sql, len(sql))


def _refuse_unclosed(sql: str, tokens: list[Token]) -> None:
    """sqlglot takes the parenthesis that ends a row type for that of the CAST around it."""
    expected: list[TokenType] = []
    for token in tokens:
        if token.token_type in _OPEN:
            expected.append(_CLOSE[_OPEN.index(token.token_type)])
        elif token.token_type in _CLOSE and (not expected or expected.pop() is not token.token_type):
            raise SyntaxRefused(f"mismatched input '{token.text}'. Expecting: <EOF>", position(sql, token.start))
    if expected:
        raise SyntaxRefused("mismatched input '<EOF>'", position(sql, len(sql.rstrip())))


def _check_listagg(sql: str, tokens: list[Token]) -> None:
    """``LISTAGG(value, 'separator' …) WITHIN GROUP``: the separator is a text that is written out."""
    depth, commas = 0, 0
    for this, after in zip(tokens, [*tokens[1:], None], strict=True):
        depth += (this.token_type in _OPEN) - (this.token_type in _CLOSE)
        shown, place = (after.text, after.start) if after is not None else ("<EOF>", len(sql))
        if depth == 0 and this.token_type is TokenType.COMMA:
            commas += 1
            if commas > 1:
                raise SyntaxRefused("mismatched input ','. Expecting: ')', 'ON'", position(sql, this.start))
            if after is None or after.token_type is not TokenType.STRING:
                raise SyntaxRefused(f"mismatched input '{shown}'. Expecting: <string>", position(sql, place))
        if depth < 0:
            if shown.upper() != "WITHIN":
                raise SyntaxRefused(f"mismatched input '{shown}'. Expecting: 'WITHIN'", position(sql, place))
            return


_OPEN = (TokenType.L_PAREN, TokenType.L_BRACKET)
_CLOSE = (TokenType.R_PAREN, TokenType.R_BRACKET)


def _glued(number: Token, following: Token | None) -> bool:
    return following is not None and following.token_type is TokenType.VAR and following.start == number.end + 1


def _ends_limit(tokens: list[Token], place: int) -> bool:
    """``LIMIT 1, 2`` and ``LIMIT 1 OFFSET 2``: Trino's OFFSET comes first."""
    before = [token.token_type for token in tokens[max(place - 2, 0) : place]]
    return before[:1] == [TokenType.LIMIT] and before[1:] in ([TokenType.NUMBER], [TokenType.ALL])


def refuse_foreign_trees(sql: str, tree: exp.Expression) -> None:
    """sqlglot takes ``SELECT FROM t``, ``GROUP BY`` without a column and other clauses of which a part is missing."""
    for node in tree.walk():
        nested = node.expressions if isinstance(node, exp.GroupingSets) else ()
        inner = next((part for part in nested if isinstance(part, (exp.GroupingSets, exp.Cube, exp.Rollup))), None)
        if inner is not None:
            raise _mismatch(sql, sql.upper().rfind(inner.key.upper(), 0, _end(sql, inner)))
        if _lacks_part(sql, node):
            raise _mismatch(sql, _end(sql, node))


_AND = re.compile(r"\band\b", re.IGNORECASE)


def _lacks_part(sql: str, node: exp.Expr) -> bool:
    if isinstance(node, exp.Select):
        return not node.expressions
    if isinstance(node, exp.Group):
        return not any(node.args.values())
    if isinstance(node, exp.In):
        return not any(part for name, part in node.args.items() if name != "this")
    if isinstance(node, exp.WindowSpec):
        sides = ((node.args.get(side), node.args.get(f"{side}_side")) for side in ("start", "end"))
        return any(bound not in (None, "CURRENT ROW") and not direction for bound, direction in sides)
    if isinstance(node, exp.Between):
        low, high = span(node.args["low"]), span(node.args["high"])
        return low is not None and high is not None and not _AND.search(sql, low[1] + 1, high[0])
    if isinstance(node, exp.TableAlias):
        return isinstance(node.this, exp.Placeholder)
    return any(part is None for parts in node.args.values() if isinstance(parts, list) for part in parts)


_TOKEN = re.compile(r"\s*(\w+|\S)")


def _mismatch(sql: str, offset: int) -> SyntaxRefused:
    """The refusal of the token at an offset or behind it."""
    found = _TOKEN.match(sql, max(offset, 0))
    if found is None:
        return SyntaxRefused("mismatched input '<EOF>'", position(sql, len(sql.rstrip())))
    return SyntaxRefused(f"mismatched input '{found[1]}'", position(sql, found.start(1)))


def _end(sql: str, node: exp.Expr) -> int:
    """Where the last token below a node ends; of the text, if there is none."""
    ends = (found.meta.get("end") for found in node.walk())
    return max((end + 1 for end in ends if end is not None), default=len(sql.rstrip()))


# https://docs.aws.amazon.com/athena/latest/ug/reserved-words.html, those in SELECT statements
_WORDS = """
alter and as between by case cast constraint create cross cube current_catalog current_date current_path current_schema
current_time current_timestamp current_user deallocate delete describe distinct drop else end escape except execute
exists extract false for from full group grouping having in inner insert intersect into is join json_array json_exists
json_object json_query json_table json_value left like listagg localtime localtimestamp natural normalize not null on
or order outer prepare recursive right rollup select skip table then trim true uescape union unnest using values when
where with
"""
_RESERVED = frozenset(_WORDS.split())


def refuse_reserved_names(sql: str, tree: exp.Expression) -> None:
    """A reserved word is a name in double quotes only."""
    for name in tree.find_all(exp.Identifier):
        if not name.args.get("quoted") and name.name.lower() in _RESERVED and "start" in name.meta:
            raise SyntaxRefused(f"mismatched input '{name.name}'", position(sql, name.meta["start"]))

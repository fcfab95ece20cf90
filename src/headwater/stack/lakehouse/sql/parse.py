"""Athena SQL text to a sqlglot tree in which every function keeps the name that the user wrote."""

from __future__ import annotations

import re
from typing import Any, ClassVar, cast

from sqlglot import exp
from sqlglot.dialects.trino import Trino
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokenizer_core import Token, TokenType

from headwater.stack.lakehouse.sql.depth import at_any_depth
from headwater.stack.lakehouse.sql.failures import SyntaxRefused
from headwater.stack.lakehouse.sql.foreign import position, refuse_foreign_syntax, refuse_foreign_trees
from headwater.stack.lakehouse.sql.jsonsyntax import PARSERS as JSON_PARSERS

TYPED = "typed"
"""The mark on a cast that is written as a typed literal."""
COMMA = "comma"
"""The mark on a join that is written as a comma."""
_OPENING = (TokenType.L_PAREN, TokenType.L_BRACKET)
_TYPE_OPTIONS = ("check_func", "schema", "allow_identifiers", "with_collation")
_UNCLOSED = re.compile(r"Missing (.+) from \d+:(\d+)")
_SYNTAX_FUNCTIONS = ("CAST", "TRY_CAST", "EXTRACT", "SUBSTRING", "POSITION", "TRIM", "LISTAGG")


def _typed_literal(parser: Any, this: exp.Expression, kind: exp.DataType) -> exp.Expression:
    """``DATE '2025-01-02'``, marked, because errors in it are not those of a cast."""
    literal = parser.expression(exp.Cast(this=this, to=kind))
    literal.meta[TYPED] = isinstance(this, exp.Literal)
    return cast(exp.Expression, literal)


_DAY_WITH_ZONE = re.compile(r"\S+ +[A-Za-z+-]\S*")
_TEMPORAL = (exp.DType.TIMESTAMP, exp.DType.TIMESTAMPTZ, exp.DType.TIME, exp.DType.TIMETZ)


def _temporal_literal(parser: Any, this: exp.Expression, kind: exp.DataType) -> exp.Expression:
    """The same for times, whose precision is that of the literal; a zone may stand behind a bare day."""
    if kind.is_type(exp.DType.TIMESTAMP) and _DAY_WITH_ZONE.fullmatch(this.name):
        kind = exp.DType.TIMESTAMPTZ.into_expr()
    literal = parser._parse_temporal_literal(this, kind)
    literal.meta[TYPED] = isinstance(this, exp.Literal)
    return cast(exp.Expression, literal)


class AthenaSql(Trino):
    """Trino's grammar without sqlglot's own function nodes: the registry decides what a name means, not the parser."""

    INDEX_OFFSET = 0

    class Tokenizer(Trino.Tokenizer):
        """No word makes the rest of a statement one opaque token."""

        COMMANDS: ClassVar[set[TokenType]] = set()
        # As "byte strings" they may hold spaces, which sqlglot does not allow in its hexadecimal strings.
        HEX_STRINGS = []  # noqa: RUF012 - sqlglot's class attributes are its configuration
        BYTE_STRINGS = [("X'", "'"), ("x'", "'")]  # noqa: RUF012
        KEYWORDS = {  # noqa: RUF012 - sqlglot's class attributes are its configuration
            word: kind for word, kind in Trino.Tokenizer.KEYWORDS.items() if kind is not TokenType.COMMAND
        }

    class Parser(Trino.Parser):  # type: ignore[misc,valid-type]  # a dialect's parser is a class attribute
        """Only functions with a syntax of their own are parsed as such."""

        FUNCTIONS: dict[str, Any] = {}  # noqa: RUF012 - sqlglot's class attributes are its configuration
        FUNCTION_PARSERS = {  # noqa: RUF012
            **{name: parser for name, parser in Trino.Parser.FUNCTION_PARSERS.items() if name in _SYNTAX_FUNCTIONS},
            **JSON_PARSERS,
        }
        NO_PAREN_FUNCTION_PARSERS = {  # noqa: RUF012
            name: Trino.Parser.NO_PAREN_FUNCTION_PARSERS[name] for name in ("CASE", "IF", "ANY")
        }

        TYPE_LITERAL_PARSERS = {  # noqa: RUF012
            **dict.fromkeys(exp.DType, _typed_literal),
            **Trino.Parser.TYPE_LITERAL_PARSERS,
            **dict.fromkeys(_TEMPORAL, _temporal_literal),
        }

        def reset(self) -> None:
            """Forget the statement before."""
            super().reset()
            self._no_types = set[tuple[int, int, tuple[bool | None, ...]]]()

        def _parse_types(self, *args: bool, **kwargs: bool) -> exp.Expression | None:
            """sqlglot tries most words as a type and then as a call: without memory twice as often at each level."""
            key = (self._chunk_index, self._index, (*args, *map(kwargs.get, _TYPE_OPTIONS)))
            if key in self._no_types or (kwargs.get("check_func") and self._is_constructor()):
                return None
            found = super()._parse_types(*args, **kwargs)
            if found is None:
                self._no_types.add(key)
            return cast("exp.Expression | None", found)

        def _is_constructor(self) -> bool:
            """``ARRAY[…]``, ``ROW(…)`` and ``MAP(…)``: where a value can stand they are never a type."""
            nested = self._curr is not None and self._curr.token_type in self.NESTED_TYPE_TOKENS
            return nested and self._next is not None and self._next.token_type in _OPENING

        def _parse_escape(self, this: exp.Expression | None) -> exp.Expression | None:
            """Any value may be the escape character of LIKE; sqlglot knows literals only."""
            if not self._match(TokenType.ESCAPE):
                return this
            return cast("exp.Expression", self.expression(exp.Escape(this=this, expression=self._parse_bitwise())))

        def _parse_join(self, *args: Any, **kwargs: Any) -> exp.Join | None:
            """A comma in FROM binds less than JOIN does, and JOIN needs a condition; sqlglot tells neither."""
            comma = self._curr is not None and self._curr.token_type is TokenType.COMMA
            join = super()._parse_join(*args, **kwargs)
            if join is not None and comma:
                join.meta[COMMA] = True
            elif join is not None and not _is_complete(join):
                self.raise_error("JOIN without ON or USING")
            return cast("exp.Join | None", join)


def _is_complete(join: exp.Join) -> bool:
    return str(join.args.get("kind") or "").upper() == "CROSS" or any(
        join.args.get(part) for part in ("on", "using", "method")
    )


def parse_query(sql: str) -> exp.Expression:
    """The tree of one statement. Raises ``SyntaxRefused`` with Athena's wording.

    >>> parse_query("select 1").key
    'select'
    """
    dialect = AthenaSql()
    try:
        tokens = _whole_numbers(sql, _decimal_literals(tokenize(sql)))
        refuse_foreign_syntax(sql, tokens)
        parsed = at_any_depth(lambda: dialect.parser().parse(tokens, sql))
        trees = [tree for tree in parsed if tree is not None]
    except ParseError as error:
        raise _refusal(sql, error) from error
    except RecursionError as error:
        raise SyntaxRefused("statement is too large (stack overflow during parsing)", (1, 1)) from error
    if len(trees) != 1:
        raise SyntaxRefused("Only one sql statement is allowed", (1, 1))
    tree = cast(exp.Expression, trees[0])
    refuse_foreign_trees(sql, tree)
    return tree


_EXPONENT = re.compile(r"(?:\d+\.?\d*|\.\d+)[eE]\d+(?=[+-])")


def tokenize(sql: str) -> list[Token]:
    """The tokens of a text. Raises ``SyntaxRefused`` for one that is not closed.

    sqlglot takes the sign behind ``1e0`` in ``1e0+x`` for the exponent's.

    >>> [token.text for token in tokenize("1e0+1E1-x")]
    ['1e0', '+', '1E1', '-', 'x']
    """
    found: list[Token] = []
    tokens = _tokens(sql)
    while True:
        place, number = _run_on(sql, tokens)
        if number is None:
            return found + tokens
        token = tokens[place]
        found += tokens[:place]
        found.append(Token(TokenType.NUMBER, number[0], token.line, token.col, token.start, number.end() - 1))
        sql = re.sub(r"[^\n]", " ", sql[: number.end()]) + sql[number.end() :]
        tokens = _tokens(sql)


def _run_on(sql: str, tokens: list[Token]) -> tuple[int, re.Match[str] | None]:
    """The first number that has the sign behind it in its token, and its place."""
    for place, token in enumerate(tokens):
        number = _EXPONENT.match(sql, token.start) if token.token_type is TokenType.NUMBER else None
        if number is not None and number.end() <= token.end:
            return place, number
    return 0, None


def _tokens(sql: str) -> list[Token]:
    try:
        return AthenaSql().tokenize(sql)
    except TokenError as error:
        unclosed = _UNCLOSED.search(str(error.__cause__))
        if unclosed is None:  # the text ends where a quote was opened
            raise SyntaxRefused("mismatched input '<EOF>'", position(sql, len(sql.rstrip()))) from error
        offset = max(sql.find(unclosed[1], int(unclosed[2])), 0)
        message = f"mismatched input '{sql[offset : offset + 1]}'. Expecting: <EOF>"
        raise SyntaxRefused(message, position(sql, offset)) from error


def _refusal(sql: str, error: ParseError) -> SyntaxRefused:
    first = error.errors[0] if error.errors else {}
    highlight = str(first.get("highlight") or "")
    context = str(first.get("start_context") or "")
    offset = max(sql.find(context + highlight), 0) + len(context)
    if not sql[offset:].strip() or highlight.strip() == "":
        return SyntaxRefused("mismatched input '<EOF>'", position(sql, len(sql.rstrip())))
    return SyntaxRefused(f"mismatched input '{highlight}'. Expecting: <EOF>", position(sql, offset))


def _decimal_literals(tokens: list[Token]) -> list[Token]:
    """``DECIMAL '1.10'`` is the number 1.10; sqlglot would make it a cast to ``decimal``, which has no fraction.

    A plus or a further zero before it tells ``DECIMAL '0.0'`` from a bare ``0.0``, by which one may divide.
    """
    found: list[Token] = []
    for token in tokens:
        if token.token_type is TokenType.STRING and found and found[-1].token_type is TokenType.DECIMAL:
            word = found.pop()
            sign, digits = "-0" if token.text.startswith("-") else "+", token.text.lstrip("+-")
            text = f"{sign}{digits}{'' if '.' in digits else '.'}"
            token = Token(TokenType.NUMBER, text, token.line, token.col, word.start, token.end)  # noqa: PLW2901
        found.append(token)
    return found


_WHOLE_NUMBER = re.compile(r"0[xX](?:_?[0-9a-fA-F])+|0[oO](?:_?[0-7])+|0[bB](?:_?[01])+|\d+(?:_\d+)+(?![.\w])")


def _whole_numbers(sql: str, tokens: list[Token]) -> list[Token]:
    """``1_000``, ``0xFF``, ``0o17`` and ``0b11``, which sqlglot reads as a number with an alias."""
    found: list[Token] = []
    end = -1
    for token in tokens:
        if token.start <= end:
            continue
        whole = _WHOLE_NUMBER.match(sql, token.start) if token.token_type is TokenType.NUMBER else None
        if whole is not None:
            end = whole.end() - 1
            text = str(int(whole[0], 0)) if whole[0][1:2].isalpha() else whole[0].replace("_", "")
            token = Token(TokenType.NUMBER, text, token.line, token.col, token.start, end)  # noqa: PLW2901
        found.append(token)
    return found

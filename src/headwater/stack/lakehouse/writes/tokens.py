"""Reads the tokens of Trino SQL one after the other, for statements whose head is not part of a query."""

from __future__ import annotations

import re

from sqlglot.tokenizer_core import Token, TokenType

from headwater.stack.lakehouse.hive.ast import TableName
from headwater.stack.lakehouse.hive.cursor import CATALOG
from headwater.stack.lakehouse.keywords import Keywords
from headwater.stack.lakehouse.sql.failures import SyntaxRefused
from headwater.stack.lakehouse.sql.foreign import position
from headwater.stack.lakehouse.sql.parse import tokenize

_QUOTED = (TokenType.STRING, TokenType.IDENTIFIER)

Value = str | int | float | bool | tuple[str, ...]
"""What a property in WITH can be."""


class Tokens(Keywords[Token]):
    """A position in the tokens of one statement. The ``expect``-like methods raise ``SyntaxRefused``."""

    def __init__(self, sql: str) -> None:
        super().__init__(sql, tokenize(sql))

    def _is(self, token: Token, word: str) -> bool:
        return token.token_type not in _QUOTED and token.text.lower() == word

    @property
    def coming(self) -> Token | None:
        """The token to come, or ``None`` at the end."""
        return self._tokens[self._index] if self._index < len(self._tokens) else None

    @property
    def offset(self) -> int:
        """Where the token to come starts."""
        return self.coming.start if self.coming else len(self.sql)

    def at_type(self, *kinds: TokenType) -> bool:
        """Whether a token of one of these kinds comes next."""
        return self.coming is not None and self.coming.token_type in kinds

    def advance(self) -> Token:
        """Take the token to come, whatever it is."""
        token = self.coming
        if token is None:
            raise self.mismatch("more")
        self._index += 1
        return token

    def back(self, count: int = 1) -> None:
        """Give tokens back."""
        self._index -= count

    def mismatch(self, *expected: str) -> SyntaxRefused:
        """The error that the token to come is not one of those expected."""
        shown = self.sql[self.coming.start : self.coming.end + 1] if self.coming else "<EOF>"
        message = f"mismatched input '{shown}'. Expecting: {', '.join(expected)}"
        return SyntaxRefused(message, position(self.sql, self.offset))

    def end(self) -> None:
        """The statement must be over."""
        if self.coming is not None:
            raise self.mismatch("<EOF>")

    def name(self) -> str:
        """An identifier, in lower case."""
        token = self.coming
        if token is None or token.token_type is TokenType.STRING or not re.fullmatch(r"\w+", _bare(token)):
            raise self.mismatch("<identifier>")
        self._index += 1
        return token.text.lower()

    def table(self) -> TableName:
        """``name``, ``database.name`` or ``catalog.database.name``."""
        parts = [self.name()]
        while self.accept("."):
            parts.append(self.name())
        if len(parts) > 3:
            raise SyntaxRefused(f"Too many dots in table name: {'.'.join(parts)}", position(self.sql, self.offset))
        catalog = parts[0] if len(parts) == 3 and parts[0] != CATALOG else None
        return TableName(parts[-1], parts[-2] if len(parts) > 1 else None, catalog)

    def string(self) -> str:
        """A string literal."""
        if not self.at_type(TokenType.STRING):
            raise self.mismatch("<string>")
        return self.advance().text

    def names(self) -> tuple[str, ...]:
        """``(a, b)``."""
        self.expect("(")
        found = [self.name()]
        while self.accept(","):
            found.append(self.name())
        self.expect(")")
        return tuple(found)

    def properties(self) -> dict[str, Value]:
        """``(name = value, …)``: names in lower case; values are literals or arrays of strings."""
        self.expect("(")
        found: dict[str, Value] = {}
        while True:
            name = self.name()
            self.expect("=")
            if name in found:
                raise SyntaxRefused(f"Duplicate property: {name}", position(self.sql, self.offset))
            found[name] = self._value()
            if not self.accept(","):
                break
        self.expect(")")
        return found

    def _value(self) -> Value:
        if self.accept("array"):
            self.expect("[")
            items: list[str] = []
            while not self.accept("]"):
                items.append(self.string())
                if not self.at("]"):
                    self.expect(",")
            return tuple(items)
        if self.at_type(TokenType.STRING):
            return self.string()
        if self.accept("true"):
            return True
        if self.accept("false"):
            return False
        sign = "-" if self.accept("-") else ""
        if not self.at_type(TokenType.NUMBER):
            raise self.mismatch("<string>", "<number>", "'ARRAY'", "'TRUE'", "'FALSE'")
        number = sign + self.advance().text
        return int(number) if re.fullmatch(r"-?\d+", number) else float(number)

    def rest(self, before: int = 0) -> str:
        """The text from the token to come up to ``before`` tokens from the end, in place: positions stay true."""
        last = self._tokens[len(self._tokens) - 1 - before]
        return blank(self.sql[: self.offset]) + self.sql[self.offset : last.end + 1]

    def ends_with(self, *words: str) -> bool:
        """Whether the statement's last tokens are these."""
        tail = self._tokens[max(len(self._tokens) - len(words), self._index) :]
        return len(tail) == len(words) and all(map(self._is, tail, words))


def blank(text: str) -> str:
    """As many spaces as the text has characters, with its line ends kept."""
    return re.sub(r"[^\n]", " ", text)


def _bare(token: Token) -> str:
    # Quoted identifiers may hold anything.
    return "x" if token.token_type is TokenType.IDENTIFIER else token.text

"""Reads tokens one after the other: the small pieces that all Hive DDL statements share."""

from __future__ import annotations

from headwater.stack.lakehouse.hive.ast import PartitionSpec, TableName
from headwater.stack.lakehouse.hive.lexer import DdlSyntaxError, Token, position_of, tokenize
from headwater.stack.lakehouse.hive.reserved import RESERVED
from headwater.stack.lakehouse.hive.types import TypeSyntaxError, parse_type_at
from headwater.stack.lakehouse.keywords import Keywords
from headwater.stack.lakehouse.model import Column

CATALOG = "awsdatacatalog"


class Cursor(Keywords[Token]):
    """A position in the tokens of one statement. The ``expect``-like methods raise ``DdlSyntaxError``."""

    def __init__(self, sql: str) -> None:
        super().__init__(sql, tokenize(sql))

    def _is(self, token: Token, word: str) -> bool:
        return token.kind in ("word", "symbol") and token.text.lower() == word

    @property
    def token(self) -> Token:
        """The token to come."""
        return self._tokens[self._index]

    def advance(self) -> Token:
        """Take the token to come."""
        token = self.token
        if token.kind != "end":
            self._index += 1
        return token

    def mismatch(self, *expected: str) -> DdlSyntaxError:
        """The error that the token to come is not one of those expected."""
        shown = "<EOF>" if self.token.kind == "end" else self.sql[self.token.start : self.token.end]
        return self.error(f"mismatched input '{shown}'. Expecting: {', '.join(expected)}")

    def error(self, message: str, offset: int | None = None) -> DdlSyntaxError:
        """An error at the token to come, or at an offset of the statement."""
        return DdlSyntaxError(message, *position_of(self.sql, self.token.start if offset is None else offset))

    def end(self) -> None:
        """The statement must be over; one semicolon may end it."""
        ended = self.accept(";")
        if self.token.kind != "end":
            raise self.error("Only one sql statement is allowed.") if ended else self.mismatch("<EOF>")

    def name(self, *, reserved: bool = False) -> str:
        """An identifier, in lower case; ``reserved``: also a bare reserved word."""
        token = self.token
        if token.kind not in ("word", "quoted") or not token.text:
            raise self.mismatch("identifier")
        if not reserved and token.kind == "word" and token.text.lower() in RESERVED:
            raise self.mismatch("identifier (a reserved word is a name in backticks only)")
        self._index += 1
        return token.text.lower()

    @property
    def ends_item(self) -> bool:
        """Whether the token to come is the last of an item in parentheses."""
        following = self._tokens[min(self._index + 1, len(self._tokens) - 1)]
        return self._is(following, ",") or self._is(following, ")")

    def table(self) -> TableName:
        """``name``, ``database.name`` or ``catalog.database.name``."""
        parts = [self._table_part()]
        while self.accept("."):
            parts.append(self._table_part())
        if len(parts) == 1 and "." in parts[0]:
            # SHOW CREATE TABLE writes `database.table` in one pair of backticks.
            parts = parts[0].split(".", 1)
        if len(parts) > 3:
            raise self.error(f"Too many dots in table name: {'.'.join(parts)}")
        catalog = parts[0] if len(parts) == 3 and parts[0] != CATALOG else None
        return TableName(parts[-1], parts[-2] if len(parts) > 1 else None, catalog)

    def _table_part(self) -> str:
        if self.token.kind == "string" and self.sql[self.token.start] == '"':
            return self.advance().text.lower()
        return self.name()

    def string(self) -> str:
        """A string literal."""
        if self.token.kind != "string":
            raise self.mismatch("string literal")
        return self.advance().text

    def literal(self) -> str:
        """A string, number, boolean or DATE literal, as text."""
        if self.token.kind == "word" and self.token.text.lower() in ("date", "timestamp"):
            self.advance()
            return self.string()
        sign = "-" if self.accept("-") else ""
        token = self.token
        if token.kind == "number" or (token.kind == "string" and not sign):
            return sign + self.advance().text
        if token.kind == "word" and token.text.lower() in ("true", "false") and not sign:
            return self.advance().text.lower()
        raise self.mismatch("string", "number", "date")

    def integer(self) -> int:
        """A number without a fraction."""
        if self.token.kind != "number" or not self.token.text.isdecimal():
            raise self.mismatch("number")
        return int(self.advance().text)

    def properties(self) -> dict[str, str]:
        """``('name'='value', …)``."""
        self.expect("(")
        found: dict[str, str] = {}
        while True:
            name = self.string()
            self.expect("=")
            # Hive wants a string; Athena takes bare numbers and booleans, too.
            found[name] = self.literal()
            if not self.accept(","):
                break
        self.expect(")")
        return found

    def columns(self) -> tuple[Column, ...]:
        """``(name type [COMMENT '…'], …)``."""
        self.expect("(")
        found = [self.column()]
        while self.accept(","):
            found.append(self.column())
        self.expect(")")
        return tuple(found)

    def column(self) -> Column:
        """``name type [COMMENT '…']``."""
        name = self.name()
        self.accept(":")
        kind = self.type()
        comment = self.string() if self.accept("comment") else None
        return Column(name, kind, comment)

    def type(self) -> str:
        """A Hive type, as Glue stores it."""
        start = self.token.start
        try:
            kind, end = parse_type_at(self.sql, start)
        except TypeSyntaxError as error:
            raise self.error(str(error), error.position) from error
        while self.token.kind != "end" and self.token.start < end:
            self._index += 1
        return str(kind)

    def partition(self) -> PartitionSpec:
        """``PARTITION (key=value, …)``."""
        self.expect("partition")
        self.expect("(")
        values: dict[str, str] = {}
        while True:
            key = self.name()
            self.expect("=")
            values[key] = self.literal()
            if not self.accept(","):
                break
        self.expect(")")
        return PartitionSpec(values)

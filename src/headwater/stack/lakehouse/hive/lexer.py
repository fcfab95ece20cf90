"""Tokens of Hive DDL, with Hive's comments, quoting and string escapes."""

from __future__ import annotations

import re
from dataclasses import dataclass

from headwater.stack.lakehouse.errors import QueryFailed

_TOKEN = re.compile(
    r"(?P<space>\s+|--[^\n]*|/\*.*?\*/)"
    # Adjacent literals are one: 'a''b' is ab in Hive.
    r"|(?P<string>(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")+)"
    r"|(?P<quoted>`(?:[^`]|``)*`)"
    r"|(?P<number>\d+(?:\.\d+)?(?![\w]))"
    r"|(?P<word>\w+)"
    r"|(?P<symbol><=>|<>|!=|<=|>=|==|[-+*/%(){}\[\],.;:<>=?&|^~@#$!\\'\"`])",
    re.DOTALL,
)
_PIECE = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"", re.DOTALL)
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|[01][0-7]{2}|.)", re.DOTALL)
_CONTROL = {"0": "\0", "b": "\b", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a"}
_SPACES = re.compile(r"[ \t\n\v\f\r]{2,}")
"""Athena hands DDL to Hive with every run of white space made one space, inside of literals too."""
_WRITTEN = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


class DdlSyntaxError(QueryFailed):
    """The statement is not valid Hive DDL; ``line`` and ``column`` count from 1."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(f"line {line}:{column}: {message}")
        self.message = message
        self.line = line
        self.column = column


@dataclass(frozen=True)
class Token:
    """``kind`` is word, quoted, string, number, symbol or end; ``text`` is the value without its quotes."""

    kind: str
    text: str
    start: int
    end: int


def tokenize(sql: str) -> list[Token]:
    """All tokens, with one of kind ``end`` at the end. Never fails: the parser meets what it can't read as a symbol."""
    tokens: list[Token] = []
    position = 0
    while position < len(sql):
        match = _TOKEN.match(sql, position)
        if match is None:
            tokens.append(Token("symbol", sql[position], position, position + 1))
            position += 1
            continue
        kind = str(match.lastgroup)
        position = match.end()
        if kind != "space":
            tokens.append(Token(kind, _value(kind, match.group()), match.start(), position))
    return [*tokens, Token("end", "<EOF>", len(sql), len(sql))]


def _value(kind: str, raw: str) -> str:
    if kind == "quoted":
        return raw[1:-1].replace("``", "`")
    if kind == "string":
        return "".join(unescape(single or double) for single, double in _PIECE.findall(_SPACES.sub(" ", raw)))
    return raw


def unescape(text: str) -> str:
    r"""The value of a string literal's inside.

    >>> unescape(r"a\tb\001\'\\d")
    "a\tb\x01'\\d"
    """
    if "\\" not in text:
        return text
    return _ESCAPE.sub(_unescaped, text)


def _unescaped(match: re.Match[str]) -> str:
    found = match.group(1)
    if len(found) == 5:
        return chr(int(found[1:], 16))
    if len(found) == 3:
        return chr(int(found, 8))
    if found in "%_":  # kept for LIKE, as Hive does
        return f"\\{found}"
    return _CONTROL.get(found, found)


def quote(value: str) -> str:
    r"""A string literal that reads back as the value.

    >>> quote("it's\t\x01")
    "'it\\'s\\t\\u0001'"
    """
    written = (_WRITTEN.get(char) or (f"\\u{ord(char):04x}" if ord(char) < 32 else char) for char in value)
    return f"'{''.join(written)}'"


def quote_name(name: str) -> str:
    """An identifier in backticks.

    >>> quote_name("order")
    '`order`'
    """
    return f"`{name.replace('`', '``')}`"


def position_of(sql: str, offset: int) -> tuple[int, int]:
    """Line and column of an offset, both from 1.

    >>> position_of("a" + chr(10) + "bc", 3)
    (2, 2)
    """
    before = sql[:offset]
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1

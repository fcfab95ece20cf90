"""The JSON path language of SQL/JSON, read into a tree (https://trino.io/docs/current/functions/json.html)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any

from headwater.stack.lakehouse.sql.routines.jsons import decoded
from headwater.stack.lakehouse.sql.routines.model import RoutineFailed

_TOKEN = re.compile(
    r"""\s*(?:(?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(?P<text>"(?:[^"\\]|\\.)*")|(?P<name>\$?[A-Za-z_]\w*)"""
    r"""|(?P<sign>\.\.|&&|\|\||==|!=|<>|<=|>=|[$@.\[\](),?*+\-/%!<>]))""",
    re.DOTALL,
)
_COMPARISONS = ("==", "!=", "<>", "<=", ">=", "<", ">")
METHODS = ("size", "type", "double", "ceiling", "floor", "abs", "keyvalue")


@dataclass(frozen=True)
class Node:
    """One node: what it is, its operands, and what it names or holds."""

    kind: str
    inner: tuple[Node, ...] = ()
    value: Any = None


@dataclass(frozen=True)
class Path:
    """A whole path and its mode."""

    strict: bool
    root: Node

    def variables(self) -> Iterator[str]:
        """The names that PASSING has to give values."""
        nodes = [self.root]
        while nodes:
            node = nodes.pop()
            if node.kind == "variable":
                yield str(node.value)
            nodes.extend(node.inner)


@lru_cache(maxsize=256)
def parsed(text: str) -> Path:
    """Read a path. Raises ``RoutineFailed`` INVALID_PATH, or NOT_SUPPORTED for what is not evaluated here.

    >>> parsed("lax $.a").root
    Node(kind='member', inner=(Node(kind='context', inner=(), value=None),), value='a')
    """
    found = re.match(r"\s*(lax|strict)\s+", text)
    if found is None:
        raise _invalid(text)
    reader = _Reader(text, found.end())
    root = reader.sum()
    if reader.coming:
        raise _invalid(text)
    return Path(found[1] == "strict", root)


def _invalid(text: str) -> RoutineFailed:
    return RoutineFailed(f"Invalid JSON path: '{text}'", "INVALID_PATH")


class _Reader:
    """Recursive descent over the tokens."""

    def __init__(self, text: str, offset: int) -> None:
        self._text = text
        self._tokens: list[tuple[str, str]] = []
        while offset < len(text.rstrip()):
            found = _TOKEN.match(text, offset)
            if found is None:
                raise _invalid(text)
            self._tokens.append((str(found.lastgroup), found[str(found.lastgroup)]))
            offset = found.end()
        self._place = 0

    @property
    def coming(self) -> str:
        """The next token, '' at the end."""
        return self._tokens[self._place][1] if self._place < len(self._tokens) else ""

    def _take(self, *texts: str) -> str:
        if self.coming and self.coming in texts:
            self._place += 1
            return self._tokens[self._place - 1][1]
        return ""

    def _need(self, text: str) -> None:
        if not self._take(text):
            raise _invalid(self._text)

    # --- paths ---------------------------------------------------------------------------------------------------

    def sum(self) -> Node:
        """``a + b - c``."""
        left = self._product()
        while sign := self._take("+", "-"):
            left = Node("arithmetic", (left, self._product()), sign)
        return left

    def _product(self) -> Node:
        left = self._signed()
        while sign := self._take("*", "/", "%"):
            left = Node("arithmetic", (left, self._signed()), sign)
        return left

    def _signed(self) -> Node:
        if sign := self._take("+", "-"):
            return Node("signed", (self._signed(),), sign)
        return self._accessors(self._primary())

    def _primary(self) -> Node:
        if self._place >= len(self._tokens):
            raise _invalid(self._text)
        kind, text = self._tokens[self._place]
        self._place += 1
        if kind == "number":
            return Node("literal", value=int(text) if text.isdigit() else _fraction(text))
        if kind == "text":
            return Node("literal", value=decoded(text))
        if text == "(":
            inner = self.sum()
            self._need(")")
            return inner
        simple = {"$": Node("context"), "@": Node("item"), "last": Node("last"), "null": Node("literal", value=None)}
        simple |= {"true": Node("literal", value=True), "false": Node("literal", value=False)}
        if text in simple:
            return simple[text]
        if kind == "name" and text.startswith("$"):
            return Node("variable", value=text[1:])
        raise _invalid(self._text)

    def _accessors(self, base: Node) -> Node:
        while True:
            if self._take(".."):
                base = Node("descendants", (base,), self._key())
            elif self._take("."):
                base = self._after_dot(base)
            elif self._take("["):
                base = self._subscripts(base)
            elif self._take("?"):
                self._need("(")
                base = Node("filter", (base, self.predicate()))
                self._need(")")
            else:
                return base

    def _key(self) -> str:
        kind, text = self._tokens[self._place] if self._place < len(self._tokens) else ("", "")
        if kind not in ("name", "text"):
            raise _invalid(self._text)
        self._place += 1
        return str(decoded(text)) if kind == "text" else text

    def _after_dot(self, base: Node) -> Node:
        if self._take("*"):
            return Node("members", (base,))
        quoted = self.coming.startswith('"')
        name = self._key()
        if quoted or not self._take("("):
            return Node("member", (base,), name)
        if name not in METHODS:
            message = f"the JSON path method {name}() is not supported by Headwater's local Athena"
            raise RoutineFailed(message, "NOT_SUPPORTED")
        self._need(")")
        return Node("method", (base,), name)

    def _subscripts(self, base: Node) -> Node:
        if self._take("*"):
            self._need("]")
            return Node("elements", (base,))
        parts: list[Node] = []
        while True:
            first = self.sum()
            parts.append(Node("range", (first, self.sum())) if self._take("to") else Node("range", (first, first)))
            if not self._take(","):
                break
        self._need("]")
        return Node("subscripts", (base, *parts))

    # --- predicates ----------------------------------------------------------------------------------------------

    def predicate(self) -> Node:
        """``a && b || !c``."""
        left = self._conjunction()
        while self._take("||"):
            left = Node("or", (left, self._conjunction()))
        return left

    def _conjunction(self) -> Node:
        left = self._negation()
        while self._take("&&"):
            left = Node("and", (left, self._negation()))
        return left

    def _negation(self) -> Node:
        if self._take("!"):
            return Node("not", (self._negation(),))
        if self._take("exists"):
            self._need("(")
            inner = self.sum()
            self._need(")")
            return Node("exists", (inner,))
        start = self._place
        if self._take("("):
            try:
                inner = self.predicate()
                self._need(")")
            except RoutineFailed:
                self._place = start
            else:
                if self.coming not in (*_COMPARISONS, "starts", "+", "-", "*", "/", "%", ".", "["):
                    return self._unknown(inner)
                self._place = start
        return self._comparison()

    def _unknown(self, inner: Node) -> Node:
        if not self._take("is"):
            return inner
        self._need("unknown")
        return Node("unknown", (inner,))

    def _comparison(self) -> Node:
        left = self.sum()
        if self._take("starts"):
            self._need("with")
            return Node("starts", (left, self._primary()))
        if self.coming == "like_regex":
            message = "the JSON path predicate like_regex is not supported by Headwater's local Athena"
            raise RoutineFailed(message, "NOT_SUPPORTED")
        sign = self._take(*_COMPARISONS)
        if not sign:
            raise _invalid(self._text)
        return Node("compare", (left, self.sum()), "!=" if sign == "<>" else sign)


def _fraction(text: str) -> float | Decimal:
    return float(text) if "e" in text.lower() else Decimal(text)

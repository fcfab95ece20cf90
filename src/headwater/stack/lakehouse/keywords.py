"""Takes keywords off the tokens of a statement: what the readers of Hive DDL and of Trino's statements share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class Keywords(ABC, Generic[T]):
    """A position in the tokens of one statement."""

    def __init__(self, sql: str, tokens: Sequence[T]) -> None:
        self.sql = sql
        self._tokens = tokens
        self._index = 0

    @abstractmethod
    def _is(self, token: T, word: str) -> bool:
        """Whether a token is this keyword or symbol."""

    @abstractmethod
    def mismatch(self, *expected: str) -> Exception:
        """The error that the token to come is not one of those expected."""

    def at(self, *words: str) -> bool:
        """Whether these keywords (or symbols) come next."""
        coming = self._tokens[self._index : self._index + len(words)]
        return len(coming) == len(words) and all(map(self._is, coming, words))

    def accept(self, *words: str) -> bool:
        """Take these keywords if they come next."""
        if self.at(*words):
            self._index += len(words)
            return True
        return False

    def expect(self, *words: str) -> None:
        """Take these keywords, or fail with what ``mismatch`` says."""
        for word in words:
            if not self.accept(word):
                raise self.mismatch(f"'{word.upper()}'")

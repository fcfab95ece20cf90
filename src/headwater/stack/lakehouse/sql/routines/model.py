"""One function that DuckDB calls back for: its name there, its code and its types."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

NOT_SUPPORTED = "NOT_SUPPORTED"


class RoutineFailed(ValueError):
    """Ends the query; the message begins with Athena's error code."""

    def __init__(self, message: str, code: str = "INVALID_FUNCTION_ARGUMENT") -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


def refuse(message: str) -> int:
    """Ends the query with NOT_SUPPORTED, from SQL."""
    raise RoutineFailed(message, NOT_SUPPORTED)


def watched(run: Callable[..., Any], refused: Callable[[str], None]) -> Callable[..., Any]:
    """The function, telling of what it does not support: the error alone would be NULL inside of TRY."""

    def call(*values: Any) -> Any:
        try:
            return run(*values)
        except RoutineFailed as failure:
            if failure.code == NOT_SUPPORTED:
                refused(str(failure))
            raise

    return call


@dataclass(frozen=True)
class Routine:
    """``parameters`` is ``None`` for any number of arguments of any types, NULLs included; else a NULL gives NULL."""

    name: str
    run: Callable[..., Any]
    parameters: Sequence[str] | None
    result: str

    @property
    def callback(self) -> Callable[..., Any]:
        """What DuckDB calls: it counts the parameters of the function that it is given."""
        run = self.run
        if self.parameters is None:
            return run
        return (_one, _two, _three, _four)[len(self.parameters) - 1](run)


def _one(run: Callable[..., Any]) -> Callable[..., Any]:
    return lambda a: None if a is None else run(a)


def _two(run: Callable[..., Any]) -> Callable[..., Any]:
    return lambda a, b: None if a is None or b is None else run(a, b)


def _three(run: Callable[..., Any]) -> Callable[..., Any]:
    return lambda a, b, c: None if a is None or b is None or c is None else run(a, b, c)


def _four(run: Callable[..., Any]) -> Callable[..., Any]:
    return lambda a, b, c, d: None if a is None or b is None or c is None or d is None else run(a, b, c, d)

"""The refusals of Trino's analyzer, each with the prefix under which Athena reports it."""

from __future__ import annotations

from headwater.stack.lakehouse.errors import QueryFailed

Position = tuple[int, int]


class SqlError(QueryFailed):
    """A statement that Trino refuses; ``code`` is the prefix, ``position`` the line and column, both from 1."""

    def __init__(self, code: str, message: str, position: Position | None = None) -> None:
        where = f"line {position[0]}:{position[1]}: " if position else ""
        super().__init__(f"{code}: {where}{message}")
        self.code = code
        self.message = message


class SyntaxRefused(SqlError):
    """A statement that is not SQL: refused when it is started, before it becomes an execution."""

    def __init__(self, message: str, position: Position) -> None:
        super().__init__("SYNTAX_ERROR", message, position)
        self.request_message = f"line {position[0]}:{position[1]}: {message}"


_MOST_CHARACTERS = 8 * 1024 * 1024


def check_size(sql: str) -> None:
    """Refuse what has grown too large to be run: each level of a nesting can need its argument several times."""
    if len(sql) > _MOST_CHARACTERS:
        message = "Query is too complex: an expression in it is nested too deeply; compute its inner part in a subquery"
        raise SqlError("COMPILER_ERROR", message)

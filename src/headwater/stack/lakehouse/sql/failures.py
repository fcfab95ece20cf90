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

"""Tag rows: what is written on databases and tables, by their ARNs."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping

from headwater.stack.lakehouse.model import Scope


def read_tags(connection: sqlite3.Connection, scope: Scope, arn: str) -> dict[str, str]:
    """The tags of a resource."""
    found = connection.execute(
        "SELECT tag, value FROM tags WHERE account = ? AND region = ? AND arn = ? ORDER BY tag",
        (scope.account, scope.region, arn),
    ).fetchall()
    return dict(found)


def write_tags(connection: sqlite3.Connection, scope: Scope, arn: str, tags: Mapping[str, str]) -> None:
    """Add or replace tags of a resource."""
    connection.executemany(
        "INSERT OR REPLACE INTO tags (account, region, arn, tag, value) VALUES (?, ?, ?, ?, ?)",
        [(scope.account, scope.region, arn, tag, value) for tag, value in tags.items()],
    )


def delete_tags(connection: sqlite3.Connection, scope: Scope, arn: str, names: Iterable[str]) -> None:
    """Remove tags of a resource."""
    connection.executemany(
        "DELETE FROM tags WHERE account = ? AND region = ? AND arn = ? AND tag = ?",
        [(scope.account, scope.region, arn, name) for name in names],
    )


def forget_tags(connection: sqlite3.Connection, scope: Scope, *endings: str) -> None:
    """Remove all tags of what is no more: an ARN ends so, or goes on so below a slash."""
    for ending in endings:
        condition = "instr(arn, ?) > 0" if ending.endswith("/") else "substr(arn, -length(?)) = ?"
        values = (ending,) if ending.endswith("/") else (ending, ending)
        sql = f"DELETE FROM tags WHERE account = ? AND region = ? AND {condition}"  # noqa: S608 - one of two texts
        connection.execute(sql, (scope.account, scope.region, *values))

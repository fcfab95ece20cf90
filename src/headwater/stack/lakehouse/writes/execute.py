"""Carries out a statement that writes, by its kind."""

from __future__ import annotations

from headwater.stack.lakehouse.writes.ast import CreateTableAs, Insert, Write
from headwater.stack.lakehouse.writes.context import WriteContext, WriteResult
from headwater.stack.lakehouse.writes.ctas import create_table_as
from headwater.stack.lakehouse.writes.insert import insert_into
from headwater.stack.lakehouse.writes.unload import unload


def execute_write(statement: Write, context: WriteContext) -> WriteResult:
    """Write the data, then register it. Raises ``QueryFailed``."""
    if isinstance(statement, CreateTableAs):
        return create_table_as(statement, context)
    if isinstance(statement, Insert):
        return insert_into(statement, context)
    return unload(statement, context)

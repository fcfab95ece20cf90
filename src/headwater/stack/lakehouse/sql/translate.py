"""One query from Athena SQL to DuckDB SQL: parsed, bound to the catalog, typed and rewritten; scans are still open."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from headwater.stack.lakehouse.sql.calls import Registry
from headwater.stack.lakehouse.sql.context import Context, Scan
from headwater.stack.lakehouse.sql.depth import at_any_depth
from headwater.stack.lakehouse.sql.failures import SqlError
from headwater.stack.lakehouse.sql.query import OutputColumn, Query
from headwater.stack.lakehouse.sql.select import Queries

_PLACEHOLDER = re.compile("\x00scan(\\d+)\x00")


@dataclass(frozen=True)
class Translation:
    """DuckDB SQL with a placeholder for each scan, the scans, and the result's columns."""

    sql: str
    columns: tuple[OutputColumn, ...]
    scans: tuple[Scan, ...]

    def with_scans(self, sources: Mapping[int, str]) -> str:
        """The SQL with each scan's source put in its place."""
        return _PLACEHOLDER.sub(lambda found: sources[int(found[1])], self.sql)

    @property
    def stored_columns(self) -> tuple[OutputColumn, ...]:
        """The columns as a table can hold them."""
        return tuple(replace(column, type=column.type.stored()) for column in self.columns)

    @property
    def names(self) -> Sequence[str]:
        """The column names of the result; a column without a name is ``_col0``, by its position."""
        return [column.name or f"_col{i}" for i, column in enumerate(self.columns)]


def translate(tree: exp.Expression, context: Context, registry: Registry) -> Translation:
    """Translate a query in a fresh context. Raises ``SqlError`` with Athena's prefixes, and ``Unsupported``."""

    def work() -> tuple[Context, Query]:
        fresh = replace(context, scans=[])
        return fresh, Queries(fresh, registry).query(tree)

    try:
        used, query = at_any_depth(work)
    except RecursionError as error:
        message = "statement is too large (stack overflow during analysis)"
        raise SqlError("STACK_OVERFLOW", message) from error
    return Translation(query.sql, query.columns, tuple(used.scans))

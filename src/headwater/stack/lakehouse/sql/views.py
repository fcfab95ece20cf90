"""A view in FROM: its own query, translated with the names that it was written with."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from headwater.stack.lakehouse.hive.views import decode_view
from headwater.stack.lakehouse.model import Table
from headwater.stack.lakehouse.sql.coerce import can_coerce, coerce
from headwater.stack.lakehouse.sql.context import Context
from headwater.stack.lakehouse.sql.declared import type_named
from headwater.stack.lakehouse.sql.expression import Expr
from headwater.stack.lakehouse.sql.failures import SqlError, SyntaxRefused
from headwater.stack.lakehouse.sql.parse import parse_query
from headwater.stack.lakehouse.sql.query import Named, OutputColumn, Query

if TYPE_CHECKING:
    from headwater.stack.lakehouse.sql.select import Queries

VIEW = "VIRTUAL_VIEW"


def view_query(queries: Queries, table: Table, node: exp.Expression) -> Query:
    """The view's rows in its declared columns. Raises ``SqlError`` VIEW_IS_STALE when they do not fit any more."""
    outer = queries.context
    position = outer.position(node)
    name = f"awsdatacatalog.{table.database}.{table.name}"
    if name in outer.views:
        raise SqlError("VIEW_IS_RECURSIVE", "View is recursive", position)
    view = decode_view(str(table.glue.get("ViewOriginalText") or ""))
    tables, views = outer.tables.within(view.schema), (*outer.views, name)
    inner = Context(view.sql, tables, outer.now, outer.scans, outer.relations, views)
    try:
        query = replace(queries, context=inner, named=Named()).query(parse_query(view.sql))
    except SyntaxRefused as error:
        raise SqlError("INVALID_VIEW", f"Failed parsing stored view '{name}': {error.message}", position) from error
    except SqlError as error:
        raise SqlError("INVALID_VIEW", f"Failed analyzing stored view '{name}': {error.reason}", position) from error
    outer.relations = inner.relations
    if len(query.columns) != len(view.columns):
        raise SqlError("VIEW_IS_STALE", f"View '{name}' is stale or in invalid state: column count", position)
    parts, columns = [], []
    for i, (have, declared) in enumerate(zip(query.columns, view.columns, strict=True)):
        kind = type_named(declared.type)
        if not can_coerce(have.type, kind):
            found = f"column [{have.name}] of type {have.type} projected from query view at position {i}"
            message = f"{found} cannot be coerced to column [{declared.name}] of type {kind} stored in view definition"
            raise SqlError("VIEW_IS_STALE", f"View '{name}' is stale or in invalid state: {message}", position)
        value = coerce(Expr(f"v.c{i}", have.type), kind)
        zoned = have.zoned and value.type == have.type
        parts.append(f"{value.sql} AS c{i}{f', v.i{i}, v.z{i}' if zoned else ''}")
        columns.append(OutputColumn(declared.name, value.type, have.origins, zoned))
    return Query(f"SELECT {', '.join(parts)} FROM ({query.sql}) AS v", tuple(columns))  # noqa: S608 - translated SQL

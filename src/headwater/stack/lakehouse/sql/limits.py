"""LIMIT, OFFSET and FETCH FIRST."""

from __future__ import annotations

from sqlglot import exp

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.sql.context import Context
from headwater.stack.lakehouse.sql.failures import SqlError


def limit_clause(tree: exp.Expression, context: Context) -> str:
    """The DuckDB clause; only literal counts exist in Trino."""
    parts = []
    limit = tree.args.get("limit")
    if isinstance(limit, exp.Fetch):
        options = limit.args.get("limit_options")
        if options is not None and (options.args.get("with_ties") or options.args.get("percent")):
            raise Unsupported("FETCH FIRST … WITH TIES")
        parts.append(f" LIMIT {_count(limit.args.get('count'), context) if limit.args.get('count') else 1}")
    elif limit is not None:
        value = limit.expression
        if not (isinstance(value, exp.Column) and value.name.lower() == "all"):
            parts.append(f" LIMIT {_count(value, context)}")
    offset = tree.args.get("offset")
    if offset is not None:
        parts.append(f" OFFSET {_count(offset.expression, context)}")
    return "".join(parts)


def _count(node: exp.Expression | None, context: Context) -> int:
    if not isinstance(node, exp.Literal) or not node.name.isdigit():
        where = context.position(node) if node is not None else (1, 1)
        raise SqlError("SYNTAX_ERROR", "LIMIT and OFFSET take a number", where)
    return int(node.name)

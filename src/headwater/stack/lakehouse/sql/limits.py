"""LIMIT, OFFSET and FETCH FIRST."""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.sql.context import Context
from headwater.stack.lakehouse.sql.failures import Position, SqlError
from headwater.stack.lakehouse.sql.query import Relation


def limit_clause(tree: exp.Expression, context: Context) -> str:
    """The DuckDB clause; only literal counts exist in Trino."""
    parts = []
    limit = tree.args.get("limit")
    if isinstance(limit, exp.Fetch):
        options = limit.args.get("limit_options")
        if options is not None and (options.args.get("with_ties") or options.args.get("percent")):
            raise Unsupported("FETCH FIRST … WITH TIES or PERCENT here")
        parts.append(f" LIMIT {_fetched(limit, context)}")
    elif limit is not None:
        value = limit.expression
        if not (isinstance(value, (exp.Column, exp.Var)) and value.name.lower() == "all"):
            parts.append(f" LIMIT {_count(value, context)}")
    first = skipped(tree, context)
    return "".join([*parts, f" OFFSET {first}" if first else ""])


def skipped(tree: exp.Expression, context: Context) -> int:
    """How many rows are left out first."""
    offset = tree.args.get("offset")
    return _count(offset.expression, context) if offset is not None else 0


def ties(tree: exp.Expression, context: Context) -> int | None:
    """How many rows ``FETCH FIRST n ROWS WITH TIES`` asks for, or ``None`` without such a clause."""
    limit = tree.args.get("limit")
    options = limit.args.get("limit_options") if isinstance(limit, exp.Fetch) else None
    if limit is None or options is None or not options.args.get("with_ties"):
        return None
    if tree.args.get("order") is None:
        message = "FETCH FIRST WITH TIES clause requires ORDER BY"
        raise SqlError("MISSING_ORDER_BY", message, _fetch_place(limit, context))
    return _fetched(limit, context)


def _fetch_place(limit: exp.Fetch, context: Context) -> Position:
    count = limit.args.get("count")
    return context.before(count, r"\bFETCH\b") if count is not None else context.position(limit)


def _fetched(limit: exp.Fetch, context: Context) -> int:
    count = _count(limit.args["count"], context) if limit.args.get("count") else 1
    if count == 0:
        message = "FETCH FIRST row count must be positive (actual value: 0)"
        raise SqlError("NUMERIC_VALUE_OUT_OF_RANGE", message, _fetch_place(limit, context))
    return count


def sampled(sample: exp.TableSample, relation: Relation, context: Context) -> Relation:
    """``TABLESAMPLE BERNOULLI (p)`` or ``SYSTEM (p)`` on one item of a FROM clause."""
    method = sample.args["method"].name.upper() if sample.args.get("method") is not None else ""
    percent = sample.args.get("percent")
    others = [key for key, value in sample.args.items() if value and key not in ("method", "percent")]
    if others or method not in ("BERNOULLI", "SYSTEM") or percent is None:
        raise Unsupported("TABLESAMPLE with another method than BERNOULLI and SYSTEM")
    if not isinstance(percent, exp.Literal) or percent.is_string:
        message = "Sample percentage should be a numeric expression"
        raise SqlError("TYPE_MISMATCH", message, context.position(percent))
    if float(percent.name) > 100:
        message = "Sample percentage must be less than or equal to 100"
        raise SqlError("NUMERIC_VALUE_OUT_OF_RANGE", message, context.position(percent))
    # Which rows SYSTEM takes depends on how files are split; single rows are one way.
    return replace(relation, sql=f"{relation.sql} TABLESAMPLE BERNOULLI({float(percent.name)} PERCENT)")


def _count(node: exp.Expression | None, context: Context) -> int:
    if isinstance(node, exp.Placeholder):
        message = "Incorrect number of parameters: a value is missing"
        raise SqlError("INVALID_PARAMETER_USAGE", message, (1, 1))
    if not isinstance(node, exp.Literal) or not node.name.isdigit():
        where = context.position(node) if node is not None else (1, 1)
        raise SqlError("SYNTAX_ERROR", "LIMIT and OFFSET take a number", where)
    if int(node.name) >= 2**63:
        raise SqlError("TYPE_MISMATCH", f"Invalid row count: {node.name}", context.position(node))
    return int(node.name)

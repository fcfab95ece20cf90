"""``WITH RECURSIVE``: the step is written out as often as Trino may repeat it, so that depth and rows are Trino's."""

# ruff: noqa: S608 - writing SQL is what this module is for; values and names in it are quoted or fixed
from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.coerce import can_coerce, coerce
from headwater.stack.lakehouse.sql.comparison import with_sorted_keys
from headwater.stack.lakehouse.sql.expression import Expr, fail
from headwater.stack.lakehouse.sql.failures import Position, SqlError
from headwater.stack.lakehouse.sql.grouping import is_aggregated
from headwater.stack.lakehouse.sql.query import Named, OutputColumn, Query

if TYPE_CHECKING:
    from headwater.stack.lakehouse.sql.select import Queries

_MOST_STEPS = 10
_LIMIT = (
    f"'NOT_SUPPORTED: Recursion depth limit exceeded ({_MOST_STEPS}). "
    "Use ''max_recursion_depth'' session property to modify the limit.'"
)
_REFUSED_PARTS = ("distinct", "group", "having", "order", "limit", "offset", "with_", "sample", "laterals")


def is_recursive(cte: exp.CTE) -> bool:
    """Whether the query of a WITH RECURSIVE uses its own name; if not, it is like any other."""
    return any(_names(table, cte.alias.lower()) for table in cte.this.find_all(exp.Table))


def recursive_query(cte: exp.CTE, queries: Queries) -> Query:
    """All rows: those of the base, and of each step on the rows of the step before it."""
    position = queries.context.position(cte)
    names = [column.name for column in cte.args["alias"].columns]
    if not names:
        raise SqlError("MISSING_COLUMN_ALIASES", "missing column aliases in recursive WITH query", position)
    base_tree, step_tree = _parts(cte, queries)
    base = queries.query(base_tree)
    if len(names) != len(base.columns):
        message = f"Column alias list has {len(names)} entries but relation has {len(base.columns)} columns"
        raise SqlError("MISMATCHED_COLUMN_ALIASES", message, position)
    columns = tuple(OutputColumn(name, column.type) for name, column in zip(names, base.columns, strict=True))
    place = f"hw_recursion_{queries.context.relation_name()}"
    shown = ", ".join(f"c{i}" for i in range(len(columns)))
    rows = Query(f"SELECT {shown} FROM {place}_previous", columns)
    named = Named({**queries.named.queries, cte.alias.lower(): rows})
    step = _fitted(replace(queries, named=named).query(step_tree), columns, position)
    sql = _written_out(place, base.sql, step, shown)
    if cte.this.args.get("distinct"):
        # Trino leaves out what is double at the end, not before a step: rows in a circle reach its limit.
        values = (f"{with_sorted_keys(f'u.c{i}', column.type)} AS c{i}" for i, column in enumerate(columns))
        sql = f"SELECT DISTINCT {', '.join(values)} FROM ({sql}) AS u"
    return Query(sql, columns)


def _parts(cte: exp.CTE, queries: Queries) -> tuple[exp.Expression, exp.Select]:
    union, name = cte.this, cte.alias.lower()
    position = queries.context.position(cte)
    if not isinstance(union, exp.Union) or any(union.args.get(part) for part in ("order", "limit", "offset", "with_")):
        message = "recursive WITH query must be of the form: base UNION [ALL|DISTINCT] step"
        raise SqlError("INVALID_RECURSIVE_REFERENCE", message, position)
    base, step = union.this.unnest(), union.expression.unnest()
    if any(_names(table, name) for table in base.find_all(exp.Table)):
        raise SqlError("INVALID_RECURSIVE_REFERENCE", "WITH table name is referenced in the base relation", position)
    uses = [table for table in step.find_all(exp.Table) if _names(table, name)]
    if len(uses) > 1:
        message = "multiple recursive references in the step relation of recursion are not supported"
        raise SqlError("INVALID_RECURSIVE_REFERENCE", message, position)
    plain = isinstance(step, exp.Select) and not any(step.args.get(part) for part in _REFUSED_PARTS)
    if not plain or not _direct(uses[0], step) or is_aggregated(step, queries.registry):
        raise Unsupported("WITH RECURSIVE whose step is more than a SELECT with inner joins")
    return base, step


def _direct(use: exp.Table, step: exp.Select) -> bool:
    """Whether the recursive rows are in the step's own FROM clause, and every row that a join finds is kept."""
    own = use.parent is step.args.get("from_") or use.parent in (step.args.get("joins") or [])
    return own and not any(join.args.get("side") for join in step.args.get("joins") or [])


def _names(table: exp.Table, name: str) -> bool:
    return len(table.parts) == 1 and table.name.lower() == name


def _fitted(step: Query, columns: tuple[OutputColumn, ...], position: Position) -> str:
    if len(step.columns) != len(columns):
        message = f"base and step relations of recursion have different number of fields: {len(columns)}, "
        raise SqlError("TYPE_MISMATCH", f"{message}{len(step.columns)}", position)
    values = []
    for i, (have, want) in enumerate(zip(step.columns, columns, strict=True)):
        if not can_coerce(have.type, want.type):
            message = f"recursion step relation output type ({have.type}) is not coercible to recursion base relation "
            raise SqlError("TYPE_MISMATCH", f"{message}output type ({want.type}) at column {i + 1}", position)
        values.append(f"{coerce(Expr(f's.c{i}', have.type), want.type).sql} AS c{i}")
    return f"SELECT {', '.join(values)} FROM ({step.sql}) AS s"


def _written_out(place: str, base: str, step: str, shown: str) -> str:
    """The last step has to find nothing: a row of it ends the query."""
    previous = f"{place}_previous"
    numbered = [base, *(step.replace(previous, f"{place}_{number}") for number in range(_MOST_STEPS))]
    steps = (f"{place}_{number} AS MATERIALIZED ({sql})" for number, sql in enumerate(numbered))
    found = " UNION ALL ".join(f"SELECT {shown} FROM {place}_{number}" for number in range(_MOST_STEPS))
    end = fail(_LIMIT, t.BOOLEAN, "coalesce(CAST(c0 AS VARCHAR), '')")
    return f"WITH {', '.join(steps)} {found} UNION ALL SELECT {shown} FROM {place}_{_MOST_STEPS} WHERE {end}"

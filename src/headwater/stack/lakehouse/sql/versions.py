"""``FOR VERSION AS OF`` and ``FOR TIMESTAMP AS OF``: which version of a table a query asks for."""

from __future__ import annotations

from datetime import datetime, timezone

import duckdb
from sqlglot import exp

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.sql.context import Moment
from headwater.stack.lakehouse.sql.expression import Expr
from headwater.stack.lakehouse.sql.expressions import Expressions
from headwater.stack.lakehouse.sql.failures import SqlError
from headwater.stack.lakehouse.sql.macros import MACROS
from headwater.stack.lakehouse.sql.routines.registry import register
from headwater.stack.lakehouse.sql.run import translated


def moment(node: exp.Table, rules: Expressions) -> Moment:
    """The moment of a table in FROM; ``None`` is now. ``rules`` are those of a scope without columns."""
    version = node.args.get("version")
    if version is None:
        return None
    value = version.expression
    if str(version.args.get("kind", "")).upper() != "AS OF" or value is None:
        raise Unsupported("FOR VERSION and FOR TIMESTAMP but with AS OF")
    if str(version.this).upper() == "VERSION":
        if isinstance(value, exp.Literal):
            return value.name if value.is_string else int(value.name)
        raise Unsupported("FOR VERSION AS OF an expression")
    if isinstance(value, exp.CurrentTimestamp):
        return rules.context.now.replace(tzinfo=timezone.utc)
    if value.find(exp.Query):
        raise Unsupported("FOR TIMESTAMP AS OF a sub-query")
    return _time(rules.translate(value), rules, value)


def _time(value: Expr, rules: Expressions, node: exp.Expression) -> datetime:
    """What a timestamp or a date without columns is; one without a zone is in the session's, which is UTC."""
    if value.type.name not in ("timestamp", "timestamptz", "date"):
        wanted = "Temporal pointers must be of type Date, Timestamp, or Timestamp with Timezone"
        message = f"Type {value.type} invalid. {wanted}"
        raise SqlError("TYPE_MISMATCH", message, rules.context.position(node))
    refusals: list[str] = []
    with duckdb.connect(":memory:") as connection:
        for statement in ("SET TimeZone = 'UTC'", *MACROS):
            connection.execute(statement)
        register(connection, refusals.append)
        try:
            found = connection.execute(f"SELECT CAST({value.sql} AS TIMESTAMP)").fetchone()
        except duckdb.Error as error:
            raise translated(error) from error
    if not found or refusals or not isinstance(found[0], datetime):
        raise SqlError("INVALID_ARGUMENTS", "Pointer value cannot be NULL", rules.context.position(node))
    return found[0].replace(tzinfo=timezone.utc)

"""``TABLE(function(…))`` in FROM: Trino's table functions, of which ``sequence`` is here and others are refused."""

# ruff: noqa: S608 - writing SQL is what this module is for; values in it were translated
from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.coerce import can_coerce, coerce
from headwater.stack.lakehouse.sql.expression import fail
from headwater.stack.lakehouse.sql.expressions import Expressions
from headwater.stack.lakehouse.sql.failures import Position, SqlError
from headwater.stack.lakehouse.sql.query import OutputColumn, Query

_PARAMETERS = ("start", "stop", "step")


def is_table_function(node: exp.Table) -> bool:
    """Whether an item of FROM is ``TABLE(…)``."""
    return isinstance(node.this, exp.Anonymous) and node.this.name.upper() == "TABLE"


def table_function_query(node: exp.Table, rules: Expressions) -> Query:
    """The rows of a table function. Raises ``SqlError`` and ``Unsupported``."""
    position = rules.context.position(node)
    call = node.this.expressions[0] if len(node.this.expressions) == 1 else None
    while isinstance(call, exp.Dot):  # system.builtin.sequence
        call = call.expression
    if isinstance(call, exp.Column):
        raise Unsupported("TABLE(name) in FROM, but for a table function")
    if not isinstance(call, exp.Anonymous):
        raise SqlError("SYNTAX_ERROR", "TABLE takes a call of a table function", position)
    if call.name.lower() != "sequence":
        raise Unsupported(f"the table function {call.name.lower()}")
    return _sequence(_arguments(call, position), rules, position)


def _arguments(call: exp.Anonymous, position: Position) -> Mapping[str, exp.Expression]:
    """All by name, or all by place."""
    given: dict[str, exp.Expression] = {}
    named = [item for item in call.expressions if isinstance(item, exp.Kwarg)]
    if named and len(named) != len(call.expressions):
        message = "All arguments must be passed by name or all must be passed positionally"
        raise SqlError("INVALID_ARGUMENTS", message, position)
    if len(call.expressions) > len(_PARAMETERS):
        raise SqlError("INVALID_ARGUMENTS", "Too many arguments. Expected at most 3 arguments", position)
    for place, item in enumerate(call.expressions):
        name = item.this.name.lower() if named else _PARAMETERS[place]
        if name not in _PARAMETERS:
            raise SqlError("INVALID_FUNCTION_ARGUMENT", f"Unexpected argument name: {name.upper()}", position)
        if name in given:
            raise SqlError("INVALID_FUNCTION_ARGUMENT", f"Duplicate argument name: {name.upper()}", position)
        given[name] = item.expression if named else item
    if "stop" not in given:
        raise SqlError("MISSING_ARGUMENT", "Missing argument: STOP", position)
    return given


def _sequence(arguments: Mapping[str, exp.Expression], rules: Expressions, position: Position) -> Query:
    """``sequence(start, stop, step)``: numbers from start to stop, both included."""
    values = {"start": "CAST(0 AS BIGINT)", "step": "CAST(1 AS BIGINT)"}
    for name, node in arguments.items():
        value = rules.translate(node)
        if not value.constant:
            raise SqlError("EXPRESSION_NOT_CONSTANT", "Constant expression cannot contain column references", position)
        if not can_coerce(value.type, t.BIGINT):
            message = f"Invalid argument {name.upper()}: Cannot coerce {value.type} to bigint"
            raise SqlError("TYPE_MISMATCH", message, position)
        null = fail(f"'INVALID_FUNCTION_ARGUMENT: {name.capitalize()} is null'", t.BIGINT)
        values[name] = f"coalesce(CAST({coerce(value, t.BIGINT)} AS BIGINT), {null})"
    start, stop, step = (values[name] for name in _PARAMETERS)
    bounds = f"' for sequence [' || {start} || ', ' || {stop} || ']'"
    up = fail(f"'INVALID_FUNCTION_ARGUMENT: Step must be positive' || {bounds}", t.BIGINT)
    down = fail(f"'INVALID_FUNCTION_ARGUMENT: Step must be negative' || {bounds}", t.BIGINT)
    checked = f"CASE WHEN {start} < {stop} AND {step} <= 0 THEN {up} WHEN {start} > {stop} AND {step} >= 0 THEN {down}"
    sql = f"SELECT n AS c0 FROM generate_series({start}, {stop}, {checked} WHEN {step} = 0 THEN 1 ELSE {step} END) s(n)"
    return Query(sql, (OutputColumn("sequential_number", t.BIGINT),))

"""Arrays from nothing but numbers and dates: ``sequence`` and ``repeat``."""

from __future__ import annotations

from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.expression import Expr, fail
from headwater.stack.lakehouse.sql.failures import SqlError
from headwater.stack.lakehouse.sql.functions.model import Call, Function, family

_f = family("array")


def _sequence(call: Call) -> Expr:
    """Both ends are part of it; the step defaults to 1 or -1."""
    first, last = call.arguments[0], call.arguments[1]
    step = call.arguments[2].sql if len(call.arguments) > 2 else f"CASE WHEN {first} <= {last} THEN 1 ELSE -1 END"
    series = f"CAST(generate_series({first}, {last}, {step}) AS BIGINT[])"
    kind = t.array(t.BIGINT)
    ahead = f"(CAST({last} AS HUGEINT) - {first}) * sign({step})"
    return Expr(_checked_series(ahead, f"CAST({step} AS HUGEINT)", series, kind, first.sql), kind)


_DIRECTION = (
    "'INVALID_FUNCTION_ARGUMENT: sequence stop value should be greater than or equal to start value if step is greater "
    "than zero otherwise stop should be less than or equal to start'"
)


def _checked_series(ahead: str, step: str, series: str, kind: t.Type, witness: str) -> str:
    """A step of 0, one in the wrong direction and more than 10,000 values are errors."""
    zero = "'INVALID_FUNCTION_ARGUMENT: step must not be zero'"
    long = "'INVALID_FUNCTION_ARGUMENT: result of sequence function must not have more than 10000 entries'"
    return (
        f"CASE WHEN {step} = 0 THEN {fail(zero, kind, witness)} "
        f"WHEN {ahead} < 0 THEN {fail(_DIRECTION, kind, witness)} "
        f"WHEN {ahead} // abs({step}) >= 10000 THEN {fail(long, kind, witness)} ELSE {series} END"
    )


def _date_sequence(call: Call) -> Expr:
    first, last = call.arguments[0], call.arguments[1]
    kind = t.array(first.type)
    if len(call.arguments) > 2 and call.arguments[2].type == t.YEAR_TO_MONTH:
        return _month_sequence(call, kind)
    days = first.type.name == "date"
    if len(call.arguments) < 3 and not days:
        raise SqlError("FUNCTION_NOT_FOUND", "sequence of timestamps needs a step", call.position)
    step = f"CASE WHEN {first} <= {last} THEN 86400000 ELSE -86400000 END"
    if len(call.arguments) > 2:
        step = call.arguments[2].sql
    ahead = f"(epoch_us(CAST({last} AS TIMESTAMP)) - epoch_us(CAST({first} AS TIMESTAMP)))"
    series = f"generate_series(CAST({first} AS TIMESTAMP), CAST({last} AS TIMESTAMP), to_milliseconds({step}))"
    listed = f"CAST({series} AS {t.to_duckdb(kind)})"
    # A step is in milliseconds.
    sql = _checked_series(f"({ahead} // 1000) * sign({step})", step, listed, kind, first.sql)
    if days and len(call.arguments) > 2:
        message = "'INVALID_FUNCTION_ARGUMENT: sequence step must be a day interval if start and end values are dates'"
        sql = f"CASE WHEN {step} % 86400000 <> 0 THEN {fail(message, kind, first.sql)} ELSE {sql} END"
    return Expr(sql, kind)


def _month_sequence(call: Call, kind: t.Type) -> Expr:
    """Each month is counted from the start: the 31st stays the 31st where a month has one."""
    first, last, step = call.arguments
    months = f"date_sub('month', least({first}, {last}), greatest({first}, {last}))"
    counts = f"range(0, {months} // abs({step}) + 1)"
    moments = f"list_transform({counts}, lambda i: {first} + to_months(CAST(i * {step} AS INTEGER)))"
    inside = f"CASE WHEN {step} > 0 THEN e <= {last} ELSE e >= {last} END"
    series = f"CAST(list_filter({moments}, lambda e: {inside}) AS {t.to_duckdb(kind)})"
    direction = f"(CAST({first} < {last} AS INTEGER) - CAST({first} > {last} AS INTEGER)) * sign({step})"
    # Within one month there is no whole month between the two, but a direction.
    ahead = f"CASE WHEN {direction} < 0 THEN -1 ELSE {months} END"
    return Expr(_checked_series(ahead, step.sql, series, kind, first.sql), kind)


def _repeat(call: Call) -> str:
    element, count = call.arguments
    start = "'INVALID_FUNCTION_ARGUMENT: count argument of repeat function must be "
    few, many = f"{start}greater than or equal to 0'", f"{start}less than or equal to 10000'"
    return (
        f"CASE WHEN {count} < 0 THEN {fail(few, call.result, count.sql)} "
        f"WHEN {count} > 10000 THEN {fail(many, call.result, count.sql)} "
        f"WHEN {count} IS NOT NULL THEN list_transform(range(0, {count}), lambda i: {element}) END"
    )


FUNCTIONS: tuple[Function, ...] = (
    _f("repeat(T, bigint) -> array(T)", _repeat),
    _f("sequence(bigint, bigint) -> array(bigint)", _sequence),
    _f("sequence(bigint, bigint, bigint) -> array(bigint)", _sequence),
    _f("sequence(D, D) -> array(D)", _date_sequence),
    _f("sequence(D, D, any) -> array(D)", _date_sequence),
)

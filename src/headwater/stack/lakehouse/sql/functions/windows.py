"""Ranking and value functions over windows (https://trino.io/docs/current/functions/window.html)."""

from __future__ import annotations

from dataclasses import replace

from headwater.stack.lakehouse.sql.expression import Expr, fail
from headwater.stack.lakehouse.sql.failures import SqlError
from headwater.stack.lakehouse.sql.functions.model import Builder, Call, Function, family

_f = family("window", "window")


def _over(template: str) -> Builder:
    """A window function needs OVER."""

    def build(call: Call) -> str:
        if not call.over:
            message = f"Window function {call.name} requires an OVER clause"
            raise SqlError("MISSING_OVER", message, call.position)
        texts = [argument.sql for argument in call.arguments]
        return template.format(*texts, nulls=call.order, over=call.over)

    return build


def _placed(template: str, least: int) -> Builder:
    """The offset is the second argument."""
    message = f"'INVALID_FUNCTION_ARGUMENT: Offset must be at least {least}'"

    def build(call: Call) -> str:
        offset = call.arguments[1]
        if isinstance(offset.literal, int) and offset.literal < least:
            raise SqlError("INVALID_FUNCTION_ARGUMENT", f"Offset must be at least {least}")
        if not isinstance(offset.literal, int):
            refusal = fail(message, offset.type, offset.sql)
            checked = Expr(f"CASE WHEN {offset} < {least} THEN {refusal} ELSE {offset} END", offset.type)
            call = replace(call, arguments=(call.arguments[0], checked, *call.arguments[2:]))
        return str(_over(template)(call))

    return build


FUNCTIONS: tuple[Function, ...] = (
    _f("row_number() -> bigint", _over("row_number(){over}")),
    _f("rank() -> bigint", _over("rank(){over}")),
    _f("dense_rank() -> bigint", _over("dense_rank(){over}")),
    _f("percent_rank() -> double", _over("percent_rank(){over}")),
    _f("cume_dist() -> double", _over("cume_dist(){over}")),
    _f("ntile(bigint) -> bigint", _over("ntile({0}){over}")),
    _f("first_value(T) -> T", _over("first_value({0}{nulls}){over}")),
    _f("last_value(T) -> T", _over("last_value({0}{nulls}){over}")),
    _f("nth_value(T, bigint) -> T", _placed("nth_value({0}, {1}{nulls}){over}", 1)),
    _f("lag(T) -> T", _over("lag({0}{nulls}){over}")),
    _f("lag(T, bigint) -> T", _placed("lag({0}, {1}{nulls}){over}", 0)),
    _f("lag(T, bigint, T) -> T", _placed("lag({0}, {1}, {2}{nulls}){over}", 0)),
    _f("lead(T) -> T", _over("lead({0}{nulls}){over}")),
    _f("lead(T, bigint) -> T", _placed("lead({0}, {1}{nulls}){over}", 0)),
    _f("lead(T, bigint, T) -> T", _placed("lead({0}, {1}, {2}{nulls}){over}", 0)),
)

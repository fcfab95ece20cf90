"""Ranking and value functions over windows (https://trino.io/docs/current/functions/window.html)."""

from __future__ import annotations

from headwater.stack.lakehouse.sql.failures import SqlError
from headwater.stack.lakehouse.sql.functions.model import Builder, Call, Function, family

_f = family("window", "window")


def _over(template: str) -> Builder:
    """A window function needs OVER."""

    def build(call: Call) -> str:
        if not call.over:
            message = f"Window function '{call.name}' requires an OVER clause"
            raise SqlError("MISSING_OVER", message, call.position)
        texts = [argument.sql for argument in call.arguments]
        return template.format(*texts, nulls=call.order, over=call.over)

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
    _f("nth_value(T, bigint) -> T", _over("nth_value({0}, {1}{nulls}){over}")),
    _f("lag(T) -> T", _over("lag({0}{nulls}){over}")),
    _f("lag(T, bigint) -> T", _over("lag({0}, {1}{nulls}){over}")),
    _f("lag(T, bigint, T) -> T", _over("lag({0}, {1}, {2}{nulls}){over}")),
    _f("lead(T) -> T", _over("lead({0}{nulls}){over}")),
    _f("lead(T, bigint) -> T", _over("lead({0}, {1}{nulls}){over}")),
    _f("lead(T, bigint, T) -> T", _over("lead({0}, {1}, {2}{nulls}){over}")),
)

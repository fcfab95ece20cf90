"""The frame clause of a window."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.expression import Expr
from headwater.stack.lakehouse.sql.parts import check_parts

_STEPS = {t.DAY_TO_SECOND: "to_milliseconds", t.YEAR_TO_MONTH: "to_months"}


def window_frame(spec: exp.WindowSpec | None, translate: Callable[[exp.Expression], Expr]) -> str:
    """``ROWS BETWEEN … AND …``, or nothing."""
    if spec is None:
        return ""
    kind = str(spec.args.get("kind") or "").upper()
    check_parts(spec)
    if kind not in ("ROWS", "RANGE", "GROUPS"):
        raise Unsupported(f"the window frame {spec.sql(dialect='trino')}")
    start = _bound(spec, "start", kind, translate)
    if spec.args.get("end") is None:
        return f"{kind} {start}"
    return f"{kind} BETWEEN {start} AND {_bound(spec, 'end', kind, translate)}"


def _bound(spec: exp.WindowSpec, side: str, kind: str, translate: Callable[[exp.Expression], Expr]) -> str:
    bound, direction = spec.args.get(side), spec.args.get(f"{side}_side")
    if isinstance(bound, str):
        return f"{bound.upper()} {str(direction or '').upper()}".strip()
    if bound is None:
        raise Unsupported("a window frame without a bound")
    value = translate(bound)
    sql = value.sql
    if kind == "RANGE" and value.type in _STEPS:
        sql = f"{_STEPS[value.type]}({sql})"
    elif not t.is_numeric(value.type):
        raise Unsupported(f"a {kind} frame with a bound of type {value.type}")
    return f"{sql} {str(direction).upper()}"

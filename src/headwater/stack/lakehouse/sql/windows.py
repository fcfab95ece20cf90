"""Windows: named ones are put where they are used, frames are checked by Trino's rules and written for DuckDB."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlglot import exp

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.comparison import with_sorted_keys
from headwater.stack.lakehouse.sql.context import Context
from headwater.stack.lakehouse.sql.expression import Expr, fail, quote_text, refused
from headwater.stack.lakehouse.sql.expressions import Expressions
from headwater.stack.lakehouse.sql.failures import Position, SqlError
from headwater.stack.lakehouse.sql.nanoseconds import refuse_nanos
from headwater.stack.lakehouse.sql.parts import check_parts

_STEPS = {t.DAY_TO_SECOND: "to_milliseconds", t.YEAR_TO_MONTH: "to_months"}
_PARTS = ("partition_by", "order", "spec")
_INVERTED = "a RANGE frame that ends before it starts is not supported by Headwater's local Athena"


# --- the WINDOW clause -----------------------------------------------------------------------------------------------


def name_windows(tree: exp.Select, context: Context) -> None:
    """Put the windows of the WINDOW clause where ``OVER name`` and ``OVER (name …)`` use them."""
    named: dict[str, exp.Window] = {}
    for window in tree.args.get("windows") or []:
        name = window.name.lower()
        if name in named:
            message = f"WINDOW name '{window.name}' specified more than once"
            raise SqlError("DUPLICATE_WINDOW_NAME", message, context.position(window.this))
        _take_over(window, named, context)
        named[name] = window
    for part in (*tree.expressions, tree.args.get("order")):
        for use in list(_own_windows(part)) if part is not None else ():
            _take_over(use, named, context)


def _own_windows(part: exp.Expression) -> list[exp.Window]:
    """The windows of this query, not those of queries inside of it."""
    found = part.walk(prune=lambda node: isinstance(node, exp.Query))
    return [node for node in found if isinstance(node, exp.Window)]


def _take_over(use: exp.Window, named: Mapping[str, exp.Window], context: Context) -> None:
    alias = use.args.get("alias")
    if alias is None:
        return
    place, window = context.position(alias), named.get(alias.name.lower())
    if window is None:
        raise SqlError("INVALID_WINDOW_REFERENCE", f"Cannot resolve WINDOW name {alias.name}", place)
    if use.args.get("partition_by"):
        message = "WINDOW specification with named WINDOW reference cannot specify PARTITION BY"
        raise SqlError("INVALID_PARTITION_BY", message, context.position(use.args["partition_by"][0]))
    adds = any(use.args.get(part) for part in _PARTS)
    if adds and window.args.get("spec"):
        message = "Cannot reference named WINDOW containing frame specification"
        raise SqlError("INVALID_WINDOW_REFERENCE", message, place)
    if use.args.get("order") and window.args.get("order"):
        message = "Cannot specify ORDER BY if referenced named WINDOW specifies ORDER BY"
        raise SqlError("INVALID_ORDER_BY", message, context.before(use.args["order"], r"ORDER\s+BY"))
    for part in _PARTS:
        use.set(part, use.args.get(part) or window.args.get(part))
    use.set("alias", None)


# --- one window ------------------------------------------------------------------------------------------------------


def window_body(rules: Expressions, node: exp.Window) -> str:
    """What stands between the parentheses of OVER."""
    parts = [*(node.args.get("partition_by") or []), *_sort_items(node)]
    _refuse_nested(rules.context, [*parts, node.args.get("spec")], "window specification")
    written = []
    if node.args.get("partition_by"):
        written.append("PARTITION BY " + ", ".join(_told_apart(rules.translate(p)) for p in node.args["partition_by"]))
    if node.args.get("order"):
        written.append(
            "ORDER BY " + ", ".join(rules.ordering(o, "window function ORDER BY") for o in _sort_items(node))
        )
    if node.args.get("spec") is not None:
        written.append(_Frame(rules, node).sql())
    return " ".join(written)


def _told_apart(value: Expr) -> str:
    return with_sorted_keys(value.sql, value.type)


def refuse_nested_windows(context: Context, arguments: list[exp.Expression]) -> None:
    """A window function's arguments are computed before any window function is."""
    _refuse_nested(context, list(arguments), "window function arguments")


def _refuse_nested(context: Context, parts: list[exp.Expression | None], where: str) -> None:
    for part in parts:
        for inner in _own_windows(part) if part is not None else ():
            message = f"Cannot nest window functions or row pattern measures inside {where}"
            raise SqlError("NESTED_WINDOW", message, context.position(inner))


def _sort_items(node: exp.Window) -> list[exp.Ordered]:
    return list(node.args["order"].expressions) if node.args.get("order") else []


def frame_place(context: Context, node: exp.Window) -> Position:
    """Line and column of a window's frame."""
    word = rf"\b{node.args['spec'].args['kind']}\b"
    behind = node.args.get("order") or (node.args.get("partition_by") or [node.this])[-1]
    return context.after(behind, word)


_PLACES = {"UNBOUNDED PRECEDING": 0, "PRECEDING": 1, "CURRENT ROW": 2, "FOLLOWING": 3, "UNBOUNDED FOLLOWING": 4}


@dataclass(frozen=True)
class _Frame:
    """The frame clause of one window."""

    rules: Expressions
    window: exp.Window

    @property
    def kind(self) -> str:
        return str(self.window.args["spec"].args.get("kind") or "").upper()

    def sql(self) -> str:
        spec = self.window.args["spec"]
        check_parts(spec)
        self._check_order()
        start, end = self._bound("start"), ""
        if spec.args.get("end") is not None:
            end = self._bound("end")
            if self._place("start") == self._place("end") in ("PRECEDING", "FOLLOWING"):
                end = self._not_before(start, end)
        first, last = (f"{b} {self._place(side)}".strip() for b, side in ((start, "start"), (end, "end")))
        return f"{self.kind} {first}" if spec.args.get("end") is None else f"{self.kind} BETWEEN {first} AND {last}"

    def _not_before(self, start: str, end: str) -> str:
        """The end of a frame on one side of its row. DuckDB counts less than no rows from a start behind the end."""
        behind, step = ("<", "-") if self._place("end") == "FOLLOWING" else (">", "+")
        if self.kind != "RANGE":
            return f"CASE WHEN {end} {behind} {start} THEN {start} {step} 1 ELSE {end} END"
        key = self.rules.translate(_sort_items(self.window)[0].this).sql
        message = f"{quote_text(_INVERTED)} || left(coalesce(CAST({key} AS VARCHAR), ''), 0)"
        return f"CASE WHEN {end} {behind} {start} AND {refused(message, t.BOOLEAN)} THEN {end} ELSE {end} END"

    def _place(self, side: str) -> str:
        spec = self.window.args["spec"]
        bound, direction = spec.args.get(side), str(spec.args.get(f"{side}_side") or "").upper()
        if bound is None:
            return "CURRENT ROW"
        return f"{bound.upper()} {direction}".strip() if isinstance(bound, str) else direction

    def _check_order(self) -> None:
        start, end = self._place("start"), self._place("end")
        message = ""
        if start == "UNBOUNDED FOLLOWING":
            message = "Window frame start cannot be UNBOUNDED FOLLOWING"
        elif end == "UNBOUNDED PRECEDING":
            message = "Window frame end cannot be UNBOUNDED PRECEDING"
        elif _PLACES[start] > _PLACES[end]:
            message = f"Window frame starting from {start} cannot end with {end}"
        if message:
            raise SqlError("INVALID_WINDOW_FRAME", message, frame_place(self.rules.context, self.window))

    def _bound(self, side: str) -> str:
        bound = self.window.args["spec"].args.get(side)
        if isinstance(bound, str):
            return ""
        if bound is None:
            raise Unsupported("a window frame without a bound")
        value = self.rules.translate(bound)
        return self._range_step(bound, value) if self.kind == "RANGE" else self._row_count(bound, value, side)

    def _needs_order(self) -> list[exp.Ordered]:
        items = _sort_items(self.window)
        if not items:
            message = f"Window frame of type {self.kind} PRECEDING or FOLLOWING requires ORDER BY"
            raise SqlError("MISSING_ORDER_BY", message, frame_place(self.rules.context, self.window))
        return items

    def _row_count(self, bound: exp.Expression, value: Expr, side: str) -> str:
        if self.kind == "GROUPS":
            self._needs_order()
        if value.type.name not in t.INTEGERS and (value.type.name != "decimal" or value.type.params[1]):
            what = f"Window frame {self.kind} {side} value type"
            message = f"{what} must be exact numeric type with scale 0 (actual {value.type})"
            raise SqlError("TYPE_MISMATCH", message, self.rules.context.position(bound))
        what = f"Window frame {'starting' if side == 'start' else 'ending'} offset must not be"
        return _checked(value, f"{what} null", f"{what} negative", f"{value} < 0")

    def _range_step(self, bound: exp.Expression, value: Expr) -> str:
        context, items = self.rules.context, self._needs_order()
        if len(items) != 1:
            what = "Window frame of type RANGE PRECEDING or FOLLOWING requires single sort item in ORDER BY"
            place = context.before(self.window.args["order"], r"ORDER\s+BY")
            raise SqlError("INVALID_ORDER_BY", f"{what} (actual: {len(items)})", place)
        sort = self.rules.translate(items[0].this).type
        if not t.is_numeric(sort) and sort.name not in _MOMENTS and sort not in _STEPS:
            what = "Window frame of type RANGE PRECEDING or FOLLOWING requires that sort item type be"
            message = f"{what} numeric, datetime or interval (actual: {sort})"
            raise SqlError("TYPE_MISMATCH", message, context.position(items[0].this))
        refuse_nanos("a RANGE frame", sort)
        fits = t.is_numeric(value.type) if t.is_numeric(sort) else value.type in _STEPS
        if not fits or (sort in _STEPS and sort != value.type):
            message = f"Window frame RANGE value type ({value.type}) not compatible with sort item type ({sort})"
            raise SqlError("TYPE_MISMATCH", message, context.position(bound))
        message = "Window frame offset value must not be negative or null"
        sql = _checked(value, message, message, f"{value} < 0")
        return f"{_STEPS[value.type]}({sql})" if value.type in _STEPS and sort not in _STEPS else sql


_MOMENTS = ("date", "time", "timestamp", "timestamptz")


def _checked(value: Expr, missing: str, negative: str, is_negative: str) -> str:
    """An offset that is written out is checked at once, any other one where a row has it."""
    if isinstance(value.literal, (int, float)):
        if value.literal < 0:
            raise SqlError("INVALID_WINDOW_FRAME", negative)
        return value.sql
    witness = f"coalesce(CAST({value} AS VARCHAR), '')"
    none = fail(f"'INVALID_WINDOW_FRAME: {missing}'", value.type, witness)
    less = fail(f"'INVALID_WINDOW_FRAME: {negative}'", value.type, witness)
    return f"CASE WHEN {value} IS NULL THEN {none} WHEN {is_negative} THEN {less} ELSE {value} END"

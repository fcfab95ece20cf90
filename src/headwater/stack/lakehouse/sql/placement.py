"""Where aggregates, window functions and GROUPING may stand: Trino refuses them elsewhere before it looks at types."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sqlglot import exp

from headwater.stack.lakehouse.sql.calls import Registry
from headwater.stack.lakehouse.sql.context import Context
from headwater.stack.lakehouse.sql.failures import Position, SqlError


def shown(node: exp.Expression) -> str:
    """An expression as Trino's messages show it: operators in parentheses, names as written."""
    copy = node.copy().transform(lambda n: exp.Paren(this=n) if isinstance(n, exp.Binary) else n)
    return str(copy.sql(dialect="trino", normalize_functions=False)).replace("((", "(").replace("))", ")")


def place_of(node: exp.Expression, context: Context) -> Position:
    """Line and column that Trino gives an expression: those of its operator, where it has one."""
    if isinstance(node, (exp.Binary, exp.In)) and not isinstance(node, (exp.Connector, exp.Dot)):
        return context.after(node.this, r"[-+*/%=<>!|]+|\b(?:IN|IS|LIKE|NOT)\b")
    return context.position(node)


def _walk(node: exp.Expression) -> Iterator[exp.Expression]:
    yield from node.walk(prune=lambda found: isinstance(found, exp.Query))  # type: ignore[misc]  # trees are Expressions


def aggregates_in(node: exp.Expression, registry: Registry) -> list[exp.Expression]:
    """The calls of aggregates, not those of windows or of queries inside."""
    found: list[exp.Expression] = []
    over = {id(_called(inner)) for inner in _walk(node) if isinstance(inner, exp.Window)}
    for inner in _walk(node):
        if isinstance(inner, exp.GroupConcat):
            found.append(inner)
        elif isinstance(inner, exp.Anonymous) and id(inner) not in over:
            functions = registry.get(inner.name.lower())
            if functions and functions[0].kind == "aggregate":
                found.append(inner)
    return found


def _called(window: exp.Window) -> exp.Expression:
    function = window.this
    while isinstance(function, (exp.IgnoreNulls, exp.RespectNulls, exp.Filter)):
        function = function.this
    return function  # type: ignore[no-any-return]  # trees are Expressions


def windows_in(node: exp.Expression) -> list[exp.Expression]:
    """The window functions, not those of queries inside."""
    return [inner for inner in _walk(node) if isinstance(inner, exp.Window)]


def _groupings_in(node: exp.Expression) -> list[exp.Expression]:
    return [n for n in _walk(node) if isinstance(n, exp.Anonymous) and n.name.lower() == "grouping"]


def refuse_grouped(node: exp.Expression, clause: str, registry: Registry, context: Context) -> None:
    """What is computed for each row, or before there are groups, cannot use what is computed from many rows."""
    found = [*aggregates_in(node, registry), *windows_in(node), *_groupings_in(node)]
    if found:
        what = ", ".join(map(shown, found))
        message = f"{clause} cannot contain aggregations, window functions or grouping operations: [{what}]"
        raise SqlError("EXPRESSION_NOT_SCALAR", message, place_of(node, context))


def refuse_nested(name: str, arguments: Iterable[exp.Expression], registry: Registry, at: Position) -> None:
    """An aggregate's arguments are computed for each row."""
    for argument in arguments:
        windows = windows_in(argument)
        if windows:
            what = f"inside aggregation '{name}': [{', '.join(map(shown, windows))}]"
            raise SqlError("NESTED_WINDOW", f"Cannot nest window functions or row pattern measures {what}", at)
        inner = aggregates_in(argument, registry)
        if inner:
            what = f"inside aggregation '{name}': [{', '.join(map(shown, inner))}]"
            raise SqlError("NESTED_AGGREGATION", f"Cannot nest aggregations {what}", at)

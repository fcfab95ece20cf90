"""UNNEST: arrays, maps and arrays of rows to rows, side by side, the shorter ones padded with NULL."""

# ruff: noqa: S608 - writing SQL is what this module is for; values and names in it are quoted or fixed
from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.context import Context
from headwater.stack.lakehouse.sql.expression import Expr
from headwater.stack.lakehouse.sql.failures import SqlError
from headwater.stack.lakehouse.sql.query import OutputColumn, Query


def unnest_query(node: exp.Unnest, values: Sequence[Expr], context: Context, *, padded: bool = False) -> Query:
    """The rows of ``UNNEST(values…) [WITH ORDINALITY]``; ``padded`` makes one of NULLs where there would be none."""
    lists: list[str] = []
    outputs: list[tuple[str, OutputColumn]] = []
    for value in values:
        if value.type.name == "array":
            _add_array(value, lists, outputs)
        elif value.type.name == "map":
            for function, kind in zip(("map_keys", "map_values"), value.type.items, strict=True):
                outputs.append((f"u{len(lists)}", OutputColumn(None, kind)))
                lists.append(f"{function}({value.sql})")
        else:
            message = f"Cannot unnest type: {value.type}"
            raise SqlError("INVALID_FUNCTION_ARGUMENT", message, context.position(node))
    if node.args.get("offset"):
        longest = ", ".join(f"coalesce(len({item}), 0)" for item in lists)
        outputs.append((f"u{len(lists)}", OutputColumn(None, t.BIGINT)))
        lists.append(f"range(1, greatest({longest}, 0) + 1)")
    if padded:
        # Shorter lists end in NULLs: beside a list of one, there is one row at least.
        lists.append("[NULL]")
    inner = ", ".join(f"unnest({item}) AS u{i}" for i, item in enumerate(lists))
    columns = ", ".join(f"{sql} AS c{i}" for i, (sql, _) in enumerate(outputs))
    return Query(f"SELECT {columns} FROM (SELECT {inner})", tuple(column for _, column in outputs))


def _add_array(value: Expr, lists: list[str], outputs: list[tuple[str, OutputColumn]]) -> None:
    element, source = value.type.items[0], f"u{len(lists)}"
    lists.append(value.sql)
    if element.name != "row":
        outputs.append((source, OutputColumn(None, element)))
        return
    for i, (name, kind) in enumerate(zip(element.names, element.items, strict=True)):
        outputs.append((f"struct_extract({source}, 'f{i}')", OutputColumn(name, kind)))

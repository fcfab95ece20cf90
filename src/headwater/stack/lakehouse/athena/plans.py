"""A plan as EXPLAIN shows it: its nodes as text, as JSON in the shape of Trino's, or as a graph in DOT."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

_CATALOG = "awsdatacatalog"
_UNKNOWN = ("outputRowCount", "outputSizeInBytes", "cpuCost", "maxMemory", "networkCost")


@dataclass(frozen=True)
class Node:
    """One step of a plan and those that feed it."""

    name: str
    details: tuple[str, ...] = ()
    children: tuple[Node, ...] = ()
    outputs: tuple[tuple[str, str], ...] = ()
    """Name and type of each column, where they are known: at the top."""


def node_of(plan: Mapping[str, Any]) -> Node:
    """A node of DuckDB's plan or, of a query that ran, of its profile. No local path leaves the stack."""
    details = [f"{key}: {_listed(value)}" for key, value in plan["extra_info"].items()]
    if "operator_cardinality" in plan:
        details.append(f"Output: {plan['operator_cardinality']} rows")
    children = tuple(node_of(child) for child in plan["children"])
    return Node(plan.get("name") or plan["operator_name"], tuple(d for d in details if "/" not in d), children)


def _listed(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def as_json(root: Node, *, distributed: bool) -> str:
    """The plan as one JSON object; a distributed one has its fragments by number, and there is one here."""
    numbers = count()

    def shown(node: Node) -> dict[str, Any]:
        return {
            "id": str(next(numbers)),
            "name": node.name,
            "descriptor": {},
            "outputs": [{"symbol": symbol, "type": kind} for symbol, kind in node.outputs],
            "details": list(node.details),
            "estimates": [],
            "children": [shown(child) for child in node.children],
        }

    plan = shown(root)
    return json.dumps({"0": plan} if distributed else plan, indent=2)


def as_graph(root: Node, *, distributed: bool) -> str:
    """The plan in DOT."""
    lines = ["digraph distributed_plan {" if distributed else "digraph logical_plan {", 'label = "SINGLE"']
    numbers = count()

    def drawn(node: Node) -> Iterator[str]:
        number = next(numbers)
        text = "|".join(_escaped(part) for part in (node.name, "; ".join(node.details)) if part)
        yield f'plannode_{number}[label="{{{text}}}", style="rounded, filled", shape=record, fillcolor=white];'
        for child in node.children:
            mark, *rest = drawn(child)
            yield f"plannode_{number} -> {mark.split('[', 1)[0]};"
            yield mark
            yield from rest

    return "\n".join([*lines, *drawn(root), "}"])


def _escaped(text: str) -> str:
    """Text inside a record's label."""
    flat = " ".join(text.split())
    return "".join(f"\\{sign}" if sign in '\\"{}|<>' else sign for sign in flat)


def io_plan(tables: Sequence[tuple[str, str]], target: tuple[str, str] | None) -> str:
    """EXPLAIN (TYPE IO): which tables are read, and which one is written. What the engine does not know is NaN."""
    unknown = dict.fromkeys(_UNKNOWN, "NaN")
    plan: dict[str, Any] = {
        "inputTableColumnInfos": [{"table": _named(name), "estimate": unknown} for name in dict.fromkeys(tables)]
    }
    if target is not None:
        plan["outputTable"] = _named(target)
    return json.dumps({**plan, "estimate": unknown}, indent=2)


def _named(name: tuple[str, str]) -> dict[str, Any]:
    return {"catalog": _CATALOG, "schemaTable": {"schema": name[0], "table": name[1]}}

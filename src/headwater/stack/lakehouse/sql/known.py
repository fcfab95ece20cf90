"""What the nodes below a node tell of it, found once for each: rules ask at every level, and trees can be deep."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeVar

from sqlglot import exp

T = TypeVar("T")


def gathered(node: exp.Expression, name: str, gather: Callable[[exp.Expression, Sequence[T]], T]) -> T:
    """``gather`` of a node and of what it gave for each node below, which is kept in the tree under a name."""
    pending: list[exp.Expression] = [node]
    while pending:
        current = pending[-1]
        children: list[exp.Expression] = list(current.iter_expressions())
        unknown = [child for child in children if name not in child.meta]
        if name in current.meta:
            pending.pop()
        elif unknown:
            pending.extend(unknown)
        else:
            current.meta[name] = gather(current, [child.meta[name] for child in children])
            pending.pop()
    found: T = node.meta[name]
    return found


def span(node: exp.Expression) -> tuple[int, int] | None:
    """The offsets of the first and the last character of the tokens below a node; ``None`` if none says where it is."""
    return gathered(node, "span", _span)


def _span(node: exp.Expression, below: Sequence[tuple[int, int] | None]) -> tuple[int, int] | None:
    own = (node.meta["start"], node.meta["end"]) if "start" in node.meta else None
    spans = [known for known in (own, *below) if known is not None]
    return (min(start for start, _ in spans), max(end for _, end in spans)) if spans else None


_NEAR = 100


def last_before(pattern: str, text: str, end: int) -> int | None:
    """Where the last match before an offset begins. It is looked for close to it first: texts are long.

    >>> last_before(r"CAST", "CAST(CAST(1))", 10)
    5
    """
    expression, width = re.compile(pattern, re.IGNORECASE), _NEAR
    while True:
        start = max(end - width, 0)
        places = [found.start() for found in expression.finditer(text, start, end)]
        # What begins where the search began may have begun before.
        if start == 0 or places[-1:] > [start]:
            return places[-1] if places else None
        width *= 8

"""Evaluation of JSON paths by Trino's rules: sequences of items, lax and strict mode, predicates of three values."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from headwater.stack.lakehouse.sql.routines.jsonpathsyntax import Node, Path


class PathError(Exception):
    """The path does not fit the input; the ON ERROR clause decides what follows."""


@dataclass(frozen=True)
class Evaluation:
    """One path on one input; ``item`` is ``@`` and ``last`` the last index where they stand for something.

    ``variables`` are sequences: JSON that is NULL has no item.
    """

    path: Path
    input: Any
    variables: Mapping[str, list[Any]]
    item: Any = None
    last: int = -1
    objects: list[int] = field(default_factory=lambda: [0])

    def items(self) -> list[Any]:
        """The sequence that the path leads to. Raises ``PathError``."""
        return self.walk(self.path.root)

    def walk(self, node: Node) -> list[Any]:
        """The sequence of one node."""
        return _WALKS[node.kind](self, node)

    def unwrapped(self, node: Node) -> list[Any]:
        """In lax mode arrays stand for their elements."""
        return self.flat(self.walk(node))

    def flat(self, items: list[Any]) -> list[Any]:
        """The same for a sequence."""
        if self.path.strict:
            return items
        return [e for i in items for e in (i if isinstance(i, list) else [i])]


def is_number(item: Any) -> bool:
    """Whether an item is numeric (a boolean is not)."""
    return isinstance(item, (int, float, Decimal)) and not isinstance(item, bool)


def _variable(at: Evaluation, node: Node) -> list[Any]:
    if node.value not in at.variables:
        raise PathError(f"no value passed for parameter {node.value}")
    return list(at.variables[node.value])


def _members(at: Evaluation, node: Node) -> list[Any]:
    found: list[Any] = []
    for item in at.unwrapped(node.inner[0]):
        if isinstance(item, dict) and node.kind == "members":
            found.extend(item.values())
        elif isinstance(item, dict) and node.value in item:
            found.append(item[node.value])
        elif at.path.strict:
            missing = f"structural error: missing member '{node.value}' in JSON object"
            raise PathError(missing if isinstance(item, dict) else "invalid item type. Expected: OBJECT")
    return found


def _descendants(at: Evaluation, node: Node) -> list[Any]:
    return [found for item in at.walk(node.inner[0]) for found in _below(item, node.value)]


def _below(item: Any, name: str) -> Iterator[Any]:
    if isinstance(item, dict) and name in item:
        yield item[name]
    for inner in item.values() if isinstance(item, dict) else item if isinstance(item, list) else ():
        yield from _below(inner, name)


def _arrays(at: Evaluation, node: Node) -> Iterator[list[Any]]:
    for item in at.walk(node.inner[0]):
        if not isinstance(item, list) and at.path.strict:
            raise PathError("invalid item type. Expected: ARRAY")
        yield item if isinstance(item, list) else [item]


def _elements(at: Evaluation, node: Node) -> list[Any]:
    return [element for array in _arrays(at, node) for element in array]


def _subscripts(at: Evaluation, node: Node) -> list[Any]:
    found: list[Any] = []
    for array in _arrays(at, node):
        inside = replace(at, last=len(array) - 1)
        for part in node.inner[1:]:
            first, last = (_index(inside, bound) for bound in part.inner)
            if at.path.strict and not 0 <= first <= last < len(array):
                bounds = f"[{first}, {last}] for array of size {len(array)}"
                raise PathError(f"structural error: invalid array subscript: {bounds}")
            found.extend(array[max(first, 0) : last + 1] if last >= 0 else ())
    return found


def _index(at: Evaluation, node: Node) -> int:
    items = at.walk(node)
    if len(items) != 1 or not is_number(items[0]):
        raise PathError("array subscript 'from' value must be singleton numeric")
    return int(items[0])


def _filter(at: Evaluation, node: Node) -> list[Any]:
    items = at.unwrapped(node.inner[0])
    return [item for item in items if _holds(replace(at, item=item), node.inner[1]) is True]


def _method(at: Evaluation, node: Node) -> list[Any]:
    if node.value in ("size", "type"):
        return [_METHODS[node.value](at, item) for item in at.walk(node.inner[0])]
    if node.value == "keyvalue":
        return [pair for item in at.unwrapped(node.inner[0]) for pair in _pairs(at, item)]
    return [_METHODS[node.value](at, item) for item in at.unwrapped(node.inner[0])]


def _pairs(at: Evaluation, item: Any) -> list[Any]:
    if not isinstance(item, dict):
        raise PathError("invalid item type. Expected: OBJECT")
    number = at.objects[0]
    at.objects[0] += 1
    return [{"name": name, "value": value, "id": number} for name, value in item.items()]


_KINDS = ((bool, "boolean"), (str, "string"), (list, "array"), (dict, "object"), ((int, float, Decimal), "number"))


def _type(at: Evaluation, item: Any) -> str:
    return next((kind for types, kind in _KINDS if isinstance(item, types)), "null")


def _size(at: Evaluation, item: Any) -> int:
    if not isinstance(item, list) and at.path.strict:
        raise PathError("invalid item type. Expected: ARRAY")
    return len(item) if isinstance(item, list) else 1


def _double(at: Evaluation, item: Any) -> float:
    try:
        if is_number(item) or isinstance(item, str):
            return float(item)
    except ValueError:
        pass
    raise PathError("invalid item type. Expected: NUMBER or TEXT")


def _numeric(run: Callable[[Any], Any]) -> Callable[[Evaluation, Any], Any]:
    def method(at: Evaluation, item: Any) -> Any:
        if not is_number(item):
            raise PathError("invalid item type. Expected: NUMBER")
        if isinstance(item, int) and run is not abs:
            return item
        if isinstance(item, float) and not math.isfinite(item):
            return item
        return type(item)(run(item))

    return method


_METHODS: Mapping[str, Callable[[Evaluation, Any], Any]] = {
    "type": _type,
    "size": _size,
    "double": _double,
    "ceiling": _numeric(math.ceil),
    "floor": _numeric(math.floor),
    "abs": _numeric(abs),
}


def _signed(at: Evaluation, node: Node) -> list[Any]:
    items = at.unwrapped(node.inner[0])
    if not all(is_number(item) for item in items):
        raise PathError("invalid item type. Expected: NUMBER")
    return [-item if node.value == "-" else item for item in items]


def _arithmetic(at: Evaluation, node: Node) -> list[Any]:
    sides = [at.unwrapped(inner) for inner in node.inner]
    if any(len(side) != 1 or not is_number(side[0]) for side in sides):
        raise PathError(f"arithmetic binary expression requires singleton numeric operands: {node.value}")
    a, b = sides[0][0], sides[1][0]
    if isinstance(a, float) or isinstance(b, float):
        return [_approximate(float(a), float(b), node.value)]
    if isinstance(a, Decimal) or isinstance(b, Decimal):
        if node.value == "/":
            raise PathError("division of decimals")
        a, b = Decimal(a), Decimal(b)
    if node.value in "/%" and b == 0:
        raise PathError("Division by zero")
    if node.value in "/%" and isinstance(a, int):
        quotient = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
        result: Any = quotient if node.value == "/" else a - b * quotient
    else:
        result = {"+": lambda: a + b, "-": lambda: a - b, "*": lambda: a * b, "%": lambda: a % b}[node.value]()
    if isinstance(result, int) and not -(2**63) <= result < 2**63:
        raise PathError("bigint overflow")
    return [result]


def _approximate(a: float, b: float, sign: str) -> float:
    if sign in "/%" and b == 0:
        return math.nan if sign == "%" or a == 0 or math.isnan(a) else math.copysign(math.inf, a) * math.copysign(1, b)
    return {
        "+": lambda: a + b,
        "-": lambda: a - b,
        "*": lambda: a * b,
        "/": lambda: a / b,
        "%": lambda: math.fmod(a, b),
    }[sign]()


_WALKS: Mapping[str, Callable[[Evaluation, Node], list[Any]]] = {
    "context": lambda at, _: [at.input],
    "item": lambda at, _: [at.item],
    "last": lambda at, _: [at.last],
    "literal": lambda _, node: [node.value],
    "variable": _variable,
    "member": _members,
    "members": _members,
    "descendants": _descendants,
    "elements": _elements,
    "subscripts": _subscripts,
    "filter": _filter,
    "method": _method,
    "signed": _signed,
    "arithmetic": _arithmetic,
}

# --- predicates: True, False, or None for unknown ---------------------------------------------------------------------


def _holds(at: Evaluation, node: Node) -> bool | None:
    if node.kind in ("and", "or"):
        decisive = node.kind == "or"
        sides = [_holds(at, inner) for inner in node.inner]
        return decisive if decisive in sides else None if None in sides else not decisive
    if node.kind == "not":
        inside = _holds(at, node.inner[0])
        return None if inside is None else not inside
    if node.kind == "unknown":
        return _holds(at, node.inner[0]) is None
    try:
        if node.kind == "exists":
            return bool(at.walk(node.inner[0]))
        left, right = (at.walk(inner) for inner in node.inner)
    except PathError:
        return None
    return _starts(at, left, right) if node.kind == "starts" else _compares(at, node.value, left, right)


def _starts(at: Evaluation, values: list[Any], prefixes: list[Any]) -> bool | None:
    if len(prefixes) != 1 or not isinstance(prefixes[0], str):
        return None
    found = False
    for value in at.flat(values):
        if not isinstance(value, str):
            return None
        found = found or value.startswith(prefixes[0])
        if found and not at.path.strict:
            return True
    return found


def _compares(at: Evaluation, sign: str, left: list[Any], right: list[Any]) -> bool | None:
    left, right = at.flat(left), at.flat(right)
    if not left or not right:
        return False
    (a_null, a_scalar, a_other), (b_null, b_scalar, b_other) = _kinds(left), _kinds(right)
    if (a_other and (b_other or b_scalar)) or (a_scalar and b_other):
        return None
    found = sign == "==" and a_null and b_null
    if sign == "!=" and ((a_null and (b_scalar or b_other)) or (b_null and (a_scalar or a_other))):
        found = True
    if found and not at.path.strict:
        return True
    for a in (item for item in left if _is_scalar(item)):
        for b in (item for item in right if _is_scalar(item)):
            result = _pair(sign, a, b)
            if result is None:
                return None
            found = found or result
            if found and not at.path.strict:
                return True
    return found


def _is_scalar(item: Any) -> bool:
    return item is not None and not isinstance(item, (list, dict))


def _kinds(items: list[Any]) -> tuple[bool, bool, bool]:
    return None in items, any(map(_is_scalar, items)), any(isinstance(item, (list, dict)) for item in items)


def _pair(sign: str, a: Any, b: Any) -> bool | None:
    same = (is_number(a) and is_number(b)) or (type(a) is type(b) and isinstance(a, (str, bool)))
    if not same:
        return None
    outcomes = {"==": a == b, "!=": a != b, "<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}
    return bool(outcomes[sign])

"""Function signatures in Trino's own notation, and how a call's arguments select one of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.coerce import can_coerce, common_type

_TOKEN = re.compile(r"\s*(->|[$A-Za-z_][A-Za-z_0-9]*|\.\.\.|[(),])")
# Type variables by convention: N a number, I an integer, O what has an order, S a varchar of any length, D date or
# timestamp, L an interval; another letter is anything.
_CONSTRAINTS: Mapping[str, Callable[[t.Type], bool]] = {
    "N": t.is_numeric,
    "I": lambda kind: kind.name in t.INTEGERS,
    "O": t.is_orderable,
    "S": lambda kind: kind.name == "varchar",
    "L": lambda kind: kind in (t.DAY_TO_SECOND, t.YEAR_TO_MONTH),
    "D": lambda kind: kind.name in ("date", "timestamp", "timestamptz"),
}


@dataclass(frozen=True)
class Pattern:
    """A parameter or result type: a type variable, a constructed type, a plain type, or a lambda."""

    name: str
    items: tuple[Pattern, ...] = ()
    result: Pattern | None = None

    @property
    def variable(self) -> bool:
        """Whether the name is a type variable."""
        return len(self.name) == 1 and self.name.isupper()


@dataclass(frozen=True)
class Signature:
    """``name(parameter, …) -> result``; ``variadic`` repeats the last parameter any number of times."""

    name: str
    parameters: tuple[Pattern, ...]
    result: Pattern
    variadic: bool

    def expand(self, count: int) -> tuple[Pattern, ...] | None:
        """The parameters for a call with ``count`` arguments, or ``None`` if it can't have that many."""
        if not self.variadic:
            return self.parameters if len(self.parameters) == count else None
        fixed = len(self.parameters) - 1
        return (*self.parameters[:-1], *([self.parameters[-1]] * (count - fixed))) if count >= fixed else None


def parse_signature(text: str) -> Signature:
    """Read a signature.

    >>> parse_signature("filter(array(T), (T) -> boolean) -> array(T)").parameters[1].result.name
    'boolean'
    """
    tokens = _TOKEN.findall(text)
    name = tokens.pop(0).strip()
    parameters, variadic = _parameters(tokens)
    if tokens.pop(0) != "->":
        raise ValueError(f"not a signature: {text}")
    return Signature(name, parameters, _pattern(tokens), variadic)


def _parameters(tokens: list[str]) -> tuple[tuple[Pattern, ...], bool]:
    tokens.pop(0)
    parameters: list[Pattern] = []
    variadic = False
    while tokens[0] != ")":
        parameters.append(_pattern(tokens))
        if tokens[0] == "...":
            tokens.pop(0)
            variadic = True
        if tokens[0] == ",":
            tokens.pop(0)
    tokens.pop(0)
    return tuple(parameters), variadic


def _pattern(tokens: list[str]) -> Pattern:
    if tokens[0] == "(":
        inputs, _ = _parameters(tokens)
        tokens.pop(0)
        return Pattern("lambda", inputs, result=_pattern(tokens))
    name = tokens.pop(0).strip()
    if not tokens or tokens[0] != "(":
        return Pattern(name)
    items, _ = _parameters(tokens)
    return Pattern(name, items)


Bindings = dict[str, t.Type]


def match(pattern: Pattern, kind: t.Type, bindings: Bindings, *, exact: bool) -> bool:
    """Whether an argument of a type fits a parameter; type variables are bound on the way."""
    if pattern.variable:
        return _bind(pattern.name, kind, bindings)
    if pattern.items:
        if kind.name == "unknown":
            return not exact
        if kind.name != pattern.name or len(kind.items) != len(pattern.items):
            return False
        pairs = zip(pattern.items, kind.items, strict=True)
        return all(match(inner, item, bindings, exact=exact) for inner, item in pairs)
    if pattern.name == "any":
        return True
    if kind.name in (pattern.name, "unknown"):
        return True
    return not exact and can_coerce(kind, concrete(pattern, bindings))


def _bind(name: str, kind: t.Type, bindings: Bindings) -> bool:
    allowed = _CONSTRAINTS.get(name[0])
    if allowed is not None and kind.name != "unknown" and not allowed(kind):
        return False
    bound = bindings.get(name)
    merged = kind if bound is None else common_type(bound, kind)
    if merged is None:
        return False
    bindings[name] = merged
    return True


def concrete(pattern: Pattern, bindings: Bindings) -> t.Type:
    """The type that a pattern stands for once the variables are bound; plain names carry no parameters."""
    if pattern.variable:
        bound = bindings.get(pattern.name, t.UNKNOWN)
        return t.VARCHAR if pattern.name == "S" and bound.name == "unknown" else bound
    if pattern.items:
        items = tuple(concrete(item, bindings) for item in pattern.items)
        return t.Type(pattern.name, items=items, names=(None,) * len(items) if pattern.name == "row" else ())
    return t.Type(pattern.name)


def result_type(pattern: Pattern, bindings: Bindings) -> t.Type:
    """The type of a call's value; a bare ``timestamp`` is ``timestamp(3)``."""
    kind = concrete(pattern, bindings)
    if kind.name in ("timestamp", "time") and not kind.params:
        return t.Type(kind.name, (3,))
    return t.TIMESTAMPTZ if kind.name == "timestamptz" and not kind.params else kind


def describe(parameters: Sequence[Pattern]) -> str:
    """The parameter list as text."""
    return ", ".join(_describe(p) for p in parameters)


def _describe(pattern: Pattern) -> str:
    if pattern.result is not None:
        return f"function({describe((*pattern.items, pattern.result))})"
    return f"{pattern.name}({describe(pattern.items)})" if pattern.items else pattern.name

"""One entry of the function registry, and the call that it is asked to translate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.expression import Expr
from headwater.stack.lakehouse.sql.failures import Position
from headwater.stack.lakehouse.sql.functions.signature import Signature, parse_signature


@dataclass(frozen=True)
class Call:
    """A resolved call: arguments already converted to the parameter types; lambdas as DuckDB lambda text.

    ``distinct``, ``order`` and ``over`` are the SQL of the call's clauses, ready to stand in an aggregate.
    """

    name: str
    arguments: tuple[Expr, ...]
    result: t.Type
    position: Position
    now: datetime
    distinct: str = ""
    order: str = ""
    over: str = ""


Builder = Callable[[Call], Expr | str]


Variables = tuple[tuple[str, str], ...]
"""How a lambda's variables are written: DuckDB's variable and the value it is, ``#`` being the nesting depth."""


@dataclass(frozen=True)
class Function:
    """A function of Trino: its signature, its family in Trino's documentation, and its translation.

    ``build`` is a template (``{0}`` is the first argument, ``{all}`` all of them) or a rule. ``kind`` is ``scalar``,
    ``aggregate`` or ``window``. ``lambdas`` are the variables of the lambda arguments, in order, where the translation
    is not a DuckDB lambda with the same variables.
    """

    signature: Signature
    family: str
    build: str | Builder
    kind: str = "scalar"
    lambdas: tuple[Variables, ...] = ()

    @property
    def name(self) -> str:
        """The name, in lower case."""
        return self.signature.name


def family(name: str, kind: str = "scalar") -> Callable[..., Function]:
    """A constructor for the entries of one family: ``f("lower(varchar) -> varchar", "lower({0})")``."""

    def entry(signature: str, build: str | Builder, *lambdas: Variables) -> Function:
        return Function(parse_signature(signature), name, build, kind, lambdas)

    return entry


def translate(function: Function, call: Call) -> Expr:
    """The DuckDB expression of a call."""
    if callable(function.build):
        built = function.build(call)
        return built if isinstance(built, Expr) else Expr(built, call.result)
    texts: Sequence[str] = [argument.sql for argument in call.arguments]
    sql = function.build.format(
        *texts,
        all=", ".join(texts),
        distinct=call.distinct,
        order=call.order,
        over=call.over,
        result=t.to_duckdb(call.result),
    )
    constant = function.kind == "scalar" and all(argument.constant for argument in call.arguments)
    return Expr(sql, call.result, constant=constant)

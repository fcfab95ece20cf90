"""The typed result of translating one expression: what DuckDB is to compute, and which Trino type it has."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.macros import CALL


@dataclass(frozen=True)
class Zoned:
    """DuckDB SQL for the instant of a moment, in UTC, and for the name of its zone, which depends on the data."""

    instant: str
    zone: str


@dataclass(frozen=True)
class Expr:
    """DuckDB SQL with its Trino type. ``literal`` is the value of a literal, for rules that need it beforehand.

    ``zoned`` is a ``timestamp with time zone`` whose zone depends on the data, of which ``sql`` knows UTC only.
    """

    sql: str
    type: t.Type
    literal: str | int | float | bool | None = None
    constant: bool = False
    zoned: Zoned | None = None

    def __str__(self) -> str:
        return self.sql


def quote_text(text: str) -> str:
    """A string literal.

    >>> quote_text("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"


def quote_name(name: str) -> str:
    """A quoted identifier."""
    return '"' + name.replace('"', '""') + '"'


def null_of(kind: t.Type) -> Expr:
    """``NULL`` of a type; one with a time zone needs any."""
    if kind.name in ("timestamptz", "timetz") and kind.zone is None:
        kind = t.Type(kind.name, kind.params, zone="UTC" if kind.name == "timestamptz" else "+00:00")
    return Expr(f"CAST(NULL AS {t.to_duckdb(kind)})", kind, constant=True)


def bound(values: Mapping[str, str], body: str) -> str:
    """A body in which names stand for values that are computed once a row.

    DuckDB computes an expression inside of a lambda again for each element; what is bound it takes as it is.
    """
    for name, sql in reversed(list(values.items())):
        body = f"list_extract(list_transform([{sql}], lambda {name}: {body}), 1)"
    return body


def distinct(array: str) -> str:
    """The first of each value of an array, in order, NULL included."""
    return bound({"d": array}, "list_filter(d, lambda e, i: list_position(d, e) = i)")


_LARGE = 20_000
_SHORT = 1_000
_MOST_MACROS = 4


def once(values: Sequence[Expr], make: Callable[[Sequence[Expr]], Expr]) -> Expr:
    """``make(values)``; if that repeats large values, they are bound, or each level of a nesting would double its text.

    Only for what Trino computes from all of its values: they are computed first.
    """
    made = make(values)
    if not _repeats(" ".join(_texts(made)), [text for value in values for text in _texts(value)]):
        return made
    bindings: dict[str, str] = {}
    named: list[Expr] = []
    for i, value in enumerate(values):
        plain = value.constant and len(value.sql) < _SHORT and not CALL.search(value.sql)
        if plain or value.sql.startswith("lambda "):
            named.append(value)
        elif value.zoned is not None:
            bindings |= {f"a{i}": value.zoned.instant, f"z{i}": value.zoned.zone}
            beside = Zoned(f"hw_once.a{i}", f"hw_once.z{i}")
            named.append(replace(value, sql=only_utc(beside, value.type), zoned=beside))
        else:
            bindings[f"a{i}"] = value.sql
            named.append(replace(value, sql=f"hw_once.a{i}"))
    if not bindings:
        return made
    packed = f"struct_pack({', '.join(f'{name} := {sql}' for name, sql in bindings.items())})"
    body = make(named)
    sql, *beside_it = (bound({"hw_once": packed}, text) for text in _texts(body))
    return replace(body, sql=sql, zoned=Zoned(*beside_it) if beside_it else None)


def _texts(value: Expr) -> list[str]:
    return [value.sql, *([] if value.zoned is None else [value.zoned.instant, value.zoned.zone])]


def _repeats(made: str, values: Sequence[str]) -> bool:
    """Whether text is written several times, or stands in macros, which repeat what they are given, in macros."""
    macros = sum(len(CALL.findall(value)) for value in values)
    if macros >= _MOST_MACROS and len(CALL.findall(made)) > macros:
        return True
    return len(made) >= _LARGE and 3 * len(made) >= 4 * sum(map(len, values))


def fail(message_sql: str, kind: t.Type, witness: str = "''") -> str:
    """An expression that ends the query with a message when a row reaches it.

    It is a cast that can't succeed, because DuckDB's own ``error()`` counts as volatile: it would forbid ``TRY`` and
    stop conditions from being pushed into scans. ``witness`` is any value of the row (not NULL there): without one, the
    cast of a constant would fail before the first row is read.
    """
    attempt = f"CAST({message_sql} || left(CAST({witness} AS VARCHAR), 0) AS INTEGER)"
    # Not a CASE: DuckDB's optimizer computes its constant conditions, whether a row gets there or not.
    return f"list_extract(CAST([] AS {t.to_duckdb(kind)}[]), {attempt})"


def can_fail(sql: str) -> bool:
    """Whether an expression holds one that ends the query, or one of our own functions, which can."""
    return "list_extract(CAST([] AS " in sql or "hw_" in sql


def refused(message_sql: str, kind: t.Type) -> str:
    """An expression that ends the query with NOT_SUPPORTED when a row reaches it, even inside of TRY.

    The message has to depend on the row: a constant would be computed before the first one is read.
    """
    return f"list_extract(CAST([] AS {t.to_duckdb(kind)}[]), hw_refuse({message_sql}))"


def only_utc(moment: Zoned, kind: t.Type) -> str:
    """The instant of a moment, where the zone cannot be kept: another one than UTC ends the query."""
    what = "a timestamp with time zone in another zone than UTC here is not supported by Headwater's local Athena: "
    refusal = refused(f"{quote_text(what)} || {moment.zone}", kind)
    at = moment.instant
    return f"CASE WHEN {moment.zone} = 'UTC' THEN {at} WHEN {at} IS NOT NULL THEN {refusal} END"


def attempt(sql: str) -> str:
    """The value, or NULL where computing it fails.

    Never a bare ``TRY(…)``: up to DuckDB 1.5.5 it writes out of bounds, so that other rows change or the process ends,
    when what it tries is a CASE or a COALESCE (https://github.com/duckdb/duckdb/issues/25280). Inside of a function
    call they are computed elsewhere.
    """
    return f"TRY(struct_extract(struct_pack(tried := {sql}), 'tried'))"

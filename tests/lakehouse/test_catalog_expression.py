"""GetPartitions expressions: the types of the keys, SQL's three values, and agreement with Python."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from refusals import refused

from headwater.stack.lakehouse.catalog.expression import compile_expression
from headwater.stack.lakehouse.catalog.filters import matches
from headwater.stack.lakehouse.catalog.paths import DEFAULT_PARTITION
from headwater.stack.lakehouse.model import KeyFilter

KEYS = [("year", "int"), ("city", "string"), ("day", "date"), ("price", "decimal(10,2)"), ("at", "timestamp")]
VALUES = ("2025", "San José", "2025-01-15", "9.50", "2025-01-15 10:00:00")


@pytest.mark.parametrize(
    "expression",
    [
        "year = 2025",
        "year = '2025'",
        "2025 = year",
        "2024 < year",
        "`year` >= 2025 and YEAR <= 2025",
        "(year = 2025)",
        "year IN (1, 2025) AND city <> 'x'",
        "year != 1 OR city = 'nope'",
        "NOT (year = 2024)",
        "year BETWEEN 2020 AND 2030 AND city LIKE 'San%'",
        "city LIKE '_an Jos_'",
        "city NOT LIKE '%x%' and year not in (1,2) and year not between 1 and 9",
        "day = '2025-01-15' and day > date '2025-01-01'",
        "price = 9.5 and price < '10'",
        "at >= '2025-01-15 10:00:00.000000000' and at < timestamp '2025-01-15 10:00:00.1'",
        "city is not null",
        "((year = 2025) and (city = 'San José' or city = 'Oslo'))",
    ],
)
def test_expressions_that_hold(expression: str) -> None:
    compiled = compile_expression(expression, KEYS)
    assert compiled.admits(VALUES)
    kinds = {name: (place, kind) for place, (name, kind) in enumerate(KEYS)}
    assert all(matches(item, VALUES[kinds[item.key][0]], kinds[item.key][1]) for item in compiled.filters)
    assert not compile_expression(f"NOT ({expression})", KEYS).admits(VALUES)


@pytest.mark.parametrize(
    "expression",
    [
        "year =",
        "year",
        "year = 2025 and",
        "(year = 2025",
        "year = 2025)",
        "year == = 1",
        "nope = 1",
        "year = 'x'",
        "year = 1.5",
        "year LIKE '2%'",
        "day = 'x'",
        "day = '2025-02-30'",
        "price = 'abc'",
        "price = 'NaN'",
        "at = 'yesterday'",
        "year in ()",
        "year = 1; drop",
        "city = 'unbalanced",
        "not",
        "city is 5",
        "(" * 400 + "year = 1" + ")" * 400,
        "city = '" + "x" * 3000 + "'",
    ],
)
def test_bad_expressions_are_invalid_input(expression: str) -> None:
    with refused("InvalidInputException"):
        compile_expression(expression, KEYS)


def test_a_null_partition_is_neither_equal_nor_unequal() -> None:
    values = (DEFAULT_PARTITION, "x", "2025-01-01", "1", "2025-01-01 00:00:00")
    assert not compile_expression("year = 1", KEYS).admits(values)
    assert not compile_expression("not (year = 1)", KEYS).admits(values)
    assert compile_expression("year = 1 or city = 'x'", KEYS).admits(values)
    assert compile_expression("year is null", KEYS).admits(values)


def test_only_what_every_match_satisfies_goes_to_the_index() -> None:
    filters = compile_expression("year = 2025 and (city = 'a' or city = 'b') and city in ('a','b')", KEYS).filters
    assert filters == (KeyFilter("year", "=", ("2025",)), KeyFilter("city", "in", ("a", "b")))
    assert compile_expression("year = 1 or year = 2", KEYS).filters == ()


def test_quotes_in_literals_are_doubled() -> None:
    keys = [("city", "string")]
    assert compile_expression("city = 'it''s'", keys).admits(["it's"])
    assert compile_expression('city = "O\'Hara"', keys).admits(["O'Hara"])


numbers = st.integers(-5, 5)
words = st.text("ab'%_=/ é", max_size=3)
_OPERATORS = {
    "=": lambda left, right: left == right,
    "<>": lambda left, right: left != right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


@st.composite
def comparisons(draw: st.DrawFn) -> tuple[str, object]:
    op = draw(st.sampled_from(sorted(_OPERATORS)))
    if draw(st.booleans()):
        number = draw(numbers)
        return f"n {op} {number}", lambda n, c: _OPERATORS[op](n, number)
    word = draw(words)
    return f"c {op} {quoted(word)}", lambda n, c: _OPERATORS[op](c, word)


def combined(inner: st.SearchStrategy[tuple[str, object]]) -> st.SearchStrategy[tuple[str, object]]:
    both = st.tuples(inner, inner)
    return (
        both.map(lambda p: (f"({p[0][0]} AND {p[1][0]})", lambda n, c: p[0][1](n, c) and p[1][1](n, c)))
        | both.map(lambda p: (f"({p[0][0]} or {p[1][0]})", lambda n, c: p[0][1](n, c) or p[1][1](n, c)))
        | inner.map(lambda one: (f"NOT ({one[0]})", lambda n, c: not one[1](n, c)))
    )


@settings(deadline=None)
@given(st.recursive(comparisons(), combined, max_leaves=6), numbers, words)
def test_expressions_agree_with_python(case: tuple[str, object], number: int, word: str) -> None:
    text, expected = case
    compiled = compile_expression(text, [("n", "int"), ("c", "string")])
    values = (f"{number:03}", word)
    admitted = compiled.admits(values)
    assert admitted == expected(number, word)
    if admitted:
        kinds = {"n": (0, "int"), "c": (1, "string")}
        assert all(matches(item, values[kinds[item.key][0]], kinds[item.key][1]) for item in compiled.filters)

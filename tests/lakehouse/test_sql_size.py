"""Long and deeply nested statements are translated in a time that grows with their length, or refused by name.

What is here would not end within any test's time if a level of nesting doubled the work, as it once did.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest
from athena_fixtures import AthenaClient

from headwater.stack.lakehouse.sql.bind import CatalogTables
from headwater.stack.lakehouse.sql.context import Context
from headwater.stack.lakehouse.sql.failures import SqlError
from headwater.stack.lakehouse.sql.functions.registry import registry
from headwater.stack.lakehouse.sql.known import gathered, span
from headwater.stack.lakehouse.sql.parse import parse_query
from headwater.stack.lakehouse.sql.translate import Translation, translate


def nested(levels: int, level: Callable[[str], str], inner: str) -> str:
    for _ in range(levels):
        inner = level(inner)
    return inner


def translated(sql: str) -> Translation:
    class NoTables(CatalogTables):
        def __init__(self) -> None:
            pass

        def rows(self, parts: object, position: object) -> None:
            return None

    return translate(parse_query(sql), Context(sql, NoTables(), datetime(2025, 1, 1)), registry())


@pytest.mark.parametrize(
    ("levels", "level", "inner", "value"),
    [
        (40, lambda s: f"upper({s})", "'a'", "A"),
        (40, lambda s: f"greatest({s}, 1)", "x", "7"),
        (40, lambda s: f"nullif({s}, 1)", "x", "7"),
        (40, lambda s: f"substr({s}, 1)", "'a'", "a"),
        (40, lambda s: f"ARRAY[1, 2][{s}]", "1", "1"),
        (40, lambda s: f"json_format(json_parse({s}))", "'[1]'", "[1]"),
        (40, lambda s: f"cardinality(slice(ARRAY[{s}], 1, 1))", "x", "1"),
        (40, lambda s: f"ARRAY[{s}][1]", "x", "7"),
        (10, lambda s: f"CAST(CAST({s} AS varchar) AS double)", "7e0", "7.0"),
        (10, lambda s: f"round({s}, 1)", "7e0", "7.0"),
        (60, lambda s: f"ROW({s})[1]", "x", "7"),
        (100, lambda s: f"coalesce({s}, 1)", "x", "7"),
        (100, lambda s: f"replace({s}, 'a', 'ba')", "'a'", "b" * 100 + "a"),
        (900, lambda s: f"{s} + 1", "x", "907"),
        (900, lambda s: f"{s} || 'b'", "'a'", "a" + "b" * 900),
        (100, lambda s: f"{s} || ARRAY[1]", "ARRAY[x]", f"[7{', 1' * 100}]"),
        (60, lambda s: f"(SELECT {s})", "x", "7"),
        (40, lambda s: f"(SELECT y FROM (VALUES 7) t(y) WHERE y IN ({s}))", "SELECT 7", "7"),
    ],
)
def test_what_is_nested_keeps_its_value(
    athena: AthenaClient, levels: int, level: Callable[[str], str], inner: str, value: str
) -> None:
    assert athena.rows(f"SELECT {nested(levels, level, inner)} FROM (VALUES 7) t(x)") == [[value]]


@pytest.mark.parametrize(
    ("kind", "shown"),
    [("ARRAY[{}]", "[[[[7]]]]"), ("ROW({})", "{field0={field0={field0={field0=7}}}}")],
)
def test_constructors_are_parsed_once_at_each_level(athena: AthenaClient, kind: str, shown: str) -> None:
    assert athena.value(nested(4, kind.format, "7")) == shown
    assert str(translated(f"SELECT {nested(60, kind.format, '7')}").columns[0].type).count("(") == 60


def test_an_empty_array_and_null_inside_of_arrays_are_shown_at_any_depth(athena: AthenaClient) -> None:
    value = "ARRAY[ARRAY[ARRAY[ARRAY[1, NULL], ARRAY[]], NULL, ARRAY[]]]"
    assert athena.value(value) == "[[[[1, null], []], null, []]]"
    refusal = athena.failure(f"SELECT {nested(40, 'ARRAY[{}]'.format, '7')}")
    assert refusal.startswith("NOT_SUPPORTED: showing arrays and maps that are nested more than")


def test_terms_around_an_aggregate_are_translated_once(athena: AthenaClient) -> None:
    chain = " + ".join(["x"] * 200)
    assert athena.rows(f"SELECT {chain} + count(*) FROM (VALUES 1) t(x) GROUP BY x") == [["201"]]
    assert athena.rows(f"SELECT {chain} FROM (VALUES 1) t(x) GROUP BY {chain}") == [["200"]]


def test_queries_of_which_each_uses_the_one_before_twice_are_refused() -> None:
    steps = "".join(f", c{i} AS (SELECT a.x FROM c{i - 1} a CROSS JOIN c{i - 1} b)" for i in range(1, 60))
    with pytest.raises(SqlError, match="COMPILER_ERROR: Query is too complex"):
        translated(f"WITH c0 AS (SELECT 1 x){steps} SELECT x FROM c59")


def test_too_deep_a_statement_is_refused_by_name(athena: AthenaClient) -> None:
    answer = athena.refused(
        "StartQueryExecution",
        QueryString=f"SELECT {'(' * 3000}1{')' * 3000}",
        ResultConfiguration={"OutputLocation": "s3://results/out/"},
    )
    assert answer["message"] == "line 1:1: statement is too large (stack overflow during parsing)"
    lambdas = nested(30, lambda s: f"transform(ARRAY[1], v -> cardinality({s}))", "ARRAY[1]")
    assert "lambda expressions that are nested more than 12 deep" in athena.failure(f"SELECT {lambdas}")


def test_what_nodes_tell_is_gathered_once_for_each() -> None:
    tree = parse_query("SELECT a + b FROM t")
    asked: list[int] = []
    for node in (*tree.walk(), *tree.walk()):
        gathered(node, "count", lambda found, _: asked.append(id(found)))  # type: ignore[arg-type]
    assert len(asked) == len(set(asked)) == len(list(tree.walk()))
    assert span(tree) == (7, 18)


def test_each_of_five_hundred_queries_may_use_the_one_before(athena: AthenaClient) -> None:
    steps = "".join(f", c{i} AS (SELECT x + 1 AS x FROM c{i - 1})" for i in range(1, 500))
    assert athena.rows(f"WITH c0 AS (SELECT 1 AS x){steps} SELECT x FROM c499") == [["500"]]

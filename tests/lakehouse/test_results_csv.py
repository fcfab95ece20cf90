"""Stored results are byte for byte what Athena writes, and read back to the same values."""

from __future__ import annotations

import pytest
from athena_fixtures import AthenaClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headwater.stack.lakehouse.results.columns import column_info, metadata_object
from headwater.stack.lakehouse.results.pages import parse_record
from headwater.stack.lakehouse.sql import types as t


def test_every_value_is_quoted_and_null_is_not(athena: AthenaClient) -> None:
    execution = athena.run(
        "SELECT 1 AS a, '' AS b, NULL AS c, 'q\"x' AS d, ARRAY['y', NULL] AS e "
        "UNION ALL SELECT 2, 'x', 'y', ',', ARRAY[]"
    )
    assert athena.stored(execution) == b'"a","b","c","d","e"\n"1","",,"q""x","[y, null]"\n"2","x","y",",","[]"\n'


def test_the_forms_of_all_types(athena: AthenaClient) -> None:
    execution = athena.run(
        "SELECT true, CAST(1.5 AS real), 1e10, 1.50, date '2025-01-15', timestamp '2025-01-15 10:00:00', "
        "timestamp '2025-01-15 10:00:00.123456', X'65683F', MAP(ARRAY['a'], ARRAY[1]), ROW(1, 'x'), time '10:00:00'"
    )
    line = athena.stored(execution).decode().splitlines()[1]
    assert line == (
        '"true","1.5","1.0E10","1.50","2025-01-15","2025-01-15 10:00:00.000","2025-01-15 10:00:00.123456",'
        '"65 68 3f","{a=1}","{field0=1, field1=x}","10:00:00"'
    )


def test_a_result_may_have_thousands_of_columns(athena: AthenaClient) -> None:
    (row,) = athena.rows("SELECT " + ", ".join(f"{i}, NULL" for i in range(1500)))
    assert row == [value for i in range(1500) for value in (str(i), None)]
    fields = ", ".join(f"f{i} int" for i in range(700))
    value = f"CAST(ROW({', '.join('1' for _ in range(700))}) AS ROW({fields}))"
    shown = [f"f{i}" for i in range(700)]
    assert athena.value(value) == "{" + ", ".join(f"{name}=1" for name in shown) + "}"
    assert athena.value(f"CAST({value} AS JSON)") == "{" + ",".join(f'"{name}":1' for name in shown) + "}"


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ('SELECT * FROM (SELECT 1 AS FooBar, 2 AS "Ab c")', ["FooBar", "Ab c"]),
        ("WITH x AS (SELECT 1 AS FooBar) SELECT *, foobar, x.FOOBAR FROM x", ["FooBar", "foobar", "FOOBAR"]),
        ("WITH x(FooBar) AS (SELECT 1) SELECT x.* FROM x WHERE fooBAR = 1 ORDER BY foobar", ["FooBar"]),
        ("SELECT * FROM (VALUES 1) AS T(Abc) GROUP BY abc", ["Abc"]),
        ("WITH RECURSIVE r(Nn) AS (SELECT 1 UNION ALL SELECT nN + 1 FROM r WHERE NN < 3) SELECT * FROM r", ["Nn"]),
        ("SELECT * FROM UNNEST(ARRAY[1]) WITH ORDINALITY AS T(Abc, N)", ["Abc", "N"]),
        ("SELECT * FROM (SELECT 1 AS Id, 2 AS A) JOIN (SELECT 1 AS iD, 3 AS B) USING (ID)", ["ID", "A", "B"]),
        ("SELECT * FROM (SELECT 1 AS Id UNION ALL SELECT 2 AS x) ORDER BY ID LIMIT 1", ["Id"]),
    ],
)
def test_a_star_shows_names_as_they_were_written(athena: AthenaClient, sql: str, names: list[str]) -> None:
    assert athena.result(athena.run(sql)["QueryExecutionId"])[0] == names


def test_an_empty_result_is_a_header(athena: AthenaClient) -> None:
    execution = athena.run("SELECT 1 AS a WHERE false")
    assert athena.stored(execution) == b'"a"\n'


def test_metadata_is_written_beside_the_result(athena: AthenaClient) -> None:
    execution = athena.run("SELECT 1 AS a")
    assert athena.stored(execution, ".metadata") == metadata_object([column_info("a", t.INTEGER)])


def test_metadata_has_one_message_field_for_each_column() -> None:
    encoded = metadata_object([column_info("a", t.decimal(10, 2))])
    assert encoded == b'"\x1d\n\x04hive"\x01a*\x01a2\x07decimal8\x0a@\x02H\x03P\x00'


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))),
        min_size=1,
        max_size=5,
    )
)
def test_any_text_comes_back_as_it_was(athena: AthenaClient, values: list[str | None]) -> None:
    shown = ", ".join("NULL" if v is None else "'" + v.replace("'", "''") + "'" for v in values)
    assert athena.rows(f"SELECT {shown}") == [values]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.floats(allow_nan=False, allow_infinity=False, width=64))
def test_any_double_is_written_as_java_writes_it(athena: AthenaClient, value: float) -> None:
    text = athena.value(f"DOUBLE '{value!r}'")
    assert text is not None
    assert float(text) == value
    if value != 0 and not 1e-3 <= abs(value) < 1e7:
        mantissa, _, exponent = text.partition("E")
        assert 1 <= abs(float(mantissa)) < 10
        assert exponent == str(int(exponent))


@given(st.lists(st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"]))), min_size=1))
def test_a_record_is_parsed_as_it_was_written(values: list[str | None]) -> None:
    line = ",".join("" if v is None else '"' + v.replace('"', '""') + '"' for v in values) + "\n"
    assert parse_record(line) == values

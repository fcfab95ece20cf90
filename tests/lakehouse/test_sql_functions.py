"""Expressions run through the whole engine give what Trino's documentation says they give."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from athena_fixtures import AthenaClient, make_client

# (expression, expected text; None is NULL). Most are the examples of https://trino.io/docs/current/functions.html
EXPRESSIONS: list[tuple[str, str | None]] = [
    # arithmetic
    ("1/2", "0"),
    ("-7/2", "-3"),
    ("-7 % 3", "-1"),
    ("7.0/2", "3.5"),
    ("1.0/3", "0.3"),
    ("CAST(10 AS decimal(10,2))/3", "3.33"),
    ("1.10 * 2.20", "2.4200"),
    ("10 % 3.3", "0.1"),
    ("DECIMAL '1.10' + 1", "2.10"),
    ("1e0/0", "Infinity"),
    ("TRY(1/0)", None),
    ("typeof(1 + 1.5)", "decimal(12,1)"),
    ("typeof(CAST(1 AS smallint) + 1)", "integer"),
    # conversion
    ("CAST(1e10 AS varchar)", "1.0E10"),
    ("CAST(1e0 AS varchar)", "1.0"),
    ("CAST(12345678.9e0 AS varchar)", "1.23456789E7"),
    ("CAST(0.00012e0 AS varchar)", "1.2E-4"),
    ("CAST(1e-10 AS varchar)", "1.0E-10"),
    ("CAST(-1e21 AS varchar)", "-1.0E21"),
    ("CAST(CAST(1.1 AS real) AS varchar)", "1.1"),
    ("CAST(2.5e0 AS integer)", "3"),
    ("CAST(-2.5e0 AS bigint)", "-3"),
    ("CAST(1.5 AS integer)", "2"),
    ("CAST('abcdef' AS varchar(3))", "abc"),
    ("CAST(' 12 ' AS double)", "12.0"),
    ("TRY_CAST('abc' AS integer)", None),
    ("TRY_CAST('1.5' AS integer)", None),
    ("TRY_CAST('2020-13-01' AS date)", None),
    ("CAST('2020-01-01 10:11:12.3456' AS timestamp)", "2020-01-01 10:11:12.346"),
    ("CAST(timestamp '2020-01-01 12:00:00.000' AS varchar)", "2020-01-01 12:00:00.000"),
    ("CAST(true AS varchar)", "true"),
    ("CAST('t' AS boolean)", "true"),
    ("CAST('1.005' AS decimal(10,2))", "1.01"),
    ("typeof(ARRAY[1, 2.5])", "array(decimal(11,1))"),
    ("typeof('abc')", "varchar(3)"),
    # comparison and conditionals
    ("1 = 1.0", "true"),
    ("NULL = NULL", None),
    ("1 IS DISTINCT FROM NULL", "true"),
    ("3 NOT IN (1, 2)", "true"),
    ("2 BETWEEN 1 AND 3", "true"),
    ("'abc' LIKE 'a%'", "true"),
    (r"'a_c' LIKE 'a\_c'", "false"),
    ("'abc' NOT LIKE 'a%'", "false"),
    (r"'a_c' NOT LIKE 'a\_c' ESCAPE '\'", "false"),
    ("NOT 'abc' LIKE 'x%'", "true"),
    ("CASE WHEN 1 < 2 THEN 1 ELSE 1/0 END", "1"),
    ("IF(true, 1, CAST('a' AS integer))", "1"),
    ("nan() = nan()", "false"),
    ("nan() > 1", "false"),
    ("nan() <> nan()", "true"),
    (r"'a_c' LIKE 'a\_c' ESCAPE '\'", "true"),
    ("CASE 2 WHEN 1 THEN 'one' WHEN 2 THEN 'two' END", "two"),
    ("IF(false, 1)", None),
    ("COALESCE(NULL, 1.5, 2)", "1.5"),
    ("NULLIF(1, 1)", None),
    ("greatest(1, 2, NULL)", None),
    ("least(3, 1)", "1"),
    # text
    ("substr('hello', -3, 2)", "ll"),
    ("substr('abc', 0)", ""),
    ("substr('abc', -5)", ""),
    ("substring('hello' FROM 2 FOR 2)", "el"),
    ("split('a,b,c', ',', 2)", "[a, b,c]"),
    ("split_part('a,b', ',', 3)", None),
    ("reverse('abc')", "cba"),
    ("lpad('abc', 5, 'x')", "xxabc"),
    ("trim(BOTH 'x' FROM 'xxaxx')", "a"),
    ("position('b' IN 'abc')", "2"),
    ("strpos('abc', 'z')", "0"),
    ("length('héé')", "3"),
    ("concat_ws(',', 'a', NULL, 'b')", "a,b"),
    ("'a' || NULL", None),
    ("translate('abcd', 'a', 'z')", "zbcd"),
    ("to_hex(md5(to_utf8('a')))", "0CC175B9C0F1B6A831C399E269772661"),
    # regular expressions
    (r"regexp_extract_all('1a 2b 14m', '\d+')", "[1, 2, 14]"),
    (r"regexp_extract('1a 2b 14m', '\d+')", "1"),
    (r"regexp_extract('1a 2b 14m', '(\d+)([a-z]+)', 2)", "a"),
    ("regexp_extract('x', 'y')", None),
    (r"regexp_like('1a 2b 14m', '\d+b')", "true"),
    (r"regexp_replace('1a 2b 14m', '\d+[ab] ')", "14m"),
    (r"regexp_replace('1a 2b 14m', '(\d+)([ab]) ', '3c$2 ')", "3ca 3cb 14m"),
    (r"regexp_split('1a 2b 14m', '\s*[a-z]+\s*')", "[1, 2, 14, ]"),
    (r"regexp_count('1a 2b 14m', '\s*[a-z]+\s*')", "3"),
    # times
    ("date_diff('day', timestamp '2020-01-01 12:00:00', timestamp '2020-01-03 11:00:00')", "1"),
    ("date_diff('second', TIMESTAMP '2020-03-01 00:00:00', TIMESTAMP '2020-03-02 00:00:00')", "86400"),
    ("date_diff('month', date '2020-03-01', date '2020-01-15')", "-1"),
    ("date_add('second', 86, TIMESTAMP '2020-03-01 00:00:00')", "2020-03-01 00:01:26.000"),
    ("date_add('month', 1, date '2020-01-31')", "2020-02-29"),
    ("date '2012-08-08' + interval '2' day", "2012-08-10"),
    ("date '2020-01-31' + interval '1' month", "2020-02-29"),
    ("timestamp '2012-08-08 01:00:00' + interval '29' hour", "2012-08-09 06:00:00.000"),
    ("timestamp '2012-08-08 01:00:00' - timestamp '2012-08-07 00:00:00'", "1 01:00:00.000"),
    ("interval '2' day + interval '3' hour", "2 03:00:00.000"),
    ("interval '3' year + interval '5' month", "3-5"),
    ("date_trunc('week', date '2001-08-22')", "2001-08-20"),
    ("date_trunc('quarter', TIMESTAMP '2001-08-22 03:04:05.321')", "2001-07-01 00:00:00.000"),
    ("from_unixtime(0)", "1970-01-01 00:00:00.000 UTC"),
    ("to_unixtime(timestamp '1970-01-01 00:00:10.500')", "10.5"),
    ("from_iso8601_timestamp('2020-01-01T10:00:00Z')", "2020-01-01 10:00:00.000 UTC"),
    ("day_of_week(date '2024-01-01')", "1"),
    ("EXTRACT(YEAR FROM TIMESTAMP '2022-10-20 05:10:00')", "2022"),
    ("date_format(timestamp '2020-01-05 03:04:05', '%Y-%m-%d %H:%i:%s %W')", "2020-01-05 03:04:05 Sunday"),
    ("date_parse('2022-10-20 05:10', '%Y-%m-%d %H:%i')", "2022-10-20 05:10:00.000"),
    ("date_parse('10:11', '%H:%i')", "1970-01-01 10:11:00.000"),
    ("format_datetime(timestamp '2020-01-05 03:04:05', 'yyyy-MM-dd''T''HH:mm')", "2020-01-05T03:04"),
    (
        "TIMESTAMP '2012-10-31 01:00 UTC' AT TIME ZONE 'America/Los_Angeles'",
        "2012-10-30 18:00:00.000 America/Los_Angeles",
    ),
    # JSON
    ("json_extract_scalar('{\"a\": {\"b\": 10.00}}', '$.a.b')", "10.00"),
    ("json_extract_scalar('[1, 2, 3]', '$[2]')", "3"),
    ("json_extract_scalar('{\"a\": [1]}', '$.a')", None),
    ("json_extract_scalar('no json', '$.a')", None),
    ("json_extract('{\"d\": [1, 2.50]}', '$.d')", "[1,2.5]"),
    ("json_array_length('[1, 2, 3]')", "3"),
    ('json_size(\'{"x": {"a": 1, "b": 2}}\', \'$.x\')', "2"),
    ('json_format(json_parse(\'{"b": 1, "a": 2}\'))', '{"a":2,"b":1}'),
    ("CAST(json_parse('1.5') AS double)", "1.5"),
    ("CAST(json_extract('{\"a\": 12}', '$.a') AS bigint)", "12"),
    # arrays, maps, rows
    ("ARRAY[1, NULL, 3]", "[1, null, 3]"),
    ("ARRAY[5, 6][2]", "6"),
    ("element_at(ARRAY[5, 6], 3)", None),
    ("slice(ARRAY[1, 2, 3, 4], -2, 2)", "[3, 4]"),
    ("slice(ARRAY[1, 2, 3], 2, 1)", "[2]"),
    ("array_distinct(ARRAY[3, 1, 3, NULL, NULL])", "[3, 1, null]"),
    ("array_join(ARRAY[1, NULL, 2], ',', 'x')", "1,x,2"),
    ("array_sort(ARRAY[3, NULL, 1])", "[1, 3, null]"),
    ("contains(ARRAY[1, NULL], 2)", None),
    ("transform(ARRAY[5, NULL, 6], x -> COALESCE(x, 0) + 1)", "[6, 1, 7]"),
    ("filter(ARRAY[5, -6, NULL, 7], x -> x > 0)", "[5, 7]"),
    ("reduce(ARRAY[5, 20, 50], 0, (s, x) -> s + x, s -> s * 2)", "150"),
    ("reduce(ARRAY[], 0, (s, x) -> s + 1, s -> s)", "0"),
    ("reduce(ARRAY['a', 'bb'], BIGINT '0', (s, x) -> s + length(x), s -> 'sum ' || CAST(s AS varchar))", "sum 3"),
    ("zip_with(ARRAY[1, 3], ARRAY['a', 'b'], (x, y) -> (y, x))", "[{field0=a, field1=1}, {field0=b, field1=3}]"),
    ("sequence(1, 5, 2)", "[1, 3, 5]"),
    ("flatten(ARRAY[ARRAY[1], ARRAY[2]])", "[1, 2]"),
    ("MAP(ARRAY['a', 'b'], ARRAY[1, NULL])", "{a=1, b=null}"),
    ("MAP(ARRAY['a'], ARRAY[1])['a']", "1"),
    ("element_at(MAP(ARRAY['a'], ARRAY[1]), 'b')", None),
    ("map_filter(MAP(ARRAY[10, 20], ARRAY['a', NULL]), (k, v) -> v IS NOT NULL)", "{10=a}"),
    ("transform_values(MAP(ARRAY[1, 2], ARRAY['a', 'b']), (k, v) -> v || 'x')", "{1=ax, 2=bx}"),
    ("CAST(ROW(1, 2.0) AS ROW(x bigint, y double))", "{x=1, y=2.0}"),
    ("CAST(ROW(1, 2.0) AS ROW(x bigint, y double)).y", "2.0"),
    ("X'65683F'", "65 68 3f"),
    # numbers
    ("round(-2.5)", "-3"),
    ("round(2.5e0)", "3.0"),
    ("ceil(1.2)", "2"),
    ("floor(-1.2)", "-2"),
    ("sqrt(-1)", "NaN"),
    ("cbrt(27)", "3.0"),
    ("mod(-7, 3)", "-1"),
    ("truncate(-1.9)", "-1"),
    ("bitwise_and(19, 25)", "17"),
]

FAILURES: list[tuple[str, str]] = [
    ("1/0", "DIVISION_BY_ZERO: Division by zero"),
    ("1.0/0", "DIVISION_BY_ZERO: Division by zero"),
    ("5 % 0", "DIVISION_BY_ZERO: Division by zero"),
    ("2147483647 + 1", "NUMERIC_VALUE_OUT_OF_RANGE"),
    ("'a' = 1", "TYPE_MISMATCH: line 1:12: Cannot apply operator: varchar(1) = integer"),
    ("'a' + 1", "TYPE_MISMATCH: line 1:12: Cannot apply operator: varchar(1) + integer"),
    ("'1' IN (1, 2)", "TYPE_MISMATCH"),
    ("CAST('abc' AS integer)", "INVALID_CAST_ARGUMENT: Cannot cast 'abc' to INT"),
    ("CAST('x' AS date)", "INVALID_CAST_ARGUMENT: Value cannot be cast to date: x"),
    ("CAST(ARRAY[1] AS varchar)", "TYPE_MISMATCH: line 1:8: Cannot cast array(integer) to varchar"),
    (
        "DATE '2020-01-01' + INTERVAL '2' HOUR",
        "INVALID_FUNCTION_ARGUMENT: Cannot add hour, minutes or seconds to a date",
    ),
    ("nope(1)", "FUNCTION_NOT_FOUND: line 1:8: Function 'nope' not registered"),
    ("read_csv('/etc/passwd')", "FUNCTION_NOT_FOUND: line 1:8: Function 'read_csv' not registered"),
    ("getenv('HOME')", "FUNCTION_NOT_FOUND: line 1:8: Function 'getenv' not registered"),
    ("length(1)", "FUNCTION_NOT_FOUND: line 1:8: Unexpected parameters (integer) for function length"),
    ("x", "COLUMN_NOT_FOUND: line 1:8: Column 'x' cannot be resolved"),
    ("ARRAY[1, 2][5]", "INVALID_FUNCTION_ARGUMENT: Array subscript must be less than or equal to array length: 5 > 2"),
    ("MAP(ARRAY['a'], ARRAY[1])['z']", "INVALID_FUNCTION_ARGUMENT: Key not present in map: z"),
    ("date_parse('x', '%Y')", 'INVALID_FUNCTION_ARGUMENT: Invalid format: "x"'),
    ("row_number()", "MISSING_OVER"),
    (r"regexp_like('a', '(?d)a$')", "NOT_SUPPORTED"),
]


@pytest.fixture(scope="module")
def athena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AthenaClient]:
    """One engine for all expressions."""
    client = make_client(tmp_path_factory.mktemp("functions"))
    yield client
    client.lakehouse.close()


@pytest.mark.parametrize(("expression", "expected"), EXPRESSIONS, ids=[e for e, _ in EXPRESSIONS])
def test_an_expression_has_the_value_that_trino_gives_it(
    athena: AthenaClient, expression: str, expected: str | None
) -> None:
    assert athena.value(expression) == expected


@pytest.mark.parametrize(("expression", "reason"), FAILURES, ids=[e for e, _ in FAILURES])
def test_an_expression_that_trino_refuses_fails_with_its_reason(
    athena: AthenaClient, expression: str, reason: str
) -> None:
    assert athena.failure(f"SELECT {expression}").startswith(reason)

"""Bucketed tables: rows lie where Hive's hash puts them, and a query that pins the bucket columns opens one bucket."""

from __future__ import annotations

import pytest
from athena_fixtures import AthenaClient

from headwater.stack.lakehouse.hive.buckets import bucket_of, hash_of

NUMBERS = "SELECT x, CAST(x % 7 AS varchar) AS word, x % 2 = 0 AS even FROM UNNEST(sequence(0, 199)) AS t(x)"


@pytest.fixture(scope="module")
def athena(athena: AthenaClient) -> AthenaClient:
    athena.run(f"CREATE TABLE one WITH (bucketed_by = ARRAY['x'], bucket_count = 8) AS {NUMBERS}")
    athena.run(
        f"CREATE TABLE two WITH (format = 'JSON', bucketed_by = ARRAY['word', 'x'], bucket_count = 4) AS {NUMBERS}"
    )
    athena.run(
        "CREATE TABLE parts WITH (bucketed_by = ARRAY['word'], bucket_count = 3, partitioned_by = ARRAY['even']) AS "
        f"{NUMBERS}"
    )
    return athena


def _files(athena: AthenaClient, sql: str) -> list[str]:
    return [str(row[0]) for row in athena.rows(f'SELECT DISTINCT "$path" FROM {sql}')]


def _scanned(athena: AthenaClient, sql: str) -> int:
    return int(athena.run(f"SELECT count(*) FROM {sql}")["Statistics"]["DataScannedInBytes"])


@pytest.mark.parametrize(("table", "files"), [("one", 8), ("two", 4), ("parts", 6)])
def test_a_bucketed_table_has_a_file_for_each_bucket_and_all_rows(athena: AthenaClient, table: str, files: int) -> None:
    paths = _files(athena, table)
    assert len(paths) == files
    assert athena.rows(f"SELECT count(*), sum(x) FROM {table}") == [["200", "19900"]]
    assert athena.rows(f"SELECT x, word, even FROM {table} ORDER BY x") == athena.rows(f"{NUMBERS} ORDER BY x")


def test_the_catalog_says_how_a_table_is_bucketed(athena: AthenaClient) -> None:
    descriptor = athena.glue("GetTable", DatabaseName="lake", Name="two")["Table"]["StorageDescriptor"]
    assert (descriptor["BucketColumns"], descriptor["NumberOfBuckets"]) == (["word", "x"], 4)


@pytest.mark.parametrize(
    ("table", "sql", "rows"),
    [
        ("one", "one WHERE x = 42", 1),
        ("one", "one WHERE 42 = x AND even", 1),
        ("one", "one WHERE x IN (42, 43)", 2),
        ("one", "one WHERE x = 42 AND x IN (42, 43)", 1),
        ("one", "(SELECT x AS y FROM one) WHERE y = 42", 1),
        ("one", "one a JOIN one b USING (x) WHERE x = 42", 1),
        ("two", "two WHERE word = '3' AND x = 17", 1),
        ("parts", "parts WHERE word = '3' AND even", 14),
        ("parts", "parts WHERE word = 'none'", 0),
        ("one", "one WHERE x = 1000", 0),
    ],
)
def test_pinned_bucket_columns_open_only_their_buckets(athena: AthenaClient, table: str, sql: str, rows: int) -> None:
    assert athena.rows(f"SELECT count(*) FROM {sql}") == [[str(rows)]]
    assert 0 < _scanned(athena, sql) < _scanned(athena, f"{table} WHERE x + 0 >= 0")


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("one WHERE x = 42 OR word = '3'", 30),
        ("one WHERE x + 0 = 42", 1),
        ("one WHERE x = -1", 0),
        ("one WHERE x BETWEEN 41 AND 42", 2),
        ("one WHERE NOT x = 42", 199),
        ("two WHERE word = '3'", 29),
        ("(SELECT * FROM one ORDER BY x LIMIT 50) WHERE x = 42", 1),
        ("(VALUES 1) v(n) LEFT JOIN one ON one.x = 42 WHERE one.x = 42 OR one.x IS NULL", 1),
    ],
)
def test_other_conditions_read_every_bucket(athena: AthenaClient, sql: str, rows: int) -> None:
    assert athena.rows(f"SELECT count(*) FROM {sql}") == [[str(rows)]]


def _external(athena: AthenaClient, table: str, names: list[str], properties: str = "") -> None:
    """A CSV table in two buckets by ``x``, written by someone else: the even numbers, then the odd ones."""
    folder = athena.storage.root / "data" / table
    folder.mkdir(parents=True)
    for index, name in enumerate(names):
        (folder / name).write_text("".join(f"{n}\n" for n in range(index, 100, 2)))
    athena.run(
        f"CREATE EXTERNAL TABLE {table} (x bigint) CLUSTERED BY (x) INTO 2 BUCKETS ROW FORMAT DELIMITED "
        f"LOCATION 's3://data/{table}/' {properties}"
    )


@pytest.mark.parametrize(
    "names", [["1f_bucket-00000.csv", "1f_bucket-00001.csv"], ["000000_0", "000001_0"], ["000000_0_a", "000001_0_b"]]
)
def test_buckets_of_other_writers_are_known_by_their_names(athena: AthenaClient, names: list[str]) -> None:
    table = f"other{abs(hash(tuple(names)))}"
    _external(athena, table, names)
    assert athena.rows(f"SELECT x FROM {table} WHERE x = 7") == [["7"]]
    assert _scanned(athena, f"{table} WHERE x = 7") == sum(len(f"{n}\n") for n in range(1, 100, 2))


@pytest.mark.parametrize(
    ("table", "names", "properties"),
    [
        ("unnamed", ["a.csv", "b.csv"], ""),
        ("toomany", ["000005_0", "000006_0"], ""),
        ("murmur", ["000000_0", "000001_0"], "TBLPROPERTIES ('bucketing_version' = '2')"),
        ("spark", ["000000_0", "000001_0"], "TBLPROPERTIES ('bucketing_format' = 'spark')"),
    ],
)
def test_files_that_may_be_of_any_bucket_are_all_read(
    athena: AthenaClient, table: str, names: list[str], properties: str
) -> None:
    _external(athena, table, names, properties)
    assert athena.rows(f"SELECT x FROM {table} WHERE x = 7") == [["7"]]
    assert _scanned(athena, f"{table} WHERE x = 7") == sum(len(f"{n}\n") for n in range(100))


def test_bucketing_is_checked_against_the_columns(athena: AthenaClient) -> None:
    make = "CREATE TABLE no WITH (bucketed_by = ARRAY['{}'], bucket_count = {}) AS SELECT 1 AS a, DECIMAL '1.5' AS d"
    assert "Bucketing columns ['b'] not present in schema" in athena.failure(make.format("b", 2))
    assert "bucketed_by a column of type decimal" in athena.failure(make.format("d", 2))
    assert "bucket_count a number above 0" in athena.failure(make.format("a", 0))


@pytest.mark.parametrize(
    ("values", "count", "bucket"),
    [
        ([(2**40 + 3, "bigint")], 7, ((2**40 + 3) >> 32 ^ 3) % 7),
        ([(-1, "integer")], 10, 0x7FFFFFFF % 10),
        ([("ä", "varchar")], 1_000, (31 * -61 + -92) % 2**31 % 1_000),
        ([(None, "varchar"), (True, "boolean")], 10, 1),
    ],
)
def test_the_hash_is_hives(values: list[tuple[bool | int | str | None, str]], count: int, bucket: int) -> None:
    assert bucket_of([hash_of(value, kind) for value, kind in values], count) == bucket

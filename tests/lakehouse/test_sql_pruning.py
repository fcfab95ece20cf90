"""Only the partitions that a query's conditions admit are listed and opened, wherever the conditions stand."""

from __future__ import annotations

import os
import time
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from athena_fixtures import AthenaClient
from pyarrow import parquet

from headwater.stack.lakehouse.engine import Session
from headwater.stack.lakehouse.model import EngineSettings, StoredObject

DDL = """CREATE EXTERNAL TABLE {name} (id int, user_id int, amount decimal(10,2))
PARTITIONED BY (year int, month int, day string) STORED AS PARQUET LOCATION 's3://data/{name}/'"""

# Each must touch only day 02: the files of the other days are no Parquet at all.
PRUNED = [
    "SELECT count(*) FROM orders WHERE year = 2025 AND month = 1 AND day = '02'",
    "SELECT count(*) FROM orders WHERE day IN ('02', '77')",
    "SELECT count(*) FROM orders WHERE day BETWEEN '02' AND '02'",
    "SELECT count(*) FROM orders WHERE day > '01' AND day < '03'",
    "SELECT count(*) FROM orders WHERE '02' = day AND id >= 0",
    "SELECT count(*) FROM orders WHERE CAST(day AS integer) * 2 = 4",
    "SELECT count(*) FROM orders WHERE date_parse("
    "CAST(year AS varchar) || '-' || CAST(month AS varchar) || '-' || day, '%Y-%c-%d') = date '2025-01-02'",
    "SELECT count(*) FROM orders WHERE (day = '02' OR day = '99')",
    "SELECT count(*) FROM orders WHERE day LIKE '%2'",
    "SELECT count(*) FROM (SELECT * FROM orders) WHERE day = '02'",
    "SELECT count(*) FROM (SELECT id, day AS d FROM orders) x WHERE x.d = '02'",
    "WITH o AS (SELECT * FROM orders) SELECT count(*) FROM o WHERE day = '02'",
    "SELECT count(*) FROM (SELECT day, sum(amount) s FROM orders GROUP BY day) WHERE day = '02' HAVING count(*) > 0",
    "SELECT count(*) FROM orders a JOIN orders b ON a.id = b.id AND b.day = '02' WHERE a.day = '02'",
    "SELECT count(*) FROM (VALUES 1) v(n) LEFT JOIN orders o ON o.day = '02' AND o.id >= 0",
    "SELECT count(*) FROM (SELECT day FROM orders UNION ALL SELECT day FROM orders) WHERE day = '02'",
    "SELECT count(*) FROM orders o WHERE o.day = '02' AND lake.orders.year = 2025".replace(" o WHERE o.", " WHERE "),
    "SELECT (SELECT count(*) FROM orders WHERE day = '02')",
]


def write_day(
    client: AthenaClient,
    table: str,
    day: int,
    sql: str = "SELECT range::int id, 7 user_id, 1.5::decimal(10,2) amount FROM range(10)",
) -> Path:
    path = client.storage.root / "data" / table / f"year=2025/month=1/day={day:02d}" / "part.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    duckdb.connect().execute(f"COPY ({sql}) TO '{path}'")
    return path


@pytest.fixture(scope="module")
def athena(athena: AthenaClient) -> AthenaClient:
    """``orders`` with three registered days, of which only the second is readable."""
    athena.run(DDL.format(name="orders"))
    for day in (1, 2, 3):
        path = write_day(athena, "orders", day)
        if day != 2:
            path.write_bytes(b"this is not parquet")
    athena.run("MSCK REPAIR TABLE orders")
    return athena


@pytest.mark.parametrize("sql", PRUNED)
def test_other_partitions_are_not_opened(athena: AthenaClient, sql: str) -> None:
    athena.storage.listed.clear()
    athena.rows(sql)
    listed = {place for place in athena.storage.listed if place.startswith("data/")}
    assert listed == {"data/orders/year=2025/month=1/day=02/"}


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM orders",
        "SELECT count(*) FROM orders WHERE day = '02' OR id = 1",
        "SELECT count(*) FROM (SELECT * FROM orders LIMIT 5) WHERE day = '02'",
        "SELECT count(*) FROM (VALUES 1) v(n) LEFT JOIN orders o ON o.id = n WHERE o.day = '02' OR o.day IS NULL",
    ],
)
def test_a_condition_that_does_not_decide_opens_everything(athena: AthenaClient, sql: str) -> None:
    assert athena.failure(sql).startswith("HIVE_")


def test_a_query_that_prunes_everything_reads_nothing(athena: AthenaClient) -> None:
    execution = athena.run("SELECT id, amount FROM orders WHERE year = 1999")
    assert execution["Statistics"]["DataScannedInBytes"] == 0
    assert athena.result(execution["QueryExecutionId"]) == [["id", "amount"]]


def test_bytes_scanned_are_those_of_the_read_columns(athena: AthenaClient) -> None:
    path = write_day(athena, "wide", 1, "SELECT range::int id, random() a, random() b FROM range(20000)")
    athena.run(
        "CREATE EXTERNAL TABLE wide (id int, a double, b double) PARTITIONED BY (year int, month int, day string) "
        "STORED AS PARQUET LOCATION 's3://data/wide/'"
    )
    athena.run("MSCK REPAIR TABLE wide")
    size = path.stat().st_size
    one = athena.run("SELECT sum(a) FROM wide")["Statistics"]["DataScannedInBytes"]
    both = athena.run("SELECT sum(a), sum(b) FROM wide")["Statistics"]["DataScannedInBytes"]
    assert size * 0.2 < one < size * 0.6
    assert one < both < size * 1.05


def test_bytes_scanned_are_the_same_for_every_run_of_a_query(athena: AthenaClient) -> None:
    path = write_day(athena, "again", 1, "SELECT range::int id, random() a FROM range(20000)")
    write_day(athena, "again", 2, "SELECT range::int id, random() a FROM range(20000)")
    athena.run(
        "CREATE EXTERNAL TABLE again (id int, a double) PARTITIONED BY (year int, month int, day string) "
        "STORED AS PARQUET LOCATION 's3://data/again/'"
    )
    athena.run("MSCK REPAIR TABLE again")
    scanned = {athena.run("SELECT sum(a) FROM again")["Statistics"]["DataScannedInBytes"] for _ in range(4)}
    assert len(scanned) == 1
    one = athena.run("SELECT sum(a) FROM again WHERE day = '01'")["Statistics"]["DataScannedInBytes"]
    footer = int.from_bytes(path.read_bytes()[-8:-4], "little") + 8
    assert footer < one < path.stat().st_size
    twice = "SELECT count(*) FROM again x JOIN again y ON x.a = y.a WHERE x.day = '01' AND y.day = '01'"
    assert one * 1.8 < athena.run(twice)["Statistics"]["DataScannedInBytes"] <= one * 2


def test_bytes_scanned_are_the_chunks_of_the_columns_and_the_footer(athena: AthenaClient) -> None:
    path = write_day(athena, "exact", 1, "SELECT range::int id, random() a, random() b FROM range(50000)")
    athena.run("CREATE EXTERNAL TABLE exact (id int, a double, b double) STORED AS PARQUET LOCATION 's3://data/exact/'")
    footer = int.from_bytes(path.read_bytes()[-8:-4], "little") + 8
    chunks = "SELECT sum(total_compressed_size) FROM parquet_metadata(?) WHERE path_in_schema = 'a'"
    (wanted,) = duckdb.connect().execute(chunks, [str(path)]).fetchone() or (0,)
    for age in (0, 60, 60):  # DuckDB keeps the footers of files that have not changed for a while
        os.utime(path, (time.time() - age, time.time() - age))
        assert athena.run("SELECT sum(a) FROM exact")["Statistics"]["DataScannedInBytes"] == wanted + footer


def test_a_file_that_was_replaced_is_read_anew(athena: AthenaClient) -> None:
    path = write_day(athena, "fresh", 1, "SELECT 1 AS id, 'long ago' AS a FROM range(1000)")
    athena.run("CREATE EXTERNAL TABLE fresh (id int, a string, b int) STORED AS PARQUET LOCATION 's3://data/fresh/'")
    os.utime(path, (time.time() - 60, time.time() - 60))
    for _ in range(3):
        assert athena.rows("SELECT min(id), max(a), count(b) FROM fresh") == [["1", "long ago", "0"]]
    write_day(athena, "fresh", 1, "SELECT 2 AS b, 7 AS id, 'now' AS a FROM range(10)")
    assert athena.rows("SELECT min(id), max(a), count(b) FROM fresh") == [["7", "now", "10"]]


def test_a_column_chunk_larger_than_the_memory_is_read_page_by_page(tmp_path: Path) -> None:
    path = tmp_path / "large.parquet"
    table = pa.table({"a": pa.array(range(6_000_000), pa.int64())})
    parquet.write_table(table, path, row_group_size=6_000_000, compression="none", use_dictionary=False)
    status = path.stat()
    session = Session(EngineSettings(tmp_path, slots=1, threads=1, memory_bytes=40 * 1024**2))
    session.expect([StoredObject("large.parquet", path, status.st_size, status.st_mtime)])
    counted = session.connection.execute(f"SELECT count(a % 7), min(a) >= 0 FROM read_parquet('{path}')").fetchone()
    session.close()
    assert status.st_size > 40 * 1024**2
    assert counted == (6_000_000, True)


def test_a_timestamp_column_hides_no_relation_of_the_query_around_it(athena: AthenaClient) -> None:
    folder = athena.storage.root / "data" / "stamped"
    folder.mkdir()
    sql = "SELECT 1 AS id, TIMESTAMP '2025-01-02' AS at"
    duckdb.connect().execute(f"COPY ({sql}) TO '{folder / 'part.parquet'}'")
    athena.run("CREATE EXTERNAL TABLE stamped (id int, at timestamp) STORED AS PARQUET LOCATION 's3://data/stamped/'")
    assert athena.rows("SELECT (SELECT max(x.id + y.id) FROM stamped y) FROM stamped x") == [["2"]]


def test_conditions_on_timestamps_skip_row_groups(athena: AthenaClient) -> None:
    path = athena.storage.root / "data" / "timed" / "part.parquet"
    path.parent.mkdir(parents=True)
    rows = "SELECT TIMESTAMP '2025-01-01' + to_microseconds(range * 1700) AS at, random() AS a FROM range(100000)"
    duckdb.connect().execute(f"COPY ({rows}) TO '{path}' (ROW_GROUP_SIZE 10000)")
    athena.run("CREATE EXTERNAL TABLE timed (at timestamp, a double) STORED AS PARQUET LOCATION 's3://data/timed/'")
    everything = athena.run("SELECT count(a) FROM timed WHERE at IS NOT NULL")["Statistics"]["DataScannedInBytes"]
    conditions = [
        ("at < TIMESTAMP '2025-01-01 00:00:00.002'", "1"),
        ("at = TIMESTAMP '2025-01-01 00:00:00.002'", "1"),
        ("TIMESTAMP '2025-01-01 00:00:00.003' = at", "1"),
        ("at <= TIMESTAMP '2025-01-01 00:00:00.003'", "3"),
        ("at BETWEEN TIMESTAMP '2025-01-01 00:00:00.002' AND TIMESTAMP '2025-01-01 00:00:00.004'", "2"),
        ("at >= TIMESTAMP '2025-01-01 00:02:49.998'", "1"),
        ("at > TIMESTAMP '2025-01-01 00:02:49.997'", "1"),
        ("at < DATE '2025-01-01'", "0"),
    ]
    for condition, count in conditions:
        execution = athena.run(f"SELECT count(a) FROM timed WHERE {condition}")
        assert athena.result(execution["QueryExecutionId"])[1] == [count], condition
        assert execution["Statistics"]["DataScannedInBytes"] < everything * 0.3, condition


def test_only_registered_partitions_are_visible_and_values_come_from_the_catalog(athena: AthenaClient) -> None:
    write_day(athena, "elsewhere", 9)
    athena.run(DDL.format(name="placed"))
    assert athena.rows("SELECT count(*) FROM placed") == [["0"]]
    athena.run("ALTER TABLE placed ADD PARTITION (year=2024, month=12, day='31') LOCATION 's3://data/elsewhere/'")
    rows = athena.rows('SELECT DISTINCT year, month, day, "$path" FROM placed')
    assert rows == [["2024", "12", "31", "s3://data/elsewhere/year=2025/month=1/day=09/part.parquet"]]
    assert athena.rows('SELECT * FROM "placed$partitions"') == [["2024", "12", "31"]]
    athena.run("CREATE EXTERNAL TABLE whole (a int) STORED AS PARQUET LOCATION 's3://data/whole/'")
    assert athena.failure('SELECT * FROM "whole$partitions"').startswith("TABLE_NOT_FOUND: line 1:15: Table 'awsdata")


def test_hidden_and_empty_objects_are_no_data(athena: AthenaClient) -> None:
    athena.run("CREATE EXTERNAL TABLE plain (id int) STORED AS PARQUET LOCATION 's3://data/plain'")
    base = athena.storage.root / "data" / "plain"
    (base / "_temporary").mkdir(parents=True)
    (base / "sub").mkdir()
    (base / "_SUCCESS").write_bytes(b"x")
    (base / ".hidden").write_bytes(b"x")
    (base / "_temporary" / "a.parquet").write_bytes(b"x")
    (base / "empty").write_bytes(b"")
    duckdb.connect().execute(f"COPY (SELECT 5::int id) TO '{base}/sub/a.parquet'")
    (athena.storage.root / "data" / "plain2").mkdir()
    (athena.storage.root / "data" / "plain2" / "a.parquet").write_bytes(b"x")
    assert athena.rows("SELECT id FROM plain") == [["5"]]


def test_a_key_that_looks_like_a_pattern_names_one_object(athena: AthenaClient) -> None:
    for name in ("a[1].parquet", "a1.parquet", "b*.parquet", "bc.parquet"):
        folder = athena.storage.root / "data" / "odd" / ("in" if name in ("a[1].parquet", "b*.parquet") else "out")
        folder.mkdir(parents=True, exist_ok=True)
        duckdb.connect().execute(f"COPY (SELECT '{name}' n) TO '{folder}/x' (FORMAT parquet)")
        (folder / "x").rename(athena.storage.root / "data" / "odd" / name)
    athena.run("CREATE EXTERNAL TABLE odd (n string) STORED AS PARQUET LOCATION 's3://data/odd/'")
    rows = athena.rows('SELECT n, "$path" FROM odd ORDER BY n')
    names = ["a1.parquet", "a[1].parquet", "b*.parquet", "bc.parquet"]
    assert rows == [[name, f"s3://data/odd/{name}"] for name in names]


def test_one_place_may_be_two_partitions(athena: AthenaClient) -> None:
    write_day(athena, "shared", 5)
    athena.run(DDL.format(name="twice"))
    place = "LOCATION 's3://data/shared/'"
    for day in ("1", "2"):
        athena.run(f"ALTER TABLE twice ADD PARTITION (year=2025, month=1, day='{day}') {place}")
    rows = athena.rows("SELECT day, count(*) FROM twice GROUP BY day ORDER BY day")
    assert rows == [["1", "10"], ["2", "10"]]


def test_columns_are_found_by_name_and_missing_ones_are_null(athena: AthenaClient) -> None:
    athena.run(
        "CREATE EXTERNAL TABLE evolved (id bigint, extra string, amount double) STORED AS PARQUET LOCATION 's3://data/evolved/'"
    )
    base = athena.storage.root / "data" / "evolved"
    base.mkdir()
    connection = duckdb.connect()
    connection.execute(f"COPY (SELECT 'ignored' other, 1::int \"ID\") TO '{base}/a.parquet'")
    connection.execute(f"COPY (SELECT 2.5::double amount, 2::bigint id, 'x' extra) TO '{base}/b.parquet'")
    assert athena.rows("SELECT * FROM evolved ORDER BY id") == [["1", None, None], ["2", "x", "2.5"]]


def test_an_incompatible_column_is_bad_data(athena: AthenaClient) -> None:
    athena.run("CREATE EXTERNAL TABLE wrong (id int) STORED AS PARQUET LOCATION 's3://data/wrong/'")
    base = athena.storage.root / "data" / "wrong"
    base.mkdir()
    duckdb.connect().execute(f"COPY (SELECT 'a' id) TO '{base}/a.parquet'")
    reason = athena.failure("SELECT id FROM wrong")
    assert reason.startswith(
        "HIVE_BAD_DATA: Malformed Parquet file. Field id's type BINARY in parquet file s3://data/wrong/a.parquet"
    )


def test_nested_parquet_columns_are_read_by_name(athena: AthenaClient) -> None:
    athena.run(
        "CREATE EXTERNAL TABLE nested (o struct<a:int,b:string>, l array<struct<x:int>>, m map<string,int>) "
        "STORED AS PARQUET LOCATION 's3://data/nested/'"
    )
    base = athena.storage.root / "data" / "nested"
    base.mkdir()
    sql = "SELECT {'b': 'x', 'a': 1, 'c': 2} o, [{'x': 1}, NULL] l, MAP {'k': 1} m UNION ALL SELECT NULL, NULL, NULL"
    duckdb.connect().execute(f"COPY ({sql}) TO '{base}/a.parquet'")
    assert athena.rows("SELECT o, l, m, o.a, l[1].x FROM nested") == [
        ["{a=1, b=x}", "[{x=1}, null]", "{k=1}", "1", "1"],
        [None, None, None, None, None],
    ]


def test_an_invalid_partition_value_is_named(athena: AthenaClient) -> None:
    athena.run(
        "CREATE EXTERNAL TABLE oddly (id int) PARTITIONED BY (y int) STORED AS PARQUET LOCATION 's3://data/oddly/'"
    )
    parts = {"DatabaseName": "lake", "TableName": "oddly"}
    athena.glue(
        "CreatePartition",
        **parts,
        PartitionInput={"Values": ["abc"], "StorageDescriptor": {"Location": "s3://data/oddly/x/"}},
    )
    assert "Invalid partition value 'abc' for INTEGER partition key: y" in athena.failure(
        "SELECT * FROM oddly WHERE y % 2 = 1"
    )


def test_values_named_one_by_one_are_enough_for_projected_keys(athena: AthenaClient) -> None:
    for values in ("n=-5/k=a", "n=7/k=b"):
        path = athena.storage.root / f"data/projected/{values}/a.csv"
        path.parent.mkdir(parents=True)
        path.write_bytes(b"1\n")
    athena.run(
        "CREATE EXTERNAL TABLE projected (v int) PARTITIONED BY (n bigint, k string) LOCATION 's3://data/projected/' "
        "TBLPROPERTIES ('projection.enabled'='true', 'projection.k.type'='injected', 'projection.n.type'='integer', "
        "'projection.n.range'='-9223372036854775808,9223372036854775807')"
    )
    sql = "SELECT n, k FROM projected WHERE (n = -5 OR n IN (6, 7)) AND (k = 'a' OR (k = 'b' OR k = 'c')) ORDER BY n"
    assert athena.rows(sql) == [["-5", "a"], ["7", "b"]]
    assert athena.failure("SELECT n FROM projected WHERE n = -5 AND (k = 'a' OR v = 1)").startswith("CONSTRAINT_VIOL")

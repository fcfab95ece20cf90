"""CREATE TABLE AS, INSERT INTO and UNLOAD write what Athena would, and read back as it was written."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from athena_fixtures import OUTPUT, AthenaClient, make_client

EVERY_TYPE = (
    "SELECT CAST(1 AS tinyint) a, CAST(2 AS smallint) b, 3 c, CAST(4 AS bigint) d, CAST(0.5 AS real) e, 0.25e0 f, "
    "CAST('1.10' AS decimal(10,2)) g, true h, 'text' i, CAST('ab' AS varchar) j, DATE '2025-01-02' k, "
    "TIMESTAMP '2025-01-02 03:04:05.678' l, ARRAY[1, NULL] m, MAP(ARRAY['x'], ARRAY[2]) n, "
    "CAST(ROW(1, 'z') AS ROW(p integer, q varchar)) o, X'6162' r"
)


@pytest.fixture
def athena(tmp_path: Path) -> Iterator[AthenaClient]:
    client = make_client(tmp_path)
    client.run("CREATE DATABASE lake")
    yield client
    client.lakehouse.close()


def _location(athena: AthenaClient, table: str) -> Path:
    found = athena.glue("GetTable", DatabaseName="lake", Name=table)["Table"]["StorageDescriptor"]["Location"]
    return athena.storage.root / found.removeprefix("s3://")


@pytest.mark.parametrize("form", ["PARQUET", "ORC", "AVRO", "JSON", "TEXTFILE"])
def test_a_table_made_from_a_query_reads_back_as_the_query(athena: AthenaClient, form: str) -> None:
    query = EVERY_TYPE.removesuffix(", X'6162' r") if form == "JSON" else EVERY_TYPE
    if form == "AVRO":  # has no small integers
        query = query.replace("CAST(1 AS tinyint) a, CAST(2 AS smallint) b, ", "")
    expected = athena.rows(query)
    execution = athena.run(f"CREATE TABLE made WITH (format = '{form}') AS {query}")
    assert (execution["StatementType"], execution["SubstatementType"]) == ("DDL", "CREATE_TABLE_AS_SELECT")
    assert athena.rows("SELECT * FROM made") == expected


def test_avro_keeps_empty_and_nested_maps(athena: AthenaClient) -> None:
    query = "SELECT CAST(MAP() AS map(varchar, integer)) m, ARRAY[MAP(ARRAY['k'], ARRAY[ARRAY[1, NULL]])] n"
    athena.run(f"CREATE TABLE made WITH (format = 'AVRO') AS {query}")
    assert athena.rows("SELECT * FROM made") == [["{}", "[{k=[1, null]}]"]]


def test_avro_is_compressed_as_asked(athena: AthenaClient) -> None:
    athena.run("CREATE TABLE made WITH (format = 'AVRO', write_compression = 'SNAPPY') AS SELECT 1 AS a")
    athena.run("INSERT INTO made VALUES (2)")
    assert athena.rows("SELECT sum(a) FROM made") == [["3"]]
    assert "tinyint is not supported by Avro" in athena.failure(
        "CREATE TABLE small WITH (format = 'AVRO') AS SELECT TINYINT '1' AS a"
    )


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE made AS {}",
        "CREATE TABLE made WITH (table_type = 'ICEBERG', location = 's3://data/made/', is_external = false) AS {}",
        "UNLOAD ({}) TO 's3://data/made/' WITH (format = 'PARQUET')",
        "{}",
    ],
)
def test_a_row_that_fails_late_is_reported_as_one_that_fails_at_once(athena: AthenaClient, statement: str) -> None:
    many = "UNNEST(sequence(1, 10000)) a(x) CROSS JOIN UNNEST(sequence(1, 30)) b(y)"
    query = "SELECT {} AS q FROM " + many
    assert athena.failure(statement.format(query.format("10 / (x * 30 + y - 299000)"))).startswith("DIVISION_BY_ZERO")
    text = "CAST(IF(x * 30 + y = 299000, 'no', '1') AS integer)"
    assert athena.failure(statement.format(query.format(text))).startswith("INVALID_CAST_ARGUMENT")


def test_the_result_of_writing_is_a_count_and_a_manifest(athena: AthenaClient) -> None:
    execution = athena.run("CREATE TABLE made AS SELECT x FROM UNNEST(sequence(1, 3)) t(x)")
    identifier = execution["QueryExecutionId"]
    answer = athena.call("GetQueryResults", QueryExecutionId=identifier)
    assert answer["UpdateCount"] == 3
    assert answer["ResultSet"]["Rows"] == []
    assert execution["ResultConfiguration"]["OutputLocation"] == f"{OUTPUT}tables/{identifier}"
    manifest = execution["Statistics"]["DataManifestLocation"]
    assert manifest == f"{OUTPUT}tables/{identifier}-manifest.csv"
    (written,) = (athena.storage.root / manifest.removeprefix("s3://")).read_text().splitlines()
    files = athena.call("GetQueryResults", QueryExecutionId=identifier, QueryResultType="DATA_MANIFEST")["ResultSet"]
    assert files["Rows"] == [{"Data": [{"VarCharValue": written}]}]
    query = athena.run("SELECT 1")["QueryExecutionId"]
    assert (
        "DATA_MANIFEST"
        in athena.refused("GetQueryResults", QueryExecutionId=query, QueryResultType="DATA_MANIFEST")["message"]
    )
    assert written.startswith(f"{OUTPUT}tables/{identifier}/")
    assert (athena.storage.root / written.removeprefix("s3://")).is_file()


def test_partitions_are_directories_and_registered(athena: AthenaClient) -> None:
    athena.run(
        "CREATE TABLE made WITH (external_location = 's3://data/made/', partitioned_by = ARRAY['day', 'kind']) AS "
        "SELECT x, DATE '2025-01-01' AS day, IF(x = 1, 'a/b', CAST(NULL AS varchar)) AS kind "
        "FROM UNNEST(sequence(1, 2)) t(x)"
    )
    found = [row[0] for row in athena.result(athena.run("SHOW PARTITIONS made")["QueryExecutionId"])]
    assert found == ["day=2025-01-01/kind=__HIVE_DEFAULT_PARTITION__", "day=2025-01-01/kind=a%2Fb"]
    assert athena.rows("SELECT * FROM made ORDER BY x") == [["1", "2025-01-01", "a/b"], ["2", "2025-01-01", None]]
    athena.run("INSERT INTO made SELECT 3, DATE '2025-01-02', 'c'")
    assert athena.rows("SELECT x FROM made WHERE day = DATE '2025-01-02'") == [["3"]]
    assert athena.rows('SELECT kind FROM "made$partitions" ORDER BY kind') == [["a/b"], ["c"], [None]]
    athena.run("INSERT INTO made SELECT 4, DATE '2025-01-01', ''")
    # A directory cannot say that the text is empty.
    assert athena.rows("SELECT x FROM made WHERE kind IS NULL ORDER BY x") == [["2"], ["4"]]


def test_what_no_table_can_hold_is_refused_as_athena_refuses_it(athena: AthenaClient) -> None:
    for query, reason in (
        ("SELECT 1", "MISSING_COLUMN_NAME: line 1:1: Column name not specified at position 1"),
        ("SELECT NULL AS a", "COLUMN_TYPE_UNKNOWN: line 1:1: Column type is unknown: a"),
        ("SELECT 1 AS foo, 2 AS foo", "DUPLICATE_COLUMN_NAME: line 1:1: Column name 'foo' specified more than once"),
        ("SELECT TIME '01:02:03' AS a", "NOT_SUPPORTED: Unsupported Hive type: time(0)"),
        ("SELECT current_timestamp AS a", "NOT_SUPPORTED: Unsupported Hive type: timestamp(3) with time zone"),
        ("SELECT ROW(1) AS a", "NOT_SUPPORTED: Anonymous row type is not supported in Hive"),
    ):
        assert athena.failure(f"CREATE TABLE made AS {query}").startswith(reason)
    reason = athena.failure(
        "CREATE TABLE made WITH (partitioned_by = ARRAY['p']) AS "
        "SELECT 1 AS a, x AS p FROM UNNEST(sequence(1, 101)) t(x)"
    )
    assert reason.startswith("HIVE_TOO_MANY_OPEN_PARTITIONS: Exceeded limit of 100 open writers")
    assert "NOT_SUPPORTED" in athena.failure("CREATE TABLE made WITH (format = 'ION') AS SELECT 1 AS a")
    assert athena.glue("GetTables", DatabaseName="lake")["TableList"] == []


def test_a_location_with_data_is_not_written_over(athena: AthenaClient) -> None:
    made = "WITH (external_location = 's3://data/made/') AS SELECT 1 AS a"
    athena.run(f"CREATE TABLE one {made}")
    assert athena.failure(f"CREATE TABLE two {made}").startswith("HIVE_PATH_ALREADY_EXISTS")
    assert athena.failure("CREATE TABLE one AS SELECT 1 AS a").startswith("TABLE_ALREADY_EXISTS")
    athena.run("CREATE TABLE IF NOT EXISTS one AS SELECT 1 AS a")
    assert athena.rows("SELECT * FROM one") == [["1"]]


def test_a_work_group_that_insists_decides_the_place(athena: AthenaClient) -> None:
    place = {"ResultConfiguration": {"OutputLocation": "s3://results/forced/"}}
    athena.call("CreateWorkGroup", Name="strict", Configuration=place)
    elsewhere = "CREATE TABLE t WITH (external_location = 's3://data/t/') AS SELECT 1 AS a"
    refused = athena.refused("StartQueryExecution", QueryString=elsewhere, WorkGroup="strict")
    assert refused["__type"] == "InvalidRequestException"
    assert "enforces a centralized output location" in refused["message"]
    execution = athena.run("CREATE TABLE t AS SELECT 1 AS a", WorkGroup="strict")
    assert execution["ResultConfiguration"]["OutputLocation"].startswith("s3://results/forced/tables/")


def test_a_table_can_be_made_without_its_rows(athena: AthenaClient) -> None:
    athena.run("CREATE TABLE made AS SELECT 1 AS a, 'x' AS b WITH NO DATA")
    assert athena.rows("SELECT * FROM made") == []


def test_rows_are_inserted_by_position_or_by_name(athena: AthenaClient) -> None:
    athena.run("CREATE EXTERNAL TABLE t (a int, b string, c decimal(5,1)) LOCATION 's3://data/t/'")
    athena.run("INSERT INTO t VALUES (1, 'one', 1.5), (2, NULL, 2.0)")
    execution = athena.run("INSERT INTO lake.t (b, a) SELECT 'three', 3")
    assert execution["SubstatementType"] == "INSERT"
    assert athena.rows("SELECT * FROM t ORDER BY a") == [["1", "one", "1.5"], ["2", None, "2.0"], ["3", "three", None]]


def test_values_that_do_not_fit_are_not_inserted(athena: AthenaClient) -> None:
    athena.run("CREATE EXTERNAL TABLE t (a tinyint, b varchar(3)) STORED AS PARQUET LOCATION 's3://data/t/'")
    mismatch = "TYPE_MISMATCH: line 1:1: Insert query has mismatched column types: Table: [tinyint, varchar(3)]"
    assert athena.failure("INSERT INTO t VALUES ('1', 'abc')").startswith(mismatch)
    assert athena.failure("INSERT INTO t VALUES (300, 'abc')").startswith("NUMERIC_VALUE_OUT_OF_RANGE")
    athena.run("INSERT INTO t VALUES (1, 'ab  ')")
    assert "Cannot truncate non-space characters" in athena.failure("INSERT INTO t VALUES (TINYINT '1', 'abcd')")
    assert athena.failure("INSERT INTO t (nope) VALUES (1)").startswith("COLUMN_NOT_FOUND")
    assert athena.failure("INSERT INTO nope VALUES (1)").startswith("TABLE_NOT_FOUND")
    assert athena.rows("SELECT count(*) FROM t") == [["1"]]


def test_values_of_a_wider_type_are_converted_when_they_are_inserted(athena: AthenaClient) -> None:
    columns = "a int, b decimal(5,1), c date, d timestamp, e array<int>"
    athena.run(f"CREATE EXTERNAL TABLE t ({columns}) STORED AS PARQUET LOCATION 's3://data/t/'")
    athena.run("INSERT INTO t VALUES (2.5, 2.25e0, TIMESTAMP '2025-01-02 03:04:05', DATE '2025-01-02', ARRAY[1.5])")
    assert athena.rows("SELECT * FROM t") == [["3", "2.3", "2025-01-02", "2025-01-02 00:00:00.000", "[2]"]]
    assert athena.failure("INSERT INTO t (a) VALUES (DATE '2025-01-02')").startswith("TYPE_MISMATCH")


def test_text_files_have_timestamps_without_zeros_at_the_end_and_any_number_of_columns(athena: AthenaClient) -> None:
    wide = [f"c{i}" for i in range(600)]
    for format_clause, line in (
        ("STORED AS TEXTFILE", "2025-01-02 03:04:05\x01" + "\x01".join("0" for _ in wide)),
        (
            "ROW FORMAT SERDE 'org.apache.hive.hcatalog.data.JsonSerDe'",
            '{"t":"2025-01-02 03:04:05",' + ",".join(f'"{name}":0' for name in wide) + "}",
        ),
    ):
        columns = ", ".join(["t timestamp", *(f"{name} int" for name in wide)])
        athena.run(f"CREATE EXTERNAL TABLE t ({columns}) {format_clause} LOCATION 's3://data/t/'")
        values = "TIMESTAMP '2025-01-02 03:04:05'" + ", 0" * len(wide)
        execution = athena.run(f"INSERT INTO t VALUES ({values})")
        manifest = athena.storage.root / execution["Statistics"]["DataManifestLocation"].removeprefix("s3://")
        (uri,) = manifest.read_text().splitlines()
        written = gzip.decompress((athena.storage.root / uri.removeprefix("s3://")).read_bytes())
        assert written.decode() == f"{line}\n"
        athena.run("DROP TABLE t")


def test_unloaded_rows_are_files_named_by_the_manifest(athena: AthenaClient) -> None:
    execution = athena.run(
        "UNLOAD (SELECT 1 AS id, 'a' AS name, 'p' AS part) TO 's3://data/out/' "
        "WITH (format = 'PARQUET', compression = 'SNAPPY', partitioned_by = ARRAY['part'])"
    )
    assert execution["SubstatementType"] == "UNLOAD"
    manifest = athena.storage.root / execution["Statistics"]["DataManifestLocation"].removeprefix("s3://")
    (uri,) = manifest.read_text().splitlines()
    assert uri.startswith("s3://data/out/part=p/")
    table = pq.read_table(athena.storage.root / uri.removeprefix("s3://"), partitioning=None)
    assert table.to_pylist() == [{"id": 1, "name": "a"}]
    assert athena.failure("UNLOAD (SELECT 1 AS a) TO 's3://data/out/' WITH (format = 'JSON')").startswith(
        "HIVE_PATH_ALREADY_EXISTS"
    )


def test_unloaded_text_is_compressed_lines(athena: AthenaClient) -> None:
    athena.run(
        "UNLOAD (SELECT 1 AS id, CAST(NULL AS varchar) AS gone, ARRAY['x', 'y'] AS more) TO 's3://data/out' "
        "WITH (format = 'TEXTFILE', field_delimiter = ',')"
    )
    (file,) = (athena.storage.root / "data" / "out").iterdir()
    assert gzip.decompress(file.read_bytes()) == b"1,\\N,x\x02y\n"


def test_a_number_that_a_column_cannot_take_is_named_with_its_type(athena: AthenaClient) -> None:
    athena.run("CREATE EXTERNAL TABLE small (a tinyint, i int) STORED AS PARQUET LOCATION 's3://data/small/'")
    refused = athena.failure("INSERT INTO small (a) VALUES 300")
    assert refused == "NUMERIC_VALUE_OUT_OF_RANGE: Out of range for tinyint: 300"
    too_many = "INSERT INTO small (i) VALUES 3000000000.5"
    assert athena.failure(too_many) == "INVALID_CAST_ARGUMENT: Cannot cast '3000000001' to INTEGER"
    athena.run("CREATE EXTERNAL TABLE far (t timestamp) STORED AS ORC LOCATION 's3://data/far/'")
    athena.run("INSERT INTO far VALUES TIMESTAMP '9999-12-31 00:00:00'")
    assert athena.failure("SELECT * FROM far").startswith("NOT_SUPPORTED: an ORC timestamp outside of the years")


@pytest.mark.parametrize(("compression", "suffix"), [("BZIP2", ".bz2"), ("SNAPPY", ".snappy"), ("ZSTD", ".zst")])
@pytest.mark.parametrize("form", ["JSON", "TEXTFILE"])
def test_compressed_text_reads_back(athena: AthenaClient, form: str, compression: str, suffix: str) -> None:
    query = (
        "SELECT x, CAST(x * x AS varchar) AS y FROM UNNEST(sequence(1, 9000)) AS t(x), UNNEST(sequence(1, 4)) AS u(z)"
    )
    name = f"packed_{form}_{compression}".lower()
    athena.run(f"CREATE TABLE {name} WITH (format = '{form}', write_compression = '{compression}') AS {query}")
    sql = f"SELECT count(*), sum(x), count(DISTINCT y), bool_and(\"$path\" LIKE '%{suffix}') FROM {name}"
    assert athena.rows(sql) == [["36000", str(4 * sum(range(9001))), "9000", "true"]]

"""Iceberg tables are written, changed, evolved and read at any of their versions, and pyiceberg reads them too."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from athena_fixtures import SCOPE, AthenaClient, make_client
from pyiceberg.partitioning import UNPARTITIONED_PARTITION_SPEC
from pyiceberg.schema import Schema
from pyiceberg.types import (
    FixedType,
    IntegerType,
    ListType,
    LongType,
    MapType,
    NestedField,
    StringType,
    StructType,
    UUIDType,
)

from headwater.stack.lakehouse.iceberg.storage import StorageFiles
from headwater.stack.lakehouse.iceberg.tables import IcebergTables

CREATE = "CREATE TABLE t (id int, name string) LOCATION 's3://data/t/' TBLPROPERTIES ('table_type'='ICEBERG')"


@pytest.fixture
def athena(tmp_path: Path) -> Iterator[AthenaClient]:
    client = make_client(tmp_path)
    client.run("CREATE DATABASE lake")
    yield client
    client.lakehouse.close()


def _count(athena: AthenaClient, sql: str) -> int:
    identifier = athena.run(sql)["QueryExecutionId"]
    return int(athena.call("GetQueryResults", QueryExecutionId=identifier)["UpdateCount"])


def test_rows_are_inserted_updated_merged_and_deleted(athena: AthenaClient) -> None:
    athena.run(CREATE)
    assert athena.rows("SELECT * FROM t") == []
    assert _count(athena, "INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, NULL)") == 3
    assert _count(athena, "INSERT INTO t (name, id) SELECT 'd', 4") == 1
    assert _count(athena, "UPDATE t SET name = upper(name) || '!' WHERE id <= 2") == 2
    source = "(SELECT * FROM (VALUES (2, 'two'), (3, 'gone'), (9, 'new')) v(id, name)) s"
    merge = f"""MERGE INTO t AS x USING {source} ON x.id = s.id
        WHEN MATCHED AND s.name = 'gone' THEN DELETE
        WHEN MATCHED THEN UPDATE SET name = s.name
        WHEN NOT MATCHED AND s.id > 5 THEN INSERT (id, name) VALUES (s.id, s.name)"""
    assert _count(athena, merge) == 3
    assert athena.rows("SELECT * FROM t ORDER BY id") == [["1", "A!"], ["2", "two"], ["4", "d"], ["9", "new"]]
    assert _count(athena, "DELETE FROM lake.t WHERE id IN (SELECT max(id) FROM t) OR name IS NULL") == 1
    assert _count(athena, "DELETE FROM t WHERE id = 77") == 0
    assert _count(athena, "DELETE FROM t") == 3
    assert athena.rows("SELECT count(*) FROM t") == [["0"]]


def test_a_merge_that_would_change_a_row_twice_is_refused(athena: AthenaClient) -> None:
    athena.run(CREATE)
    athena.run("INSERT INTO t VALUES (1, 'a')")
    twice = "MERGE INTO t USING (SELECT 1 AS id, x AS n FROM UNNEST(ARRAY['p', 'q']) u(x)) s ON t.id = s.id "
    reason = athena.failure(twice + "WHEN MATCHED THEN UPDATE SET name = s.n")
    assert reason.startswith("MERGE_TARGET_ROW_MULTIPLE_MATCHES")
    # Matching twice without being changed is no conflict, and does not double the row.
    assert _count(athena, twice + "WHEN MATCHED AND s.n = 'q' THEN UPDATE SET name = s.n") == 1
    assert athena.rows("SELECT * FROM t") == [["1", "q"]]


NESTED = (
    "CREATE TABLE n (id int, l array<struct<x:int>>, m map<string,struct<x:int>>, s struct<l:array<struct<x:int>>>) "
    "LOCATION 's3://data/n/' TBLPROPERTIES ('table_type'='ICEBERG')"
)


def test_null_and_empty_collections_of_rows_stay_apart(athena: AthenaClient) -> None:
    athena.run(NESTED)
    row = "CAST(ROW(1) AS ROW(x integer))"
    athena.run(
        f"INSERT INTO n VALUES (1, ARRAY[{row}, NULL], MAP(ARRAY['a'], ARRAY[{row}]), ROW(ARRAY[{row}])), "
        "(2, ARRAY[], MAP(), ROW(NULL)), (3, NULL, NULL, NULL)"
    )
    expected = [
        ["1", "[{x=1}, null]", "{a={x=1}}", "{l=[{x=1}]}"],
        ["2", "[]", "{}", "{l=null}"],
        ["3", None, None, None],
    ]
    assert athena.rows("SELECT * FROM n ORDER BY id") == expected
    athena.run("UPDATE n SET id = id + 0")
    athena.run("OPTIMIZE n REWRITE DATA USING BIN_PACK")
    assert athena.rows("SELECT * FROM n ORDER BY id") == expected
    assert athena.rows("SELECT id FROM n WHERE l IS NULL") == [["3"]]


ODD = "CREATE TABLE o (s struct<`a-b`:int,c:int>) LOCATION 's3://data/o/' TBLPROPERTIES ('table_type'='ICEBERG')"


def test_nested_fields_keep_names_that_are_no_identifiers(athena: AthenaClient) -> None:
    athena.run(ODD)
    athena.run("INSERT INTO o SELECT ROW(1, 2)")
    assert athena.rows('SELECT s, s."a-b" FROM o') == [["{a-b=1, c=2}", "1"]]


def test_files_with_other_names_of_nested_fields_are_refused(athena: AthenaClient) -> None:
    athena.run(ODD)
    athena.run("INSERT INTO o SELECT ROW(1, 2)")
    (path,) = (athena.storage.root / "data").rglob("*.parquet")
    column = pq.read_schema(path).field("s")
    inner = [column.type.field(0).with_name("a_x2Db"), column.type.field(1)]
    schema = pa.schema([pa.field("s", pa.struct(inner), metadata=column.metadata)])
    pq.write_table(pa.table([pa.array([{"a_x2Db": 1, "c": 2}], pa.struct(inner))], schema=schema), path)
    assert "whose files call the nested field a-b a_x2Db is not supported" in athena.failure("SELECT s FROM o")


def _add_file(athena: AthenaClient, rows: pa.Table) -> None:
    """A file that was written without Iceberg's field numbers becomes part of ``t`` as it is."""
    path = athena.storage.root / "data" / f"{len(rows.column_names)}.parquet"
    pq.write_table(rows, path)
    tables = IcebergTables(athena.lakehouse._catalog, athena.storage, SCOPE)
    table = tables.open(athena.glue("GetTable", DatabaseName="lake", Name="t")["Table"])
    table.add_files([f"s3://data/{path.name}"], check_duplicate_files=False)


def test_files_without_field_numbers_are_read_by_the_name_mapping(athena: AthenaClient) -> None:
    athena.run(CREATE)
    athena.run("INSERT INTO t VALUES (1, 'a')")
    _add_file(athena, pa.table({"name": ["b", None], "id": pa.array([2, 3], pa.int32())}))
    _add_file(athena, pa.table({"id": pa.array([4], pa.int32())}))
    assert athena.rows("SELECT * FROM t ORDER BY id") == [["1", "a"], ["2", "b"], ["3", None], ["4", None]]
    assert athena.rows("SELECT id FROM t WHERE \"$path\" LIKE 's3://data/2.parquet' ORDER BY id") == [["2"], ["3"]]
    athena.run("ALTER TABLE t ADD COLUMNS (`more` double)")
    assert _count(athena, "UPDATE t SET name = name || '!', more = 0.5 WHERE id <= 2") == 2
    assert _count(athena, "DELETE FROM t WHERE id = 3") == 1
    athena.run("OPTIMIZE t REWRITE DATA USING BIN_PACK")
    assert athena.rows("SELECT * FROM t ORDER BY id") == [["1", "a!", "0.5"], ["2", "b!", "0.5"], ["4", None, None]]


def _create(athena: AthenaClient, name: str, *fields: NestedField) -> None:
    """A table as other engines make it, with what Hive's DDL cannot say."""
    table = {"Name": name, "StorageDescriptor": {"Location": f"s3://data/{name}"}}
    tables = IcebergTables(athena.lakehouse._catalog, athena.storage, SCOPE)
    tables.create("lake", table, Schema(*fields), UNPARTITIONED_PARTITION_SPEC)


def test_fields_with_capitals_in_their_names_are_written(athena: AthenaClient) -> None:
    inner = StructType(NestedField(6, "Zed", StringType()))
    row = StructType(NestedField(3, "Num", IntegerType()), NestedField(4, "All", ListType(5, inner)))
    both = (NestedField(1, "Id", LongType()), NestedField(2, "Row", row))
    _create(athena, "o", *both, NestedField(7, "Map", MapType(8, StringType(), 9, inner)))
    athena.run("INSERT INTO o VALUES (1, ROW(2, ARRAY[ROW('z')]), MAP(ARRAY['k'], ARRAY[ROW('m')]))")
    athena.run("UPDATE o SET id = id + 1")
    assert athena.rows("SELECT * FROM o") == [["2", "{num=2, all=[{zed=z}]}", "{k={zed=m}}"]]
    twins = StructType(NestedField(2, "a", IntegerType()), NestedField(3, "A", IntegerType()))
    _create(athena, "twins", NestedField(1, "r", twins))
    assert "several nested fields a in one is not supported" in athena.failure("SELECT r FROM twins")


def test_required_columns_uuids_and_fixed_binaries_take_what_they_can_hold(athena: AthenaClient) -> None:
    required = NestedField(4, "a", IntegerType(), required=True)
    columns = [("u", UUIDType()), ("f", FixedType(2)), ("s", StructType(required))]
    fields = [NestedField(number, name, kind) for number, (name, kind) in zip((1, 2, 3), columns, strict=True)]
    _create(athena, "o", *fields, NestedField(5, "n", IntegerType(), required=True))
    identifier = "12151fd2-7586-11e9-8f9e-2a86e4085a59"
    athena.run(f"INSERT INTO o VALUES (UUID '{identifier}', X'0102', ROW(1), 1), (NULL, NULL, NULL, 2)")
    assert _count(athena, f"UPDATE o SET n = 3 WHERE u = UUID '{identifier}'") == 1
    assert athena.rows("SELECT * FROM o ORDER BY n") == [[None, None, None, "2"], [identifier, "01 02", "{a=1}", "3"]]
    null = "CONSTRAINT_VIOLATION: NULL value not allowed for NOT NULL column: "
    assert athena.failure("UPDATE o SET n = NULL") == f"{null}n"
    assert athena.failure("INSERT INTO o (u) VALUES (NULL)") == f"{null}n"
    assert athena.failure("INSERT INTO o (s, n) SELECT ROW(NULL), 1") == f"{null}s.a"
    assert "values of 2 bytes, not of 1" in athena.failure("INSERT INTO o (f, n) VALUES (X'01', 1)")


def test_conditions_on_a_widened_column_hold_for_its_own_type(athena: AthenaClient) -> None:
    columns = "f float, d decimal(5,2)"
    athena.run(f"CREATE TABLE w ({columns}) LOCATION 's3://data/w/' TBLPROPERTIES ('table_type'='ICEBERG')")
    athena.run("INSERT INTO w VALUES (REAL '0.1', 1.25)")
    athena.run("ALTER TABLE w CHANGE COLUMN f f double")
    athena.run("ALTER TABLE w CHANGE COLUMN d d decimal(10,2)")
    assert athena.rows("SELECT d FROM w WHERE f = 1e-1") == []
    athena.run("INSERT INTO w VALUES (1e-1, 2.25)")
    assert athena.rows("SELECT d FROM w WHERE f = 1e-1") == [["2.25"]]
    assert athena.rows("SELECT d FROM w WHERE f > 1e-1") == [["1.25"]]


def test_a_nested_field_that_was_added_anew_is_not_taken_for_the_old_one(athena: AthenaClient) -> None:
    _create(
        athena, "o", NestedField(1, "r", StructType(NestedField(2, "a", LongType()), NestedField(3, "b", LongType())))
    )
    athena.run("INSERT INTO o VALUES ROW(ROW(1, 2))")
    tables = IcebergTables(athena.lakehouse._catalog, athena.storage, SCOPE)
    for change in ("delete", "add"):
        table = tables.open(athena.glue("GetTable", DatabaseName="lake", Name="o")["Table"])
        with table.update_schema() as update:
            _ = update.delete_column(("r", "a")) if change == "delete" else update.add_column(("r", "a"), LongType())
    assert "several nested fields a in one is not supported" in athena.failure("SELECT r FROM o")


def test_every_version_stays_readable(athena: AthenaClient) -> None:
    athena.run(CREATE)
    athena.run("INSERT INTO t VALUES (1, 'a')")
    (first,) = athena.rows('SELECT snapshot_id FROM "t$snapshots"')[0]
    athena.run("ALTER TABLE t ADD COLUMNS (`more` double)")
    athena.run("INSERT INTO t VALUES (2, 'b', 0.5)")
    assert athena.rows(f"SELECT * FROM t FOR VERSION AS OF {first}") == [["1", "a"]]
    assert athena.rows("SELECT * FROM t FOR TIMESTAMP AS OF current_timestamp ORDER BY id") == [
        ["1", "a", None],
        ["2", "b", "0.5"],
    ]
    for later in (
        "(now() + INTERVAL '1' DAY)",
        "date_add('year', 1, current_date)",
        "from_iso8601_timestamp('2999-01-01')",
    ):
        assert athena.rows(f"SELECT count(*) FROM t FOR TIMESTAMP AS OF {later}") == [["2"]]
    for before in ("TIMESTAMP '2001-01-01 00:00:00 UTC'", "(current_timestamp - INTERVAL '1' DAY)"):
        assert "No version history" in athena.failure(f"SELECT * FROM t FOR TIMESTAMP AS OF {before}")
    mismatch = "TYPE_MISMATCH: line 1:37: Type integer invalid. Temporal pointers must be of type Date"
    assert athena.failure("SELECT * FROM t FOR TIMESTAMP AS OF 5").startswith(mismatch)
    history = athena.rows('SELECT is_current_ancestor FROM "t$history"')
    assert history == [["true"], ["true"]]
    assert athena.rows('SELECT sum(record_count) FROM "lake"."t$files"') == [["2"]]
    assert "NOT_SUPPORTED" in athena.failure('SELECT * FROM "t$nope"')


def test_describe_shows_the_schema_and_the_partitioning(athena: AthenaClient) -> None:
    athena.run(
        "CREATE TABLE d (id int COMMENT 'key', at timestamp) PARTITIONED BY (day(at), bucket(4, id)) "
        "LOCATION 's3://data/d/' TBLPROPERTIES ('table_type'='ICEBERG')"
    )
    schema = ["# Table schema:\t\t", "# col_name\tdata_type\tcomment", "id\tint\tkey", "at\ttimestamp\t", "\t\t"]
    keys = ["at_day\tday\tat", "id_bucket\tbucket[4]\tid"]
    lines = [*schema, "# Partition spec:\t\t", "# field_name\tfield_transform\tcolumn_name", *keys]
    assert [row[0] for row in athena.result(athena.run("DESCRIBE d")["QueryExecutionId"])] == lines
    formatted = [row[0] for row in athena.result(athena.run("DESCRIBE FORMATTED d")["QueryExecutionId"])]
    assert formatted[: len(lines) + 2] == [*lines, "\t\t", "Name:\ticeberg.lake.d\t"]
    narrowed = "ICEBERG_INVALID_METADATA: Cannot change column type: at: timestamp -> int"
    assert athena.failure("ALTER TABLE d CHANGE COLUMN at at int") == narrowed


def test_columns_are_added_renamed_widened_and_dropped(athena: AthenaClient) -> None:
    athena.run(CREATE)
    athena.run("INSERT INTO t VALUES (1, 'a')")
    athena.run("ALTER TABLE t CHANGE COLUMN id key bigint COMMENT 'wider'")
    athena.run("ALTER TABLE t ADD COLUMNS (id string)")
    athena.run("INSERT INTO t VALUES (5000000000, 'b', 'c')")
    assert athena.rows("SELECT * FROM t ORDER BY key") == [["1", "a", None], ["5000000000", "b", "c"]]
    athena.run("ALTER TABLE t DROP COLUMN name")
    assert athena.rows("SELECT * FROM t ORDER BY key") == [["1", None], ["5000000000", "c"]]
    columns = athena.glue("GetTable", DatabaseName="lake", Name="t")["Table"]["StorageDescriptor"]["Columns"]
    assert [(c["Name"], c["Type"], c.get("Comment"), c["Parameters"]["iceberg.field.current"]) for c in columns] == [
        ("key", "bigint", "wider", "true"),
        ("id", "string", None, "true"),
        ("name", "string", None, "false"),
    ]
    metadata = athena.call("GetTableMetadata", CatalogName="AwsDataCatalog", DatabaseName="lake", TableName="t")
    assert [c["Name"] for c in metadata["TableMetadata"]["Columns"]] == ["key", "id"]
    assert "Duplicate" in athena.failure("ALTER TABLE t ADD COLUMNS (key int)")


def test_a_shown_statement_makes_the_same_table_again(athena: AthenaClient) -> None:
    athena.run(
        "CREATE TABLE t (id int COMMENT 'key', name string, ts timestamp) "
        "PARTITIONED BY (bucket(4, id), truncate(2, name), day(ts), name) LOCATION 's3://data/t/' "
        "TBLPROPERTIES ('table_type'='ICEBERG', 'write_compression'='zstd')"
    )
    lines = athena.result(athena.run("SHOW CREATE TABLE t")["QueryExecutionId"])
    shown = "\n".join(line or "" for (line,) in lines)
    assert shown.startswith("CREATE TABLE t (\n  `id` int COMMENT 'key',\n  `name` string,\n  `ts` timestamp)")
    assert "PARTITIONED BY (bucket(4, `id`), truncate(2, `name`), day(`ts`), `name`)" in shown
    athena.run("DROP TABLE t")
    athena.run(shown)
    assert athena.result(athena.run("SHOW CREATE TABLE t")["QueryExecutionId"]) == lines
    assert "a table, not a view" in athena.failure("SHOW CREATE VIEW t")


def test_a_table_is_renamed_and_dropped_with_its_data(athena: AthenaClient) -> None:
    athena.run(CREATE)
    athena.run("INSERT INTO t VALUES (1, 'a')")
    athena.run("ALTER TABLE t RENAME TO `lake`.`u`")
    assert athena.failure("SELECT * FROM t").startswith("TABLE_NOT_FOUND")
    athena.run("INSERT INTO u VALUES (2, 'b')")
    assert athena.rows("SELECT count(*) FROM u") == [["2"]]
    athena.run("DROP TABLE u")
    assert list((athena.storage.root / "data").rglob("*.parquet")) == []


@pytest.mark.parametrize("partitioning", ["name", "bucket(4, id)", "truncate(1, name)", "day(ts)", "month(ts), name"])
def test_partitioned_tables_hold_the_same_rows(athena: AthenaClient, partitioning: str) -> None:
    athena.run(
        f"CREATE TABLE p (id bigint, name string, ts timestamp) PARTITIONED BY ({partitioning}) "
        "LOCATION 's3://data/p/' TBLPROPERTIES ('table_type'='ICEBERG', 'format'='parquet', "
        "'write_compression'='snappy')"
    )
    athena.run(
        "INSERT INTO p SELECT x, chr(96 + x), TIMESTAMP '2025-01-01 00:00:00.123456' + x * INTERVAL '20' DAY "
        "FROM UNNEST(sequence(1, 4)) u(x)"
    )
    athena.run("DELETE FROM p WHERE id = 2")
    athena.run("OPTIMIZE p REWRITE DATA USING BIN_PACK")
    athena.run("VACUUM p")
    assert athena.rows("SELECT * FROM p ORDER BY id") == [
        ["1", "a", "2025-01-21 00:00:00.123456"],
        ["3", "c", "2025-03-02 00:00:00.123456"],
        ["4", "d", "2025-03-22 00:00:00.123456"],
    ]


def test_a_query_becomes_an_iceberg_table(athena: AthenaClient) -> None:
    made = athena.run(
        "CREATE TABLE c WITH (table_type = 'ICEBERG', location = 's3://data/c/', is_external = false, "
        "partitioning = ARRAY['bucket(k, 2)']) AS SELECT 1 AS k, CAST(ROW(1, ARRAY['x']) AS "
        "ROW(a integer, b array(varchar))) AS r, MAP(ARRAY['m'], ARRAY[1.5e0]) AS m, X'00ff' AS b"
    )
    assert (made["StatementType"], made["SubstatementType"]) == ("DDL", "CREATE_TABLE_AS_SELECT")
    assert athena.rows("SELECT r.b[1], * FROM c") == [["x", "1", "{a=1, b=[x]}", "{m=1.5}", "00 ff"]]
    assert "Timestamp precision (3) not supported" in athena.failure(
        "CREATE TABLE d WITH (table_type = 'ICEBERG', location = 's3://data/d/', is_external = false) AS "
        "SELECT TIMESTAMP '2025-01-01 00:00:00.000' AS ts"
    )


def test_what_iceberg_or_athena_has_not_is_refused_by_name(athena: AthenaClient) -> None:
    athena.run("CREATE TABLE h AS SELECT 1 AS a")
    assert "Cannot delete from non-managed Hive table" in athena.failure("DELETE FROM h WHERE a = 1")
    assert "updates are not supported" in athena.failure("UPDATE h SET a = 2")
    assert athena.failure("ALTER TABLE h RENAME TO i").startswith("NOT_SUPPORTED")
    create = "CREATE TABLE x (a {}) LOCATION 's3://data/x/' TBLPROPERTIES ('table_type'='ICEBERG'{})"
    assert "Unsupported Iceberg column type" in athena.failure(create.format("tinyint", ""))
    assert "Unsupported table property key: nope" in athena.failure(create.format("int", ", 'nope'='1'"))
    assert athena.failure(create.format("int", ", 'format'='ORC'")).startswith("NOT_SUPPORTED")
    athena.run(CREATE)
    assert "TYPE_MISMATCH" in athena.failure("UPDATE t SET id = 'x'")
    assert athena.failure("MSCK REPAIR TABLE t").startswith("NOT_SUPPORTED")


def test_a_write_that_lost_the_race_leaves_the_table_as_it_was(athena: AthenaClient) -> None:
    athena.run(CREATE)
    athena.run("INSERT INTO t VALUES (1, 'a')")
    files = StorageFiles(athena.storage, SCOPE)
    table = athena.glue("GetTable", DatabaseName="lake", Name="t")["Table"]
    assert files.find(table["Parameters"]["metadata_location"]) is not None
    stale = {key: table[key] for key in ("Name", "Parameters", "StorageDescriptor", "TableType")}
    athena.run("INSERT INTO t VALUES (2, 'b')")
    status, _ = athena.lakehouse.call(
        "AWSGlue.UpdateTable",
        SCOPE,
        json.dumps({"DatabaseName": "lake", "TableInput": stale, "VersionId": table["VersionId"]}).encode(),
    )
    assert status == 400
    assert athena.rows("SELECT count(*) FROM t") == [["2"]]


def test_inserts_at_the_same_time_all_arrive(athena: AthenaClient) -> None:
    athena.run(CREATE)
    started = [athena.start(f"INSERT INTO t VALUES ({n}, 'x')") for n in range(12)]
    assert [athena.wait(identifier)["Status"]["State"] for identifier in started] == ["SUCCEEDED"] * 12
    assert athena.rows("SELECT count(*), count(DISTINCT id) FROM t") == [["12", "12"]]


def test_a_change_of_rows_leaves_the_values_of_others_exactly_as_they_are(athena: AthenaClient) -> None:
    athena.run("CREATE TABLE t (id int, n bigint) LOCATION 's3://data/t/' TBLPROPERTIES ('table_type'='ICEBERG')")
    athena.run("INSERT INTO t VALUES (1, 1), (2, 9007199254740993)")
    athena.run("UPDATE t SET n = 1e0 / 3 WHERE id = 1")
    assert athena.rows("SELECT n FROM t ORDER BY id") == [["0"], ["9007199254740993"]]
    athena.run(
        "MERGE INTO t USING (VALUES (1, 2.5), (3, 7.5)) s(id, n) ON t.id = s.id "
        "WHEN MATCHED THEN UPDATE SET n = s.n WHEN NOT MATCHED THEN INSERT (n, id) VALUES (s.n, s.id)"
    )
    assert athena.rows("SELECT * FROM t ORDER BY id") == [["1", "3"], ["2", "9007199254740993"], ["3", "8"]]
    assert "Table: [bigint], Expressions: [varchar(1)]" in athena.failure("UPDATE t SET n = 'x'")


def test_a_rename_never_leaves_two_tables_or_none(athena: AthenaClient) -> None:
    athena.run(CREATE)
    athena.run("CREATE EXTERNAL TABLE other (a int) LOCATION 's3://data/other/'")
    assert "already exists" in athena.failure("ALTER TABLE t RENAME TO other")
    assert athena.rows("SELECT count(*) FROM t") == [["0"]]
    athena.run("ALTER TABLE t RENAME TO u")
    assert [table["Name"] for table in athena.glue("GetTables", DatabaseName="lake")["TableList"]] == ["other", "u"]


PARTITIONED = (
    "CREATE TABLE p (id int, day date, name string) PARTITIONED BY (day) LOCATION 's3://data/p/' "
    "TBLPROPERTIES ('table_type'='ICEBERG')"
)


def test_partitions_show_their_files_and_what_the_columns_hold(athena: AthenaClient) -> None:
    athena.run(PARTITIONED)
    assert athena.rows('SELECT * FROM "p$partitions"') == []
    athena.run("INSERT INTO p VALUES (1, DATE '2025-01-02', 'b'), (2, DATE '2025-01-02', NULL), (3, NULL, 'c')")
    athena.run("INSERT INTO p VALUES (9, DATE '2025-01-02', 'a')")
    counts = 'SELECT partition.day, record_count, file_count, data.id.max, data.name.min FROM "p$partitions" ORDER BY 1'
    assert athena.rows(counts) == [["2025-01-02", "3", "2", "9", "a"], [None, "1", "1", "3", "c"]]
    nulls = 'SELECT data.name.null_count FROM "p$partitions" WHERE partition.day IS NOT NULL'
    assert athena.rows(nulls) == [["1"]]
    bounds = 'SELECT lower_bounds[1], upper_bounds[2], value_counts[3] FROM "p$files" WHERE record_count = 2'
    assert athena.rows(bounds) == [["1", "2025-01-02", "2"]]
    added = 'SELECT sum(added_rows_count), max(partitions[1].upper_bound) FROM "p$manifests"'
    assert athena.rows(added) == [["4", "2025-01-02"]]


def test_optimize_rewrites_only_the_partitions_that_it_is_told(athena: AthenaClient) -> None:
    athena.run(PARTITIONED)
    for n in (1, 2):
        athena.run(f"INSERT INTO p VALUES ({n}, DATE '2025-01-01', 'a'), ({n}, DATE '2025-01-02', 'b')")
    athena.run("OPTIMIZE p REWRITE DATA USING BIN_PACK WHERE day = DATE '2025-01-01'")
    files = 'SELECT file_count FROM "p$partitions" ORDER BY partition.day'
    assert athena.rows(files) == [["1"], ["2"]]
    assert athena.rows("SELECT id, name FROM p ORDER BY 1, 2") == [["1", "a"], ["1", "b"], ["2", "a"], ["2", "b"]]
    refused = "NOT_SUPPORTED: Unexpected FilterNode"
    assert athena.failure("OPTIMIZE p REWRITE DATA USING BIN_PACK WHERE id = 1").startswith(refused)


def test_an_insert_into_more_than_a_hundred_partitions_is_refused(athena: AthenaClient) -> None:
    athena.run(
        "CREATE TABLE p (id int) PARTITIONED BY (id) LOCATION 's3://data/p/' TBLPROPERTIES ('table_type'='ICEBERG')"
    )
    insert = "INSERT INTO p SELECT x FROM UNNEST(sequence(1, {})) t(x)"
    assert athena.failure(insert.format(101)).startswith("ICEBERG_TOO_MANY_OPEN_PARTITIONS")
    assert not list((athena.storage.root / "data" / "p").rglob("*.parquet"))
    athena.run(insert.format(100))


def test_a_table_made_by_a_query_appears_with_its_rows_or_not_at_all(athena: AthenaClient) -> None:
    make = (
        "CREATE TABLE made WITH (table_type = 'ICEBERG', is_external = false, location = 's3://data/made/') AS "
        "SELECT {} AS a FROM UNNEST(sequence(1, 3)) t(x)"
    )
    assert "DIVISION_BY_ZERO" in athena.failure(make.format("1 / (x - 3)"))
    assert athena.glue("GetTables", DatabaseName="lake")["TableList"] == []
    athena.run(make.format("x"))
    made = athena.glue("GetTable", DatabaseName="lake", Name="made")["Table"]
    assert made["VersionId"] == "0"
    assert "previous_metadata_location" not in made["Parameters"]
    assert athena.rows("SELECT sum(a) FROM made") == [["6"]]

"""Text formats are read as the Hive SerDes read them, not as a CSV or JSON library would."""

from __future__ import annotations

import bz2
import gzip
import zlib
from collections.abc import Callable
from datetime import date, datetime, timezone
from decimal import Decimal
from io import BytesIO
from typing import Any

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from athena_fixtures import AthenaClient
from pyarrow import orc


def write(client: AthenaClient, key: str, body: bytes) -> None:
    path = client.storage.root / "data" / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)


def test_delimited_text_has_no_quotes_and_bad_values_are_null(athena: AthenaClient) -> None:
    write(athena, "lazy/a.csv", b'id,name,d\n1,"a",2.5\n2,\\N,x\nx,\n\n5,b,1,extra\n')
    write(athena, "lazy/b.csv.not", b"id,name,d\n9,z")
    athena.run(
        "CREATE EXTERNAL TABLE lazy (id int, name string, d double) ROW FORMAT DELIMITED FIELDS TERMINATED BY ',' "
        "LOCATION 's3://data/lazy/' TBLPROPERTIES ('skip.header.line.count'='1')"
    )
    assert athena.rows("SELECT * FROM lazy") == [
        ["1", '"a"', "2.5"],
        ["2", None, None],
        [None, "", None],
        [None, None, None],
        ["5", "b", "1.0"],
        ["9", "z", None],
    ]


def test_bytes_scanned_of_text_are_the_whole_files(athena: AthenaClient) -> None:
    body = b"1,a\n2,b\n"
    write(athena, "sized/a.csv", body)
    athena.run(
        "CREATE EXTERNAL TABLE sized (id int, name string) ROW FORMAT DELIMITED FIELDS TERMINATED BY ',' "
        "LOCATION 's3://data/sized/'"
    )
    assert athena.run("SELECT count(*) FROM sized")["Statistics"]["DataScannedInBytes"] == len(body)


def test_gzip_and_windows_line_ends_are_read(athena: AthenaClient) -> None:
    write(athena, "gz/a.csv.gz", gzip.compress(b"1|a\r\n2|b\r\n"))
    athena.run(
        "CREATE EXTERNAL TABLE gz (id int, name string) ROW FORMAT DELIMITED FIELDS TERMINATED BY '|' "
        "LOCATION 's3://data/gz/'"
    )
    assert athena.rows("SELECT * FROM gz") == [["1", "a"], ["2", "b"]]


def test_compressions_may_differ_from_file_to_file(athena: AthenaClient) -> None:
    bodies = {"a.csv": b"1,a\n", "b.csv.gz": gzip.compress(b"2,b\n"), "c.csv.bz2": bz2.compress(b"3,c\n")}
    bodies |= {"d.csv.deflate": zlib.compress(b"4,d\n")}
    for name, body in bodies.items():
        write(athena, f"packed/{name}", body)
    athena.run(
        "CREATE EXTERNAL TABLE packed (id int, name string) ROW FORMAT DELIMITED FIELDS TERMINATED BY ',' "
        "LOCATION 's3://data/packed/'"
    )
    execution = athena.run("SELECT id, name, regexp_extract(\"$path\", '[^/]+$') FROM packed ORDER BY id")
    rows = [["1", "a", "a.csv"], ["2", "b", "b.csv.gz"], ["3", "c", "c.csv.bz2"], ["4", "d", "d.csv.deflate"]]
    assert athena.result(execution["QueryExecutionId"])[1:] == rows
    assert execution["Statistics"]["DataScannedInBytes"] == sum(map(len, bodies.values()))
    write(athena, "packed/e.csv.lzo", b"x")
    assert "text compressed as .lzo" in athena.failure("SELECT * FROM packed")


def test_open_csv_has_quotes_and_refuses_what_does_not_read(athena: AthenaClient) -> None:
    write(athena, "open/a.csv", b'1,"a ""q"", x",2.5\n2,,3.5\n"7"\n')
    ddl = (
        "CREATE EXTERNAL TABLE {} (id {}, name string, d double) ROW FORMAT SERDE "
        "'org.apache.hadoop.hive.serde2.OpenCSVSerde' LOCATION 's3://data/open/'"
    )
    athena.run(ddl.format("opened", "int"))
    athena.run(ddl.format("opened_wrongly", "boolean"))
    assert athena.rows("SELECT * FROM opened") == [["1", 'a "q", x', "2.5"], ["2", "", "3.5"], ["7", None, None]]
    assert athena.failure("SELECT * FROM opened_wrongly").startswith("HIVE_BAD_DATA: Error Parsing a column")


def test_open_csv_fails_on_empty_numbers_or_takes_them_for_null_when_told(athena: AthenaClient) -> None:
    write(athena, "gaps/a.csv", b'1,abc\n,"d"\n')
    athena.run(
        "CREATE EXTERNAL TABLE gaps (id int, name varchar(2)) ROW FORMAT SERDE "
        "'org.apache.hadoop.hive.serde2.OpenCSVSerde' LOCATION 's3://data/gaps/'"
    )
    assert athena.failure("SELECT * FROM gaps") == BAD.format("")
    assert athena.rows("SELECT name FROM gaps") == [["ab"], ["d"]]
    athena.run("ALTER TABLE gaps SET TBLPROPERTIES ('use.null.for.invalid.data'='true')")
    assert athena.rows("SELECT * FROM gaps") == [["1", "ab"], [None, "d"]]


def test_open_csv_reads_escapes_in_compressed_files_too(athena: AthenaClient) -> None:
    body = b'1,"a \\"q\\" b"\n2,"c\\\\d"\n3,x\\y\n4,a"b"c\n5,"open\n'
    write(athena, "escaped/a.csv.gz", gzip.compress(body))
    athena.run(
        "CREATE EXTERNAL TABLE escaped (id int, name string) ROW FORMAT SERDE "
        "'org.apache.hadoop.hive.serde2.OpenCSVSerde' LOCATION 's3://data/escaped/'"
    )
    rows = [["1", 'a "q" b'], ["2", "c\\d"], ["3", "xy"], ["4", 'a"b"c'], ["5", None]]
    assert athena.rows("SELECT * FROM escaped") == rows


def test_json_lines_are_read_by_key_without_regard_to_case(athena: AthenaClient) -> None:
    body = b"""{"ID":1,"name":"x","tags":["a",null],"o":{"K":"v"},"t":"2020-01-01 00:00:00","n":10.00}
{"id":"2","name":{"a":1},"m":{"k":1}}
"""
    write(athena, "json/a.json", body)
    athena.run(
        "CREATE EXTERNAL TABLE jsons (id int, name string, tags array<string>, o struct<k:string>, t timestamp, "
        "n string, m map<string,int>) ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe' LOCATION 's3://data/json/'"
    )
    assert athena.rows("SELECT * FROM jsons") == [
        ["1", "x", "[a, null]", "{k=v}", "2020-01-01 00:00:00.000", "10.00", None],
        ["2", '{"a":1}', None, None, None, None, "{k=1}"],
    ]


def test_a_line_that_is_no_json_fails_the_query(athena: AthenaClient) -> None:
    write(athena, "bad/a.json", b'{"id":1}\n{nope\n')
    athena.run(
        "CREATE EXTERNAL TABLE bad (id int) ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe' "
        "LOCATION 's3://data/bad/'"
    )
    refused = "HIVE_CURSOR_ERROR: Row is not a valid JSON Object - JSONException: {nope"
    assert athena.failure("SELECT * FROM bad") == refused


def json_rows(athena: AthenaClient, columns: str, properties: str, body: str) -> list[list[str | None]] | str:
    """What a table over one file of JSON lines has: its rows, or why it cannot be read."""
    openx = "ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'"
    serde = {"hive": "ROW FORMAT SERDE 'org.apache.hive.hcatalog.data.JsonSerDe'", "": openx}.get(
        properties, f"{openx} WITH SERDEPROPERTIES ({properties})"
    )
    athena.run("DROP TABLE IF EXISTS keyed")
    write(athena, "keyed/a.json", body.encode())
    athena.run(f"CREATE EXTERNAL TABLE keyed ({columns}) {serde} LOCATION 's3://data/keyed/'")
    execution = athena.wait(athena.start("SELECT * FROM keyed"))
    if execution["Status"]["State"] == "FAILED":
        return str(execution["Status"]["StateChangeReason"])
    return athena.result(execution["QueryExecutionId"])[1:]


FORMATS = "'timestamp.formats'='dd/MM/yyyy HH:mm,millis'"
MORNING = "2020-01-15 03:44:00.000"
NO_OBJECT = "HIVE_CURSOR_ERROR: Row is not a valid JSON Object - JSONException: "
BAD = 'HIVE_BAD_DATA: Error Parsing a column in the table: For input string: "{}"'
MAPPED = "'case.insensitive'='FALSE', 'mapping.url1'='URL', 'mapping.url2'='Url'"


@pytest.mark.parametrize(
    ("columns", "properties", "body", "expected"),
    [
        ("ts string", "'mapping.ts'='timestamp'", '{"timestamp":"t"}', [["t"]]),
        ("url1 string, url2 string", MAPPED, '{"URL":"a","Url":"b"}', [["a", "b"]]),
        ("url string", "", '{"URL":"a","Url":"b"}', NO_OBJECT + 'Duplicate key "url"'),
        ("id string", "'case.insensitive'='FALSE'", '{"Id":"a"}', [[None]]),
        ("a_b int", "'dots.in.keys'='true'", '{"a.b":1}', [["1"]]),
        ("a_b int", "", '{"a.b":1}', [[None]]),
        ("a int, b string", "", '\n[1,1.50]\nx\n{"b":"c"}', [[None, None], ["1", "1.50"], [None, None], [None, "c"]]),
        ("a int", "hive", '[{"a":1}]', NO_OBJECT + '[{"a":1}]'),
        ("a int", "'ignore.malformed.json'='true'", '{"a":1\n{"a":2}', [[None], ["2"]]),
        ("a array<int>, b array<string>", "", '{"a":"5","b":""}', [["[5]", None]]),
        ("a array<int>", "hive", '{"a":5}', BAD.format(5)),
        ("i int, b boolean, v varchar(2)", "", '{"i":12.7,"b":"TRUE","v":"abc"}', [["12", "true", "ab"]]),
        ("i int", "", '{"i":"x"}', BAD.format("x")),
        ("i int", "hive", '{"i":"1"}', BAD.format(1)),
        ("d date, t timestamp", "", '{"d":18276,"t":1579059880000}', [["2020-01-15", "2020-01-15 03:44:40.000"]]),
        ("t timestamp", "", '{"t":"2020-01-15T01:14:40-02:30"}', [["2020-01-15 03:44:40.000"]]),
        ("t timestamp", FORMATS, '{"t":"15/01/2020 03:44"}\n{"t":"5"}', [[MORNING], ["1970-01-01 00:00:00.005"]]),
    ],
)
def test_the_json_serdes_find_keys_and_read_values_each_in_its_way(
    athena: AthenaClient, columns: str, properties: str, body: str, expected: object
) -> None:
    assert json_rows(athena, columns, properties, body + "\n") == expected


def test_cloud_trails_records_are_rows_and_other_input_formats_are_refused(athena: AthenaClient) -> None:
    write(athena, "trail/a.json", b'{"Records":[{"eventName":"A","requestParameters":{"k":[1]}},{"eventName":"B"}]}')
    ddl = (
        "CREATE EXTERNAL TABLE {} (eventname string, requestparameters string) ROW FORMAT SERDE "
        "'org.apache.hive.hcatalog.data.JsonSerDe' STORED AS INPUTFORMAT '{}' OUTPUTFORMAT "
        "'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat' LOCATION 's3://data/trail/'"
    )
    athena.run(ddl.format("trail", "com.amazon.emr.cloudtrail.CloudTrailInputFormat"))
    assert athena.rows("SELECT * FROM trail") == [["A", '{"k":[1]}'], ["B", None]]
    athena.run(ddl.format("zipped", "com.example.ZipInputFormat"))
    assert "input format com.example.ZipInputFormat" in athena.failure("SELECT * FROM zipped")


def test_a_regular_expression_takes_lines_apart(athena: AthenaClient) -> None:
    write(athena, "regex/a.log", b"10 GET /a\n20 POST /b\nnothing\nx put /c\n")
    athena.run(
        "CREATE EXTERNAL TABLE logs (ms int, method string, path string) ROW FORMAT SERDE "
        "'org.apache.hadoop.hive.serde2.RegexSerDe' WITH SERDEPROPERTIES ("
        "'input.regex'='(\\\\w+) (get|post|put) (/.*)', 'input.regex.case.insensitive'='true') LOCATION 's3://data/regex/'"
    )
    rows = [["10", "GET", "/a"], ["20", "POST", "/b"], [None, None, None], [None, "put", "/c"]]
    assert athena.rows("SELECT * FROM logs") == rows


def test_avro_is_read_by_name_with_its_logical_types(athena: AthenaClient) -> None:
    schema = {
        "type": "record",
        "name": "r",
        "fields": [
            {"name": "Name", "type": ["null", "string"]},
            {"name": "id", "type": "long"},
            {"name": "amount", "type": {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2}},
            {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
            {"name": "day", "type": {"type": "int", "logicalType": "date"}},
            {"name": "tags", "type": {"type": "array", "items": "string"}},
            {"name": "m", "type": {"type": "map", "values": "int"}},
        ],
    }
    record = {"Name": "x", "id": 1, "amount": Decimal("1.50"), "at": datetime(2020, 1, 1, 10, tzinfo=timezone.utc)}
    record |= {"day": date(2020, 1, 2), "tags": ["a"], "m": {"k": 1}}
    body = BytesIO()
    fastavro.writer(body, schema, [record, record | {"Name": None}], codec="deflate")
    write(athena, "avro/a.avro", body.getvalue())
    athena.run(
        "CREATE EXTERNAL TABLE avros (id bigint, name string, amount decimal(10,2), at timestamp, day date, "
        "tags array<string>, m map<string,int>, missing int) STORED AS AVRO LOCATION 's3://data/avro/'"
    )
    execution = athena.run("SELECT * FROM avros WHERE at > DATE '2020-01-01'")
    rest = ["1.50", "2020-01-01 10:00:00.000", "2020-01-02", "[a]", "{k=1}", None]
    assert athena.result(execution["QueryExecutionId"])[1:] == [["1", "x", *rest], ["1", None, *rest]]
    assert execution["Statistics"]["DataScannedInBytes"] == len(body.getvalue())


PARQUET_BY_PLACE = """ROW FORMAT SERDE 'org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe'
WITH SERDEPROPERTIES ('parquet.column.index.access'='true')
STORED AS INPUTFORMAT 'org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat'
OUTPUTFORMAT 'org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat'"""


def test_parquet_is_read_by_place_when_the_serde_says_so(athena: AthenaClient) -> None:
    for name, table in (("a", {"p": [1], "q": ["long"]}), ("b", {"r": [2]})):
        body = BytesIO()
        pq.write_table(pa.table(table), body)
        write(athena, f"placed/{name}.parquet", body.getvalue())
    athena.run(f"CREATE EXTERNAL TABLE placed (x bigint, y varchar(2)) {PARQUET_BY_PLACE} LOCATION 's3://data/placed/'")
    rows = athena.rows("SELECT x, y, regexp_extract(\"$path\", '.\\.parquet') FROM placed ORDER BY x")
    assert rows == [["1", "lo", "a.parquet"], ["2", None, "b.parquet"]]


@pytest.mark.parametrize("stored", ["PARQUET", "ORC"])
def test_a_column_of_another_type_is_an_error_for_those_who_read_it(athena: AthenaClient, stored: str) -> None:
    body = BytesIO()
    (pq.write_table if stored == "PARQUET" else orc.write_table)(pa.table({"a": [1], "b": ["x"]}), body)
    write(athena, f"other{stored}/a", body.getvalue())
    location = f"LOCATION 's3://data/other{stored}/'"
    athena.run(f"CREATE EXTERNAL TABLE other{stored} (a string, b string) STORED AS {stored} {location}")
    assert athena.rows(f"SELECT b FROM other{stored}") == [["x"]]
    assert athena.rows(f"SELECT count(*) FROM other{stored}") == [["1"]]
    assert athena.failure(f"SELECT a FROM other{stored}").startswith("HIVE_BAD_DATA: Malformed")


def test_conditions_hold_for_values_in_the_columns_own_type_whatever_each_file_has(athena: AthenaClient) -> None:
    place = athena.storage.root / "data" / "widths"
    place.mkdir(parents=True)
    narrow = {"f": pa.array([0.1], pa.float32()), "d": pa.array([Decimal("1.25")], pa.decimal128(5, 2))}
    wide = {"f": pa.array([0.1], pa.float64()), "d": pa.array([Decimal("1.254")], pa.decimal128(10, 3))}
    for name, columns in (("narrow", narrow), ("wide", wide)):
        columns["s"] = pa.StructArray.from_arrays([columns["f"]], names=["f"])
        pq.write_table(pa.table(columns), place / f"{name}.parquet")
    athena.run(
        "CREATE EXTERNAL TABLE widths (f double, d decimal(10,3), s struct<f:double>) STORED AS PARQUET "
        "LOCATION 's3://data/widths/'"
    )
    for condition in ("f = 1e-1", "d = 1.254", "s.f <= 1e-1", "f < 0.1000000001e0 AND f > 5e-2", "d > 1.2535"):
        assert athena.rows(f"SELECT d FROM widths WHERE {condition}") == [["1.254"]], condition


def test_text_of_other_encodings_and_delimiters_is_read_or_refused(athena: AthenaClient) -> None:
    write(athena, "odd/a.txt", b"caf\xe9|1|2\n")
    ddl = (
        "CREATE EXTERNAL TABLE {} (a string, b int) ROW FORMAT SERDE "
        "'org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe' WITH SERDEPROPERTIES ('field.delim'='||'{}) "
        "LOCATION 's3://data/odd/' {}"
    )
    athena.run(ddl.format("odd", ", 'serialization.encoding'='ISO-8859-1'", ""))
    assert athena.rows("SELECT a, length(a), b FROM odd") == [["café", "4", "1"]]
    write(athena, "moments/a.txt", b"2020-01-15T03:44:00Z\n2020-01-15 03:44:00\n15 Jan\n")
    serde = "'org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe'"
    formats = "'timestamp.formats'='yyyy-MM-dd''T''HH:mm:ss''Z''".replace("''", "\\'")
    athena.run(
        f"CREATE EXTERNAL TABLE moments (t timestamp) ROW FORMAT SERDE {serde} WITH SERDEPROPERTIES ({formats}') "
        "LOCATION 's3://data/moments/'"
    )
    assert athena.rows("SELECT t FROM moments") == [[MORNING], [MORNING], [None]]
    athena.run(ddl.format("wrong", "", ""))
    assert "text that is not UTF-8" in athena.failure("SELECT * FROM wrong")
    athena.run(ddl.format("cyrillic", ", 'serialization.encoding'='KOI8-R'", ""))
    assert "text in the encoding KOI8-R" in athena.failure("SELECT * FROM cyrillic")


def test_a_partition_whose_value_is_none_of_its_type_fails_every_query_on_it(athena: AthenaClient) -> None:
    write(athena, "months/m=x/a.txt", b"1\n")
    athena.run("CREATE EXTERNAL TABLE months (a int) PARTITIONED BY (m int) LOCATION 's3://data/months/'")
    athena.run("MSCK REPAIR TABLE months")
    refused = "HIVE_INVALID_PARTITION_VALUE: Invalid partition value 'x' for INTEGER partition key: m"
    assert athena.failure("SELECT a FROM months") == refused


def change_partition(athena: AthenaClient, table: str, value: str, change: Callable[[dict[str, Any]], None]) -> None:
    """Give a partition a description of its own."""
    names = {"DatabaseName": "lake", "TableName": table}
    partition = athena.glue("GetPartition", **names, PartitionValues=[value])["Partition"]
    change(partition["StorageDescriptor"])
    given = {"Values": [value], "StorageDescriptor": partition["StorageDescriptor"]}
    athena.glue("UpdatePartition", **names, PartitionValueList=[value], PartitionInput=given)


def test_each_partition_is_read_by_its_own_serde(athena: AthenaClient) -> None:
    for value, body in (("a", b"1,x\n"), ("b", b"2|y\n"), ("c", b'{"id":3,"at":"2025-01-01 00:00:00"}\n')):
        write(athena, f"mixed/p={value}/f", body)
    athena.run(
        "CREATE EXTERNAL TABLE mixed (id int, at timestamp) PARTITIONED BY (p string) "
        "ROW FORMAT DELIMITED FIELDS TERMINATED BY ',' LOCATION 's3://data/mixed/'"
    )
    athena.run("MSCK REPAIR TABLE mixed")
    openx = {"SerializationLibrary": "org.openx.data.jsonserde.JsonSerDe"}
    change_partition(athena, "mixed", "b", lambda d: d["SerdeInfo"]["Parameters"].update({"field.delim": "|"}))
    change_partition(athena, "mixed", "c", lambda d: d.update({"SerdeInfo": openx}))
    rows = [["1", None, "a"], ["2", None, "b"], ["3", "2025-01-01 00:00:00.000", "c"]]
    assert athena.rows("SELECT * FROM mixed ORDER BY id") == rows


@pytest.mark.parametrize(("stored", "compared"), [("TEXTFILE", "b"), ("PARQUET", "a")])
def test_partitions_with_columns_of_other_types_are_refused(athena: AthenaClient, stored: str, compared: str) -> None:
    table = f"typed{stored}"
    athena.run(
        f"CREATE EXTERNAL TABLE {table} (a double, b bigint) PARTITIONED BY (p string) STORED AS {stored} "
        f"LOCATION 's3://data/{table}/'"
    )
    athena.run(f"ALTER TABLE {table} ADD PARTITION (p='x') PARTITION (p='y')")
    wider = [{"Name": "a", "Type": "double"}, {"Name": "b", "Type": "int"}]
    change_partition(athena, table, "x", lambda d: d.update({"Columns": wider}))
    assert athena.rows(f"SELECT * FROM {table}") == []
    swapped = [{"Name": "a", "Type": "double"}, {"Name": compared, "Type": "date"}]
    if stored == "PARQUET":
        swapped = swapped[1:]
    change_partition(athena, table, "y", lambda d: d.update({"Columns": swapped}))
    kind = {"a": "double", "b": "bigint"}[compared]
    assert athena.failure(f"SELECT count(*) FROM {table}") == (
        "HIVE_PARTITION_SCHEMA_MISMATCH: There is a mismatch between the table and partition schemas. The types are "
        f"incompatible and cannot be coerced. The column '{compared}' in table 'lake.{table.lower()}' is declared as "
        f"type '{kind}', but partition 'p=y' declared column '{compared}' as type 'date'."
    )
    assert athena.rows(f"SELECT * FROM {table} WHERE p = 'x'") == []


def test_a_table_without_files_is_empty(athena: AthenaClient) -> None:
    athena.run(
        "CREATE EXTERNAL TABLE nothing (id int, d decimal(10,2)) STORED AS PARQUET LOCATION 's3://data/nothing/'"
    )
    assert athena.rows("SELECT count(*), sum(d) FROM nothing") == [["0", None]]

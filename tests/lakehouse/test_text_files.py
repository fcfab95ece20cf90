"""Lines and values of text files are taken as Hive takes them, whatever wrote and compressed the files."""

from __future__ import annotations

import bz2
import gzip
import json
import zlib
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from athena_fixtures import AthenaClient, make_client

TABLE = (
    "CREATE EXTERNAL TABLE {name} ({columns}) ROW FORMAT DELIMITED FIELDS TERMINATED BY ',' "
    "LOCATION 's3://data/{folder}/' TBLPROPERTIES ({properties})"
)


@pytest.fixture(scope="module")
def athena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AthenaClient]:
    client = make_client(tmp_path_factory.mktemp("text"))
    client.run("CREATE DATABASE lake")
    yield client
    client.lakehouse.close()


def write(client: AthenaClient, key: str, body: bytes) -> None:
    path = client.storage.root / "data" / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)


def hadoop_blocks(codec: str, data: bytes, block: int, chunk: int) -> bytes:
    """Data as Hadoop's BlockCompressorStream frames it."""
    packer, out = pa.Codec(codec), b""
    for start in range(0, len(data), block):
        part = data[start : start + block]
        out += len(part).to_bytes(4, "big")
        for place in range(0, len(part), chunk):
            packed = bytes(packer.compress(part[place : place + chunk]))
            out += len(packed).to_bytes(4, "big") + packed
    return out


@pytest.mark.parametrize(
    ("kind", "read"),
    [
        ("int", {"12": "12", "12.7": "12", "-3.9": "-3", ".5": "0", "+7": "7", "007": "7", "1.005": "1", "777": "777"}),
        ("tinyint", {"12": "12", "12.7": "12", "-3.9": "-3", ".5": "0", "+7": "7", "007": "7", "1.005": "1"}),
        (
            "double",
            {"12": "12.0", "12.7": "12.7", "-3.9": "-3.9", ".5": "0.5", "+7": "7.0", "007": "7.0", "1e3": "1000.0"}
            | {" 5": "5.0", "NaN": "NaN", "Infinity": "Infinity", "1.5f": "1.5", "1.005": "1.005", "777": "777.0"},
        ),
        (
            "decimal(4,2)",
            {"12": "12.00", "12.7": "12.70", "-3.9": "-3.90", ".5": "0.50", "+7": "7.00", "007": "7.00"}
            | {" 5": "5.00", "1.005": "1.01"},
        ),
        ("boolean", {"TRUE": "true", "false": "false"}),
        (
            "date",
            {"2024-1-5": "2024-01-05", " 2024-01-01 ": "2024-01-01", "2024-02-30": "2024-03-01"}
            | {"2024-01-01 10:00:00": "2024-01-01", "2024-01-01 1:2:3.5": "2024-01-01"},
        ),
        (
            "timestamp",
            {"2024-01-01 10:00:00": "2024-01-01 10:00:00.000", "2024-01-01 1:2:3.5": "2024-01-01 01:02:03.500"},
        ),
        ("char(4)", None),
    ],
)
def test_values_of_delimited_text_read_as_in_java(athena: AthenaClient, kind: str, read: dict[str, str] | None) -> None:
    texts = ["12", "12.7", "-3.9", ".5", "+7", "007", "1e3", " 5", "1_0", "0x1", "NaN", "nan", "inf", "Infinity"]
    texts += ["1.5f", "1.005", "TRUE", "false", "yes", "2024-1-5", " 2024-01-01 ", "2024-02-30", "2024-01-01 10:00:00"]
    texts += ["2024-01-01 1:2:3.5", "2024-01-01T10:00:00", "", "777"]
    write(athena, "values/a.csv", "".join(f"{text}\n" for text in texts).encode())
    name = "values_" + "".join(filter(str.isalnum, kind))
    athena.run(TABLE.format(name=name, columns=f"v {kind}", folder="values", properties="'a'='b'"))
    values = dict(zip(texts, (row[0] for row in athena.rows(f"SELECT v FROM {name}")), strict=True))
    if read is None:
        assert values == {text: text[:4].ljust(4) for text in texts}
        return
    assert {text: value for text, value in values.items() if value is not None} == read


def test_values_of_groups_read_as_java_parses_them(athena: AthenaClient) -> None:
    write(athena, "groups/a.txt", b"12 yes\n12.7 TRUE\n")
    athena.run(
        "CREATE EXTERNAL TABLE grouped (i int, b boolean) ROW FORMAT SERDE "
        "'org.apache.hadoop.hive.serde2.RegexSerDe' WITH SERDEPROPERTIES ('input.regex'='(\\\\S+) (\\\\S+)') "
        "LOCATION 's3://data/groups/'"
    )
    assert athena.rows("SELECT * FROM grouped") == [["12", "false"], [None, "true"]]


def test_any_line_end_ends_a_line_also_in_one_file(athena: AthenaClient) -> None:
    body = b"h\nid\r\n1\n2\r3\r\n\r\n5\r"
    files = {"a.csv": body, "b.csv": b"h\rid\r1\r2\r3\r\r5", "c.csv.gz": gzip.compress(body)}
    files |= {"d.csv.zst": zstandard.compress(body), "e.csv": body.replace(b"\r\n", b"\r").replace(b"\r", b"\r\n")}
    for name, content in files.items():
        write(athena, f"ends/{name}", content)
    table = TABLE.format(name="ends", columns="v int", folder="ends", properties="'skip.header.line.count'='2'")
    athena.run(table)
    found = athena.run('SELECT "$path", array_agg(v) FROM ends GROUP BY 1 ORDER BY 1')
    rows = athena.result(found["QueryExecutionId"])[1:]
    assert [row[1] for row in rows] == ["[1, 2, 3, null, 5]"] * 5
    assert found["Statistics"]["DataScannedInBytes"] == sum(map(len, files.values()))


def test_lines_at_the_end_of_each_file_can_be_skipped(athena: AthenaClient) -> None:
    write(athena, "foot/a.csv", b"id\n1\n2\ntotal 3\nend")
    write(athena, "foot/b.csv.gz", gzip.compress(b"id\n3\ntotal 3\nend\n"))
    write(athena, "foot/c.csv", b"id\n")
    properties = "'skip.header.line.count'='1', 'skip.footer.line.count'='2'"
    athena.run(TABLE.format(name="foot", columns="v string", folder="foot", properties=properties))
    assert athena.rows("SELECT v FROM foot ORDER BY 1") == [["1"], ["2"], ["3"]]


def test_snappy_and_lz4_are_read_in_the_blocks_of_hadoop(athena: AthenaClient) -> None:
    data = b"".join(b"%d,v%d\n" % (i, i % 7) for i in range(9000))
    write(athena, "blocks/a.csv.snappy", hadoop_blocks("snappy", data, 30_000, 30_000))
    write(athena, "blocks/b.csv.snappy", hadoop_blocks("snappy", data, 30_000, 7_000))
    write(athena, "blocks/c.csv.lz4", hadoop_blocks("lz4_raw", data, 30_000, 30_000))
    write(athena, "blocks/d.csv.lz4", hadoop_blocks("lz4_raw", data, 30_000, 12_345))
    athena.run(TABLE.format(name="blocks", columns="i int, v string", folder="blocks", properties="'a'='b'"))
    sql = 'SELECT count(*), sum(i), count(DISTINCT v), count(DISTINCT "$path") FROM blocks'
    assert athena.rows(sql) == [["36000", str(4 * sum(range(9000))), "7", "4"]]
    write(athena, "blocks/e.csv.snappy", b"\0\0\1\0\0\0")
    assert athena.failure(sql) == "HIVE_BAD_DATA: Not a valid compressed file: s3://data/blocks/e.csv.snappy"


@pytest.mark.parametrize("suffix", ["gz", "zst", "bz2", "deflate"])
def test_a_compressed_file_that_is_cut_off_fails(athena: AthenaClient, suffix: str) -> None:
    lines = b"".join(b"%d,%x\n" % (i, i**9) for i in range(20_000))
    pack = {"gz": gzip.compress, "zst": zstandard.compress, "bz2": bz2.compress, "deflate": zlib.compress}[suffix]
    packed = pack(lines)
    write(athena, f"cut{suffix}/a.csv.{suffix}", packed)
    athena.run(TABLE.format(name=f"cut_{suffix}", columns="v int", folder=f"cut{suffix}", properties="'a'='b'"))
    assert athena.rows(f"SELECT count(*), sum(v) FROM cut_{suffix}") == [["20000", "199990000"]]
    for kept in (len(packed) // 2, len(packed) - 3):
        write(athena, f"cut{suffix}/a.csv.{suffix}", packed[:kept])
        refused = f"HIVE_BAD_DATA: Not a valid compressed file: s3://data/cut{suffix}/a.csv.{suffix}"
        assert athena.failure(f"SELECT count(*) FROM cut_{suffix}") == refused


def test_lines_of_many_mebibytes_are_read(athena: AthenaClient) -> None:
    lines = b"".join(b"x" * size + b"\n" for size in (1, 3_000_000))
    write(athena, "long/a.csv", lines)
    write(athena, "long/b.csv.gz", gzip.compress(lines, 1))
    athena.run(TABLE.format(name="long_lines", columns="v string", folder="long", properties="'a'='b'"))
    assert athena.rows("SELECT length(v) FROM long_lines ORDER BY 1") == [["1"], ["1"], ["3000000"], ["3000000"]]


def test_an_empty_line_of_csv_is_a_row_of_nulls(athena: AthenaClient) -> None:
    write(athena, "empty/a.csv", b'1,a\n\n"",b\n')
    athena.run(
        "CREATE EXTERNAL TABLE empty_lines (v string, w string) ROW FORMAT SERDE "
        "'org.apache.hadoop.hive.serde2.OpenCSVSerde' LOCATION 's3://data/empty/'"
    )
    assert athena.rows("SELECT * FROM empty_lines") == [["1", "a"], [None, None], ["", "b"]]


def test_a_nul_as_the_quote_of_csv_stands_for_none(athena: AthenaClient) -> None:
    write(athena, "unquoted/a.csv", b'1,"a"\n')
    athena.run(
        "CREATE EXTERNAL TABLE unquoted (v string, w string) ROW FORMAT SERDE "
        "'org.apache.hadoop.hive.serde2.OpenCSVSerde' WITH SERDEPROPERTIES ('quoteChar'='\\u0000') "
        "LOCATION 's3://data/unquoted/'"
    )
    assert athena.rows("SELECT * FROM unquoted") == [["1", '"a"']]


def test_escaped_characters_are_themselves(athena: AthenaClient) -> None:
    write(athena, "escapes/a.csv", b"a\\,b,\x1cx\x1dy\nc\\\\,\\N\nd\\ne,f\\gh\n\\\\N,end\\")
    athena.run(
        "CREATE EXTERNAL TABLE escapes (v string, w string) ROW FORMAT DELIMITED FIELDS TERMINATED BY ',' "
        "ESCAPED BY '\\\\' LOCATION 's3://data/escapes/'"
    )
    rows = [["a,b", "\x1cx\x1dy"], ["c\\", None], ["d\ne", "fgh"], ["\\N", "end\\"]]
    assert athena.rows("SELECT * FROM escapes") == rows


def test_of_a_map_key_that_comes_twice_the_first_counts_and_the_last_column_can_take_the_rest(
    athena: AthenaClient,
) -> None:
    write(athena, "rest/a.csv", b"a:1|a:2|b:3,x,y,z\na:1\n")
    athena.run(
        "CREATE EXTERNAL TABLE rest (m map<string,int>, r string) ROW FORMAT SERDE "
        "'org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe' WITH SERDEPROPERTIES ('field.delim'=',', "
        "'collection.delim'='|', 'mapkey.delim'=':', 'serialization.last.column.takes.rest'='true') "
        "LOCATION 's3://data/rest/'"
    )
    assert athena.rows("SELECT * FROM rest") == [["{a=1, b=3}", "x,y,z"], ["{a=1}", None]]


def test_moments_of_json_may_be_seconds_with_a_fraction_and_dates_may_have_a_time(athena: AthenaClient) -> None:
    write(athena, "moments/a.json", b'{"t": 1704067200.1239, "d": "2024-01-01 10:00:00"}\n{"t": "-1.5", "d": 1}\n')
    athena.run(
        "CREATE EXTERNAL TABLE moments (t timestamp, d date) ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe' "
        "LOCATION 's3://data/moments/'"
    )
    rows = [["2024-01-01 00:00:00.123", "2024-01-01"], ["1969-12-31 23:59:58.500", "1970-01-02"]]
    assert athena.rows("SELECT * FROM moments") == rows


def test_moments_of_hives_json_have_no_zone(athena: AthenaClient) -> None:
    times = ("2024-01-01T10:00:00.5", "2024-01-01 10:00:00", "2024-01-01T10:00")
    write(athena, "local/p=a/a.json", "".join(f"{json.dumps({'t': text})}\n" for text in times).encode())
    for name, text in {"b": "2024-01-01T10:00:00Z", "c": "2024-01-01T10:00:00+02:00", "d": "2024-01-01"}.items():
        write(athena, f"local/p={name}/a.json", json.dumps({"t": text}).encode())
    athena.run(
        "CREATE EXTERNAL TABLE local_times (t timestamp) PARTITIONED BY (p string) ROW FORMAT SERDE "
        "'org.apache.hive.hcatalog.data.JsonSerDe' LOCATION 's3://data/local/'"
    )
    athena.run("MSCK REPAIR TABLE local_times")
    rows = [["2024-01-01 10:00:00.500"], ["2024-01-01 10:00:00.000"], ["2024-01-01 10:00:00.000"]]
    assert athena.rows("SELECT t FROM local_times WHERE p = 'a'") == rows
    for name in "bcd":
        assert athena.failure(f"SELECT t FROM local_times WHERE p = '{name}'").startswith("HIVE_BAD_DATA: ")


@pytest.mark.parametrize(
    "serde", ["com.amazon.emr.hive.serde.CloudTrailSerde", "org.apache.hive.hcatalog.data.JsonSerDe"]
)
def test_cloudtrails_records_are_rows_and_its_free_fields_are_json(athena: AthenaClient, serde: str) -> None:
    records = [
        {
            "eventName": "GetObject",
            "userIdentity": {"userName": "Alice", "sessionContext": {"attributes": {"mfaAuthenticated": "false"}}},
            "requestParameters": {"bucketName": "b", "x": [1, None]},
            "responseElements": None,
            "readOnly": True,
        },
        {"eventName": "ConsoleLogin", "requestParameters": "plain"},
    ]
    body = f"{json.dumps({'Records': records})}\nno json\n{json.dumps({'Digests': []})}\n"
    write(athena, "trail/AWSLogs/1/a.json.gz", gzip.compress(body.encode()))
    name = f"trail_{serde.rsplit('.', 1)[-1]}"
    athena.run(
        f"CREATE EXTERNAL TABLE {name} (eventname string, useridentity struct<username:string, "
        "sessioncontext:struct<attributes:struct<mfaauthenticated:string>>>, requestparameters string, "
        f"responseelements string, readonly string, useridentity_as_string string) ROW FORMAT SERDE '{serde}' "
        "STORED AS INPUTFORMAT 'com.amazon.emr.cloudtrail.CloudTrailInputFormat' OUTPUTFORMAT "
        "'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat' LOCATION 's3://data/trail/AWSLogs/'"
    )
    identity = '{"userName":"Alice","sessionContext":{"attributes":{"mfaAuthenticated":"false"}}}'
    shown = "{username=Alice, sessioncontext={attributes={mfaauthenticated=false}}}"
    assert athena.rows(f"SELECT * FROM {name} ORDER BY 1 DESC") == [
        ["GetObject", shown, '{"bucketName":"b","x":[1,null]}', None, "true", identity],
        ["ConsoleLogin", None, '"plain"', None, None, None],
    ]


def test_lists_of_files_are_followed_and_never_written_to(athena: AthenaClient) -> None:
    for name, values in {"1.parquet": [1, 2], "_2.parquet": [3], "other.parquet": [9]}.items():
        path = athena.storage.root / "data/listed" / name
        path.parent.mkdir(exist_ok=True)
        pq.write_table(pa.table({"a": values}), path)
    write(athena, "lists/dt=1/symlink.txt", b"s3://data/listed/1.parquet\ns3a://data/listed/_2.parquet\n")
    write(athena, "lists/dt=2/symlink.txt", b"s3://data/listed/1.parquet")
    athena.run(
        "CREATE EXTERNAL TABLE lists (a bigint) PARTITIONED BY (dt string) ROW FORMAT SERDE "
        "'org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe' STORED AS INPUTFORMAT "
        "'org.apache.hadoop.hive.ql.io.SymlinkTextInputFormat' OUTPUTFORMAT "
        "'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat' LOCATION 's3://data/lists/'"
    )
    athena.run("MSCK REPAIR TABLE lists")
    assert athena.rows('SELECT dt, array_agg(a ORDER BY a), max("$path") FROM lists GROUP BY dt ORDER BY dt') == [
        ["1", "[1, 2, 3]", "s3a://data/listed/_2.parquet"],
        ["2", "[1, 2]", "s3://data/listed/1.parquet"],
    ]
    assert athena.failure("INSERT INTO lists VALUES (1, '1')").startswith("HIVE_UNSUPPORTED_FORMAT: ")
    write(athena, "lists/dt=3/symlink.txt", b"s3://data/listed/gone.parquet")
    athena.run("ALTER TABLE lists ADD PARTITION (dt='3')")
    refused = "contains non-existent path: s3://data/listed/gone.parquet"
    assert refused in athena.failure("SELECT a FROM lists WHERE dt = '3'")


def grok_table(athena: AthenaClient, columns: str, pattern: str, body: str) -> str:
    """The name of a table over one file whose lines a Grok pattern takes apart."""
    name = f"grok{len(list((athena.storage.root / 'data').iterdir()))}"
    write(athena, f"{name}/a.log", body.encode())
    athena.run(
        f"CREATE EXTERNAL TABLE {name} ({columns}) ROW FORMAT SERDE 'com.amazonaws.glue.serde.GrokSerDe' "
        f"WITH SERDEPROPERTIES ('input.format'='{pattern}', "
        "'input.grokCustomPatterns'='LETTER [a-z]\\nTWO %{LETTER}{2}') "
        "STORED AS INPUTFORMAT 'org.apache.hadoop.mapred.TextInputFormat' OUTPUTFORMAT "
        f"'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat' LOCATION 's3://data/{name}/'"
    )
    return name


@pytest.mark.parametrize(
    ("columns", "pattern", "line", "row"),
    [
        ("a string, b double", "%{TWO:a}=%{NUMBER:b}", "x: ab=-1.50;", ["ab", "-1.5"]),
        ("a string, b int", "%{QS:a} %{WORD:b}", '"a b" c', ["a b", None]),
        ("a string", "%{IP:a}$", "::ffff:192.168.0.1", ["::ffff:192.168.0.1"]),
        ("a string", "%{TIMESTAMP_ISO8601:a}", "on 2024-02-29T10:20:30.5Z.", ["2024-02-29T10:20:30.5Z"]),
        ("a string, b string", "%{HOST:a} %{URIPATHPARAM:b}", "a-1.org /x/y?z=1 t", ["a-1.org", "/x/y?z=1"]),
        ("a string, b string, c string", "%{WORD:a}(?: %{INT:b})? %{LOGLEVEL:c}", "x WARN", ["x", None, "WARN"]),
        ("p string, q string", "%{WORD:a}(?: %{INT:b})? %{LOGLEVEL:c}", "x WARN", ["x", "WARN"]),
        ("a string, b string", "%{WORD:a} %{INT:b}", "nothing here", [None, None]),
        (
            "clientip string, ident string, auth string, `timestamp` string, verb string, request string, "
            "httpversion string, rawrequest string, response int, bytes bigint",
            "%{COMMONAPACHELOG}",
            'h - me [10/Oct/2000:13:55:36 -0700] "GET /a HTTP/1.0" 200 12',
            ["h", "-", "me", "10/Oct/2000:13:55:36 -0700", "GET", "/a", "1.0", None, "200", "12"],
        ),
    ],
)
def test_grok_takes_lines_apart(
    athena: AthenaClient, columns: str, pattern: str, line: str, row: list[str | None]
) -> None:
    assert athena.rows(f"SELECT * FROM {grok_table(athena, columns, pattern, line)}") == [row]


def test_grok_refuses_what_it_does_not_know(athena: AthenaClient) -> None:
    for pattern, reason in (
        ("%{NOPE:a}", "HIVE_INVALID_METADATA: Grok compilation failure: Pattern NOPE is not defined."),
        ("%{NUMBER:a;int}", "NOT_SUPPORTED: the types in the Grok pattern"),
        ("%{WORD}", "HIVE_CURSOR_ERROR: Index 0 out of bounds for length 0"),
    ):
        assert athena.failure(f"SELECT a FROM {grok_table(athena, 'a int', pattern, 'x')}").startswith(reason)

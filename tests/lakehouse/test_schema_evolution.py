"""Files that were written in another schema than their table's are read as Athena reads them, or refused where used."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from athena_fixtures import AthenaClient, make_client


@pytest.fixture(scope="module")
def athena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AthenaClient]:
    client = make_client(tmp_path_factory.mktemp("evolution"))
    client.run("CREATE DATABASE lake")
    yield client
    client.lakehouse.close()


def test_parquet_files_of_different_types_are_read_each_by_its_own(athena: AthenaClient) -> None:
    folder = athena.storage.root / "data/types"
    folder.mkdir(parents=True)
    for name, column in {"a": pa.array([1]), "b": pa.array(["x"]), "c": pa.array([2], pa.int32())}.items():
        pq.write_table(pa.table({"v": column, "w": [name]}), folder / name)
    athena.run("CREATE EXTERNAL TABLE numbers (v bigint, w string) STORED AS PARQUET LOCATION 's3://data/types/'")
    athena.run("CREATE EXTERNAL TABLE texts (v string, w string) STORED AS PARQUET LOCATION 's3://data/types/'")
    assert athena.rows("SELECT w FROM numbers ORDER BY w") == [["a"], ["b"], ["c"]]
    assert "Field v's type BINARY in parquet file s3://data/types/b" in athena.failure("SELECT v FROM numbers")
    assert "Field v's type INT64 in parquet file s3://data/types/a" in athena.failure("SELECT v FROM texts")
    (folder / "b").unlink()
    assert athena.rows("SELECT v FROM numbers ORDER BY v") == [["1"], ["2"]]


def test_avro_files_are_read_by_the_schema_that_the_table_has(athena: AthenaClient) -> None:
    fields = [{"name": "id", "type": "int"}, {"name": "Name", "type": ["null", "string"]}]
    body = BytesIO()
    fastavro.writer(body, {"type": "record", "name": "r", "fields": fields}, [{"id": 1, "Name": "x"}])
    path = athena.storage.root / "data/literal/a.avro"
    path.parent.mkdir()
    path.write_bytes(body.getvalue())
    literal = (
        '{"type": "record", "name": "r", "fields": [{"name": "id", "type": "double"}, {"name": "extra", '
        '"type": "string", "default": "d"}, {"name": "called", "aliases": ["Name"], "type": ["null", "string"]}]}'
    )
    ddl = (
        "CREATE EXTERNAL TABLE {} (id double, extra string, called string, name string) ROW FORMAT SERDE "
        "'org.apache.hadoop.hive.serde2.avro.AvroSerDe' WITH SERDEPROPERTIES ('a'='b'{}) "
        "STORED AS AVRO LOCATION 's3://data/literal/'"
    )
    athena.run(ddl.format("by_literal", f", 'avro.schema.literal'='{literal}'"))
    athena.run(ddl.format("by_file", ""))
    assert athena.rows("SELECT * FROM by_literal") == [["1.0", "d", "x", None]]
    assert athena.rows("SELECT * FROM by_file") == [["1.0", None, None, "x"]]


def test_partition_values_are_of_their_keys_type_or_refused(athena: AthenaClient) -> None:
    for kind, good, bad in (("char(3)", "ab", "abcd"), ("varchar(3)", "ab", "abcd"), ("tinyint", "5", "300")):
        name = "keyed_" + "".join(filter(str.isalpha, kind))
        for value in (good, bad):
            path = athena.storage.root / f"data/{name}/k={value}/a.csv"
            path.parent.mkdir(parents=True)
            path.write_bytes(b"1\n")
        athena.run(f"CREATE EXTERNAL TABLE {name} (v int) PARTITIONED BY (k {kind}) LOCATION 's3://data/{name}/'")
        athena.run(f"MSCK REPAIR TABLE {name}")
        shown = good.ljust(3) if kind == "char(3)" else good
        assert athena.rows(f"SELECT k FROM {name} WHERE k = {good if kind == 'tinyint' else repr(good)}") == [[shown]]
        refused = f"HIVE_INVALID_PARTITION_VALUE: Invalid partition value '{bad}' for {kind.upper()} partition key: k"
        assert athena.failure(f"SELECT * FROM {name}") == refused
        assert athena.failure(f'SELECT * FROM "{name}$partitions"') == refused


@pytest.mark.parametrize("form", ["ORC", "AVRO", "PARQUET"])
def test_what_is_no_file_of_the_format_is_bad_data(athena: AthenaClient, form: str) -> None:
    path = athena.storage.root / f"data/broken_{form}/a"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"these are no columns")
    athena.run(f"CREATE EXTERNAL TABLE broken_{form} (a int) STORED AS {form} LOCATION 's3://data/broken_{form}/'")
    assert athena.failure(f"SELECT a FROM broken_{form}").startswith("HIVE_BAD_DATA: Not ")

"""What a user of awswrangler does: datasets into the catalog, and back by each way that it reads from Athena."""

from __future__ import annotations

import datetime
import sys

sys.path.pop(0)
import awswrangler as wr
import pandas as pd

bucket, database = sys.argv[1:]
output = f"s3://{bucket}/results/"
wr.catalog.create_database(database)
frame = pd.DataFrame(
    {
        "id": pd.Series([1, None, 3], dtype="Int64"),
        "name": pd.Series(["Seattle", None, "Oslo"], dtype="string"),
        "day": [datetime.date(2020, 1, 1), None, datetime.date(2020, 1, 3)],
        "moment": [pd.Timestamp("2020-01-01 01:02:03"), pd.NaT, pd.Timestamp("2020-01-03")],
        "items": [[1, 2], None, [3]],
        "part": pd.Series(["x", "y", "y"], dtype="string"),
    }
)
wr.s3.to_parquet(
    frame, f"s3://{bucket}/frames/", dataset=True, database=database, table="frames", partition_cols=["part"]
)
ways = ({"ctas_approach": True}, {"ctas_approach": False}, {"ctas_approach": False, "unload_approach": True})
for number, way in enumerate(ways):
    found = wr.athena.read_sql_query(
        "SELECT * FROM frames WHERE name = ? OR name IS NULL",
        database,
        params=["Oslo"],
        paramstyle="qmark",
        s3_output=f"s3://{bucket}/way{number}/",
        keep_files=False,
        **way,
    )
    assert sorted(found["id"].fillna(0)) == [0, 3], (way, found)
wr.athena.repair_table("frames", database)
described = wr.athena.describe_table("frames", database)
assert wr.catalog.table(database, "frames").to_dict() == described.to_dict()
assert wr.athena.show_create_table("frames", database).startswith("CREATE EXTERNAL TABLE `frames`(")
for sql, error in (
    ("SELECT 1 AS a, 2 AS a", wr.exceptions.InvalidCtasApproachQuery),
    ("SELECT 1", wr.exceptions.InvalidArgumentValue),
    ("SELECT NULL AS nothing", wr.exceptions.InvalidArgumentValue),
):
    try:
        wr.athena.read_sql_query(sql, database, s3_output=output)
    except error:
        continue
    raise AssertionError(f"{sql} was not refused")

text = pd.DataFrame({"s": ["a,b", "c"], "n": [1.5, None]})
wr.s3.to_csv(text, f"s3://{bucket}/text/", dataset=True, database=database, table="text", index=False)
assert sorted(wr.athena.read_sql_table("text", database, s3_output=output)["s"]) == ["a,b", "c"]

people = pd.DataFrame({"id": [1, 2], "name": ["a", "b"], "at": [pd.Timestamp("2020-01-01 00:00:00.001")] * 2})
place = {"database": database, "table": "people", "table_location": f"s3://{bucket}/people/", "keep_files": False}
for change in ({}, {"merge_cols": ["id"]}, {"mode": "overwrite_partitions", "partition_cols": ["name"]}):
    options = {**place, "temp_path": f"s3://{bucket}/temporary/", "s3_output": output, **change}
    wr.athena.to_iceberg(people.assign(name=["c", "d"]) if change else people, **options)
wr.athena.delete_from_iceberg_table(
    pd.DataFrame({"id": [1]}),
    database,
    "people",
    ["id"],
    temp_path=f"s3://{bucket}/temporary/",
    s3_output=output,
    keep_files=False,
)
left = wr.athena.read_sql_table("people", database, ctas_approach=False, s3_output=output)
assert left["id"].tolist() == [2]
assert left["at"].tolist() == [pd.Timestamp("2020-01-01 00:00:00.001")]

# Iceberg: hidden partitions, changes of the schema, merges, NULL as a key, rows taken out.
made = pd.DataFrame(
    {"id": [1, 2, 3], "name": list("abc"), "at": pd.to_datetime(["2024-01-01", "2024-01-02", "2024-02-01"])}
)
place = {"database": database, "table": "changing", "table_location": f"s3://{bucket}/changing/", "keep_files": False}
place |= {"temp_path": f"s3://{bucket}/temporary/", "s3_output": output}
wr.athena.to_iceberg(made, **place, partition_cols=["month(at)", "bucket(4, id)"])
wr.athena.to_iceberg(made[made["id"] > 2].assign(name="z", more=1.5), **place, merge_cols=["id"], schema_evolution=True)
wr.athena.to_iceberg(
    made.assign(name="no"), **place, merge_cols=["id"], merge_condition="ignore", fill_missing_columns_in_df=True
)
found = wr.athena.read_sql_query("SELECT * FROM changing ORDER BY id", database, ctas_approach=False, s3_output=output)
assert found["name"].tolist() == ["a", "b", "z"]
assert list(found.columns) == ["id", "name", "at", "more"]
wr.athena.to_iceberg(made.assign(more=0.0), **place, mode="overwrite")
found = wr.athena.read_sql_table("changing", database, ctas_approach=False, s3_output=output)
assert set(found["more"]) == {0.0}

# Datasets: modes, projection, and the catalog's own functions.
parts = pd.DataFrame({"a": [1, 2], "p": ["x", "y"]})
place = {
    "dataset": True,
    "database": database,
    "table": "modes",
    "path": f"s3://{bucket}/modes/",
    "partition_cols": ["p"],
}
wr.s3.to_parquet(parts, **place, glue_table_settings={"description": "of a test", "columns_comments": {"a": "first"}})
wr.s3.to_parquet(parts.assign(more=1.5), **place, mode="append", schema_evolution=True)
wr.s3.to_parquet(parts[:1].assign(a=9), **place, mode="overwrite_partitions")
found = wr.athena.read_sql_table("modes", database, s3_output=output)
assert sorted(found["a"]) == [2, 2, 9]
assert wr.catalog.get_columns_comments(database, "modes")["a"] == "first"
assert list(wr.catalog.get_parquet_partitions(database, "modes", expression="p = 'y'").values()) == [["y"]]
wr.catalog.add_column(database, "modes", "added", "int", "later")
wr.catalog.delete_column(database, "modes", "added")
wr.catalog.upsert_table_parameters({"owner": "me"}, database, "modes")
assert wr.catalog.get_table_parameters(database, "modes")["owner"] == "me"
assert [table["Name"] for table in wr.catalog.get_tables(database=database, name_contains="ode")] == ["modes"]
assert sorted(wr.catalog.delete_all_partitions("modes", database)) == [["x"], ["y"]]
wr.athena.repair_table("modes", database)
assert len(wr.athena.read_sql_table("modes", database, s3_output=output)) == 3
days = pd.DataFrame({"a": [1, 2], "day": ["2024-01-01", "2024-01-02"], "kind": ["u", "v"]})
projection = {
    "projection_types": {"day": "date", "kind": "enum"},
    "projection_ranges": {"day": "2024-01-01,2024-01-31"},
    "projection_values": {"kind": "u,v"},
    "projection_formats": {"day": "yyyy-MM-dd"},
}
place = {"dataset": True, "database": database, "table": "projected", "path": f"s3://{bucket}/projected/"}
wr.s3.to_parquet(days, **place, partition_cols=["day", "kind"], athena_partition_projection_settings=projection)
sql = "SELECT a FROM projected WHERE day = '2024-01-02'"
assert wr.athena.read_sql_query(sql, database, s3_output=output)["a"].tolist() == [2]

# Statements that are kept, results that are read again, chunks, tables of queries.
wr.athena.create_prepared_statement("SELECT a FROM modes WHERE a = ?", "of_a")
found = wr.athena.read_sql_query("EXECUTE of_a USING 9", database, ctas_approach=False, s3_output=output)
assert found["a"].tolist() == [9]
wr.athena.delete_prepared_statement("of_a")
identifiers = {
    wr.athena.start_query_execution(
        sql, database, s3_output=output, wait=True, athena_cache_settings={"max_cache_seconds": 900}
    )["QueryExecutionId"]
    for _ in range(2)
}
assert len(identifiers) == 1
assert wr.athena.get_query_results(identifiers.pop())["a"].tolist() == [2]
chunks = wr.athena.read_sql_query("SELECT a FROM modes", database, ctas_approach=False, chunksize=2, s3_output=output)
assert [len(chunk) for chunk in chunks] == [2, 1]
wr.athena.create_ctas_table(
    "SELECT a, p FROM modes", database, "copied", partitioning_info=["p"], s3_output=output, wait=True
)
assert wr.catalog.get_table_types(database, "copied") == {"a": "bigint", "p": "string"}

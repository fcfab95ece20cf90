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

"""What a user of pyiceberg with the Glue catalog does, and that Athena sees the same table."""

from __future__ import annotations

import datetime
import os
import sys
import time

sys.path.pop(0)
import boto3
import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.catalog.glue import GlueCatalog
from pyiceberg.exceptions import CommitFailedException, NamespaceAlreadyExistsError, TableAlreadyExistsError
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table.sorting import SortField, SortOrder
from pyiceberg.transforms import IdentityTransform, MonthTransform
from pyiceberg.types import IntegerType, ListType, NestedField, StringType, StructType, TimestampType

bucket, database = sys.argv[1:]
athena = boto3.client("athena")
catalog = GlueCatalog(
    "glue", **{"warehouse": f"s3://{bucket}/warehouse", "s3.endpoint": os.environ["AWS_ENDPOINT_URL"]}
)


def query(sql: str) -> list[list[str | None]]:
    place = {"OutputLocation": f"s3://{bucket}/results/"}
    identifier = athena.start_query_execution(QueryString=sql, ResultConfiguration=place)["QueryExecutionId"]
    while True:
        status = athena.get_query_execution(QueryExecutionId=identifier)["QueryExecution"]["Status"]
        if status["State"] not in ("QUEUED", "RUNNING"):
            break
        time.sleep(0.01)
    assert status["State"] == "SUCCEEDED", status
    rows = athena.get_query_results(QueryExecutionId=identifier)["ResultSet"]["Rows"]
    return [[cell.get("VarCharValue") for cell in row["Data"]] for row in rows]


catalog.create_namespace(database, {"comment": "of a test", "location": f"s3://{bucket}/warehouse/{database}.db"})
assert catalog.load_namespace_properties(database)["comment"] == "of a test"
person = StructType(NestedField(5, "name", StringType()), NestedField(6, "age", IntegerType()))
schema = Schema(
    NestedField(1, "id", IntegerType(), required=True),
    NestedField(2, "tags", ListType(4, StringType(), element_required=False)),
    NestedField(3, "person", person),
)
table = catalog.create_table((database, "people"), schema)
rows = [{"id": 1, "tags": ["x", "y"], "person": {"name": "Ada", "age": 36}}]
table.append(pa.Table.from_pylist(rows, schema=table.schema().as_arrow()))
assert query(f'SELECT * FROM "{database}"."people"')[1:] == [["1", "[x, y]", "{name=Ada, age=36}"]]
query(f"INSERT INTO {database}.people SELECT 2, ARRAY['z'], CAST(ROW('Grace', 85) AS ROW(name varchar, age integer))")
assert sorted(table.refresh().scan().to_arrow()["id"].to_pylist()) == [1, 2]

for error, repeat in (
    (NamespaceAlreadyExistsError, lambda: catalog.create_namespace(database)),
    (TableAlreadyExistsError, lambda: catalog.create_table((database, "people"), schema)),
):
    try:
        repeat()
    except error:
        continue
    raise AssertionError(f"{error.__name__} was not raised")
stale = catalog.load_table((database, "people"))
with table.update_schema() as update:
    update.add_column("more", StringType())
try:
    with stale.update_schema() as update:
        update.add_column("other", StringType())
except CommitFailedException:
    pass
else:
    raise AssertionError("a stale table was committed")

# Files of others, without Iceberg's field numbers, become part of a table.
plain = catalog.create_table((database, "plain"), Schema(NestedField(1, "a", IntegerType())))
file = pa.BufferOutputStream()
pq.write_table(pa.table({"a": pa.array([5], pa.int32())}), file)
boto3.client("s3").put_object(Bucket=bucket, Key="other/file.parquet", Body=file.getvalue().to_pybytes())
plain.append(pa.table({"a": pa.array([1], pa.int32())}))
plain.add_files([f"s3://{bucket}/other/file.parquet"])
assert query(f"SELECT a FROM {database}.plain ORDER BY a")[1:] == [["1"], ["5"]]
catalog.drop_table((database, "plain"))

# Hidden partitions and a sort order; rows overwritten, deleted and merged; what one engine writes, the other reads.
months = catalog.create_table(
    (database, "months"),
    Schema(NestedField(1, "Id", IntegerType(), required=True), NestedField(2, "At", TimestampType())),
    partition_spec=PartitionSpec(PartitionField(2, 1000, MonthTransform(), "month")),
    sort_order=SortOrder(SortField(1, IdentityTransform())),
)


def moments(*numbers: int) -> pa.Table:
    rows = [{"Id": number, "At": datetime.datetime(2024, number, 1)} for number in numbers]
    return pa.Table.from_pylist(rows, schema=months.schema().as_arrow())


months.append(moments(1, 2, 3))
months.overwrite(moments(4), overwrite_filter="Id == 1")
months.delete("Id == 2")
months.upsert(moments(3, 5), join_cols=["Id"])
assert query(f"SELECT id FROM {database}.months ORDER BY 1")[1:] == [["3"], ["4"], ["5"]]
snapshot = months.current_snapshot().snapshot_id
query(f"UPDATE {database}.months SET at = at + INTERVAL '1' DAY WHERE id = 5")
query(f"DELETE FROM {database}.months WHERE id = 4")
found = months.refresh().scan().to_arrow().sort_by("Id").to_pylist()
assert [row["At"].day for row in found] == [1, 2]
assert query(f"SELECT count(*) FROM {database}.months FOR VERSION AS OF {snapshot}")[1:] == [["3"]]
assert months.scan(snapshot_id=snapshot).to_arrow().num_rows == 3
catalog.drop_table((database, "months"))
catalog.rename_table((database, "people"), (database, "humans"))
assert catalog.list_tables(database) == [(database, "humans")]
catalog.drop_table((database, "humans"))
catalog.drop_namespace(database)

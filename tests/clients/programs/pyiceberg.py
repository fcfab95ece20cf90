"""What a user of pyiceberg with the Glue catalog does, and that Athena sees the same table."""

from __future__ import annotations

import os
import sys
import time

sys.path.pop(0)
import boto3
import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.catalog.glue import GlueCatalog
from pyiceberg.exceptions import CommitFailedException, NamespaceAlreadyExistsError, TableAlreadyExistsError
from pyiceberg.schema import Schema
from pyiceberg.types import IntegerType, ListType, NestedField, StringType, StructType

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
catalog.rename_table((database, "people"), (database, "humans"))
assert catalog.list_tables(database) == [(database, "humans")]
catalog.drop_table((database, "humans"))
catalog.drop_namespace(database)

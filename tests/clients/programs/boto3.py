"""What a plain boto3 program does with Athena: work groups, queries, pages, prepared statements, metadata, tags."""

from __future__ import annotations

import sys
import time

# The program's own folder holds a file of this name; the library is meant.
sys.path.pop(0)
import boto3
from botocore.exceptions import ClientError

bucket, database = sys.argv[1:]
athena, s3 = boto3.client("athena"), boto3.client("s3")
place = {"OutputLocation": f"s3://{bucket}/results/"}


def run(sql: str, **request: object) -> dict:
    request.setdefault("ResultConfiguration", place)
    request.setdefault("QueryExecutionContext", {"Database": database})
    identifier = athena.start_query_execution(QueryString=sql, **request)["QueryExecutionId"]
    while True:
        execution = athena.get_query_execution(QueryExecutionId=identifier)["QueryExecution"]
        if execution["Status"]["State"] not in ("QUEUED", "RUNNING"):
            return execution
        time.sleep(0.01)


def succeeded(sql: str, **request: object) -> dict:
    execution = run(sql, **request)
    assert execution["Status"]["State"] == "SUCCEEDED", execution["Status"]
    return execution


def refused(code: str, operation, **request: object) -> None:
    try:
        operation(**request)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        return
    raise AssertionError(f"{operation.__name__} was not refused")


succeeded(f"CREATE DATABASE {database}")
succeeded(
    f"CREATE TABLE numbers WITH (external_location = 's3://{bucket}/numbers/') AS "
    "SELECT x, x % 10 AS k FROM UNNEST(sequence(1, 2500)) t(x)"
)

# Pages of a thousand rows, one header.
selected = succeeded("SELECT x FROM numbers ORDER BY x")
pages = list(athena.get_paginator("get_query_results").paginate(QueryExecutionId=selected["QueryExecutionId"]))
values = [row["Data"][0]["VarCharValue"] for page in pages for row in page["ResultSet"]["Rows"]]
assert values == ["x", *map(str, range(1, 2501))]
assert selected["Statistics"]["DataScannedInBytes"] > 0
assert athena.get_query_runtime_statistics(QueryExecutionId=selected["QueryExecutionId"])["QueryRuntimeStatistics"]

# A work group that insists on its place, has tags, and stops what reads too much.
athena.create_work_group(
    Name=database,
    Configuration={
        "ResultConfiguration": {"OutputLocation": f"s3://{bucket}/forced/"},
        "EnforceWorkGroupConfiguration": True,
        "BytesScannedCutoffPerQuery": 10_000_000,
    },
    Tags=[{"Key": "team", "Value": "data"}],
)
forced = succeeded("SELECT 1", WorkGroup=database)
assert forced["ResultConfiguration"]["OutputLocation"].startswith(f"s3://{bucket}/forced/")
group = athena.get_work_group(WorkGroup="primary")["WorkGroup"]
assert group["Configuration"]["EnforceWorkGroupConfiguration"] is False
arn = f"arn:aws:athena:us-east-1:000000000000:workgroup/{database}"
assert athena.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "team", "Value": "data"}]
refused("InvalidRequestException", athena.delete_work_group, WorkGroup=database)
refused("InvalidRequestException", athena.get_work_group, WorkGroup="nobody")

# Prepared statements, by the API and in SQL.
athena.create_prepared_statement(
    StatementName="by_k", WorkGroup="primary", QueryStatement="SELECT count(*) FROM numbers WHERE k = ?"
)
for request in ({"sql": "EXECUTE by_k USING 3"}, {"sql": "EXECUTE by_k", "ExecutionParameters": ["3"]}):
    sql = request.pop("sql")
    executed = succeeded(sql, **request)
    rows = athena.get_query_results(QueryExecutionId=executed["QueryExecutionId"])["ResultSet"]["Rows"]
    assert rows[1]["Data"][0]["VarCharValue"] == "250"
athena.delete_prepared_statement(StatementName="by_k", WorkGroup="primary")
refused("ResourceNotFoundException", athena.get_prepared_statement, StatementName="by_k", WorkGroup="primary")

# One token, one execution; a result that is young enough is used again.
token = "t" * 32
first, second = (
    athena.start_query_execution(QueryString="SELECT 7", ClientRequestToken=token, ResultConfiguration=place)
    for _ in range(2)
)
assert first["QueryExecutionId"] == second["QueryExecutionId"]
reuse = {"ResultReuseConfiguration": {"ResultReuseByAgeConfiguration": {"Enabled": True, "MaxAgeInMinutes": 5}}}
states = [succeeded("SELECT 8", **reuse)["Statistics"]["ResultReuseInformation"] for _ in range(2)]
assert [state["ReusedPreviousResult"] for state in states] == [False, True]

# Errors: refused at once when it is no SQL, failed with a category when it is.
refused("InvalidRequestException", athena.start_query_execution, QueryString="SELEKT 1", ResultConfiguration=place)
failed = run("SELECT * FROM nowhere")["Status"]
assert failed["StateChangeReason"].startswith("TABLE_NOT_FOUND")
assert failed["AthenaError"]["ErrorCategory"] == 2

# The catalog through Athena.
tables = athena.list_table_metadata(CatalogName="AwsDataCatalog", DatabaseName=database, Expression="num.*")
assert [table["Name"] for table in tables["TableMetadataList"]] == ["numbers"]
refused(
    "MetadataException",
    athena.get_table_metadata,
    CatalogName="AwsDataCatalog",
    DatabaseName=database,
    TableName="nope",
)

"""What a user of the AWS CLI types: a database, a table of CSV files, a query, its result."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

bucket, database = sys.argv[1:]


def aws(*arguments: str) -> dict:
    done = subprocess.run(["aws", *arguments, "--output", "json"], check=True, capture_output=True, text=True)
    return json.loads(done.stdout) if done.stdout.strip() else {}


def run(sql: str) -> str:
    context = ("--query-execution-context", f"Database={database}")
    place = ("--result-configuration", f"OutputLocation=s3://{bucket}/results/")
    started = aws("athena", "start-query-execution", "--query-string", sql, *context, *place)
    while True:
        found = aws("athena", "get-query-execution", "--query-execution-id", started["QueryExecutionId"])
        status = found["QueryExecution"]["Status"]
        if status["State"] not in ("QUEUED", "RUNNING"):
            assert status["State"] == "SUCCEEDED", status
            return str(started["QueryExecutionId"])


Path("people.csv").write_text("id,name\n1,Ada\n2,Grace\n")
subprocess.run(["aws", "s3", "cp", "people.csv", f"s3://{bucket}/people/people.csv"], check=True)
aws("glue", "create-database", "--database-input", json.dumps({"Name": database}))
run(
    "CREATE EXTERNAL TABLE people (id int, name string) ROW FORMAT DELIMITED FIELDS TERMINATED BY ',' "
    f"LOCATION 's3://{bucket}/people/' TBLPROPERTIES ('skip.header.line.count'='1')"
)
rows = aws("athena", "get-query-results", "--query-execution-id", run("SELECT name FROM people ORDER BY id DESC"))
assert [row["Data"][0]["VarCharValue"] for row in rows["ResultSet"]["Rows"]] == ["name", "Grace", "Ada"]
assert aws("glue", "get-tables", "--database-name", database)["TableList"][0]["Name"] == "people"
assert aws("athena", "list-databases", "--catalog-name", "AwsDataCatalog")["DatabaseList"]

# Partitions by the API, filtered and in pages; versions; what a terminal shows.
table = aws("glue", "get-table", "--database-name", database, "--name", "people")["Table"]
place = {key: table["StorageDescriptor"][key] for key in ("Columns", "InputFormat", "OutputFormat", "SerdeInfo")}
keys = [{"Name": "year", "Type": "int"}]
days = {"Name": "days", "TableType": "EXTERNAL_TABLE", "PartitionKeys": keys, "StorageDescriptor": place}
of = ("--database-name", database, "--table-name", "days")
aws("glue", "create-table", "--database-name", database, "--table-input", json.dumps(days))
years = [
    {"Values": [str(year)], "StorageDescriptor": {**place, "Location": f"s3://{bucket}/days/{year}/"}}
    for year in range(2020, 2026)
]
assert aws("glue", "batch-create-partition", *of, "--partition-input-list", json.dumps(years)).get("Errors", []) == []
assert len(aws("glue", "get-partitions", *of, "--page-size", "2")["Partitions"]) == 6
filtered = aws("glue", "get-partitions", *of, "--expression", "year BETWEEN 2021 AND 2022")["Partitions"]
assert [partition["Values"] for partition in filtered] == [["2021"], ["2022"]]
first = aws("glue", "get-tables", "--database-name", database, "--max-items", "1")
rest = aws("glue", "get-tables", "--database-name", database, "--starting-token", first["NextToken"])
assert [table["Name"] for table in first["TableList"] + rest["TableList"]] == ["days", "people"]
shown = subprocess.run(
    ["aws", "glue", "get-tables", "--database-name", database, "--output", "table"],
    check=True,
    capture_output=True,
    text=True,
)
assert "GetTables" in shown.stdout
subprocess.run(["aws", "s3", "sync", ".", f"s3://{bucket}/copy/", "--exclude", "*", "--include", "*.csv"], check=True)
listed = subprocess.run(["aws", "s3", "ls", "--recursive", f"s3://{bucket}/copy/"], check=True, capture_output=True)
assert b"copy/people.csv" in listed.stdout
asked = ["aws", "glue", "get-table", "--database-name", database, "--name", "no"]
missing = subprocess.run(asked, check=False, capture_output=True)
assert b"(EntityNotFoundException)" in missing.stderr

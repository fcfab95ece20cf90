"""The Athena operations behave as the SDKs expect: executions, paging, stopping, and what a crash leaves behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from athena_fixtures import OUTPUT, AthenaClient, make_client

from headwater.stack.lakehouse.athena.control import Control
from headwater.stack.lakehouse.athena.executions import INTERRUPTED
from headwater.stack.lakehouse.athena.statement import read_statement
from headwater.stack.lakehouse.engine import EngineSettings, Session
from headwater.stack.lakehouse.errors import ApiError

SLOW = (
    "SELECT count(*) FROM UNNEST(sequence(1, 10000)) a(x) CROSS JOIN UNNEST(sequence(1, 10000)) b(y) "
    "CROSS JOIN UNNEST(sequence(1, 300)) c(z) WHERE x * y * z % 7 = 3"
)


@pytest.fixture
def athena(tmp_path: Path) -> Iterator[AthenaClient]:
    client = make_client(tmp_path)
    yield client
    client.lakehouse.close()


def test_an_execution_reports_what_athena_reports(athena: AthenaClient) -> None:
    execution = athena.run("SELECT 1 AS one, 'a' AS letter")
    identifier = execution["QueryExecutionId"]
    assert execution["StatementType"] == "DML"
    assert execution["SubstatementType"] == "SELECT"
    assert execution["WorkGroup"] == "primary"
    assert execution["EngineVersion"]["EffectiveEngineVersion"] == "Athena engine version 3"
    assert execution["ResultConfiguration"] == {"OutputLocation": f"{OUTPUT}{identifier}.csv"}
    assert execution["QueryExecutionContext"] == {"Database": "lake"}
    statistics = execution["Statistics"]
    assert statistics["DataScannedInBytes"] == 0
    assert statistics["ServicePreProcessingTimeInMillis"] >= 0
    assert statistics["TotalExecutionTimeInMillis"] >= statistics["EngineExecutionTimeInMillis"]
    assert execution["Status"]["CompletionDateTime"] >= execution["Status"]["SubmissionDateTime"]


def test_results_carry_athenas_column_info(athena: AthenaClient) -> None:
    identifier = athena.run("SELECT 1 AS n, CAST(1 AS decimal(10,2)) AS d, 'abc' AS s, 1e0")["QueryExecutionId"]
    answer = athena.call("GetQueryResults", QueryExecutionId=identifier)
    columns = answer["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]
    shown = [(c["Name"], c["Type"], c["Precision"], c["Scale"], c["CaseSensitive"]) for c in columns]
    assert shown == [
        ("n", "integer", 10, 0, False),
        ("d", "decimal", 10, 2, False),
        ("s", "varchar", 3, 0, True),
        ("_col3", "double", 17, 0, False),
    ]
    assert answer["UpdateCount"] == 0


def test_pages_have_a_thousand_rows_and_one_header(athena: AthenaClient) -> None:
    identifier = athena.run("SELECT x, 'line\nbreak' FROM UNNEST(sequence(1, 2500)) t(x) ORDER BY x")[
        "QueryExecutionId"
    ]
    sizes, first, token = [], [], None
    while True:
        request = {"NextToken": token} if token else {}
        answer = athena.call("GetQueryResults", QueryExecutionId=identifier, **request)
        rows = answer["ResultSet"]["Rows"]
        sizes.append(len(rows))
        first.append(rows[0]["Data"][0]["VarCharValue"])
        token = answer.get("NextToken")
        if not token:
            break
    assert sizes == [1000, 1000, 501]
    assert first == ["x", "1000", "2000"]


def test_a_page_size_and_a_foreign_token_are_checked(athena: AthenaClient) -> None:
    one = athena.run("SELECT x FROM UNNEST(sequence(1, 3)) t(x)")["QueryExecutionId"]
    two = athena.run("SELECT 1")["QueryExecutionId"]
    answer = athena.call("GetQueryResults", QueryExecutionId=one, MaxResults=2)
    assert len(answer["ResultSet"]["Rows"]) == 2
    assert (
        athena.refused("GetQueryResults", QueryExecutionId=two, NextToken=answer["NextToken"])["__type"]
        == "InvalidRequestException"
    )
    assert (
        athena.refused("GetQueryResults", QueryExecutionId=one, MaxResults=1001)["__type"] == "InvalidRequestException"
    )


def test_a_token_starts_one_execution(athena: AthenaClient) -> None:
    first = athena.start("SELECT 1", ClientRequestToken="t" * 32)
    assert athena.start("SELECT 1", ClientRequestToken="t" * 32) == first
    refusal = athena.refused(
        "StartQueryExecution",
        QueryString="SELECT 2",
        ClientRequestToken="t" * 32,
        ResultConfiguration={"OutputLocation": OUTPUT},
    )
    assert "Idempotent parameters do not match" in refusal["message"]


def test_stop_interrupts_a_running_query(athena: AthenaClient) -> None:
    identifier = athena.start(SLOW)
    while (
        athena.call("GetQueryExecution", QueryExecutionId=identifier)["QueryExecution"]["Status"]["State"] == "QUEUED"
    ):
        time.sleep(0.005)
    time.sleep(0.1)
    began = time.monotonic()
    athena.call("StopQueryExecution", QueryExecutionId=identifier)
    execution = athena.wait(identifier)
    assert execution["Status"]["State"] == "CANCELLED"
    assert time.monotonic() - began < 3
    assert athena.rows("SELECT 1") == [["1"]]


def test_more_queries_than_slots_wait_and_can_be_stopped_while_they_wait(athena: AthenaClient) -> None:
    running = [athena.start(SLOW) for _ in range(2)]
    time.sleep(0.1)
    waiting = athena.start("SELECT 1")
    time.sleep(0.05)
    assert athena.call("GetQueryExecution", QueryExecutionId=waiting)["QueryExecution"]["Status"]["State"] == "QUEUED"
    refusal = athena.refused("GetQueryResults", QueryExecutionId=waiting)
    assert refusal["message"] == "Query has not yet finished. Current state: QUEUED"
    for identifier in (waiting, *running):
        athena.call("StopQueryExecution", QueryExecutionId=identifier)
    assert {athena.wait(i)["Status"]["State"] for i in (waiting, *running)} == {"CANCELLED"}


def test_what_a_killed_process_left_is_failed_after_the_restart(tmp_path: Path) -> None:
    client = make_client(tmp_path)
    done = client.run("SELECT 42")["QueryExecutionId"]
    identifier = client.start(SLOW)
    time.sleep(0.1)
    # A second process sees what the first one acknowledged; the first one is still there, as after a kill -9 it is not.
    again = make_client(tmp_path)
    execution = again.call("GetQueryExecution", QueryExecutionId=identifier)["QueryExecution"]
    assert execution["Status"]["State"] == "FAILED"
    assert execution["Status"]["StateChangeReason"] == INTERRUPTED
    assert again.result(done) == [["_col0"], ["42"]]
    again.lakehouse.close()
    client.lakehouse.close()


def test_executions_are_listed_newest_first_by_page(athena: AthenaClient) -> None:
    started = [athena.run(f"SELECT {n}")["QueryExecutionId"] for n in range(3)]
    page = athena.call("ListQueryExecutions", MaxResults=2)
    rest = athena.call("ListQueryExecutions", MaxResults=2, NextToken=page["NextToken"])
    assert page["QueryExecutionIds"] + rest["QueryExecutionIds"] == started[::-1]
    assert "NextToken" not in rest
    batch = athena.call("BatchGetQueryExecution", QueryExecutionIds=[started[0], "nope"])
    assert [e["QueryExecutionId"] for e in batch["QueryExecutions"]] == [started[0]]
    assert batch["UnprocessedQueryExecutionIds"][0]["QueryExecutionId"] == "nope"


def test_an_output_location_is_needed_and_must_exist(athena: AthenaClient) -> None:
    assert "No output location provided" in athena.refused("StartQueryExecution", QueryString="SELECT 1")["message"]
    for wrong in (
        {"OutputLocation": "s3://nowhere/"},
        {"OutputLocation": OUTPUT, "ExpectedBucketOwner": "111111111111"},
    ):
        refused = athena.refused("StartQueryExecution", QueryString="SELECT 1", ResultConfiguration=wrong)
        assert refused["__type"] == "InvalidRequestException"
        assert refused["message"].startswith("Unable to verify/create output bucket ")


def test_parameters_take_the_place_of_question_marks(athena: AthenaClient) -> None:
    assert athena.rows("SELECT ?, '?', ? + 1", ExecutionParameters=["'it''s'", "41"]) == [["it's", "?", "42"]]
    # What is no literal is text, never part of the statement.
    assert athena.rows("SELECT ?", ExecutionParameters=["1); DROP"]) == [["1); DROP"]]
    assert athena.rows("SELECT 5 -?, 7", ExecutionParameters=["-1"]) == [["6", "7"]]
    assert athena.rows("SELECT ?, 2", ExecutionParameters=["1 -- 3"]) == [["1 -- 3", "2"]]
    refusal = athena.refused(
        "StartQueryExecution",
        QueryString="SELECT ?",
        ExecutionParameters=["1", "2"],
        ResultConfiguration={"OutputLocation": OUTPUT},
    )
    assert refusal["__type"] == "InvalidRequestException"


@pytest.mark.parametrize(
    ("sql", "place"),
    [
        ("SELECT 'x", "line 1:8: mismatched input '''"),
        ("CREATE TABLE t AS SELECT\n 'O'x' AS a", "line 2:6: mismatched input '''"),
        ("UNLOAD (SELECT 'x) TO 's3://b/'", "line 1:32: mismatched input '<EOF>'"),
        ('EXPLAIN SELECT "x', "line 1:16: mismatched input '\"'"),
        ("SELECT ?, 'x", "line 1:11: mismatched input '''"),
        ("\nCREATE VIEW v AS\n SELECT 'x", "line 2:9: mismatched input '''"),
    ],
)
def test_a_quote_that_is_not_closed_is_a_syntax_error_of_every_statement(
    athena: AthenaClient, sql: str, place: str
) -> None:
    parameters = {"ExecutionParameters": ["1"]} if "?" in sql else {}
    settings = {"OutputLocation": OUTPUT}
    refusal = athena.refused("StartQueryExecution", QueryString=sql, ResultConfiguration=settings, **parameters)
    assert refusal["__type"] == "InvalidRequestException"
    assert refusal["message"].startswith(place)


def test_ddl_results_are_text_without_a_header(athena: AthenaClient) -> None:
    athena.run("CREATE DATABASE lake")
    athena.run("CREATE EXTERNAL TABLE t (id int) STORED AS PARQUET LOCATION 's3://data/t/'")
    execution = athena.run("SHOW TABLES IN lake")
    assert execution["ResultConfiguration"]["OutputLocation"].endswith(".txt")
    assert athena.result(execution["QueryExecutionId"]) == [["t"]]
    assert athena.stored(execution) == b"t\n"
    reason = athena.failure("DROP DATABASE nope")
    assert "nope" in reason


def test_metadata_of_the_catalog_is_served(athena: AthenaClient) -> None:
    athena.run("CREATE DATABASE lake")
    athena.run("CREATE EXTERNAL TABLE t (id int) PARTITIONED BY (day string) STORED AS PARQUET LOCATION 's3://data/t/'")
    assert athena.call("ListDataCatalogs")["DataCatalogsSummary"] == [{"CatalogName": "AwsDataCatalog", "Type": "GLUE"}]
    assert athena.call("GetDatabase", CatalogName="AwsDataCatalog", DatabaseName="lake")["Database"]["Name"] == "lake"
    table = athena.call("GetTableMetadata", CatalogName="AwsDataCatalog", DatabaseName="lake", TableName="t")[
        "TableMetadata"
    ]
    assert [c["Name"] for c in table["Columns"] + table["PartitionKeys"]] == ["id", "day"]
    listed = athena.call("ListTableMetadata", CatalogName="AwsDataCatalog", DatabaseName="lake", Expression="t.*")
    assert [t["Name"] for t in listed["TableMetadataList"]] == ["t"]
    assert (
        athena.refused("GetTableMetadata", CatalogName="AwsDataCatalog", DatabaseName="lake", TableName="no")["__type"]
        == "MetadataException"
    )


def test_metadata_flattens_the_storage_of_a_table_and_of_a_view(athena: AthenaClient) -> None:
    athena.run("CREATE DATABASE lake")
    athena.run(
        "CREATE EXTERNAL TABLE t (id int COMMENT '') ROW FORMAT DELIMITED FIELDS TERMINATED BY ',' LOCATION 's3://data/t/'"
    )
    athena.run("CREATE VIEW v AS SELECT * FROM t")
    place = {"CatalogName": "AwsDataCatalog", "DatabaseName": "lake"}
    table = athena.call("GetTableMetadata", **place, TableName="t")["TableMetadata"]["Parameters"]
    assert table["location"] == "s3://data/t"
    assert table["serde.serialization.lib"].endswith("LazySimpleSerDe")
    assert table["serde.param.field.delim"] == ","
    # A view's place is an empty text; formats and SerDe, which it has none of, are not named.
    view = athena.call("GetTableMetadata", **place, TableName="v")["TableMetadata"]["Parameters"]
    assert view["location"] == ""
    assert {"inputformat", "outputformat", "serde.serialization.lib"}.isdisjoint(view)
    listed = athena.call("ListTableMetadata", **place)["TableMetadataList"]
    assert [item["Parameters"] for item in listed] == [table, view]


def test_a_work_group_may_leave_its_results_to_athena(tmp_path: Path) -> None:
    athena = make_client(tmp_path)
    managed = {"ManagedQueryResultsConfiguration": {"Enabled": True}}
    athena.call("CreateWorkGroup", Name="kept", Configuration=managed)
    athena.run("CREATE DATABASE lake")
    athena.run("CREATE EXTERNAL TABLE t (a int) STORED AS PARQUET LOCATION 's3://data/t/'")
    kept: dict[str, Any] = {"WorkGroup": "kept", "ResultConfiguration": {}}
    for sql, rows in (
        ("SELECT 1 AS a, CAST(NULL AS varchar) AS b", [["a", "b"], ["1", None]]),
        ("SHOW TABLES IN lake", [["t"]]),
        ("INSERT INTO t VALUES 1, 2", []),
    ):
        execution = athena.run(sql, **kept)
        assert execution["ResultConfiguration"] == {}
        assert execution["ManagedQueryResultsConfiguration"] == {"Enabled": True}
        assert "DataManifestLocation" not in execution["Statistics"]
        assert athena.result(execution["QueryExecutionId"]) == rows
    written = {"QueryExecutionId": execution["QueryExecutionId"], "QueryResultType": "DATA_MANIFEST"}
    (file,) = athena.call("GetQueryResults", **written)["ResultSet"]["Rows"]
    assert file["Data"][0]["VarCharValue"].startswith("s3://data/t/")
    assert "external_location" in athena.failure("CREATE TABLE c AS SELECT 1 AS a", **kept)
    athena.lakehouse.close()


def test_managed_results_are_kept_for_a_day(tmp_path: Path) -> None:
    later = [0.0]
    athena = make_client(tmp_path, lambda: time.time() + later[0])
    managed = {"ManagedQueryResultsConfiguration": {"Enabled": True}}
    athena.call("CreateWorkGroup", Name="kept", Configuration=managed)
    identifier = athena.run("SELECT 1", WorkGroup="kept", ResultConfiguration={})["QueryExecutionId"]
    later[0] = 24 * 3600 - 60
    assert athena.result(identifier) == [["_col0"], ["1"]]
    later[0] = 24 * 3600 + 60
    refused = athena.refused("GetQueryResults", QueryExecutionId=identifier)
    assert "kept for 24 hours" in refused["message"]
    athena.lakehouse.close()


def test_results_go_to_a_bucket_or_to_athena_but_never_to_both(tmp_path: Path) -> None:
    athena = make_client(tmp_path)
    managed = {"ManagedQueryResultsConfiguration": {"Enabled": True}}
    bucket = {"ResultConfiguration": {"OutputLocation": "s3://results/"}}
    update = {"ManagedQueryResultsConfigurationUpdates": {"Enabled": True}}
    athena.call("CreateWorkGroup", Name="w", Configuration=bucket)
    for operation, request in (
        ("CreateWorkGroup", {"Name": "both", "Configuration": {**managed, **bucket}}),
        ("UpdateWorkGroup", {"WorkGroup": "w", "ConfigurationUpdates": update}),
    ):
        assert "cannot be set together" in athena.refused(operation, **request)["message"]
    moved = {**update, "ResultConfigurationUpdates": {"RemoveOutputLocation": True}}
    athena.call("UpdateWorkGroup", WorkGroup="w", ConfigurationUpdates=moved)
    started = {"QueryString": "SELECT 1", "WorkGroup": "w", **bucket}
    assert "cannot be set together" in athena.refused("StartQueryExecution", **started)["message"]
    back = {"ManagedQueryResultsConfigurationUpdates": {"Enabled": False}}
    athena.call("UpdateWorkGroup", WorkGroup="w", ConfigurationUpdates=back)
    assert athena.wait(athena.call("StartQueryExecution", **started)["QueryExecutionId"])["ResultConfiguration"]
    athena.lakehouse.close()


def test_work_groups_are_kept_and_give_the_output_location(tmp_path: Path) -> None:
    client = make_client(tmp_path)
    client.call(
        "CreateWorkGroup", Name="team", Configuration={"ResultConfiguration": {"OutputLocation": "s3://results/team/"}}
    )
    client.lakehouse.close()
    client = make_client(tmp_path)
    execution = client.wait(
        client.call("StartQueryExecution", QueryString="SELECT 1", WorkGroup="team")["QueryExecutionId"]
    )
    assert execution["ResultConfiguration"]["OutputLocation"].startswith("s3://results/team/")
    assert {g["Name"] for g in client.call("ListWorkGroups")["WorkGroups"]} == {"primary", "team"}
    client.call("UpdateWorkGroup", WorkGroup="team", State="DISABLED")
    assert "disabled" in client.refused("StartQueryExecution", QueryString="SELECT 1", WorkGroup="team")["message"]
    client.call("DeleteWorkGroup", WorkGroup="team", RecursiveDeleteOption=True)
    assert "not found" in client.refused("GetWorkGroup", WorkGroup="team")["message"]
    client.lakehouse.close()


def test_named_queries_are_kept(athena: AthenaClient) -> None:
    identifier = athena.call("CreateNamedQuery", Name="n", Database="lake", QueryString="SELECT 1")["NamedQueryId"]
    assert athena.call("GetNamedQuery", NamedQueryId=identifier)["NamedQuery"]["QueryString"] == "SELECT 1"
    assert athena.call("ListNamedQueries")["NamedQueryIds"] == [identifier]


def test_an_operation_that_is_missing_is_named(athena: AthenaClient) -> None:
    assert "CreateNotebook" in athena.refused("CreateNotebook")["message"]


def test_many_queries_at_once_all_succeed(athena: AthenaClient) -> None:
    base = athena.storage.root / "data" / "many"
    base.mkdir(parents=True)
    duckdb.connect().execute(f"COPY (SELECT range::int id FROM range(1000)) TO '{base}/a.parquet'")
    athena.run("CREATE DATABASE lake")
    athena.run("CREATE EXTERNAL TABLE many (id int) STORED AS PARQUET LOCATION 's3://data/many/'")
    found: list[str | None] = []
    threads = [
        threading.Thread(target=lambda n=n: found.append(athena.rows(f"SELECT sum(id) + {n} - {n} FROM many")[0][0]))
        for n in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["499500"] * 20


def test_a_stop_between_two_statements_of_a_query_is_not_lost(tmp_path: Path) -> None:
    session = Session(EngineSettings(tmp_path, slots=1, threads=1))
    control = Control()
    with pytest.raises(duckdb.InterruptException), control.attached(session):
        control.stop()
        time.sleep(0.05)
        session.connection.execute(
            "SELECT count(*) FROM range(100000) a, range(100000) b WHERE a.range * b.range % 7 = 3"
        )
    session.close()


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT ';' AS a",
        "SHOW TABLES",
        "CREATE VIEW v AS SELECT 1 AS a",
        "CREATE TABLE t AS SELECT 1 AS a",
        "INSERT INTO t VALUES (';')",
        "UNLOAD (SELECT 1) TO 's3://b/x/' WITH (format = 'PARQUET')",
        "VACUUM t",
        "EXPLAIN SELECT 1",
        "DEALLOCATE PREPARE p",
        "EXECUTE p",
    ],
)
def test_a_semicolon_ends_a_statement_and_comments_may_follow(statement: str) -> None:
    for ending in (";", "; -- it's over; really", " ;\n/* a; */ -- b\n"):
        assert type(read_statement(statement + ending)) is type(read_statement(statement))
    for second in ("SELECT 1", "SHOW TABLES"):
        text = f"{statement}; {second}"
        with pytest.raises(ApiError) as refusal:
            read_statement(text)
        assert refusal.value.message == f"Only one sql statement is allowed. Got: {text}"

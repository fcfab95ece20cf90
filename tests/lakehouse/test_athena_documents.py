"""Work groups, tags, named queries and prepared statements are kept, and work groups decide about their queries."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from athena_fixtures import OUTPUT, SCOPE, AthenaClient, make_client

from headwater.stack.lakehouse.athena import control


@pytest.fixture
def athena(tmp_path: Path) -> Iterator[AthenaClient]:
    client = make_client(tmp_path)
    yield client
    client.lakehouse.close()


def test_primary_is_there_and_stays(athena: AthenaClient) -> None:
    group = athena.call("GetWorkGroup", WorkGroup="primary")["WorkGroup"]
    assert group["State"] == "ENABLED"
    assert group["Configuration"]["EnforceWorkGroupConfiguration"] is False
    assert group["Configuration"]["EngineVersion"]["EffectiveEngineVersion"] == "Athena engine version 3"
    assert group["CreationTime"] == athena.call("GetWorkGroup", WorkGroup="primary")["WorkGroup"]["CreationTime"] > 0
    assert athena.refused("DeleteWorkGroup", WorkGroup="primary")["__type"] == "InvalidRequestException"


def test_a_work_group_is_created_changed_and_deleted(athena: AthenaClient) -> None:
    tags = [{"Key": "team", "Value": "data"}]
    athena.call("CreateWorkGroup", Name="team", Configuration={}, Tags=tags)
    arn = "arn:aws:athena:us-east-1:000000000000:workgroup/team"
    assert athena.call("ListTagsForResource", ResourceARN=arn)["Tags"] == tags
    athena.call("TagResource", ResourceARN=arn, Tags=[{"Key": "more", "Value": "1"}])
    athena.call("UntagResource", ResourceARN=arn, TagKeys=["team"])
    assert athena.call("ListTagsForResource", ResourceARN=arn)["Tags"] == [{"Key": "more", "Value": "1"}]
    assert athena.refused("CreateWorkGroup", Name="team")["message"] == "WorkGroup is already created"
    updates = {"ResultConfigurationUpdates": {"OutputLocation": "s3://results/team/"}}
    athena.call("UpdateWorkGroup", WorkGroup="team", ConfigurationUpdates=updates, State="DISABLED")
    refusal = athena.refused("StartQueryExecution", QueryString="SELECT 1", WorkGroup="team")
    assert refusal["message"] == "WorkGroup team is disabled."
    athena.call("UpdateWorkGroup", WorkGroup="team", State="ENABLED")
    athena.run("SELECT 1", WorkGroup="team", ResultConfiguration={})
    assert athena.refused("DeleteWorkGroup", WorkGroup="team")["message"] == "WorkGroup team is not empty"
    athena.call("DeleteWorkGroup", WorkGroup="team", RecursiveDeleteOption=True)
    assert [g["Name"] for g in athena.call("ListWorkGroups")["WorkGroups"]] == ["primary"]


def test_the_limit_of_scanned_bytes_cancels_the_query(athena: AthenaClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "_WATCH_SECONDS", 0.001)
    athena.run("CREATE DATABASE lake")
    rows = "SELECT x * 10000 + y AS a, md5(to_utf8(CAST(x * 10000 + y AS varchar))) AS b "
    numbers = "FROM UNNEST(sequence(1, 10000)) s(x) CROSS JOIN UNNEST(sequence(1, 80)) u(y)"
    athena.run(f"CREATE TABLE big WITH (write_compression = 'NONE') AS {rows}{numbers}")
    limit = {"BytesScannedCutoffPerQuery": 10_000_000, "EnforceWorkGroupConfiguration": False}
    assert (
        "greater than or equal to 10000000"
        in athena.refused("CreateWorkGroup", Name="tiny", Configuration={"BytesScannedCutoffPerQuery": 5})["message"]
    )
    athena.call("CreateWorkGroup", Name="small", Configuration=limit)
    status = athena.wait(athena.start("SELECT max(b) FROM big", WorkGroup="small"))["Status"]
    assert (status["State"], status["StateChangeReason"]) == ("CANCELLED", "Bytes scanned limit was exceeded")
    assert athena.run("SELECT count(*) FROM big", WorkGroup="small")


def test_a_work_group_that_insists_decides_how_results_are_stored(athena: AthenaClient) -> None:
    sealed = {"EncryptionConfiguration": {"EncryptionOption": "SSE_S3"}}
    results = {"OutputLocation": f"{OUTPUT}team", **sealed}
    nowhere = athena.refused(
        "CreateWorkGroup", Name="t", Configuration={"ResultConfiguration": {"OutputLocation": "x"}}
    )
    assert nowhere["message"] == "outputLocation is not a valid S3 path."
    athena.call("CreateWorkGroup", Name="team", Configuration={"ResultConfiguration": results})
    stored = athena.run("SELECT 1", WorkGroup="team")["ResultConfiguration"]
    assert stored["EncryptionConfiguration"] == sealed["EncryptionConfiguration"]
    assert stored["OutputLocation"].startswith(f"{OUTPUT}team/")
    athena.call("UpdateWorkGroup", WorkGroup="team", ConfigurationUpdates={"EnforceWorkGroupConfiguration": False})
    stored = athena.run("SELECT 1", WorkGroup="team")["ResultConfiguration"]
    assert set(stored) == {"OutputLocation"}
    stored = athena.run("SELECT 1", WorkGroup="team", ResultConfiguration={})["ResultConfiguration"]
    assert stored["EncryptionConfiguration"] == sealed["EncryptionConfiguration"]


def test_prepared_statements_run_with_their_parameters(athena: AthenaClient) -> None:
    athena.call("CreatePreparedStatement", StatementName="p", WorkGroup="primary", QueryStatement="SELECT ?, ? + 1")
    assert athena.rows("EXECUTE p USING 'it''s', 41") == [["it's", "42"]]
    assert athena.rows('EXECUTE "p"', ExecutionParameters=["x", "1"]) == [["x", "2"]]
    assert (
        "Incorrect number of parameters"
        in athena.refused(
            "StartQueryExecution", QueryString="EXECUTE p USING 1", ResultConfiguration={"OutputLocation": OUTPUT}
        )["message"]
    )
    athena.call("UpdatePreparedStatement", StatementName="p", WorkGroup="primary", QueryStatement="SELECT 3")
    assert athena.rows("EXECUTE p") == [["3"]]
    found = athena.call("BatchGetPreparedStatement", PreparedStatementNames=["p", "q"], WorkGroup="primary")
    assert [s["QueryStatement"] for s in found["PreparedStatements"]] == ["SELECT 3"]
    assert found["UnprocessedPreparedStatementNames"][0]["StatementName"] == "q"
    athena.run("PREPARE again FROM SELECT 5")
    assert athena.rows("EXECUTE again") == [["5"]]
    athena.run("DEALLOCATE PREPARE again")
    assert athena.failure("EXECUTE again").startswith("NOT_FOUND: line 1:1: Prepared statement not found: again")
    athena.call("DeletePreparedStatement", StatementName="p", WorkGroup="primary")
    gone = athena.refused("GetPreparedStatement", StatementName="p", WorkGroup="primary")
    assert gone["__type"] == "ResourceNotFoundException"


def test_a_young_result_is_used_again_when_asked(athena: AthenaClient) -> None:
    reuse = {"ResultReuseConfiguration": {"ResultReuseByAgeConfiguration": {"Enabled": True, "MaxAgeInMinutes": 5}}}
    first, second = athena.run("SELECT random()", **reuse), athena.run("SELECT random()", **reuse)
    assert first["Statistics"]["ResultReuseInformation"] == {"ReusedPreviousResult": False}
    assert second["Statistics"]["ResultReuseInformation"] == {"ReusedPreviousResult": True}
    assert second["QueryExecutionId"] != first["QueryExecutionId"]
    results = [athena.call("GetQueryResults", QueryExecutionId=e["QueryExecutionId"]) for e in (first, second)]
    assert results[0] == results[1]
    assert [c["Name"] for c in results[1]["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]] == ["_col0"]
    elsewhere = {"ResultConfiguration": {"OutputLocation": "s3://results/elsewhere/"}}
    third = athena.run("SELECT random()", **reuse, **elsewhere)
    assert third["Statistics"]["ResultReuseInformation"] == {"ReusedPreviousResult": False}
    assert athena.rows("SELECT random()") != athena.result(first["QueryExecutionId"])[1:]


def test_a_result_is_not_used_again_when_it_is_gone_or_too_old(tmp_path: Path) -> None:
    moments = [1_000_000.0]
    athena = make_client(tmp_path, lambda: moments[-1])
    reuse = {"ResultReuseConfiguration": {"ResultReuseByAgeConfiguration": {"Enabled": True, "MaxAgeInMinutes": 5}}}

    def reused() -> bool:
        execution = athena.run("SELECT 1", **reuse)
        return bool(execution["Statistics"]["ResultReuseInformation"]["ReusedPreviousResult"])

    assert (reused(), reused()) == (False, True)
    moments.append(1_000_200.0)
    assert reused()
    moments.append(1_000_400.0)  # what reused the result is young, but the result is not
    assert (reused(), reused()) == (False, True)
    for result in (tmp_path / "s3" / "results" / "out").glob("*.csv"):
        result.unlink()
    assert (reused(), reused()) == (False, True)
    athena.lakehouse.close()


def test_named_queries_are_listed_by_page(athena: AthenaClient) -> None:
    made = [
        athena.call("CreateNamedQuery", Name=f"q{i}", Database="lake", QueryString=f"SELECT {i}")["NamedQueryId"]
        for i in range(3)
    ]
    page = athena.call("ListNamedQueries", MaxResults=2)
    rest = athena.call("ListNamedQueries", MaxResults=2, NextToken=page["NextToken"])
    assert sorted([*page["NamedQueryIds"], *rest["NamedQueryIds"]]) == sorted(made)
    athena.call("DeleteNamedQuery", NamedQueryId=page["NamedQueryIds"][1])  # the token outlives the item it names
    assert athena.call("ListNamedQueries", NextToken=page["NextToken"]) == rest
    assert athena.refused("ListNamedQueries", NextToken="-1")["message"] == "Invalid token"
    made = [page["NamedQueryIds"][0]]
    athena.call("UpdateNamedQuery", NamedQueryId=made[0], Name="renamed", QueryString="SELECT 9")
    assert athena.call("GetNamedQuery", NamedQueryId=made[0])["NamedQuery"]["QueryString"] == "SELECT 9"


def test_changes_at_the_same_time_are_all_kept_and_a_name_is_taken_once(athena: AthenaClient) -> None:
    arn = "arn:aws:athena:us-east-1:000000000000:workgroup/primary"
    updates = [{"RequesterPaysEnabled": True}, {"PublishCloudWatchMetricsEnabled": True}]

    def change(number: int) -> bool:
        athena.call("TagResource", ResourceARN=arn, Tags=[{"Key": f"k{number}", "Value": ""}])
        athena.call("UpdateWorkGroup", WorkGroup="primary", ConfigurationUpdates=updates[number % 2])
        request = json.dumps({"Name": "team"}).encode()
        return athena.lakehouse.call("AmazonAthena.CreateWorkGroup", SCOPE, request)[0] == 200

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(change, range(40))) == 1
    assert len(athena.call("ListTagsForResource", ResourceARN=arn)["Tags"]) == 40
    configuration = athena.call("GetWorkGroup", WorkGroup="primary")["WorkGroup"]["Configuration"]
    assert all(configuration[name] for update in updates for name in update)


def test_the_statistics_of_a_run_are_those_of_its_one_stage(athena: AthenaClient) -> None:
    execution = athena.run("SELECT 1 AS one UNION ALL SELECT 22")
    found = athena.call("GetQueryRuntimeStatistics", QueryExecutionId=execution["QueryExecutionId"])
    statistics = found["QueryRuntimeStatistics"]
    rows = {"InputBytes": 0, "OutputRows": 2, "OutputBytes": len(b'"one"\n"1"\n"22"\n')}
    assert statistics["Rows"] == rows
    stage = {"StageId": 0, "State": "FINISHED", "SubStages": [], **rows}
    assert {key: statistics["OutputStage"][key] for key in stage} == stage
    assert statistics["Timeline"]["TotalExecutionTimeInMillis"] >= statistics["OutputStage"]["ExecutionTime"]


def test_the_statistics_of_a_write_count_the_files_that_it_wrote(athena: AthenaClient) -> None:
    athena.run("CREATE DATABASE IF NOT EXISTS lake")
    for statement, rows in (
        ("CREATE TABLE made WITH (external_location = 's3://data/made/') AS SELECT 1 AS a", 1),
        ("INSERT INTO made VALUES 2, 3", 2),
    ):
        before = {path: path.stat().st_size for path in (athena.storage.root / "data").rglob("*") if path.is_file()}
        identifier = athena.run(statement)["QueryExecutionId"]
        found = athena.call("GetQueryRuntimeStatistics", QueryExecutionId=identifier)["QueryRuntimeStatistics"]
        files = [path for path in (athena.storage.root / "data").rglob("*") if path.is_file() and path not in before]
        written = sum(path.stat().st_size for path in files)
        assert found["Rows"] == {"InputBytes": 0, "OutputRows": rows, "OutputBytes": written}
        assert found["OutputStage"]["OutputBytes"] == written


def test_a_plan_is_shown_without_running_the_query(athena: AthenaClient) -> None:
    execution = athena.run("EXPLAIN SELECT 1 AS one")
    assert execution["SubstatementType"] == "EXPLAIN"
    assert athena.result(execution["QueryExecutionId"])[:2] == [["Query Plan"], ["Output[one integer]"]]
    valid = athena.run("EXPLAIN (TYPE VALIDATE) SELECT 1 AS one")
    assert athena.result(valid["QueryExecutionId"]) == [["Valid"], ["true"]]
    assert athena.failure("EXPLAIN (TYPE VALIDATE) SELECT one").startswith("COLUMN_NOT_FOUND: line 1:32")


def test_explaining_a_statement_that_writes_shows_its_plan_and_writes_nothing(athena: AthenaClient) -> None:
    athena.run("CREATE DATABASE IF NOT EXISTS lake")
    athena.run("CREATE TABLE made WITH (external_location = 's3://data/made/') AS SELECT 1 AS a, 'x' AS b")
    ice = "WITH (table_type = 'ICEBERG', is_external = false, location = 's3://data/ice/')"
    athena.run(f"CREATE TABLE ice {ice} AS SELECT 1 AS a, 'x' AS b")
    before = sorted(path for path in (athena.storage.root / "data").rglob("*"))
    for statement, table in (
        ("INSERT INTO made SELECT a + 1, b FROM made", "made"),
        ("CREATE TABLE other AS SELECT * FROM made", "other"),
        ("CREATE TABLE empty AS SELECT * FROM made WITH NO DATA", "empty"),
        (f"CREATE TABLE other {ice.replace('ice/', 'other/')} AS SELECT * FROM made", "other"),
        ("INSERT INTO ice SELECT * FROM made", "ice"),
        ("DELETE FROM ice WHERE a = 1", "ice"),
        ("UPDATE ice SET b = 'y'", "ice"),
        ("MERGE INTO ice AS t USING made AS s ON t.a = s.a WHEN MATCHED THEN DELETE", "ice"),
    ):
        plan = athena.result(athena.run(f"EXPLAIN {statement}")["QueryExecutionId"])
        assert plan[:3] == [["Query Plan"], ["Output[rows bigint]"], [f"  TableWriter[awsdatacatalog:lake.{table}]"]]
        assert athena.result(athena.run(f"EXPLAIN (TYPE VALIDATE) {statement}")["QueryExecutionId"])[1] == ["true"]
    unload = "UNLOAD (SELECT * FROM made) TO 's3://data/unloaded/' WITH (format = 'JSON')"
    plan = athena.result(athena.run(f"EXPLAIN (TYPE DISTRIBUTED) {unload}")["QueryExecutionId"])
    assert plan[1:4] == [["Fragment 0 [SINGLE]"], ["Output[rows bigint]"], ["  TableScan[awsdatacatalog:lake.made]"]]
    for statement, code in (
        ("INSERT INTO made SELECT 'x', b FROM made", "TYPE_MISMATCH"),
        ("INSERT INTO made SELECT c FROM made", "COLUMN_NOT_FOUND: line 1:49"),
        ("CREATE TABLE made AS SELECT 1 AS a", "TABLE_ALREADY_EXISTS"),
        ("DELETE FROM made", "NOT_SUPPORTED: Cannot delete from non-managed Hive table"),
        ("VACUUM ice", "NOT_SUPPORTED: EXPLAIN VACUUM"),
        ("DROP TABLE made", "NOT_SUPPORTED: EXPLAIN DROP"),
    ):
        assert athena.failure(f"EXPLAIN (TYPE VALIDATE) {statement}").startswith(code)
    assert athena.failure("EXPLAIN ANALYZE DELETE FROM ice").startswith("NOT_SUPPORTED: EXPLAIN ANALYZE DELETE")
    assert sorted(path for path in (athena.storage.root / "data").rglob("*")) == before
    assert athena.result(athena.run("SHOW TABLES")["QueryExecutionId"]) == [["ice"], ["made"]]


def test_explain_analyze_writes_what_the_statement_writes(athena: AthenaClient) -> None:
    athena.run("CREATE DATABASE IF NOT EXISTS lake")
    for statement, head in (
        ("CREATE TABLE made AS SELECT 1 AS a", ["  Output: 1 rows", "  TableWriter[awsdatacatalog:lake.made]"]),
        ("INSERT INTO made VALUES 2, 3", ["  Output: 2 rows", "  TableWriter[awsdatacatalog:lake.made]"]),
        (
            "UNLOAD (SELECT * FROM made) TO 's3://data/shown/' WITH (format = 'JSON')",
            ["  Output: 3 rows", "  TableScan[awsdatacatalog:lake.made]"],
        ),
    ):
        plan = athena.result(athena.run(f"EXPLAIN ANALYZE {statement}")["QueryExecutionId"])
        assert [row[0] for row in plan[2:4]] == head
    tree = athena.result(athena.run("EXPLAIN ANALYZE (FORMAT JSON) INSERT INTO made VALUES 4")["QueryExecutionId"])
    assert "Output: 1 rows" in json.loads("\n".join(str(row[0]) for row in tree[1:]))["details"]
    assert athena.rows("SELECT array_agg(a ORDER BY a) FROM made") == [["[1, 2, 3, 4]"]]
    assert len(list((athena.storage.root / "data/shown").iterdir())) == 1
    analyzed = athena.result(athena.run("EXPLAIN ANALYZE SELECT a FROM made")["QueryExecutionId"])
    assert not any("SELECT" in str(row[0]) or "EXPLAIN" in str(row[0]) for row in analyzed)


def test_a_plan_has_the_form_that_was_asked_for(athena: AthenaClient) -> None:
    def plan(options: str, query: str = "SELECT a FROM made") -> str:
        rows = athena.result(athena.run(f"EXPLAIN {options} {query}")["QueryExecutionId"])
        return "\n".join(str(row[0]) for row in rows[1:])

    athena.run("CREATE DATABASE IF NOT EXISTS lake")
    athena.run("CREATE TABLE made AS SELECT 1 AS a")
    tree = json.loads(plan("(FORMAT JSON, TYPE LOGICAL)"))
    assert (tree["name"], tree["outputs"]) == ("Output", [{"symbol": "a", "type": "integer"}])
    assert json.loads(plan("(TYPE DISTRIBUTED, FORMAT JSON)"))["0"] == tree
    assert json.loads(plan("ANALYZE (FORMAT JSON)"))["children"][0]["details"][-1] == "Output: 1 rows"
    assert plan("(FORMAT GRAPHVIZ)").startswith('digraph logical_plan {\nlabel = "SINGLE"\nplannode_0[label="{Output|')
    made = {"catalog": "awsdatacatalog", "schemaTable": {"schema": "lake", "table": "made"}}
    reading = json.loads(plan("(TYPE IO, FORMAT JSON)", "SELECT x.a FROM made AS x, made AS y"))
    assert [info["table"] for info in reading["inputTableColumnInfos"]] == [made]
    assert "outputTable" not in reading
    assert json.loads(plan("(TYPE IO)", "INSERT INTO made VALUES 1"))["outputTable"] == made
    assert athena.failure("EXPLAIN (TYPE IO, FORMAT GRAPHVIZ) SELECT 1").startswith("NOT_SUPPORTED: EXPLAIN (TYPE IO")
    place = {"ResultConfiguration": {"OutputLocation": OUTPUT}}
    for wrong in ("(FORMAT XML)", "(TYPE IO FORMAT JSON)", "ANALYZE (TYPE LOGICAL)", "ANALYZE (FORMAT GRAPHVIZ)"):
        refused = athena.refused("StartQueryExecution", QueryString=f"EXPLAIN {wrong} SELECT 1", **place)
        assert "mismatched input" in refused["message"]


def test_a_registered_catalog_of_the_own_account_is_a_name_of_the_same_tables(athena: AthenaClient) -> None:
    athena.run("CREATE DATABASE IF NOT EXISTS lake")
    athena.run("CREATE TABLE t AS SELECT 1 AS a")
    for name, account in (("c1", "000000000000"), ("c2", "000000000001")):
        athena.call("CreateDataCatalog", Name=name, Type="GLUE", Parameters={"catalog-id": account})
    assert athena.rows("SELECT a, lake.t.a, c1.lake.t.a FROM C1.lake.t") == [["1", "1", "1"]]
    athena.run("CREATE VIEW v AS SELECT * FROM c1.lake.t")
    assert athena.rows("SELECT c1.lake.v.a FROM c1.lake.v") == [["1"]]
    listed = "SELECT table_name FROM c1.information_schema.tables WHERE table_schema = 'lake' ORDER BY 1"
    assert athena.rows(listed) == [["t"], ["v"]]
    assert athena.rows("SELECT a FROM t", QueryExecutionContext={"Catalog": "c1", "Database": "lake"}) == [["1"]]
    athena.run("INSERT INTO c1.lake.t VALUES 2")
    athena.run("CREATE TABLE c1.lake.made AS SELECT a FROM c1.lake.t")
    shown = athena.run("SHOW TABLES IN c1.lake")["QueryExecutionId"]
    assert athena.result(shown) == [["made"], ["t"], ["v"]]
    athena.run("DROP TABLE `c1`.lake.made")
    for refused in (
        "INSERT INTO {}.lake.t VALUES 3",
        "SHOW TABLES IN {}.lake",
        "DROP TABLE {}.lake.t",
        "DESCRIBE {}.lake.t",
    ):
        assert athena.failure(refused.format("c2")).startswith("NOT_SUPPORTED: data catalog c2 of type GLUE")
        assert athena.failure(refused.format("c3")).startswith("CATALOG_NOT_FOUND: Catalog 'c3' does not exist")
    assert athena.failure("SELECT * FROM c2.lake.t").startswith(
        "NOT_SUPPORTED: line 1:15: data catalog c2 of type GLUE"
    )
    assert athena.failure("SELECT * FROM c3.lake.t").startswith("CATALOG_NOT_FOUND: line 1:15")


def test_what_a_prepared_statement_is_given_are_expressions(athena: AthenaClient) -> None:
    athena.run("PREPARE p FROM SELECT ? * 2, typeof(?), ?")
    assert athena.rows("EXECUTE p USING 1 + 1, X'AB', ROW(1, 'a')") == [["4", "varbinary", "{field0=1, field1=a}"]]
    assert athena.rows("EXECUTE p USING -1, JSON '1', map(ARRAY[1, 2], ARRAY['a', 'b'])") == [
        ["-2", "json", "{1=a, 2=b}"]
    ]
    given = ["1", "Washington", "date_add('day', 1, DATE '2020-01-01')"]
    assert athena.rows("EXECUTE p", ExecutionParameters=given) == [["2", "varchar(10)", given[2]]]
    assert athena.failure("EXECUTE p USING 1, 2, abc").startswith(
        "NOT_SUPPORTED: the parameter abc, which is not a const"
    )
    place = {"ResultConfiguration": {"OutputLocation": OUTPUT}}
    refused = athena.refused("StartQueryExecution", QueryString="EXECUTE p USING 1, , 2", **place)
    assert "line 1:20: mismatched input" in refused["message"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SELEC 1", "line 1:16: mismatched input 'SELEC'"),
        ("SELECT order FROM t", "line 1:23: mismatched input 'order'"),
        ("CREATE EXTERNAL TABLE t (a int) LOCATION 's3://data/'", "line 1:16: mismatched input 'CREATE'"),
        ("", "line 1:15: mismatched input '<EOF>'"),
    ],
)
def test_what_is_prepared_has_to_be_of_the_grammar(athena: AthenaClient, text: str, message: str) -> None:
    place = {"ResultConfiguration": {"OutputLocation": OUTPUT}}
    refused = athena.refused("StartQueryExecution", QueryString=f"PREPARE p FROM {text}", **place)
    assert refused["message"].startswith(message)

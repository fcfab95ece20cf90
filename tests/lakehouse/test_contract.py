"""Requests that break AWS's description of the APIs are refused with AWS's words, before anything is done."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from athena_fixtures import OUTPUT, SCOPE, AthenaClient, make_client

LAMBDA = "arn:aws:lambda:us-east-1:000000000000:function:f"


@pytest.fixture
def athena(tmp_path: Path) -> Iterator[AthenaClient]:
    client = make_client(tmp_path)
    yield client
    client.lakehouse.close()


@pytest.mark.parametrize(
    ("target", "request_body", "code", "message"),
    [
        (
            "AmazonAthena.GetQueryExecution",
            {},
            "InvalidRequestException",
            "1 validation error detected: Value null at 'queryExecutionId' failed to satisfy constraint: "
            "Member must not be null",
        ),
        (
            "AmazonAthena.StartQueryExecution",
            {"QueryString": "x" * 262_145},
            "InvalidRequestException",
            "Member must have length less than or equal to 262144",
        ),
        (
            "AmazonAthena.CreateWorkGroup",
            {"Name": "no spaces", "Tags": [{"Key": "k" * 129}]},
            "InvalidRequestException",
            "2 validation errors detected: Value at 'name' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: [a-zA-Z0-9._-]{1,128}; Value",
        ),
        (
            "AmazonAthena.CreateDataCatalog",
            {"Name": "c", "Type": "ORACLE"},
            "InvalidRequestException",
            "Member must satisfy enum value set: [LAMBDA, GLUE, HIVE, FEDERATED]",
        ),
        (
            "AmazonAthena.GetQueryResults",
            {"QueryExecutionId": "x", "MaxResults": 1001},
            "InvalidRequestException",
            "Value at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to",
        ),
        ("AmazonAthena.GetQueryResults", {"QueryExecutionId": 5}, "SerializationException", "must be a string"),
        ("AWSGlue.GetTable", {"DatabaseName": "d"}, "ValidationException", "Value null at 'name'"),
        (
            "AWSGlue.CreateTable",
            {
                "DatabaseName": "d",
                "TableInput": {"Name": "t", "StorageDescriptor": {"Columns": [{"Name": "a", "Comment": "x\ny"}]}},
            },
            "ValidationException",
            "at 'tableInput.storageDescriptor.columns.1.member.comment' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern",
        ),
        ("AWSGlue.GetTables", {"DatabaseName": "d", "MaxResults": 101}, "ValidationException", "equal to 100"),
    ],
)
def test_a_request_outside_of_the_contract_is_refused(
    athena: AthenaClient, target: str, request_body: dict[str, Any], code: str, message: str
) -> None:
    status, body = athena.lakehouse.call(target, SCOPE, json.dumps(request_body).encode())
    answer = json.loads(body)
    assert (status, answer["__type"]) == (400, code)
    assert answer.get("ErrorCode") == answer.get("AthenaErrorCode")
    assert message in answer["message"]


def test_characters_beyond_the_basic_plane_are_allowed(athena: AthenaClient) -> None:
    athena.glue("CreateDatabase", DatabaseInput={"Name": "d", "Description": "✨🐍\n"})
    assert athena.glue("GetDatabase", Name="d")["Database"]["Description"] == "✨🐍\n"


def test_members_that_are_null_are_not_given(athena: AthenaClient) -> None:
    athena.glue("CreateDatabase", DatabaseInput={"Name": "d", "TargetDatabase": None, "Parameters": {"a": None}})
    found = athena.glue("GetDatabase", Name="d")["Database"]
    assert (found.get("TargetDatabase", "absent"), found["Parameters"]) == ("absent", {})


def test_updates_of_a_work_group_are_shown_by_the_names_of_its_settings(athena: AthenaClient) -> None:
    updates = {"ManagedQueryResultsConfigurationUpdates": {}, "RemoveCustomerContentEncryptionConfiguration": True}
    athena.call("UpdateWorkGroup", WorkGroup="primary", ConfigurationUpdates=updates)
    configuration = athena.call("GetWorkGroup", WorkGroup="primary")["WorkGroup"]["Configuration"]
    assert configuration["ManagedQueryResultsConfiguration"] == {"Enabled": False}
    assert not configuration.keys() & updates.keys()


def test_data_catalogs_are_registered_tagged_changed_and_deleted(athena: AthenaClient) -> None:
    parameters = {"metadata-function": LAMBDA, "record-function": LAMBDA}
    tags = [{"Key": "team", "Value": "data"}]
    athena.call("CreateDataCatalog", Name="cloud", Type="LAMBDA", Parameters=parameters, Tags=tags)
    found = athena.call("GetDataCatalog", Name="cloud")["DataCatalog"]
    assert (found["Type"], found["Parameters"], found["Status"]) == ("LAMBDA", parameters, "CREATE_COMPLETE")
    arn = "arn:aws:athena:us-east-1:000000000000:datacatalog/cloud"
    assert athena.call("ListTagsForResource", ResourceARN=arn)["Tags"] == tags
    for other in (arn.replace("us-east-1", "eu-west-1"), arn.replace("000000000000", "111122223333")):
        assert athena.refused("ListTagsForResource", ResourceARN=other)["__type"] == "ResourceNotFoundException"
    athena.call("CreateDataCatalog", Name="one", Type="LAMBDA", Parameters={"function": LAMBDA})
    expanded = athena.call("GetDataCatalog", Name="one")["DataCatalog"]["Parameters"]
    assert expanded == {"catalog": "one", **parameters}
    athena.call("DeleteDataCatalog", Name="one")
    athena.call("UpdateDataCatalog", Name="cloud", Type="HIVE", Parameters={"metadata-function": LAMBDA})
    page = athena.call("ListDataCatalogs", MaxResults=2)
    assert [(c["CatalogName"], c["Type"]) for c in page["DataCatalogsSummary"]] == [
        ("AwsDataCatalog", "GLUE"),
        ("cloud", "HIVE"),
    ]
    assert (
        "already" in athena.refused("CreateDataCatalog", Name="Cloud", Type="LAMBDA", Parameters=parameters)["message"]
    )
    assert athena.call("DeleteDataCatalog", Name="cloud")["DataCatalog"]["Status"] == "DELETE_COMPLETE"
    assert "not found" in athena.refused("GetDataCatalog", Name="cloud")["message"]
    assert athena.refused("ListTagsForResource", ResourceARN=arn)["__type"] == "ResourceNotFoundException"
    for name, kind, given in (("a", "LAMBDA", {}), ("b", "GLUE", {"catalog-id": "5"}), ("c d", "HIVE", parameters)):
        assert athena.refused("CreateDataCatalog", Name=name, Type=kind, Parameters=given)
    assert "FEDERATED" in athena.refused("CreateDataCatalog", Name="f", Type="FEDERATED")["message"]
    assert athena.refused("DeleteDataCatalog", Name="AwsDataCatalog")["__type"] == "InvalidRequestException"


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ([{"Key": f"k{number}", "Value": ""} for number in range(49)], "would have 51 tags"),
        ([{"Key": f"k{number}", "Value": ""} for number in range(51)], "51 tags are given"),
        ([{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}], "Tag keys must be unique"),
        ([{"Key": "aws:team", "Value": "1"}], "Invalid tag key 'aws:team'"),
    ],
)
def test_tags_that_athena_does_not_take_are_refused(athena: AthenaClient, tags: list[Any], message: str) -> None:
    athena.call("CreateWorkGroup", Name="team", Tags=[{"Key": "x", "Value": ""}, {"Key": "y", "Value": ""}])
    arn = "arn:aws:athena:us-east-1:000000000000:workgroup/team"
    assert message in athena.refused("TagResource", ResourceARN=arn, Tags=tags)["message"]
    assert len(athena.call("ListTagsForResource", ResourceARN=arn)["Tags"]) == 2
    if len(tags) != 49:
        assert message in athena.refused("CreateWorkGroup", Name="other", Tags=tags)["message"]
        assert "not found" in athena.refused("GetWorkGroup", WorkGroup="other")["message"]


def test_only_the_accounts_own_catalog_can_be_queried(athena: AthenaClient) -> None:
    athena.call("CreateDataCatalog", Name="cloud", Type="LAMBDA", Parameters={"function": LAMBDA})
    athena.call("CreateDataCatalog", Name="mine", Type="GLUE", Parameters={"catalog-id": SCOPE.account})
    athena.call("CreateDataCatalog", Name="other", Type="GLUE", Parameters={"catalog-id": "111122223333"})
    athena.glue("CreateDatabase", DatabaseInput={"Name": "lake"})

    def context(catalog: str) -> dict[str, Any]:
        return {"QueryExecutionContext": {"Catalog": catalog, "Database": "lake"}}

    assert athena.rows("SELECT 1", **context("mine")) == [["1"]]
    assert athena.call("ListDatabases", CatalogName="mine")["DatabaseList"][-1]["Name"] == "lake"
    refusal = "NOT_SUPPORTED: data catalog cloud of type LAMBDA is not supported by Headwater's local Athena"
    assert athena.failure("SELECT 1", **context("cloud")) == refusal
    assert athena.refused("ListDatabases", CatalogName="cloud")["message"] == refusal
    assert "of account 111122223333" in athena.failure("SELECT 1", **context("other"))
    assert athena.failure("SELECT 1", **context("nope")) == "CATALOG_NOT_FOUND: Catalog 'nope' does not exist"


def test_named_queries_and_prepared_statements_belong_to_a_work_group(athena: AthenaClient) -> None:
    query = {"Name": "n", "Database": "lake", "QueryString": "SELECT 1"}
    statement = {"StatementName": "st", "QueryStatement": "SELECT 1"}
    assert "not found" in athena.refused("CreateNamedQuery", **query, WorkGroup="team")["message"]
    assert "not found" in athena.refused("CreatePreparedStatement", **statement, WorkGroup="team")["message"]
    athena.call("CreateWorkGroup", Name="team", Configuration={"ResultConfiguration": {"OutputLocation": OUTPUT}})
    made = [athena.call("CreateNamedQuery", **query, WorkGroup="team", ClientRequestToken="t" * 32) for _ in "ab"]
    assert made[0] == made[1]
    changed = {**query, "QueryString": "SELECT 2", "ClientRequestToken": "t" * 32}
    assert "Idempotent parameters do not match" in athena.refused("CreateNamedQuery", **changed)["message"]
    athena.call("CreatePreparedStatement", **statement, WorkGroup="team")
    assert "not empty" in athena.refused("DeleteWorkGroup", WorkGroup="team")["message"]
    athena.call("DeleteWorkGroup", WorkGroup="team", RecursiveDeleteOption=True)
    assert "does not exist" in athena.refused("GetNamedQuery", NamedQueryId=made[0]["NamedQueryId"])["message"]
    athena.call("CreateWorkGroup", Name="team")
    assert athena.call("ListPreparedStatements", WorkGroup="team")["PreparedStatements"] == []


def test_tables_are_searched_compared_and_sorted(athena: AthenaClient) -> None:
    athena.glue("CreateDatabase", DatabaseInput={"Name": "lake"})
    for name, owner in (("b", "x"), ("a", "y"), ("c", "x")):
        athena.glue("CreateTable", DatabaseName="lake", TableInput={"Name": name, "Owner": owner})

    def names(**request: Any) -> list[str]:
        found: list[str] = []
        while True:
            answer = athena.glue("SearchTables", MaxResults=1, **request)
            found += [table["Name"] for table in answer["TableList"]]
            if "NextToken" not in answer:
                return found
            request["NextToken"] = answer["NextToken"]

    assert names(SortCriteria=[{"FieldName": "Name", "Sort": "DESC"}]) == ["c", "b", "a"]
    assert names(SortCriteria=[{"FieldName": "Owner", "Sort": "ASC"}]) == ["b", "c", "a"]
    assert names(Filters=[{"Key": "Name", "Value": "a", "Comparator": "GREATER_THAN"}]) == ["b", "c"]
    assert names(Filters=[{"Key": "CreateTime", "Value": "5", "Comparator": "LESS_THAN"}]) == []


def test_metadata_lists_name_what_is_asked_for(athena: AthenaClient) -> None:
    athena.glue("CreateDatabase", DatabaseInput={"Name": "lake", "Description": "d"})
    athena.glue("CreateTable", DatabaseName="lake", TableInput={"Name": "t", "TableType": "EXTERNAL_TABLE"})
    catalog = {"CatalogName": "AwsDataCatalog"}
    found = athena.call("ListDatabases", **catalog, AttributesToGet=["NAME"])["DatabaseList"]
    assert found[-1] == {"Name": "lake"}
    tables = {**catalog, "DatabaseName": "lake"}
    both = athena.call("ListTableMetadata", **tables, AttributesToGet=["NAME", "TABLE_TYPE"])["TableMetadataList"]
    assert both == [{"Name": "t", "TableType": "EXTERNAL_TABLE"}]
    assert athena.refused("ListTableMetadata", **tables, AttributesToGet=["TABLE_TYPE"])


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("SELECT 1 / 0", 1001),
        ("SELECT 1 = 'a'", 1002),
        ("SELECT nope FROM (VALUES 1) t(x)", 1006),
        ("SELECT CAST('a' AS int)", 1100),
        ("SELECT sequence(1, 2, 0)", 1106),
        ("SELECT * FROM (VALUES 1) t MATCH_RECOGNIZE (PATTERN (A) DEFINE A AS true)", 1200),
        ("SELECT * FROM nope.nope", 1301),
        ("SELECT nope(1)", 1303),
    ],
)
def test_failures_have_the_error_type_that_athena_gives_them(athena: AthenaClient, sql: str, kind: int) -> None:
    error = athena.wait(athena.start(sql))["Status"]["AthenaError"]
    assert (error["ErrorCategory"], error["ErrorType"], error["Retryable"]) == (2, kind, False)


def test_what_is_not_found_has_a_code_of_its_own(athena: AthenaClient) -> None:
    codes = {
        "QUERY_EXECUTION_NOT_FOUND": ("StopQueryExecution", {"QueryExecutionId": "nope"}),
        "NAMED_QUERY_NOT_FOUND": ("GetNamedQuery", {"NamedQueryId": "nope"}),
        "INVALID_INPUT": ("GetWorkGroup", {"WorkGroup": "nope"}),
    }
    for code, (operation, request) in codes.items():
        assert athena.refused(operation, **request)["AthenaErrorCode"] == code


def test_only_statements_with_a_count_and_queries_have_an_update_count(athena: AthenaClient) -> None:
    def count(sql: str) -> int | None:
        identifier = athena.run(sql)["QueryExecutionId"]
        return athena.call("GetQueryResults", QueryExecutionId=identifier).get("UpdateCount")

    assert [count("CREATE DATABASE lake"), count("SHOW DATABASES"), count("SELECT 1")] == [None, 0, 0]
    assert count("CREATE TABLE t AS SELECT 1 AS a") == 1


def test_a_token_is_held_against_query_database_and_place(athena: AthenaClient) -> None:
    token = {"ClientRequestToken": "t" * 32}
    first = athena.start("SELECT ?", ExecutionParameters=["1"], **token)
    assert athena.start("SELECT ?", ExecutionParameters=["2"], **token) == first
    elsewhere = {"ResultConfiguration": {"OutputLocation": f"{OUTPUT}else/"}}
    refusal = athena.refused("StartQueryExecution", QueryString="SELECT ?", **token, **elsewhere)
    assert refusal["AthenaErrorCode"] == "IDEMPOTENT_PARAMETER_MISMATCH"


def test_statements_are_classified_as_athena_classifies_them(athena: AthenaClient) -> None:
    def kind(sql: str) -> tuple[str, str]:
        execution = athena.run(sql)
        return execution["StatementType"], execution["SubstatementType"]

    athena.run("CREATE DATABASE lake")
    iceberg = "CREATE TABLE i WITH (table_type = 'ICEBERG', is_external = false, location = 's3://data/i/')"
    made = athena.run(f"{iceberg} AS SELECT 1 AS a")
    assert made["ResultConfiguration"]["OutputLocation"] == f"{OUTPUT}{made['QueryExecutionId']}"
    assert kind("EXPLAIN SELECT 1") == ("DML", "EXPLAIN")
    assert kind("OPTIMIZE i REWRITE DATA USING BIN_PACK") == ("DDL", "CREATE_TABLE_AS_SELECT")
    assert kind("VACUUM i") == ("DML", "VACUUM_TABLE")
    assert kind("DESCRIBE i") == ("UTILITY", "DESCRIBE_TABLE")
    for sql, kinds in (
        ("SHOW VIEWS IN nope", ("UTILITY", "SHOW_VIEWS")),
        ("DROP VIEW nope", ("DDL", "DROP_VIEW")),
        ("DEALLOCATE PREPARE nope", ("DDL", "DEALLOCATE")),
    ):
        failed = athena.wait(athena.start(sql))
        assert (failed["Status"]["State"], failed["StatementType"], failed["SubstatementType"]) == ("FAILED", *kinds)
    refused = athena.wait(athena.start("TRUNCATE TABLE i"))
    assert (refused["StatementType"], refused["ResultConfiguration"]["OutputLocation"][-4:]) == ("DDL", ".txt")
    assert kind("ALTER TABLE i ADD COLUMNS (b string)") == ("DDL", "ALTER_TABLE_ADD_COLUMN")

"""The Glue API as boto3 sees it: real requests and parsed answers, carried in process instead of over a socket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timezone
from io import BytesIO
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ClientError
from refusals import refused

from headwater.stack.lakehouse.catalog.store import Catalog
from headwater.stack.lakehouse.errors import ApiError
from headwater.stack.lakehouse.glue.api import GlueApi
from headwater.stack.lakehouse.model import Scope

SCOPE = Scope("000000000000", "us-east-1")
NOW = 1_700_000_000.5
ORDERS = {
    "Name": "orders",
    "TableType": "EXTERNAL_TABLE",
    "Parameters": {"classification": "parquet"},
    "PartitionKeys": [{"Name": "year", "Type": "int"}, {"Name": "city", "Type": "string"}],
    "StorageDescriptor": {"Columns": [{"Name": "id", "Type": "string"}], "Location": "s3://b/orders"},
}


class _Raw(BytesIO):
    def stream(self, **_: object) -> Iterator[bytes]:
        yield self.read()


@pytest.fixture
def api(tmp_path: Path) -> Iterator[GlueApi]:
    catalog = Catalog(tmp_path / "catalog.db", clock=lambda: NOW)
    yield GlueApi(catalog)
    catalog.close()


@pytest.fixture
def glue(api: GlueApi) -> Any:
    def answer(request: AWSPreparedRequest, **_: object) -> AWSResponse:
        operation = request.headers["X-Amz-Target"].decode().removeprefix("AWSGlue.")
        try:
            status, body = 200, api.call(SCOPE, operation, json.loads(request.body))
        except ApiError as error:
            status, body = error.status, {"__type": error.code, "message": error.message}
        return AWSResponse(request.url, status, {}, _Raw(json.dumps(body).encode()))

    client = boto3.client("glue", region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
    client.meta.events.register("before-send.glue.*", answer)
    client.create_database(DatabaseInput={"Name": "lake", "Description": "d"})
    return client


def code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def partition(*values: str) -> dict[str, Any]:
    return {"Values": list(values), "StorageDescriptor": {"Location": f"s3://b/{'/'.join(values)}", "Columns": []}}


def test_databases_live_through_boto3(glue: Any) -> None:
    found = glue.get_database(Name="LAKE")["Database"]
    assert (found["Name"], found["Description"]) == ("lake", "d")
    assert [p["Permissions"] for p in found["CreateTableDefaultPermissions"]] == [["ALL"]]
    assert found["CreateTime"] == datetime.fromtimestamp(NOW, timezone.utc)
    glue.update_database(Name="lake", DatabaseInput={"Name": "lake", "Description": "e"})
    assert [item["Description"] for item in glue.get_databases()["DatabaseList"]] == ["e"]
    with pytest.raises(glue.exceptions.AlreadyExistsException):
        glue.create_database(DatabaseInput={"Name": "lake"})
    glue.delete_database(Name="lake")
    with pytest.raises(glue.exceptions.EntityNotFoundException, match=r"Database lake not found\."):
        glue.get_database(Name="lake")


def test_lists_come_in_pages_that_join_without_loss(glue: Any) -> None:
    for number in range(130):
        glue.create_database(DatabaseInput={"Name": f"db{number:03}"})
        glue.create_table(DatabaseName="lake", TableInput={"Name": f"t{number:03}"})
    first = glue.get_databases()
    assert len(first["DatabaseList"]) == 100
    glue.delete_database(Name=first["DatabaseList"][-1]["Name"])  # the token outlives the item it names
    rest = glue.get_databases(NextToken=first["NextToken"])
    assert len(rest["DatabaseList"]) == 31
    assert "NextToken" not in rest
    pages = glue.get_paginator("get_tables").paginate(DatabaseName="lake", PaginationConfig={"PageSize": 40})
    assert [table["Name"] for page in pages for table in page["TableList"]] == [f"t{n:03}" for n in range(130)]


def test_tables_come_back_and_are_found_by_pattern(glue: Any) -> None:
    glue.create_table(DatabaseName="lake", TableInput=ORDERS)
    glue.create_table(DatabaseName="lake", TableInput={"Name": "events"})
    found = glue.get_table(DatabaseName="lake", Name="orders")["Table"]
    assert found["PartitionKeys"] == ORDERS["PartitionKeys"]
    assert (found["VersionId"], found["CatalogId"]) == ("0", SCOPE.account)
    named = glue.get_tables(DatabaseName="lake", Expression="ord.*")["TableList"]
    assert [table["Name"] for table in named] == ["orders"]
    for pattern in ("ord*", "*rders", "*rde*", "orders"):
        assert [t["Name"] for t in glue.get_tables(DatabaseName="lake", Expression=pattern)["TableList"]] == ["orders"]
    searched = glue.search_tables(SearchText="year", Filters=[{"Key": "DatabaseName", "Value": "lake"}])["TableList"]
    assert [table["Name"] for table in searched] == ["orders"]
    assert [table["Name"] for table in glue.search_tables(SearchText="rder")["TableList"]] == ["orders"]
    assert [table["Name"] for table in glue.search_tables(SearchText='"orders"')["TableList"]] == ["orders"]
    assert glue.search_tables(SearchText='"rder"')["TableList"] == []
    with pytest.raises(glue.exceptions.InvalidInputException):
        glue.get_tables(DatabaseName="lake", Expression="(")
    with pytest.raises(glue.exceptions.EntityNotFoundException):
        glue.get_tables(DatabaseName="nope")


def test_partition_indexes_are_kept_with_their_table(glue: Any) -> None:
    names = {"DatabaseName": "lake", "TableName": "orders"}
    first = [{"IndexName": "first", "Keys": ["year"]}]
    glue.create_table(DatabaseName="lake", TableInput=ORDERS, PartitionIndexes=first)
    glue.create_partition_index(**names, PartitionIndex={"IndexName": "second", "Keys": ["City", "year"]})
    found = glue.get_partition_indexes(**names)["PartitionIndexDescriptorList"]
    assert [(i["IndexName"], [k["Name"] for k in i["Keys"]], i["IndexStatus"]) for i in found] == [
        ("first", ["year"], "ACTIVE"),
        ("second", ["city", "year"], "ACTIVE"),
    ]
    with pytest.raises(glue.exceptions.InvalidInputException):
        glue.create_partition_index(**names, PartitionIndex={"IndexName": "bad", "Keys": ["id"]})
    with pytest.raises(glue.exceptions.AlreadyExistsException):
        glue.create_partition_index(**names, PartitionIndex={"IndexName": "first", "Keys": ["year"]})
    glue.create_partition_index(**names, PartitionIndex={"IndexName": "third", "Keys": ["year"]})
    with pytest.raises(glue.exceptions.ResourceNumberLimitExceededException):
        glue.create_partition_index(**names, PartitionIndex={"IndexName": "fourth", "Keys": ["year"]})
    glue.delete_partition_index(**names, IndexName="first")
    with pytest.raises(glue.exceptions.EntityNotFoundException):
        glue.delete_partition_index(**names, IndexName="first")


def test_an_optimistic_update_loses_against_a_newer_version(glue: Any) -> None:
    glue.create_table(DatabaseName="lake", TableInput=ORDERS)
    glue.update_table(DatabaseName="lake", TableInput=ORDERS, VersionId="0", SkipArchive=True)
    with pytest.raises(glue.exceptions.ConcurrentModificationException):
        glue.update_table(DatabaseName="lake", TableInput=ORDERS, VersionId="0")
    glue.update_table(DatabaseName="lake", TableInput=ORDERS)
    versions = glue.get_table_versions(DatabaseName="lake", TableName="orders")["TableVersions"]
    assert [version["VersionId"] for version in versions] == ["2", "1"]
    assert glue.get_table_version(DatabaseName="lake", TableName="orders", VersionId="1")["TableVersion"]["Table"]
    result = glue.batch_delete_table_version(DatabaseName="lake", TableName="orders", VersionIds=["1", "7", "x"])
    assert [(error["VersionId"], error["ErrorDetail"]["ErrorCode"]) for error in result["Errors"]] == [
        ("7", "EntityNotFoundException"),
        ("x", "InvalidInputException"),
    ]


def test_batch_delete_of_tables_reports_the_missing(glue: Any) -> None:
    glue.create_table(DatabaseName="lake", TableInput=ORDERS)
    errors = glue.batch_delete_table(DatabaseName="lake", TablesToDelete=["orders", "nope"])["Errors"]
    assert [(error["TableName"], error["ErrorDetail"]["ErrorCode"]) for error in errors] == [
        ("nope", "EntityNotFoundException")
    ]


def test_partitions_live_through_boto3(glue: Any) -> None:
    names = {"DatabaseName": "lake", "TableName": "orders"}
    glue.create_table(DatabaseName="lake", TableInput=ORDERS)
    glue.create_partition(**names, PartitionInput=partition("2025", "it's a/b=ü"))
    found = glue.get_partition(**names, PartitionValues=["2025", "it's a/b=ü"])["Partition"]
    assert (found["TableName"], found["StorageDescriptor"]["Location"]) == ("orders", "s3://b/2025/it's a/b=ü")
    with pytest.raises(glue.exceptions.AlreadyExistsException):
        glue.create_partition(**names, PartitionInput=partition("2025", "it's a/b=ü"))
    glue.update_partition(**names, PartitionValueList=["2025", "it's a/b=ü"], PartitionInput=partition("2026", "x"))
    wanted = [{"Values": ["2026", "x"]}, {"Values": ["1", "1"]}]
    assert len(glue.batch_get_partition(**names, PartitionsToGet=wanted)["Partitions"]) == 1
    glue.delete_partition(**names, PartitionValues=["2026", "x"])
    with pytest.raises(glue.exceptions.EntityNotFoundException):
        glue.get_partition(**names, PartitionValues=["2026", "x"])


def test_batches_of_partitions_report_what_failed(glue: Any) -> None:
    names = {"DatabaseName": "lake", "TableName": "orders"}
    glue.create_table(DatabaseName="lake", TableInput=ORDERS)
    inputs = [partition("2025", "a"), partition("2025", "b")]
    assert glue.batch_create_partition(**names, PartitionInputList=inputs)["Errors"] == []
    more = [partition("2025", "b"), partition("2025", "c"), partition("2025")]
    errors = glue.batch_create_partition(**names, PartitionInputList=more)["Errors"]
    assert [(error["PartitionValues"], error["ErrorDetail"]["ErrorCode"]) for error in errors] == [
        (["2025", "b"], "AlreadyExistsException"),
        (["2025"], "InvalidInputException"),
    ]
    entries = [
        {"PartitionValueList": ["2025", "c"], "PartitionInput": partition("2025", "d")},
        {"PartitionValueList": ["1", "1"], "PartitionInput": partition("1", "1")},
    ]
    errors = glue.batch_update_partition(**names, Entries=entries)["Errors"]
    assert [error["PartitionValueList"] for error in errors] == [["1", "1"]]
    gone = [{"Values": ["2025", "d"]}, {"Values": ["1", "1"]}]
    errors = glue.batch_delete_partition(**names, PartitionsToDelete=gone)["Errors"]
    assert [error["PartitionValues"] for error in errors] == [["1", "1"]]
    with pytest.raises(glue.exceptions.EntityNotFoundException):
        glue.batch_create_partition(DatabaseName="lake", TableName="nope", PartitionInputList=inputs)


def test_partitions_are_found_by_expression_in_pages_and_segments(glue: Any) -> None:
    names = {"DatabaseName": "lake", "TableName": "orders"}
    glue.create_table(DatabaseName="lake", TableInput=ORDERS)
    values = [(str(year), city) for year in range(2000, 2020) for city in ("a", "b", "c")]
    glue.batch_create_partition(**names, PartitionInputList=[partition(*item) for item in values])

    def listed(**request: Any) -> list[tuple[str, ...]]:
        pages = glue.get_paginator("get_partitions").paginate(**names, PaginationConfig={"PageSize": 7}, **request)
        return [tuple(item["Values"]) for page in pages for item in page["Partitions"]]

    assert listed() == values
    expected = [item for item in values if int(item[0]) >= 2010 and item[1] != "b"]
    assert listed(Expression="year >= 2010 AND city <> 'b'") == expected
    segments = [listed(Segment={"SegmentNumber": n, "TotalSegments": 3}) for n in range(3)]
    assert sorted(item for segment in segments for item in segment) == values
    assert all(segments)
    with pytest.raises(glue.exceptions.InvalidInputException):
        glue.get_partitions(**names, Expression="nope = 1")
    without = glue.get_partitions(**names, ExcludeColumnSchema=True)["Partitions"][0]["StorageDescriptor"]
    assert "Columns" not in without


def test_column_statistics_and_tags_come_back(glue: Any) -> None:
    names = {"DatabaseName": "lake", "TableName": "orders"}
    glue.create_table(DatabaseName="lake", TableInput=ORDERS)
    statistics = {
        "ColumnName": "id",
        "ColumnType": "string",
        "AnalyzedTime": datetime(2025, 1, 1, tzinfo=timezone.utc),
        "StatisticsData": {
            "Type": "STRING",
            "StringColumnStatisticsData": {
                "MaximumLength": 3,
                "AverageLength": 2.5,
                "NumberOfNulls": 0,
                "NumberOfDistinctValues": 7,
            },
        },
    }
    other = {**statistics, "ColumnName": "nope"}
    mixed = {**statistics, "StatisticsData": {**statistics["StatisticsData"], "Type": "LONG"}}
    given = [{**statistics, "ColumnName": "ID"}, statistics, other, mixed]
    refused_ones = glue.update_column_statistics_for_table(**names, ColumnStatisticsList=given)["Errors"]
    assert [(error["ColumnStatistics"]["ColumnName"], error["Error"]["ErrorCode"]) for error in refused_ones] == [
        ("nope", "EntityNotFoundException"),
        ("id", "InvalidInputException"),
    ]
    assert len(glue.get_column_statistics_for_table(**names, ColumnNames=["ID"])["ColumnStatisticsList"]) == 1
    found = glue.get_column_statistics_for_table(**names, ColumnNames=["id", "nope"])
    assert found["ColumnStatisticsList"] == [statistics]
    assert [error["ColumnName"] for error in found["Errors"]] == ["nope"]
    for _ in range(2):
        glue.delete_column_statistics_for_table(**names, ColumnName="Id")
    assert glue.get_column_statistics_for_table(**names, ColumnNames=["id"])["ColumnStatisticsList"] == []
    arn = "arn:aws:glue:us-east-1:000000000000:table/lake/orders"
    glue.tag_resource(ResourceArn=arn, TagsToAdd={"team": "data", "x": "y"})
    glue.untag_resource(ResourceArn=arn, TagsToRemove=["x"])
    assert glue.get_tags(ResourceArn=arn)["Tags"] == {"team": "data"}
    for tags in ({"aws:x": "y"}, {f"k{number}": "v" for number in range(50)}):
        with pytest.raises(glue.exceptions.InvalidInputException):
            glue.tag_resource(ResourceArn=arn, TagsToAdd=tags)


def test_lists_show_the_attributes_and_the_owners_that_are_asked_for(glue: Any) -> None:
    glue.create_table(DatabaseName="lake", TableInput=ORDERS)
    account = {"CatalogId": SCOPE.account}
    tables = glue.get_tables(DatabaseName="lake", AttributesToGet=["NAME", "TABLE_TYPE", "LATEST_ICEBERG_METADATA"])[
        "TableList"
    ]
    assert tables == [{"Name": "orders", "DatabaseName": "lake", "TableType": ORDERS["TableType"], **account}]
    assert glue.get_databases(AttributesToGet=["NAME"])["DatabaseList"] == [{"Name": "lake", **account}]
    with pytest.raises(glue.exceptions.InvalidInputException, match="NAME"):
        glue.get_tables(DatabaseName="lake", AttributesToGet=["TABLE_TYPE"])
    assert glue.get_databases(ResourceShareType="FOREIGN")["DatabaseList"] == []
    assert glue.get_tables(DatabaseName="lake", ResourceShareType="FEDERATED")["TableList"] == []
    assert glue.search_tables(ResourceShareType="FOREIGN")["TableList"] == []
    assert len(glue.search_tables(ResourceShareType="ALL")["TableList"]) == 1


def test_tags_live_and_die_with_what_they_are_on(glue: Any) -> None:
    prefix = "arn:aws:glue:us-east-1:000000000000"
    glue.create_database(DatabaseInput={"Name": "Tagged"}, Tags={"team": "data"})
    assert glue.get_tags(ResourceArn=f"{prefix}:database/tagged")["Tags"] == {"team": "data"}
    glue.create_table(DatabaseName="tagged", TableInput=ORDERS)
    glue.tag_resource(ResourceArn=f"{prefix}:table/tagged/orders", TagsToAdd={"a": "b"})
    assert glue.get_tags(ResourceArn=f"{prefix}:table/tagged/ORDERS")["Tags"] == {"a": "b"}
    with pytest.raises(glue.exceptions.EntityNotFoundException, match="does not belong"):
        glue.get_tags(ResourceArn="arn:aws:glue:us-east-1:111122223333:database/tagged")
    glue.delete_database(Name="tagged")
    with pytest.raises(glue.exceptions.EntityNotFoundException):
        glue.get_tags(ResourceArn=f"{prefix}:database/tagged")
    glue.create_database(DatabaseInput={"Name": "tagged"})
    glue.create_table(DatabaseName="tagged", TableInput=ORDERS)
    assert glue.get_tags(ResourceArn=f"{prefix}:database/tagged")["Tags"] == {}
    assert glue.get_tags(ResourceArn=f"{prefix}:table/tagged/orders")["Tags"] == {}


def test_the_current_version_of_a_table_cannot_be_deleted(glue: Any) -> None:
    glue.create_table(DatabaseName="lake", TableInput=ORDERS)
    with pytest.raises(glue.exceptions.InvalidInputException, match="current"):
        glue.delete_table_version(DatabaseName="lake", TableName="orders", VersionId="0")


def test_what_is_not_answered_is_refused_by_name(glue: Any) -> None:
    with pytest.raises(ClientError, match="Operation ListJobs is not supported") as error:
        glue.list_jobs()
    assert code(error) == "UnknownOperationException"
    with pytest.raises(ClientError) as error:
        glue.get_databases(CatalogId="999999999999")
    assert code(error) == "AccessDeniedException"


@pytest.mark.parametrize(
    ("operation", "request_body", "expected"),
    [
        ("GetDatabase", {}, "InvalidInputException"),
        ("GetDatabase", {"Name": 5}, "SerializationException"),
        ("GetDatabase", {"Name": ""}, "ValidationException"),
        ("GetDatabase", {"Name": "x" * 256}, "ValidationException"),
        ("GetDatabases", {"MaxResults": 0}, "ValidationException"),
        ("GetDatabases", {"NextToken": "nonsense"}, "InvalidInputException"),
        ("CreateTable", {"DatabaseName": "lake"}, "InvalidInputException"),
        ("CreateTable", {"DatabaseName": "lake", "TableInput": "x"}, "SerializationException"),
        (
            "CreateTable",
            {"DatabaseName": "lake", "TableInput": {"Name": "t", "PartitionKeys": "x"}},
            "SerializationException",
        ),
        (
            "CreateTable",
            {"DatabaseName": "lake", "TableInput": {"Name": "t", "StorageDescriptor": {"Columns": [5]}}},
            "SerializationException",
        ),
        (
            "CreateTable",
            {
                "DatabaseName": "lake",
                "TableInput": {"Name": "t", "PartitionKeys": [{"Name": "p", "Parameters": {"a": "b"}}]},
            },
            "InvalidInputException",
        ),
        ("GetPartitions", {"DatabaseName": "lake", "TableName": "t"}, "EntityNotFoundException"),
        ("GetTags", {"ResourceArn": "x"}, "ValidationException"),
    ],
)
def test_requests_that_boto3_would_not_send_are_refused(
    operation: str, request_body: dict[str, Any], expected: str, api: GlueApi
) -> None:
    api.call(SCOPE, "CreateDatabase", {"DatabaseInput": {"Name": "lake"}})
    with refused(expected):
        api.call(SCOPE, operation, request_body)

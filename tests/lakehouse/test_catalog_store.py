"""The durable catalog: what was put comes back, Glue's rules on names and versions, and crashes."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from refusals import refused

from headwater.stack.lakehouse.catalog.store import Catalog
from headwater.stack.lakehouse.errors import ApiError
from headwater.stack.lakehouse.model import Scope

SCOPE = Scope("000000000000", "us-east-1")


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    catalog = Catalog(tmp_path / "catalog.db", clock=lambda: 1_700_000_000.5)
    catalog.create_database(SCOPE, {"Name": "lake"})
    yield catalog
    catalog.close()


def test_a_database_comes_back_as_it_was_put(catalog: Catalog) -> None:
    catalog.create_database(SCOPE, {"Name": "Sales", "Description": "d", "Parameters": {"a": "b"}})
    found = catalog.get_database(SCOPE, "SALES")
    assert (found["Name"], found["Description"], found["Parameters"]) == ("sales", "d", {"a": "b"})
    assert (found["CreateTime"], found["CatalogId"]) == (1_700_000_000.5, SCOPE.account)
    assert [database["Name"] for database in catalog.databases(SCOPE)] == ["lake", "sales"]


def test_a_second_database_of_a_name_is_refused_in_any_case(catalog: Catalog) -> None:
    with refused("AlreadyExistsException"):
        catalog.create_database(SCOPE, {"Name": "LAKE"})


def test_accounts_and_regions_do_not_see_each_other(catalog: Catalog) -> None:
    for other in (Scope("111111111111", "us-east-1"), Scope("000000000000", "eu-west-1")):
        assert catalog.databases(other) == []
        with refused("EntityNotFoundException"):
            catalog.get_database(other, "lake")


def test_a_table_comes_back_whole_with_glues_additions(catalog: Catalog) -> None:
    put = {
        "Name": "Orders",
        "Owner": "me",
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {"classification": "parquet"},
        "PartitionKeys": [{"Name": "year", "Type": "int", "Comment": "c"}],
        "StorageDescriptor": {"Columns": [{"Name": "A", "Type": "int"}], "Location": "s3://b/o", "Compressed": True},
    }
    catalog.create_table(SCOPE, "lake", put)
    found = catalog.get_table(SCOPE, "Lake", "ORDERS")
    assert {**put, "Name": "orders"}.items() <= {**found, "StorageDescriptor": put["StorageDescriptor"]}.items()
    assert put["StorageDescriptor"].items() <= found["StorageDescriptor"].items()
    assert (found["DatabaseName"], found["VersionId"], found["CatalogId"]) == ("lake", "0", SCOPE.account)


def test_missing_names_are_refused_as_glue_refuses_them(catalog: Catalog) -> None:
    with refused("EntityNotFoundException"):
        catalog.get_table(SCOPE, "lake", "nope")
    with pytest.raises(ApiError, match=r"^Database nope not found\.$"):
        catalog.create_table(SCOPE, "nope", {"Name": "t"})
    with refused("InvalidInputException"):
        catalog.create_table(SCOPE, "lake", {})


def test_an_update_with_an_old_version_is_refused(catalog: Catalog) -> None:
    catalog.create_table(SCOPE, "lake", {"Name": "t", "Parameters": {"v": "0"}})
    catalog.update_table(SCOPE, "lake", {"Name": "t", "Parameters": {"v": "1"}}, version_id="0")
    with refused("ConcurrentModificationException"):
        catalog.update_table(SCOPE, "lake", {"Name": "t", "Parameters": {"v": "2"}}, version_id="0")
    assert catalog.get_table(SCOPE, "lake", "t")["Parameters"] == {"v": "1"}


def test_versions_are_kept_unless_the_update_skips_the_archive(catalog: Catalog) -> None:
    catalog.create_table(SCOPE, "lake", {"Name": "t", "Parameters": {"v": "0"}})
    catalog.update_table(SCOPE, "lake", {"Name": "t", "Parameters": {"v": "1"}})
    catalog.update_table(SCOPE, "lake", {"Name": "t", "Parameters": {"v": "2"}}, skip_archive=True)
    versions = catalog.table_versions(SCOPE, "lake", "t")
    assert [(item["VersionId"], item["Table"]["Parameters"]["v"]) for item in versions] == [("2", "2"), ("0", "0")]


def test_only_one_of_many_concurrent_updates_of_a_version_wins(catalog: Catalog) -> None:
    catalog.create_table(SCOPE, "lake", {"Name": "t"})
    outcomes: list[str] = []

    def update() -> None:
        try:
            catalog.update_table(SCOPE, "lake", {"Name": "t"}, version_id="0")
            outcomes.append("won")
        except ApiError as error:
            outcomes.append(error.code)

    threads = [threading.Thread(target=update) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["ConcurrentModificationException"] * 7 + ["won"]


def test_dropping_a_database_takes_its_tables_and_partitions(catalog: Catalog) -> None:
    catalog.create_table(SCOPE, "lake", {"Name": "t", "PartitionKeys": [{"Name": "y", "Type": "int"}]})
    catalog.add_partitions(SCOPE, "lake", "t", [{"Values": ["1"]}], ignore_existing=False)
    catalog.delete_database(SCOPE, "lake")
    catalog.create_database(SCOPE, {"Name": "lake"})
    assert catalog.tables(SCOPE, "lake") == []


def test_tags_and_statistics_come_back(catalog: Catalog) -> None:
    arn = "arn:aws:glue:us-east-1:000000000000:database/lake"
    catalog.tag(SCOPE, arn, {"a": "1", "b": "2"})
    catalog.untag(SCOPE, arn, ["a"])
    assert catalog.tags(SCOPE, arn) == {"b": "2"}
    catalog.create_table(SCOPE, "lake", {"Name": "t"})
    catalog.update_column_statistics(SCOPE, "lake", "t", [{"ColumnName": "c", "ColumnType": "int"}])
    assert catalog.column_statistics(SCOPE, "lake", "t") == [{"ColumnName": "c", "ColumnType": "int"}]


_WRITER = """
import sys
from pathlib import Path
from headwater.stack.lakehouse.catalog.store import Catalog
from headwater.stack.lakehouse.model import Scope
catalog, scope = Catalog(Path(sys.argv[1])), Scope("000000000000", "us-east-1")
catalog.create_database(scope, {"Name": "lake"})
number = 0
while True:
    catalog.create_table(scope, "lake", {"Name": f"t{number}"})
    print(number, flush=True)
    number += 1
"""


def test_a_file_of_the_first_version_is_read_on(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    Catalog(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("DROP TABLE partition_indexes; PRAGMA user_version = 1;")
    catalog = Catalog(path)
    catalog.create_database(SCOPE, {"Name": "lake"})
    keys = [{"Name": "day", "Type": "string"}]
    catalog.create_table(SCOPE, "lake", {"Name": "t", "PartitionKeys": keys}, {"by_day": ["day"]})
    assert catalog.partition_indexes(SCOPE, "lake", "t")[0]["Keys"] == keys
    catalog.close()


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    writer = subprocess.Popen([sys.executable, "-c", _WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    acknowledged = [int(writer.stdout.readline()) for _ in range(25)]
    writer.send_signal(signal.SIGKILL)
    acknowledged += [int(line) for line in writer.stdout.read().splitlines()]
    writer.stdout.close()
    writer.wait()
    catalog = Catalog(path)
    found = {table["Name"] for table in catalog.tables(SCOPE, "lake")}
    catalog.close()
    assert {f"t{number}" for number in acknowledged} <= found

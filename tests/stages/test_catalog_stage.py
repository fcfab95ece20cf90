"""The catalog stage: tables and partitions through Athena, converging, never over a table that is something else."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from headwater import Headwater
from headwater.domain import EVENTS, ORDERS
from headwater.errors import Refused
from headwater.layout import Layout
from headwater.model import LakeColumn
from headwater.services import glue
from headwater.services.glue import GlueTable
from headwater.stages.catalog import Found, decide

LAYOUT = Layout("b", "datalake", "backups/postgres", Path("/project"))
PARQUET = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
ENTRY = GlueTable(
    "orders", "EXTERNAL_TABLE", ORDERS.columns, ORDERS.partition_keys, "s3://b/datalake/orders/", PARQUET, {}
)
NOTHING = {"orders": Found(None), "events": Found(None)}


@pytest.fixture
def lake(hw: Headwater) -> Headwater:
    """A project whose lake has twelve small files."""
    hw.bucket()
    hw.generate(rows_per_day=20)
    hw.upload()
    return hw


def test_new_tables_are_created_and_repaired() -> None:
    plan = decide("db", LAYOUT, NOTHING)
    assert plan.statements == ("CREATE DATABASE IF NOT EXISTS `db`",)
    orders = plan.tables[0]
    assert orders.statements[0].startswith("CREATE EXTERNAL TABLE IF NOT EXISTS `orders` (\n  `order_id` string,")
    assert "PARTITIONED BY (`year` int, `month` int, `day` int)" in orders.statements[0]
    assert "LOCATION 's3://b/datalake/orders/'" in orders.statements[0]
    assert orders.statements[1:] == ("MSCK REPAIR TABLE `orders`",)


def test_projection_covers_the_years_of_the_lake() -> None:
    plan = decide("db", LAYOUT, {"orders": Found(None, (2011, 2050)), "events": Found(None)}, "projection")
    assert "'projection.year.range'='2011,2050'" in plan.tables[0].statements[0]
    assert "'projection.year.range'='2020,2035'" in plan.tables[1].statements[0]
    assert all("MSCK" not in statement for table in plan.tables for statement in table.statements)


def test_switching_sets_properties_and_a_table_keeps_its_mode_otherwise() -> None:
    def orders(entry: GlueTable, mode: str | None) -> tuple[str, ...]:
        found = {"orders": Found(entry), "events": Found(None)}
        return decide("db", LAYOUT, found, mode).tables[0].statements  # type: ignore[arg-type]

    (switch,) = orders(ENTRY, "projection")
    assert switch.startswith("ALTER TABLE `orders` SET TBLPROPERTIES ('projection.enabled'='true', ")
    projected = replace(ENTRY, parameters={"projection.enabled": "true"})
    assert "MSCK" not in str(orders(projected, None))
    back = orders(projected, "repair")
    assert back[0] == "ALTER TABLE `orders` SET TBLPROPERTIES ('projection.enabled'='false')"
    assert back[1] == "MSCK REPAIR TABLE `orders`"


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (replace(ENTRY, location="s3://elsewhere/orders/"), "its location is s3://elsewhere/orders/"),
        (replace(ENTRY, columns=ENTRY.columns[1:]), "column order_id is missing"),
        (replace(ENTRY, columns=(*ENTRY.columns, LakeColumn("note", "string"))), "column note is not ours"),
        (
            replace(ENTRY, columns=(*ENTRY.columns[:2], LakeColumn("amount", "double"), *ENTRY.columns[3:])),
            "column amount is double, not decimal",
        ),
        (replace(ENTRY, partition_keys=()), "partition key year is missing"),
        (replace(ENTRY, partition_keys=ENTRY.partition_keys[::-1]), "in the order day, month, year"),
        (replace(ENTRY, serde="org.openx.data.jsonserde.JsonSerDe"), "not Parquet"),
        (replace(ENTRY, type="VIRTUAL_VIEW", location=""), "a view"),
    ],
)
def test_a_table_that_is_something_else_is_refused(entry: GlueTable, message: str) -> None:
    with pytest.raises(Refused, match=message):
        decide("db", LAYOUT, {"orders": Found(entry), "events": Found(None)})


def test_the_same_types_in_another_spelling_are_the_same() -> None:
    respelt = tuple(LakeColumn(c.name, c.type.upper().replace(",", ", ")) for c in ENTRY.columns)
    entry = replace(ENTRY, columns=respelt, location="s3://b/datalake/orders")
    assert decide("db", LAYOUT, {"orders": Found(entry), "events": Found(None)}).tables[0].exists


def test_tables_and_partitions_appear_and_a_second_run_finds_them(lake: Headwater) -> None:
    first = lake.catalog()
    assert [(t.name, t.created, t.partitions, t.new_partitions) for t in first.tables] == [
        ("orders", True, 6, 6),
        ("events", True, 6, 6),
    ]
    assert list(lake.query("SELECT count(*) FROM orders").rows()) == [(120,)]
    lake.generate(first="2025-04-01", last="2025-04-02", rows_per_day=20)
    lake.upload()
    second = lake.catalog()
    assert [(t.created, t.partitions, t.new_partitions) for t in second.tables] == [(False, 8, 2), (False, 8, 2)]
    assert list(lake.query("SELECT count(*) FROM events WHERE month = 4").rows()) == [(40,)]
    third = lake.catalog()
    assert [t.new_partitions for t in third.tables] == [0, 0]


def test_projection_sees_new_days_without_another_run_and_can_be_left_again(lake: Headwater) -> None:
    report = lake.catalog("projection")
    assert [(t.mode, t.partitions) for t in report.tables] == [("projection", None), ("projection", None)]
    lake.generate(first="2025-04-01", last="2025-04-01", rows_per_day=20)
    lake.upload()
    april = "SELECT count(*) FROM orders WHERE year = 2025 AND month = 4 AND day = 1"
    assert list(lake.query(april).rows()) == [(20,)]
    assert [t.mode for t in lake.catalog().tables] == ["projection", "projection"]
    back = lake.catalog("repair")
    assert [(t.mode, t.partitions) for t in back.tables] == [("repair", 7), ("repair", 7)]
    assert list(lake.query(april).rows()) == [(20,)]


def test_a_foreign_table_is_reported_before_anything_is_changed(lake: Headwater) -> None:
    database, bucket = lake.settings.athena_database, lake.settings.bucket_name
    lake.query(f"CREATE DATABASE {database}")
    lake.query(f"CREATE EXTERNAL TABLE events (a string) STORED AS PARQUET LOCATION 's3://{bucket}/mine/'")
    with pytest.raises(Refused, match=f"{database}.events"):
        lake.catalog()
    assert glue.get_table(lake.connections.glue, database, ORDERS.name) is None
    kept = glue.get_table(lake.connections.glue, database, EVENTS.name)
    assert kept is not None
    assert [column.name for column in kept.columns] == ["a"]


def test_the_command_prints_its_statements(command: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    missing = command("catalog")
    assert missing.returncode == 6
    command("bucket")
    dry = command("catalog", "--projection", "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert "'projection.enabled'='true'" in dry.stdout
    assert "MSCK REPAIR TABLE `events`;" in command("catalog", "--dry-run").stdout
    assert "created" in command("catalog").stdout

"""A live table comes into the lake exactly, once, and changes over without doubled rows."""

from __future__ import annotations

import io
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from pyarrow import parquet

from headwater import Headwater
from headwater.errors import BucketError, InputError, Refused, SettingsError
from headwater.model import Progress
from headwater.services import athena, glue, objects, postgres
from headwater.services.athena import Workspace
from headwater.stages.ingest import IngestOptions, apply

NULL = "__HIVE_DEFAULT_PARTITION__"


@pytest.fixture
def ready(hw: Headwater) -> Headwater:
    """An empty database and a bucket."""
    postgres.create_database(hw.connections.postgres("postgres"), hw.settings.db_name)
    hw.bucket()
    return hw


def execute(hw: Headwater, statement: str) -> None:
    with postgres.connect(hw.connections.postgres()) as connection:
        connection.execute(statement.encode())


def ask(hw: Headwater, sql: str) -> list[tuple[object, ...]]:
    workspace = Workspace(hw.settings.athena_database, hw.settings.layout.athena_results)
    return list(athena.Result(hw.connections.athena, athena.run(hw.connections.athena, sql, workspace)).rows())


def files(hw: Headwater, table: str) -> list[str]:
    prefix = hw.settings.layout.table_prefix(table)
    return [item.key for item in objects.list_objects(hw.connections.s3, hw.settings.bucket_name, prefix)]


def read_lake(hw: Headwater, table: str) -> dict[str, list[Any]]:
    rows: dict[str, list[Any]] = {}
    for key in files(hw, table):
        if key.endswith(".parquet"):
            data = objects.read_bytes(hw.connections.s3, hw.settings.bucket_name, key)
            for name, values in parquet.read_table(io.BytesIO(data)).to_pydict().items():
                rows.setdefault(name, []).extend(values)
    return rows


TYPES = """
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE DOMAIN cents AS numeric(12,2);
CREATE DOMAIN price AS cents CHECK (VALUE >= 0);
CREATE TABLE "All Types" (
    at timestamptz, "Small" smallint, i integer, b bigint, r real, d double precision, n numeric(38,10), u numeric,
    p price, flag boolean, t text, v varchar(5), c char(3), id uuid, j json, jb jsonb, m mood, ip inet, day date,
    local timestamp, clock time, zoned timetz, span interval, raw bytea, list int[], names text[], bits bit(3),
    range tstzrange, dropped int
);
ALTER TABLE "All Types" DROP COLUMN dropped;
INSERT INTO "All Types" VALUES (
    '2025-01-15 23:30:00.123456-05', 32767, 2147483647, 9223372036854775807, 0.1, 0.1,
    1234567890123456789012345678.0123456789, 12345678901234567890.000000000000000000001, 99.90, true,
    E'line\\n"quoted",\\\\ and €', '', 'a', '00112233-4455-6677-8899-aabbccddeeff', '{"b": 1,  "a": 1e100}',
    '{"b": 1.10, "a": null}', 'bad', '10.0.0.1/8', '2024-02-29', '1969-12-31 23:59:59.5', '24:00:00', '12:00+02',
    '1 year 2 days 03:04:05.6', '\\xdeadbeef00', '{1,NULL,3}', '{"a,b",NULL,""}', '101',
    '[2025-01-01 00:00+00,2025-02-01 00:00+00)'
);
INSERT INTO "All Types" DEFAULT VALUES;
"""


def test_every_type_comes_exactly(ready: Headwater) -> None:
    execute(ready, TYPES)

    report = ready.ingest(IngestOptions("All Types", "at"))

    assert report.table == f"{ready.settings.athena_database}.all_types"
    assert (report.rows, report.partitions) == (2, 2)
    lake = read_lake(ready, "all_types")
    full, empty = (0, 1) if lake["i"][0] is not None else (1, 0)
    assert {name: values[empty] for name, values in lake.items()} == dict.fromkeys(lake)
    assert {name: values[full] for name, values in lake.items()} == {
        "at": datetime(2025, 1, 16, 4, 30, 0, 123456),
        "small": 32767,
        "i": 2147483647,
        "b": 9223372036854775807,
        "r": pytest.approx(0.1, rel=1e-7),
        "d": 0.1,
        "n": Decimal("1234567890123456789012345678.0123456789"),
        "u": "12345678901234567890.000000000000000000001",
        "p": Decimal("99.90"),
        "flag": True,
        "t": 'line\n"quoted",\\ and €',
        "v": "",
        "c": "a  ",
        "id": "00112233-4455-6677-8899-aabbccddeeff",
        "j": '{"b": 1,  "a": 1e100}',
        "jb": '{"a": null, "b": 1.10}',
        "m": "bad",
        "ip": "10.0.0.1/8",
        "day": date(2024, 2, 29),
        "local": datetime(1969, 12, 31, 23, 59, 59, 500000),
        "clock": "24:00:00",
        "zoned": "12:00:00+02",
        "span": "1 year 2 days 03:04:05.6",
        "raw": bytes.fromhex("deadbeef00"),
        "list": "[1,null,3]",
        "names": '["a,b",null,""]',
        "bits": "101",
        "range": '["2025-01-01 00:00:00+00","2025-02-01 00:00:00+00")',
    }


def test_athena_reads_what_was_ingested(ready: Headwater) -> None:
    execute(ready, TYPES)
    ready.ingest(IngestOptions('"All Types"', "at"))

    assert ask(
        ready, "SELECT i, n, u, jb, v, at FROM all_types WHERE at_year = 2025 AND at_month = 1 AND at_day = 16"
    ) == [
        (
            2147483647,
            Decimal("1234567890123456789012345678.0123456789"),
            "12345678901234567890.000000000000000000001",
            '{"a": null, "b": 1.10}',
            "",
            "2025-01-16 04:30:00.123",
        )
    ]
    assert ask(ready, "SELECT count(*) FROM all_types WHERE at_year IS NULL") == [(1,)]


def test_rows_without_a_day_go_to_hives_default_partition(ready: Headwater) -> None:
    execute(ready, "CREATE TABLE t (d date, n int); INSERT INTO t VALUES (NULL, 1), ('2025-01-05', 2), (NULL, 3)")

    ready.ingest(IngestOptions("t", "d"))

    partitions = set(glue.list_partitions(ready.connections.glue, ready.settings.athena_database, "t"))
    assert partitions == {("2025", "01", "05"), (NULL, NULL, NULL)}
    assert any(f"/year={NULL}/month={NULL}/day={NULL}/part-00000.parquet" in key for key in files(ready, "t"))


def test_a_second_run_replaces_the_first(ready: Headwater) -> None:
    execute(ready, "CREATE TABLE t AS SELECT '2025-01-01'::date + n AS d, n FROM generate_series(0, 9) AS n")
    first = ready.ingest(IngestOptions("t", "d"))
    execute(ready, "DELETE FROM t WHERE n < 3; INSERT INTO t VALUES ('2025-06-01', 77), ('2025-01-10', 78)")

    second = ready.ingest(IngestOptions("t", "d"))

    assert (first.rows, second.rows) == (10, 9)
    assert second.removed_files == 10
    assert ask(ready, "SELECT count(*), sum(n) FROM t") == [(9, 3 + 4 + 5 + 6 + 7 + 8 + 9 + 77 + 78)]
    assert len(list(glue.list_partitions(ready.connections.glue, ready.settings.athena_database, "t"))) == 8
    assert all(f"/run={second.run}/" in key for key in files(ready, "t"))
    assert all(ready.settings.layout.is_ours(key) for key in files(ready, "t"))


def test_a_table_that_changed_its_columns_and_its_key_is_replaced(ready: Headwater) -> None:
    execute(ready, "CREATE TABLE t (d date, n int); INSERT INTO t VALUES ('2025-01-01', 1)")
    ready.ingest(IngestOptions("t", "d"))
    execute(ready, "ALTER TABLE t DROP COLUMN n; ALTER TABLE t ADD year text; ALTER TABLE t ADD x bigint DEFAULT 5")

    ready.ingest(IngestOptions("t", "d"))

    assert ask(ready, "SELECT * FROM t") == [("2025-01-01", None, 5, 2025, 1, 1)]
    table = glue.get_table(ready.connections.glue, ready.settings.athena_database, "t")
    assert table is not None
    assert [key.name for key in table.partition_keys] == ["d_year", "d_month", "d_day"]


def test_schemas_views_and_partitioned_tables_are_read(ready: Headwater) -> None:
    execute(
        ready,
        """
        CREATE SCHEMA sales; CREATE TABLE sales.t (d timestamp, n int) PARTITION BY RANGE (d);
        CREATE TABLE sales.t1 PARTITION OF sales.t FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
        INSERT INTO sales.t VALUES ('2025-01-01 12:00', 1), ('2025-01-02', 2);
        CREATE VIEW v AS SELECT d, n::money::text AS cash FROM sales.t;
        """,
    )

    assert ready.ingest(IngestOptions("sales.t", "d")).rows == 2
    assert ready.ingest(IngestOptions("v", "d", name="cash")).rows == 2
    assert read_lake(ready, "cash")["cash"] == ["$1.00", "$2.00"]


def test_an_empty_table_becomes_an_empty_table(ready: Headwater) -> None:
    execute(ready, "CREATE TABLE t (d date, n int)")

    report = ready.ingest(IngestOptions("t", "d"))

    assert (report.rows, report.partitions, report.files) == (0, 0, 0)
    assert ask(ready, "SELECT count(*) FROM t") == [(0,)]


def test_dry_run_shows_the_plan_and_writes_nothing(ready: Headwater) -> None:
    execute(
        ready, "CREATE TABLE t (d date, n int); INSERT INTO t VALUES ('2025-01-01', 1), ('2025-01-31', 1), (NULL, 1)"
    )

    plan = ready.ingest_plan(IngestOptions("t", "d"))

    assert (plan.rows, plan.partitions_at_most, plan.replaces) == (3, 3, None)
    assert (plan.first_day, plan.last_day) == (date(2025, 1, 1), date(2025, 1, 31))
    assert [(c.name, c.type) for c in plan.lake_columns] == [("d", "date"), ("n", "int")]
    assert files(ready, "t") == []


@pytest.mark.parametrize(
    ("table", "by", "message", "hint"),
    [
        ("flight", "d", "no table flight", "did you mean flights"),
        ("nope.flights", "d", "no table nope.flights", ""),
        ("flights", "dd", "no column dd", "did you mean d"),
        ("flights", "n", "n is integer: there are no days", "date, timestamp"),
        ("a.b.c", "d", "not a table's name", "schema.table"),
    ],
)
def test_wrong_names_are_refused_with_a_hint(ready: Headwater, table: str, by: str, message: str, hint: str) -> None:
    execute(ready, "CREATE TABLE flights (d date, n int)")

    with pytest.raises(SettingsError, match=message) as caught:
        ready.ingest(IngestOptions(table, by))
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("n numeric(10,2)", "'NaN'", r"column n \(numeric\(10,2\)\): decimal\(10,2\) in the lake cannot hold"),
        ("n timestamp", "'infinity'", "column n .*infinity"),
        ("n date", "'0044-03-15 BC'", "column n .*BC"),
    ],
)
def test_a_value_without_a_place_stops_the_run_and_leaves_the_table_as_it_was(
    ready: Headwater, column: str, value: str, message: str
) -> None:
    execute(ready, f"CREATE TABLE t (d date, {column}); INSERT INTO t VALUES ('2025-01-01', NULL)")
    ready.ingest(IngestOptions("t", "d"))
    execute(ready, f"INSERT INTO t VALUES ('2025-01-02', {value})")

    with pytest.raises(InputError, match=message):
        ready.ingest(IngestOptions("t", "d"))
    assert ask(ready, "SELECT count(*) FROM t") == [(1,)]


def test_days_that_no_calendar_has_are_refused_before_anything_is_read(ready: Headwater) -> None:
    execute(ready, "CREATE TABLE t (d timestamptz); INSERT INTO t VALUES ('-infinity'), ('2025-01-01')")

    with pytest.raises(SettingsError, match="column d has 1 values that are infinite"):
        ready.ingest(IngestOptions("t", "d"))


def test_an_interrupted_run_leaves_the_table_as_it_was_and_the_next_one_cleans_up(ready: Headwater) -> None:
    execute(ready, "CREATE TABLE t AS SELECT '2025-01-01'::date + n / 9 AS d, n FROM generate_series(0, 99) AS n")
    ready.ingest(IngestOptions("t", "d"))
    execute(ready, "DELETE FROM t WHERE n > 50")

    def interrupt(step: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ready.ingest(IngestOptions("t", "d"), interrupt)
    assert ask(ready, "SELECT count(*) FROM t") == [(100,)]

    report = ready.ingest(IngestOptions("t", "d"))
    assert ask(ready, "SELECT count(*) FROM t") == [(51,)]
    assert all(f"/run={report.run}/" in key for key in files(ready, "t"))


def test_money_is_refused_by_name(ready: Headwater) -> None:
    execute(ready, "CREATE TABLE t (d date, price money)")

    with pytest.raises(SettingsError, match="column price has type money"):
        ready.ingest(IngestOptions("t", "d"))


def test_a_table_of_the_lake_that_came_from_elsewhere_is_left_alone(ready: Headwater) -> None:
    execute(ready, "CREATE SCHEMA s; CREATE TABLE t (d date); CREATE TABLE s.t (d date); CREATE TABLE orders (d date)")
    ready.ingest(IngestOptions("t", "d"))

    with pytest.raises(Refused, match=r"holds .*public\.t"):
        ready.ingest(IngestOptions("s.t", "d"))
    with pytest.raises(Refused, match="generated orders") as caught:
        ready.ingest(IngestOptions("orders", "d", name="orders"))
    assert "--as orders_live" in caught.value.hint


def test_orders_and_events_get_a_name_beside_the_generated_ones(ready: Headwater) -> None:
    execute(ready, "CREATE TABLE orders (d date)")
    assert ready.ingest(IngestOptions("orders", "d")).table.endswith(".orders_live")


def test_two_ingests_of_one_table_do_not_run_at_once(ready: Headwater) -> None:
    execute(ready, "CREATE TABLE t (d date)")
    plan = ready.ingest_plan(IngestOptions("t", "d"))
    with postgres.connect(ready.connections.postgres(), autocommit=True) as connection:
        label = f"headwater ingest {plan.source_label}"
        connection.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", (label,))

        with pytest.raises(Refused, match="under way"):
            apply(plan, ready.connections, datetime(2025, 1, 1))


def test_without_a_bucket_nothing_is_read(hw: Headwater) -> None:
    with pytest.raises(BucketError, match="does not exist"):
        hw.ingest(IngestOptions("t", "d"))

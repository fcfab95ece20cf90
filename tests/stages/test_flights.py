"""Real data, end to end: 336,776 flights from the source file through PostgreSQL and the lake to Athena's answers."""

from __future__ import annotations

import csv
import io
import zipfile
from collections import Counter
from datetime import datetime
from decimal import Decimal

import pytest

from headwater import Headwater
from headwater.errors import Refused
from headwater.services import athena, postgres
from headwater.services.athena import Workspace
from headwater.stages.demo import flights
from headwater.stages.ingest import IngestOptions


@pytest.fixture
def loaded(hw: Headwater) -> Headwater:
    """The flights in PostgreSQL, and a bucket."""
    postgres.create_database(hw.connections.postgres("postgres"), hw.settings.db_name)
    hw.bucket()
    flights.load(hw.connections)
    return hw


def source() -> list[dict[str, str]]:
    with zipfile.ZipFile(flights.source_file()) as archive, archive.open(flights.MEMBER) as file:
        return list(csv.DictReader(io.TextIOWrapper(file, "utf-8")))


def ask(hw: Headwater, sql: str) -> list[tuple[object, ...]]:
    workspace = Workspace(hw.settings.athena_database, hw.settings.layout.athena_results)
    return list(athena.Result(hw.connections.athena, athena.run(hw.connections.athena, sql, workspace)).rows())


def test_athena_answers_what_the_source_file_says(loaded: Headwater) -> None:
    report = loaded.ingest(IngestOptions("flights", "time_hour"))
    rows = source()
    days = Counter(row["time_hour"][:10] for row in rows)

    assert report.rows == len(rows) == 336_776
    assert report.partitions == len(days) == 366  # by UTC, 2013 in New York ends in 2014

    by_carrier = Counter(row["carrier"] for row in rows)
    asked = ask(loaded, "SELECT carrier, count(*) FROM flights GROUP BY carrier")
    assert {str(carrier): number for carrier, number in asked} == by_carrier

    delays = [int(row["dep_delay"]) for row in rows if row["dep_delay"] != "NA"]
    tails = {row["tailnum"] for row in rows} - {"NA"}
    totals = "SELECT count(*), count(dep_delay), sum(dep_delay), count(DISTINCT tailnum), max(time_hour) FROM flights"
    assert ask(loaded, totals) == [(336_776, len(delays), sum(delays), len(tails), "2014-01-01 04:00:00.000")]

    one_day = """
        SELECT count(*), sum(distance) FROM flights
        WHERE time_hour_year = 2013 AND time_hour_month = 7 AND time_hour_day = 4
    """
    that_day = [row for row in rows if row["time_hour"].startswith("2013-07-04")]
    assert ask(loaded, one_day) == [(len(that_day), sum(int(row["distance"]) for row in that_day))]

    first = min(rows, key=lambda row: (row["time_hour"], row["carrier"], int(row["flight"])))
    ordered = "SELECT carrier, flight, time_hour FROM flights ORDER BY time_hour, carrier, flight LIMIT 1"
    instant = datetime.fromisoformat(first["time_hour"].replace("Z", "+00:00")).strftime("%Y-%m-%d %H:%M:%S.000")
    assert ask(loaded, ordered) == [(first["carrier"], int(first["flight"]), instant)]


def test_loading_twice_changes_nothing(loaded: Headwater) -> None:
    report = flights.load(loaded.connections)

    assert (report.rows, report.loaded) == (336_776, False)


def test_a_table_of_that_name_with_other_rows_is_left_alone(loaded: Headwater) -> None:
    with postgres.connect(loaded.connections.postgres()) as connection:
        connection.execute("DELETE FROM flights WHERE month = 2")

    with pytest.raises(Refused, match=r"public\.flights holds"):
        flights.load(loaded.connections)


def test_nulls_and_sums_in_postgresql_are_the_files(loaded: Headwater) -> None:
    with postgres.connect(loaded.connections.postgres()) as connection:
        row = connection.execute(
            "SELECT count(*) FILTER (WHERE dep_time IS NULL), count(*) FILTER (WHERE tailnum IS NULL),"
            " sum(distance)::numeric, min(time_hour AT TIME ZONE 'UTC') FROM flights"
        ).fetchone()

    assert row == (8255, 2512, Decimal(sum(int(row["distance"]) for row in source())), datetime(2013, 1, 1, 10))

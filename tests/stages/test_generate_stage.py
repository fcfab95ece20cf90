"""The generate stage: exact types, each day reproducible on its own, the same bytes on a second run."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headwater import Headwater
from headwater.domain import LAKE_TABLES, SAMPLE_EMAILS
from headwater.errors import InputError, SettingsError
from headwater.settings import load
from headwater.stages.generate import GenerateOptions, apply, decide, parse_days
from headwater.stages.generate.rows import BLOCK_ROWS

DAY = "year=2025/month=01/day=15/part-00000.parquet"
ATHENA_TYPES = {
    "string": pa.string(),
    "int": pa.int32(),
    "decimal(10,2)": pa.decimal128(10, 2),
    "timestamp": pa.timestamp("us"),
}


@pytest.fixture
def local(tmp_path: Path) -> Headwater:
    """A project that needs no service."""
    return Headwater(settings=load(tmp_path, environ={}))


def test_the_files_have_the_columns_and_types_of_the_lake_tables(local: Headwater, tmp_path: Path) -> None:
    report = local.generate(rows_per_day=500)
    assert (report.files, report.written, report.rows) == (12, 12, 6_000)
    for table in LAKE_TABLES:
        schema = pq.read_schema(tmp_path / "output" / table.name / DAY)
        assert schema.names == [column.name for column in table.columns]
        assert schema.types == [ATHENA_TYPES[column.type] for column in table.columns]


def test_the_rows_make_sense(local: Headwater, tmp_path: Path) -> None:
    local.generate(rows_per_day=3_000)
    orders = pq.ParquetFile(tmp_path / "output/orders" / DAY).read().to_pylist()
    events = pq.ParquetFile(tmp_path / "output/events" / DAY).read().to_pylist()
    for rows, key in ((orders, "order_id"), (events, "event_id")):
        assert len({row[key] for row in rows}) == 3_000
        moments = [row["created_at"] for row in rows]
        assert moments == sorted(moments)
        assert datetime(2025, 1, 15) <= moments[0] < moments[-1] < datetime(2025, 1, 16)
        assert all(1 <= row["user_id"] <= 5_000 for row in rows)
    assert all(Decimal("0.01") <= row["amount"] <= Decimal("99999999.99") for row in orders)
    assert {row["status"] for row in orders} == {"completed", "pending", "refunded", "failed"}
    assert {row["currency"] for row in orders} == {"USD", "EUR", "GBP"}
    emails = {row["user_id"]: row["user_email"] for row in events}
    assert [emails[number] for number in range(1, 6)] == list(SAMPLE_EMAILS)
    assert all(emails[row["user_id"]] == row["user_email"] for row in events)
    assert all(isinstance(json.loads(row["properties"]), dict) for row in events)
    assert {row["event_type"] for row in events} == {"page_view", "login", "purchase", "signup", "refund"}


def test_a_second_run_leaves_every_file_untouched(local: Headwater, tmp_path: Path) -> None:
    local.generate(rows_per_day=100)
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.parquet")}
    report = local.generate(rows_per_day=100)
    assert (report.written, report.unchanged) == (0, 12)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.parquet")} == times
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_day_has_the_same_bytes_whatever_else_is_generated(tmp_path: Path) -> None:
    for name, span in (("alone", ("2025-01-15", "2025-01-15")), ("among", ("2025-01-01", "2025-01-31"))):
        options = GenerateOptions(parse_days(*span), rows_per_day=200, seed=7)
        apply(decide(tmp_path / name, options, ()))
    for table in ("orders", "events"):
        assert (tmp_path / "alone" / table / DAY).read_bytes() == (tmp_path / "among" / table / DAY).read_bytes()


def test_another_seed_gives_other_rows(tmp_path: Path) -> None:
    for seed in (1, 2):
        apply(decide(tmp_path / str(seed), GenerateOptions((date(2025, 1, 15),), 50, seed), ()))
    assert (tmp_path / "1/orders" / DAY).read_bytes() != (tmp_path / "2/orders" / DAY).read_bytes()


def test_a_day_of_several_row_groups_goes_on_where_the_last_one_ended(tmp_path: Path) -> None:
    rows = BLOCK_ROWS + 1_000
    apply(decide(tmp_path, GenerateOptions((date(2025, 1, 15),), rows), ()))
    file = pq.ParquetFile(tmp_path / "orders" / DAY)
    assert [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)] == [BLOCK_ROWS, 1_000]
    last, first = file.read_row_group(0).slice(BLOCK_ROWS - 1).to_pylist()[0], file.read_row_group(1).to_pylist()[0]
    assert (last["order_id"], first["order_id"]) == ("ORD-20250115-00262144", "ORD-20250115-00262145")
    assert last["created_at"] <= first["created_at"]


def test_files_of_other_days_are_reported_and_stay(local: Headwater, tmp_path: Path) -> None:
    local.generate(rows_per_day=10)
    report = local.generate(first="2025-06-01", last="2025-06-02", rows_per_day=10)
    assert report.others == 12
    assert len(list(tmp_path.rglob("*.parquet"))) == 16


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("2025-13-01", "2025-13-02"),
        ("2025-1-5", "2025-01-06"),
        ("20250105", "20250106"),
        ("yesterday", "today"),
        ("2025-02-29", "2025-03-01"),
        ("2025-01-02", "2025-01-01"),
        ("2025-01-02", None),
        (None, "2025-01-02"),
        ("", ""),
    ],
)
def test_malformed_dates_are_refused_before_anything_is_written(
    local: Headwater, tmp_path: Path, first: str | None, last: str | None
) -> None:
    with pytest.raises(SettingsError):
        local.generate(first=first, last=last)
    assert not (tmp_path / "output").exists()


@pytest.mark.parametrize("rows", [0, -1, 100_000_000])
def test_a_number_of_rows_out_of_range_is_refused(local: Headwater, rows: int) -> None:
    with pytest.raises(SettingsError):
        local.generate(rows_per_day=rows)


def test_a_folder_that_cannot_be_written_is_an_input_error(local: Headwater, tmp_path: Path) -> None:
    (tmp_path / "output").write_text("a file in the way")
    with pytest.raises(InputError, match="cannot write"):
        local.generate(rows_per_day=10)


def test_an_interrupted_run_leaves_only_whole_files(local: Headwater, tmp_path: Path) -> None:
    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        local.generate(rows_per_day=1_000, on_progress=interrupt)
    assert not list(tmp_path.rglob("*.tmp"))
    for path in tmp_path.rglob("*.parquet"):
        assert pq.read_metadata(path).num_rows == 1_000
    assert local.generate(rows_per_day=1_000).files == 12


def test_the_command_names_a_malformed_date(command: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    done = command("generate", "--from", "2025-01-32", "--to", "2025-02-01")
    assert done.returncode == 3
    assert "'2025-01-32' is not a date" in done.stderr
    assert (
        "orders/year=2025/month=02/day=01"
        in command("generate", "--from", "2025-02-01", "--to", "2025-02-01", "--dry-run").stdout
    )

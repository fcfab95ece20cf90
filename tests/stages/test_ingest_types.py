"""Types and names come into the lake exactly, or are refused by name; pure, without a database."""

from __future__ import annotations

from datetime import date

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from headwater.errors import InputError, SettingsError
from headwater.stages.ingest.files import DayFiles, WrittenFile
from headwater.stages.ingest.names import day_keys, lake_name, lake_names, parse_table
from headwater.stages.ingest.plan import IngestColumn
from headwater.stages.ingest.rows import RowReader
from headwater.stages.ingest.types import LakeType, PostgresType, lake_type, numeric_modifier


def numeric(precision: int, scale: int) -> str:
    return lake_type("c", PostgresType("numeric", "b", "N", numeric_modifier(precision, scale), "numeric")).name


@pytest.mark.parametrize(
    ("precision", "scale", "expected"),
    [
        (10, 2, "decimal(10,2)"),
        (38, 0, "decimal(38,0)"),
        (38, 38, "decimal(38,38)"),
        (39, 2, "string"),
        (2, 5, "decimal(5,5)"),
        (5, -3, "decimal(8,0)"),
        (1000, -1000, "string"),
    ],
)
def test_numeric_with_bounds_is_a_decimal_that_holds_all_of_it(precision: int, scale: int, expected: str) -> None:
    assert numeric(precision, scale) == expected


def test_numeric_without_bounds_is_text() -> None:
    assert lake_type("c", PostgresType("numeric", "b", "N", -1, "numeric")).name == "string"


@pytest.mark.parametrize("name", ["money", "geometry", "record", "regclass"])
def test_a_type_without_an_exact_form_is_refused_by_name(name: str) -> None:
    with pytest.raises(SettingsError, match=f"column price has type {name}"):
        lake_type("price", PostgresType(name, "b", "U", -1, name))


def test_table_names_are_read_as_people_write_them() -> None:
    assert parse_table('"a ""b"".c"') == (None, 'a "b".c')
    assert parse_table('"S"."T"') == ("S", "T")
    for wrong in ("", ".", "a.b.c", '"a', "a."):
        with pytest.raises(SettingsError):
            parse_table(wrong)


def test_two_columns_with_one_lake_name_are_refused() -> None:
    with pytest.raises(SettingsError, match="columns 'Id' and 'ID' would both be id"):
        lake_names(["Id", "name", "ID"])


def test_partition_keys_never_hide_a_column() -> None:
    assert day_keys("t", []) == ("year", "month", "day")
    assert day_keys("t", ["day"]) == ("t_year", "t_month", "t_day")
    assert day_keys("t", ["day", "t_month"]) == ("partition_t_year", "partition_t_month", "partition_t_day")


@given(st.text(min_size=1))
def test_every_name_becomes_one_that_athena_takes(name: str) -> None:
    safe = lake_name(name)
    assert safe
    assert set(safe) <= set("abcdefghijklmnopqrstuvwxyz0123456789_")
    assert not safe[0].isdigit()


def reader(*types: str) -> RowReader:
    return RowReader([IngestColumn(f"C{i}", "pg", f"c{i}", LakeType(t)) for i, t in enumerate(types)])


def test_null_and_the_empty_string_stay_apart() -> None:
    table = reader("string", "int").read(b'"",1\n,\n"a\n,""b""",3\n')

    assert table.to_pydict() == {"c0": ["", None, 'a\n,"b"'], "c1": [1, None, 3]}


def test_a_single_column_of_nulls_keeps_its_rows() -> None:
    assert reader("string").read(b'a\n\n""\n\n').to_pydict() == {"c0": ["a", None, "", None]}


def test_floats_and_instants_are_read_exactly() -> None:
    table = reader("double", "float", "timestamp").read(
        b"NaN,Infinity,2025-01-01 00:00:00\n"
        b"5e-324,3.4028235e+38,0001-01-01 23:59:59.999999\n"
        b"-Infinity,0.1,9999-12-31 00:00:00.5\n"
    )

    assert table.column("c0").cast(pa.string()).to_pylist() == ["nan", "5e-324", "-inf"]
    assert table.column("c1").to_pylist()[1] == 3.4028234663852886e38
    assert [str(v) for v in table.column("c2").to_pylist()] == [
        "2025-01-01 00:00:00",
        "0001-01-01 23:59:59.999999",
        "9999-12-31 00:00:00.500000",
    ]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("decimal(10,2)", "NaN"),
        ("timestamp", "infinity"),
        ("date", "0044-03-15 BC"),
        ("timestamp", "10000-01-01 00:00:00"),
    ],
)
def test_a_value_without_a_place_names_its_column(kind: str, value: str) -> None:
    with pytest.raises(InputError, match=f"column C1 .*{value}"):
        reader("int", kind).read(f"1,{value}\n".encode())


def write(days: list[int | None], batch: int) -> tuple[list[WrittenFile], dict[str, bytes]]:
    stored: dict[str, bytes] = {}
    schema = pa.schema([("d", pa.date32()), ("n", pa.int64())])
    rows = pa.table({"d": pa.array(days, pa.int32()).cast(pa.date32()), "n": list(range(len(days)))}, schema)
    with DayFiles(schema, "d", str, stored.__setitem__) as files:
        for start in range(0, len(days), batch):
            files.add(rows.slice(start, batch))
    return files.files, stored


@given(st.lists(st.integers(-3, 3), max_size=40).map(sorted), st.integers(0, 4), st.integers(1, 7))
def test_each_day_becomes_one_file_with_its_rows(days: list[int], nulls: int, batch: int) -> None:
    given_days = [*days, *[None] * nulls]
    files, stored = write(given_days, batch)

    assert sum(file.rows for file in files) == len(given_days)
    assert len(files) == len(set(given_days)) == len(stored)
    numbers = []
    for file in files:
        table = parquet.read_table(pa.BufferReader(stored[file.path]))
        assert set(table.column("d").to_pylist()) == {file.day}
        numbers += table.column("n").to_pylist()
    assert numbers == list(range(len(given_days)))


def test_a_failed_upload_is_raised_not_lost() -> None:
    def fail(path: str, data: bytes) -> None:
        raise OSError("no route")

    schema = pa.schema([("d", pa.date32())])
    with pytest.raises(OSError, match="no route"), DayFiles(schema, "d", str, fail) as files:
        files.add(pa.table({"d": [date(2025, 1, 1)]}, schema))

"""Partition projection: the four types, filters that look up and do not enumerate, bad properties."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.stack.lakehouse.catalog.filters import matches
from headwater.stack.lakehouse.catalog.java_dates import DatePattern
from headwater.stack.lakehouse.catalog.projection import is_projected, projected
from headwater.stack.lakehouse.errors import QueryFailed
from headwater.stack.lakehouse.model import KeyFilter, Table

NOW = datetime(2025, 3, 10, 14, 35, 7, tzinfo=timezone.utc)
DATED = {"projection.dt.type": "date", "projection.dt.range": "2025-01-01,NOW", "projection.dt.format": "yyyy-MM-dd"}


def table(keys: dict[str, str], **properties: str) -> Table:
    return Table.from_glue(
        {
            "DatabaseName": "lake",
            "Name": "t",
            "PartitionKeys": [{"Name": name, "Type": kind} for name, kind in keys.items()],
            "StorageDescriptor": {"Columns": [], "Location": "s3://b/t"},
            "Parameters": {"projection.enabled": "TRUE", **properties},
        }
    )


def values(projection: Table, *filters: KeyFilter) -> list[tuple[str, ...]]:
    return [partition.values for partition in projected(projection, filters, NOW)]


def number(kind: str = "int", **properties: str) -> Table:
    named = {f"projection.n.{name}": value for name, value in properties.items()}
    return table({"n": kind}, **{"projection.n.type": "integer", **named})


def test_only_tables_that_enable_it_are_projected() -> None:
    assert is_projected(number(range="1,2"))
    assert not is_projected(Table.from_glue({"Name": "t", "Parameters": {"projection.enabled": "true"}}))
    assert not is_projected(Table.from_glue({"Name": "t", "PartitionKeys": [{"Name": "a", "Type": "int"}]}))


def test_integers_have_ranges_intervals_and_digits() -> None:
    assert values(number(range="1,3")) == [("1",), ("2",), ("3",)]
    assert values(number(range=" 1 , 6 ", interval="2", digits="2")) == [("01",), ("03",), ("05",)]
    assert values(number(range="-1,1")) == [("-1",), ("0",), ("1",)]


def test_integer_keys_compare_as_numbers_and_text_keys_as_text() -> None:
    assert values(number(range="1,31", digits="2"), KeyFilter("n", "=", ("5",))) == [("05",)]
    assert values(number("string", range="1,31", digits="2"), KeyFilter("n", "=", ("5",))) == []
    assert values(number("string", range="1,12"), KeyFilter("n", ">", ("2",))) == [(str(n),) for n in range(3, 10)]


def test_an_equality_in_a_range_of_all_longs_is_found_at_once() -> None:
    wide = number("bigint", range=f"{-(2**63)},{2**63 - 1}")
    start = time.perf_counter()
    assert values(wide, KeyFilter("n", "=", ("123456789012",))) == [("123456789012",)]
    assert values(wide, KeyFilter("n", ">=", ("5",)), KeyFilter("n", "<", ("8",))) == [("5",), ("6",), ("7",)]
    assert time.perf_counter() - start < 0.5
    with pytest.raises(QueryFailed, match="HIVE_EXCEEDED_PARTITION_LIMIT"):
        values(wide)


def test_enums_keep_their_white_space() -> None:
    listed = table({"c": "string"}, **{"projection.c.type": "enum", "projection.c.values": "a, b,c"})
    assert values(listed) == [("a",), (" b",), ("c",)]
    assert values(listed, KeyFilter("c", "in", ("c", "b", "a"))) == [("a",), ("c",)]
    assert values(listed, KeyFilter("c", ">=", ("b",))) == [("c",)]


def test_dates_run_until_now_in_utc() -> None:
    dated = table({"dt": "string"}, **DATED)
    found = values(dated)
    assert (found[0], found[-1], len(found)) == (("2025-01-01",), ("2025-03-10",), 69)
    assert values(dated, KeyFilter("dt", ">", ("2025-03-08",))) == [("2025-03-09",), ("2025-03-10",)]
    assert values(dated, KeyFilter("dt", "=", ("2025-03-11",))) == []


@pytest.mark.parametrize(
    ("limits", "pattern", "extra", "first", "last", "count"),
    [
        ("NOW-3MONTHS,NOW", "yyyy/MM", {}, "2024/12", "2025/03", 4),
        ("NOW-1DAYS , NOW+1DAY", "yyyyMMdd", {}, "20250309", "20250311", 3),
        ("2025-01-31,2025-05-01", "yyyy-MM-dd", {"interval.unit": "MONTHS"}, "2025-01-31", "2025-04-30", 4),
        ("2020,NOW", "yyyy", {"interval.unit": "years", "interval": "2"}, "2020", "2024", 3),
        ("2025/03/10/00,NOW", "yyyy/MM/dd/HH", {"interval.unit": "HOURS"}, "2025/03/10/00", "2025/03/10/14", 15),
        ("01-Jan-2025,31-Jan-2025", "dd-MMM-yyyy", {"interval.unit": "WEEKS"}, "01-Jan-2025", "29-Jan-2025", 5),
        ("2025-03-10T14:00,NOW", "yyyy-MM-dd'T'HH:mm", {"interval.unit": "MINUTES", "interval": "5"},
         "2025-03-10T14:00", "2025-03-10T14:35", 8),
    ],
)  # fmt: skip
def test_date_formats_and_units(
    limits: str, pattern: str, extra: dict[str, str], first: str, last: str, count: int
) -> None:
    properties = {"type": "date", "range": limits, "format": pattern, **extra}
    dated = table({"dt": "string"}, **{f"projection.dt.{name}": value for name, value in properties.items()})
    found = values(dated)
    assert (found[0], found[-1], len(found)) == ((first,), (last,), count)
    for text in (first, last):
        assert values(dated, KeyFilter("dt", "=", (text,))) == [(text,)]


def test_injected_keys_need_an_equality() -> None:
    injected = table({"u": "string"}, **{"projection.u.type": "injected"})
    assert values(injected, KeyFilter("u", "in", ("a b", "x"))) == [("a b",), ("x",)]
    with pytest.raises(QueryFailed, match="must contain only static equality conditions"):
        values(injected, KeyFilter("u", ">", ("a",)))


def test_locations_follow_the_template_or_hive_directories() -> None:
    keys = {"y": "int", "c": "string"}
    properties = {
        "projection.y.type": "integer",
        "projection.y.range": "2025,2025",
        "projection.c.type": "enum",
        "projection.c.values": "a:b",
    }
    plain = next(projected(table(keys, **properties), (), NOW))
    assert plain.location == "s3://b/t/y=2025/c=a:b/"
    template = {"storage.location.template": "s3://b/x/${c}/${y}"}
    assert next(projected(table(keys, **properties, **template), (), NOW)).location == "s3://b/x/a:b/2025/"


@pytest.mark.parametrize(
    "properties",
    [
        {},
        {"projection.dt.type": "nope"},
        {"projection.dt.type": "integer"},
        {"projection.dt.type": "integer", "projection.dt.range": "1-5"},
        {"projection.dt.type": "integer", "projection.dt.range": "5,1"},
        {"projection.dt.type": "integer", "projection.dt.range": "1,5", "projection.dt.digits": "0"},
        {**DATED, "projection.dt.range": "yesterday,NOW"},
        {**DATED, "projection.dt.format": "yyyy-MM-dd'T"},
        {**DATED, "projection.dt.format": "yyyy-ww"},
        {**DATED, "projection.dt.interval.unit": "EONS"},
        {**DATED, "projection.dt.format": "yyyy-MM-dd HH", "projection.dt.range": "2025-01-01 00,NOW"},
        {**DATED, "storage.location.template": "s3://b/x/"},
        {**DATED, "storage.location.template": "s3://b/${dt}/${nope}"},
    ],
)
def test_bad_properties_fail_the_query(properties: dict[str, str]) -> None:
    with pytest.raises(QueryFailed, match=r"lake\.t"):
        values(table({"dt": "string"}, **properties))


@settings(deadline=None)
@given(
    low=st.integers(-50, 50),
    count=st.integers(0, 60),
    step=st.integers(1, 7),
    digits=st.sampled_from([None, "1", "3"]),
    kind=st.sampled_from(["int", "string"]),
    filters=st.lists(
        st.builds(
            KeyFilter, st.just("n"), st.sampled_from(["=", "<", "<=", ">", ">=", "in"]),
            st.integers(-60, 120).map(lambda n: (str(n),)) | st.sampled_from([("005",), ("x",), ("-3",)]),
        ),
        max_size=3,
    ),
)  # fmt: skip
def test_filtering_equals_enumerating_and_then_filtering(
    low: int, count: int, step: int, digits: str | None, kind: str, filters: list[KeyFilter]
) -> None:
    properties = {"range": f"{low},{low + count}", "interval": str(step)} | ({"digits": digits} if digits else {})
    projection = number(kind, **properties)
    everything = values(projection)
    assert len(everything) == count // step + 1
    assert values(projection, *filters) == [v for v in everything if all(matches(f, v[0], kind) for f in filters)]


@settings(deadline=None)
@given(
    days=st.integers(0, 40_000),
    pattern=st.sampled_from(["yyyy-MM-dd", "yyyyMMdd", "d/M/yyyy", "dd MMMM yyyy", "yyyy/DDD", "EEE dd-MMM-yyyy"]),
)
def test_dates_are_read_as_they_are_written(days: int, pattern: str) -> None:
    moment = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(days=days)
    compiled = DatePattern.compile(pattern)
    assert compiled.parse(compiled.format(moment)) == moment

"""The Athena edge: prices, values with their types, pages of results, failures with Athena's reason, cancelling."""

from __future__ import annotations

from decimal import Decimal

import pytest

from headwater import Headwater
from headwater.errors import AwsError, QueryError
from headwater.services import athena
from headwater.services.athena import Workspace, price

DIGITS = "(VALUES 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)"
SLOW = f"SELECT sum(a.n * b.n % (1 + c.n)) FROM {', '.join(f'{DIGITS} AS {name}(n)' for name in 'abcdefghijkl')}"


@pytest.fixture
def hw_with_bucket(hw: Headwater) -> Headwater:
    """A project with a bucket: Athena needs somewhere to write."""
    hw.bucket()
    return hw


@pytest.mark.parametrize(
    ("kind", "scanned", "state", "usd"),
    [
        ("DML", 0, "SUCCEEDED", "0.00005"),
        ("DML", 10_000_000, "SUCCEEDED", "0.00005"),
        ("DML", 10_000_001, "SUCCEEDED", "0.000055"),
        ("DML", 10**12, "SUCCEEDED", "5"),
        ("DDL", 0, "SUCCEEDED", "0"),
        ("UTILITY", 0, "SUCCEEDED", "0"),
        ("DML", 10**12, "FAILED", "0"),
        ("DML", 10**12, "CANCELLED", "5"),
        ("DML", 0, "CANCELLED", "0"),
    ],
)
def test_the_price_follows_the_bytes_scanned(kind: str, scanned: int, state: str, usd: str) -> None:
    assert price(kind, scanned, state) == Decimal(usd)


def test_values_come_with_their_types(hw_with_bucket: Headwater) -> None:
    result = hw_with_bucket.query(
        "SELECT 1 AS i, 2.5e0 AS x, CAST(1.10 AS decimal(5,2)) AS d, true AS b, 'a,\"b' AS s, CAST(NULL AS int) AS n"
    )
    assert [column.name for column in result.columns] == ["i", "x", "d", "b", "s", "n"]
    assert list(result.rows()) == [(1, 2.5, Decimal("1.10"), True, 'a,"b', None)]
    assert result.execution.state == "SUCCEEDED"


def test_rows_go_beyond_a_page_and_the_header_is_no_row(hw_with_bucket: Headwater) -> None:
    numbers = "a.n + 10 * b.n + 100 * c.n + 1000 * d.n"
    tables = ", ".join(f"{DIGITS} AS {name}(n)" for name in "abcd")
    result = hw_with_bucket.query(f"SELECT {numbers} AS n FROM {tables} WHERE {numbers} < 2500 ORDER BY n")
    assert [row[0] for row in result.rows()] == list(range(2_500))


def test_a_row_that_looks_like_the_header_is_a_row(hw_with_bucket: Headwater) -> None:
    assert list(hw_with_bucket.query("SELECT 'a' AS a").rows()) == [("a",)]


def test_statements_without_a_header_lose_no_row(hw_with_bucket: Headwater) -> None:
    database = hw_with_bucket.settings.athena_database
    assert list(hw_with_bucket.query(f"CREATE DATABASE {database}").rows()) == []
    assert (database,) in list(hw_with_bucket.query("SHOW DATABASES").rows())


def test_a_failed_statement_carries_athenas_reason_and_the_statement(hw_with_bucket: Headwater) -> None:
    with pytest.raises(QueryError, match=r"FAILED: .*nope.*\(in: SELECT nope\)") as caught:
        hw_with_bucket.query("SELECT nope")
    assert caught.value.exit_code == 7


def test_a_missing_table_hints_at_catalog(hw_with_bucket: Headwater) -> None:
    hw_with_bucket.query(f"CREATE DATABASE {hw_with_bucket.settings.athena_database}")
    with pytest.raises(QueryError) as caught:
        hw_with_bucket.query("SELECT * FROM orders")
    assert "headwater catalog" in caught.value.hint


def test_what_interrupts_the_wait_cancels_the_statement(hw_with_bucket: Headwater) -> None:
    client = hw_with_bucket.connections.athena
    workspace = Workspace(None, hw_with_bucket.settings.layout.athena_results)
    execution_id = athena.start(client, SLOW, workspace)

    def ctrl_c(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        athena.wait(client, execution_id, sleep=ctrl_c)
    ended = athena.wait(client, execution_id)
    assert ended.state == "CANCELLED"
    with pytest.raises(QueryError, match="CANCELLED"):
        athena.succeeded(ended)


def test_an_execution_that_does_not_exist_is_an_aws_error(hw_with_bucket: Headwater) -> None:
    with pytest.raises(AwsError, match="InvalidRequestException"):
        athena.get(hw_with_bucket.connections.athena, "00000000-0000-0000-0000-000000000000")

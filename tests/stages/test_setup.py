"""Setup creates the database, the schema and the samples once; --rows converges, reproducibly."""

from __future__ import annotations

from typing import Any

import pytest

from headwater import Headwater
from headwater.errors import PostgresError, SettingsError
from headwater.services import postgres
from headwater.settings import load
from headwater.stages.setup import Found, SetupOptions, decide
from headwater.stages.setup.schema import ORDERS, disagreement
from headwater.stages.setup.volume import Span, order_blocks, user_blocks, users_for

ORDERS_CONTENT = """
    SELECT u.email, o.amount, o.currency, o.status, o.created_at
    FROM orders AS o JOIN users AS u ON u.id = o.user_id ORDER BY 5, 1, 2
"""


def query(hw: Headwater, statement: str) -> list[tuple[Any, ...]]:
    with postgres.connect(hw.connections.postgres()) as connection:
        return connection.execute(statement.encode()).fetchall()


def execute(hw: Headwater, statement: str) -> None:
    with postgres.connect(hw.connections.postgres()) as connection:
        connection.execute(statement.encode())


def test_setup_creates_database_schema_and_samples(hw: Headwater) -> None:
    report = hw.setup()

    assert report.created_database
    assert report.created_tables == ("users", "orders", "events")
    assert report.rows == report.added == {"users": 5, "orders": 10, "events": 12}
    assert {plan for (plan,) in query(hw, "SELECT plan FROM users")} == {"free", "pro", "enterprise"}
    assert query(hw, "SELECT min(created_at) >= '2025-01-01', max(created_at) < '2025-04-01' FROM orders") == [
        (True, True)
    ]


def test_second_setup_adds_nothing_even_beside_rows_of_ones_own(hw: Headwater) -> None:
    hw.setup()
    execute(hw, "INSERT INTO users (email, name) VALUES ('me@example.org', 'Me')")
    execute(hw, "INSERT INTO orders (user_id, amount) SELECT id, 1 FROM users")
    execute(hw, "UPDATE orders SET status = 'refunded' WHERE status = 'pending'")
    before = query(hw, ORDERS_CONTENT)

    report = hw.setup()

    assert report.added == {"users": 0, "orders": 0, "events": 0}
    assert not report.created_database
    assert query(hw, ORDERS_CONTENT) == before


def test_setup_brings_back_a_sample_row_that_was_deleted(hw: Headwater) -> None:
    hw.setup()
    before = query(hw, ORDERS_CONTENT)
    execute(hw, "DELETE FROM orders WHERE amount = 499 AND created_at < '2025-02-01'")

    assert hw.setup().added["orders"] == 1
    assert query(hw, ORDERS_CONTENT) == before


def test_rows_fill_to_a_total_in_proportion(hw: Headwater) -> None:
    report = hw.setup(rows=2000)

    assert report.rows == {"users": 5 + 40, "orders": 2000, "events": 4000}
    assert hw.setup(rows=2000).added == {"users": 0, "orders": 0, "events": 0}
    assert hw.setup(rows=500).added == {"users": 0, "orders": 0, "events": 0}


def test_rows_in_two_steps_are_the_rows_of_one(hw: Headwater, project: Any) -> None:
    hw.setup(rows=700, seed=7)
    assert hw.setup(rows=1500, seed=7).added["orders"] == 800

    at_once = Headwater(settings=load(project, environ={}, overrides={"db_name": hw.settings.db_name + "_b"}))
    at_once.setup(rows=1500, seed=7)

    assert query(hw, ORDERS_CONTENT) == query(at_once, ORDERS_CONTENT)


def test_bulk_load_leaves_indexes_and_foreign_keys_in_place(hw: Headwater) -> None:
    def shape() -> list[tuple[Any, ...]]:
        indexes = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'"
        keys = (
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid::regclass::text IN ('orders', 'events')"
        )
        return sorted(query(hw, f"{indexes} UNION ALL {keys}"))

    hw.setup()
    before = shape()
    hw.setup(rows=1000)

    assert shape() == before


def test_dry_run_changes_nothing(hw: Headwater) -> None:
    plan = hw.setup_plan(rows=100)

    assert plan.create_database
    with postgres.connect(hw.connections.postgres("postgres")) as connection:
        assert not postgres.database_exists(connection, hw.settings.db_name)


def test_a_table_of_another_kind_is_refused_and_left_alone(hw: Headwater) -> None:
    postgres.create_database(hw.connections.postgres("postgres"), hw.settings.db_name)
    execute(hw, "CREATE TABLE orders (id uuid, total money)")

    with pytest.raises(PostgresError, match=r"orders .* is not the sample business's: id is uuid, not bigint"):
        hw.setup()
    assert query(hw, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(1,)]


def test_odd_database_names_are_taken_as_they_are(hw: Headwater, project: Any) -> None:
    name = hw.settings.db_name + " ='\"%s"
    odd = Headwater(settings=load(project, environ={}, overrides={"db_name": name}))

    assert odd.setup().created_database
    assert odd.setup().rows["users"] == 5


def test_constraints_keep_wrong_rows_out(hw: Headwater) -> None:
    hw.setup()
    for statement in (
        "INSERT INTO users (email, name) VALUES ('alice@example.com', 'again')",
        "INSERT INTO users (email, name, plan) VALUES ('x@example.com', 'X', 'gold')",
        "INSERT INTO orders (user_id, amount) VALUES (999999, 1)",
        "INSERT INTO orders (user_id, amount) SELECT min(id), -1 FROM users",
        "INSERT INTO events (user_id, event_type, properties) SELECT min(id), 'x', '[]' FROM users",
    ):
        with pytest.raises(PostgresError):
            execute(hw, statement)


@pytest.mark.parametrize(
    ("overrides", "message", "hint"),
    [
        ({"db_host": "127.0.0.1", "db_port": 1, "db_user": "u", "db_password": "p"}, "cannot connect", "DB_PORT"),
        ({"db_password": "wrong"}, "password authentication failed", "DB_PASSWORD"),
    ],
)
def test_a_server_that_cannot_be_used_says_what_to_do(
    hw: Headwater, project: Any, overrides: dict[str, Any], message: str, hint: str
) -> None:
    broken = Headwater(settings=load(project, environ={}, overrides=overrides))

    with pytest.raises(PostgresError, match=message) as caught:
        broken.setup()
    assert hint in caught.value.hint
    assert caught.value.exit_code == 4


def test_options_out_of_range_are_refused() -> None:
    for options in ({"rows": -1}, {"rows": 10**11}, {"seed": -1}):
        with pytest.raises(SettingsError):
            SetupOptions(**options)


def test_plan_counts_what_is_there_already() -> None:
    columns = {"users": {}, "orders": dict(ORDERS.columns), "events": {}}
    found = Found(True, {"orders": columns["orders"]}, {"orders": 30}, {"users": 5, "orders": 10, "events": 12}, 1)
    plan = decide("app", found, SetupOptions(rows=100))

    assert plan.create_tables == ("users", "events")
    assert {fill.table: (fill.first, fill.last) for fill in plan.fill} == {
        "users": (1, 2),
        "orders": (40, 100),
        "events": (12, 200),
    }


def test_disagreement_welcomes_types_that_take_the_same_rows() -> None:
    assert disagreement(ORDERS, {**ORDERS.columns, "id": "integer", "extra": "point"}) == ""
    assert disagreement(ORDERS, {**ORDERS.columns, "amount": "real"}) == "amount is real, not numeric(10,2)"


def test_a_generated_row_does_not_depend_on_where_the_span_begins() -> None:
    import numpy as np

    ids = np.arange(1, 10_000)
    whole = b"".join(bytes(block.text) for block in order_blocks(Span(0, 70_000), 3, ids)).splitlines()
    part = b"".join(bytes(block.text) for block in order_blocks(Span(65_000, 66_000), 3, ids)).splitlines()

    assert part == whole[65_000:66_000]
    assert list(order_blocks(Span(5, 5), 3, ids)) == []
    assert sum(block.rows for block in user_blocks(Span(0, users_for(101)), 3)) == 3

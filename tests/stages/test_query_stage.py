"""The query stage and its command: examples, files of statements, formats, and what a query cost."""

from __future__ import annotations

import csv
import io
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater import Headwater
from headwater.errors import BucketError, SettingsError
from headwater.stages.query import EXAMPLES, plan, split

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def lake(hw: Headwater) -> Headwater:
    """A project that can be queried."""
    hw.bucket()
    hw.generate(rows_per_day=300)
    hw.upload()
    hw.catalog()
    return hw


@pytest.mark.parametrize(
    ("text", "statements"),
    [
        ("SELECT 1", ["SELECT 1"]),
        ("SELECT 1;\n SELECT 2 ;", ["SELECT 1", "SELECT 2"]),
        ("SELECT ';' ; SELECT 'it''s; fine'", ["SELECT ';'", "SELECT 'it''s; fine'"]),
        ('SELECT ";" FROM `a;b`; x', ['SELECT ";" FROM `a;b`', "x"]),
        ("-- a; comment\nSELECT 1; -- the end;\n", ["-- a; comment\nSELECT 1"]),
        ("/* a; */ SELECT 1 /* b;", ["/* a; */ SELECT 1 /* b;"]),
        ("SELECT 4 / 2 - 1; SELECT 2", ["SELECT 4 / 2 - 1", "SELECT 2"]),
        (" ;; -- nothing\n; /* */ ", []),
    ],
)
def test_a_text_is_split_where_statements_end(text: str, statements: list[str]) -> None:
    assert list(split(text)) == statements


@given(st.text(alphabet="a'\"`;-/*\n "))
def test_splitting_loses_nothing_but_semicolons_and_comments(text: str) -> None:
    for statement in split(text):
        assert statement in text
        assert list(split(statement)) == [statement]


def test_without_text_there_are_the_four_examples_and_without_statements_an_error() -> None:
    assert [statement.title for statement in plan().statements] == [title for title, _ in EXAMPLES]
    with pytest.raises(SettingsError):
        plan("-- nothing")


def test_a_query_before_there_is_a_bucket_says_how_to_make_one(hw: Headwater) -> None:
    with pytest.raises(BucketError, match="hw-") as raised:
        hw.query("SELECT 1")
    assert "headwater bucket" in raised.value.hint


def test_the_examples_agree_with_another_engine(lake: Headwater) -> None:
    with duckdb.connect() as engine:
        for table in ("orders", "events"):
            files = lake.settings.layout.output / table / "**/*.parquet"
            engine.execute(
                f"CREATE VIEW {table} AS SELECT * FROM read_parquet('{files}', hive_partitioning=true, "
                "hive_types={'year': INT, 'month': INT, 'day': INT})"
            )
        for title, sql in EXAMPLES:
            result = lake.query(sql)
            # Athena's timestamps have milliseconds: it rounds.
            rounded = "date_trunc('milliseconds', created_at + INTERVAL 500 MICROSECONDS)"
            expected = engine.execute(sql.replace("created_at", rounded)).fetchall()
            found = list(result.rows())
            assert len(found) == len(expected) > 1, title
            for ours, theirs in zip(found, expected, strict=True):
                assert [_plain(cell) for cell in ours] == [_plain(cell) for cell in theirs]
            assert 0 < result.execution.bytes_scanned < 40_000


def _plain(cell: object) -> object:
    text = str(cell)
    return Decimal(text) if text.replace(".", "", 1).isdigit() else text.ljust(23, "0")[:23]


def test_a_table_says_what_it_cost_and_is_capped(lake: Headwater, command: Run) -> None:
    done = command("query")
    assert done.returncode == 0, done.stderr
    assert all(title in done.stdout for title, _ in EXAMPLES)
    assert done.stdout.count("0.00005 USD on AWS") == 4
    many = command("query", "SELECT * FROM orders")
    assert "only the first 100 rows" in many.stdout
    assert len(many.stdout.splitlines()) < 110


def test_csv_and_json_lines_have_every_row_and_nothing_else_on_stdout(lake: Headwater, command: Run) -> None:
    sql = "SELECT order_id, amount, user_id FROM orders WHERE day = 15 ORDER BY order_id"
    table = list(csv.reader(io.StringIO(command("query", sql, "--format", "csv").stdout)))
    assert (table[0], len(table)) == (["order_id", "amount", "user_id"], 301)
    done = command("query", sql, "--format", "json")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [[row["order_id"], row["amount"], str(row["user_id"])] for row in rows] == table[1:]
    assert "scanned" in done.stderr


def test_the_full_report_is_one_document(lake: Headwater, command: Run) -> None:
    done = command("query", "SELECT count(*) AS n FROM events; SHOW TABLES", "--json")
    first, second = json.loads(done.stdout)["statements"]
    assert (first["rows"], first["price_usd"]) == ([{"n": 1_800}], "0.00005")
    assert (len(second["rows"]), second["price_usd"]) == (2, "0")
    assert {"execution_id", "bytes_scanned", "engine_ms", "queue_ms", "total_ms", "columns"} <= set(first)


def test_statements_come_from_a_file_or_standard_input(hw: Headwater, command: Run, tmp_path: Path) -> None:
    hw.bucket()
    (tmp_path / "q.sql").write_text("SELECT 'one;' AS a;\nSELECT 2 AS b -- end\n")
    both = command("query", "-f", str(tmp_path / "q.sql"), "--format", "csv").stdout
    assert both == "a\none;\nb\n2\n"
    assert command("query", "-", "--format", "csv", stdin="SELECT 3 AS c").stdout == "c\n3\n"
    assert command("query", "SELECT 1", "-f", str(tmp_path / "q.sql")).returncode == 2
    (tmp_path / "latin.sql").write_bytes("SELECT 'é'".encode("latin-1"))
    assert command("query", "-f", str(tmp_path / "latin.sql")).returncode == 13
    (tmp_path / "marked.sql").write_bytes(b"\xef\xbb\xbfSELECT 4 AS d")
    assert command("query", "-f", str(tmp_path / "marked.sql"), "--format", "csv").stdout == "d\n4\n"


def test_a_sql_error_is_athenas_own_with_exit_code_7_and_stops_the_rest(hw: Headwater, command: Run) -> None:
    hw.bucket()
    done = command("query", "SELECT 1 AS a; SELEC 2; SELECT 3 AS c", "--format", "csv")
    assert (done.returncode, done.stdout) == (7, "a\n1\n")
    assert "SELEC" in done.stderr
    as_json = command("query", "SELECT nope", "--json")
    assert (as_json.returncode, as_json.stdout) == (7, "")
    assert json.loads(as_json.stderr)["error"] == "QueryError"


def test_a_reader_that_goes_away_is_no_error(lake: Headwater, project: Path) -> None:
    first = subprocess.run(  # noqa: S602 - the pipe is what is tested
        f"{sys.executable} -m headwater --project {project} query 'SELECT * FROM orders a, orders b LIMIT 20000' "
        "--format csv | head -n 1",
        shell=True,
        env={"HEADWATER_BUCKET_NAME": lake.settings.bucket_name, "PATH": "/usr/bin:/bin"}
        | {"HEADWATER_ATHENA_DATABASE": lake.settings.athena_database},
        capture_output=True,
        text=True,
        check=False,
    )
    assert first.stdout.startswith("order_id,")
    assert first.stderr == ""


def test_ctrl_c_cancels_the_statement_in_athena(hw: Headwater, project: Path) -> None:
    hw.bucket()
    digits = "(VALUES 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)"
    sql = f"SELECT sum(a.n * b.n % (1 + c.n)) FROM {', '.join(f'{digits} AS {name}(n)' for name in 'abcdefghijkl')}"
    before = set(_executions(hw))
    running = subprocess.Popen(
        [sys.executable, "-m", "headwater", "--project", str(project), "query", sql],
        env={"HEADWATER_BUCKET_NAME": hw.settings.bucket_name},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    while not (new := set(_executions(hw)) - before):
        time.sleep(0.02)
    time.sleep(0.2)  # until it waits for the result
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=30)
    assert (running.returncode, b"interrupted" in errors) == (130, True)
    (execution,) = new
    status = hw.connections.athena.get_query_execution(QueryExecutionId=execution)["QueryExecution"]["Status"]
    assert status["State"] == "CANCELLED"


def _executions(hw: Headwater) -> list[str]:
    return hw.connections.athena.list_query_executions(MaxResults=50)["QueryExecutionIds"]

"""The commands around PostgreSQL as scripts see them: text, JSON, exit codes, one after the other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from headwater import Headwater

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(hw: Headwater) -> Run:
    """Runs ``headwater …`` as its own process for the project of ``hw``."""
    names = ("bucket_name", "db_name", "athena_database")
    environment = {f"HEADWATER_{name.upper()}": getattr(hw.settings, name) for name in names}
    environment |= {"PATH": os.environ["PATH"], "AWS_EC2_METADATA_DISABLED": "true"}

    def call(*arguments: str, stdin: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "headwater", "--project", str(hw.settings.project), *arguments]
        env = environment | variables
        return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, env=env, timeout=120)

    return call


def report(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_commands_in_their_order(run: Run, hw: Headwater) -> None:
    assert "would create database" in run("setup", "--dry-run").stdout
    assert report(run("setup", "--rows", "200", "--json"))["rows"] == {"users": 9, "orders": 200, "events": 400}
    assert "nothing to do" in run("setup", "--dry-run").stdout
    check = run("check")
    assert (check.returncode, "later" in check.stdout) == (0, True)
    assert run("bucket").returncode == 0
    assert report(run("check", "--json"))["passed"] is True

    assert "pg_dump" in run("backup", "create", "--dry-run").stdout
    made = report(run("backup", "create", "--json"))["backup"]
    assert made["row_counts"] == {"public.events": 400, "public.orders": 200, "public.users": 9}
    assert made["id"] in run("backup", "list").stdout
    assert "the newest" in run("backup", "prune", "--dry-run").stdout
    assert "1 kept, 0 removed" in run("backup", "prune").stdout

    assert "would restore backup" in run("restore", "--dry-run").stdout
    restored = report(run("restore", "--json"))
    assert (restored["database"], restored["compared"]) == (f"{hw.settings.db_name}_restored", True)
    again = run("restore", "latest")
    assert again.returncode == 12
    assert again.stderr.startswith("error: database")
    assert "  fix: " in again.stderr
    onto = ("restore", "--into", restored["database"], "--clean")
    asked, answer = run(*onto, stdin="no\n"), run(*onto, "--json", stdin=restored["database"])
    assert (asked.returncode, "(3 tables)" in asked.stdout, "nothing was changed" in asked.stderr) == (12, True, True)
    assert "--yes" in run(*onto).stderr  # nobody is there to answer
    assert (report(answer)["database"], "DROP what is in" in answer.stderr) == (restored["database"], True)
    assert run(*onto, "--yes").stdout.startswith(f"restoring backup {made['id']}")

    assert "decimal(10,2)" in run("ingest", "orders", "--partition-by", "created_at", "--as", "o", "--dry-run").stdout
    ingested = report(run("ingest", "orders", "--partition-by", "created_at", "--as", "o", "--json"))
    assert (ingested["rows"], ingested["table"]) == (200, f"{hw.settings.athena_database}.o")


def test_failures_have_their_exit_codes(run: Run) -> None:
    unreachable = {"HEADWATER_DB_HOST": "127.0.0.1", "HEADWATER_DB_PORT": "1", "HEADWATER_DB_USER": "u"}
    unreachable |= {"HEADWATER_DB_PASSWORD": "secret-word"}
    assert run("setup", **unreachable).returncode == 4
    checked = run("check", **unreachable)
    assert checked.returncode == 10
    assert "DB_PORT" in checked.stdout
    failed = run("backup", "create", "--json", **unreachable)
    assert json.loads(failed.stderr)["error"] == "PostgresError"
    assert "secret-word" not in failed.stderr + failed.stdout + checked.stdout
    assert run("restore", "nope").returncode != 0
    assert run("backup", "create", HEADWATER_DB_NAME="a/b").returncode == 3


@pytest.mark.parametrize("arguments", [["setup"], ["check"], ["backup", "create"], ["backup", "prune"], ["ingest"]])
def test_help_shows_an_example(run: Run, arguments: list[str]) -> None:
    shown = run(*arguments, "--help").stdout

    assert "Example:" in shown
    assert "--json" in shown

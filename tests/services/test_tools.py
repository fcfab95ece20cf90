"""The right client program is found, an old one refused, and the login never gets into the arguments."""

from __future__ import annotations

from pathlib import Path

import pytest

from headwater.errors import BackupError
from headwater.model import PostgresAddress
from headwater.services import tools
from headwater.services.tools import Tool
from headwater.stack.binaries import installed_versions


@pytest.fixture(autouse=True)
def _only_given_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whatever this machine has installed stays out of the test."""
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    monkeypatch.setattr(tools, "_FOLDERS", ())


def test_the_servers_own_major_is_preferred_to_a_newer_one() -> None:
    folders = installed_versions()

    assert tools.find("pg_dump", 16, folders.values()).major == 16
    assert tools.find("pg_dump", 17, folders.values()).major == 18
    assert tools.find("pg_restore", 18, folders.values()).path.parent == folders[18]


def test_an_older_one_is_refused_with_the_remedy() -> None:
    with pytest.raises(BackupError, match=r"pg_dump 16\.\d+ .* is older than the server \(18\)") as caught:
        tools.find("pg_dump", 18, [installed_versions()[16]])
    assert "postgresql-client-18" in caught.value.hint


def test_none_at_all_is_an_error_with_the_remedy() -> None:
    with pytest.raises(BackupError, match="pg_dump was not found") as caught:
        tools.find("pg_dump", 18)
    assert "headwater[stack]" in caught.value.hint


def test_path_is_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(installed_versions()[16]))

    assert tools.find("pg_dump", 16).major == 16


def test_what_does_not_run_is_as_good_as_not_there(tmp_path: Path) -> None:
    broken = tmp_path / "pg_dump"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)

    assert tools.installed("pg_dump", [tmp_path]) == []


def test_the_newest_minor_of_a_major_wins() -> None:
    old, new = Tool(Path("old"), (16, 1)), Tool(Path("new"), (16, 10))

    assert tools.choose([old, new, Tool(Path("next"), (17, 0))]) is new


def test_login_is_in_the_environment_only() -> None:
    variables = tools.login(PostgresAddress("db", 5433, "me", "s3cret", "a=b"))

    assert variables["PGPASSWORD"] == "s3cret"
    assert variables["PGDATABASE"] == "a=b"
    assert "PGPASSWORD" not in tools.login(PostgresAddress("db", 5433, "me", None, "app"))

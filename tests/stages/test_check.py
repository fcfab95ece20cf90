"""Check looks at everything, says what to do, and never hangs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from headwater import Headwater
from headwater.errors import CheckFailed
from headwater.settings import load
from headwater.stages.check import CheckReport, Finding, prerequisites, require, run


def statuses(report: CheckReport) -> dict[str, str]:
    return {finding.name: finding.status for finding in report.findings}


def finding(report: CheckReport, name: str) -> Finding:
    return next(finding for finding in report.findings if finding.name == name)


def other(hw: Headwater, project: Path, **overrides: Any) -> Headwater:
    """The same project with some settings changed."""
    names = {"bucket_name": hw.settings.bucket_name, "db_name": hw.settings.db_name}
    return Headwater(settings=load(project, environ={}, overrides={**names, **overrides}))


@pytest.fixture
def as_aws(hw: Headwater, project: Path, monkeypatch: pytest.MonkeyPatch) -> Headwater:
    """The same services, reached the way that AWS and a PostgreSQL server of one's own are."""
    stack = hw.connections.stack
    assert stack is not None
    monkeypatch.setenv("AWS_ENDPOINT_URL", stack.endpoint_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", stack.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", stack.secret_access_key)
    own = stack.postgres
    login = {"db_host": own.host, "db_port": own.port, "db_user": own.user, "db_password": own.password}
    return other(hw, project, target="aws", **login)


def test_everything_in_place_passes(hw: Headwater) -> None:
    hw.setup()
    hw.bucket()

    report = hw.check()

    assert set(statuses(report).values()) == {"ok"}
    require(report)


def test_a_bucket_that_is_not_there_yet_is_no_failure(hw: Headwater) -> None:
    hw.setup()

    report = hw.check()

    assert finding(report, "bucket").status == "warning"
    assert "headwater bucket" in finding(report, "bucket").remedy
    assert report.passed


def test_a_missing_database_says_setup(hw: Headwater) -> None:
    report = hw.check()

    assert finding(report, "database").status == "failed"
    assert "headwater setup" in finding(report, "database").remedy
    with pytest.raises(CheckFailed, match="database") as caught:
        require(report)
    assert caught.value.exit_code == 10


def test_a_wrong_password_fails_and_the_other_checks_go_on(hw: Headwater, project: Path) -> None:
    report = other(hw, project, db_password="wrong").check()

    assert "DB_PASSWORD" in finding(report, "postgresql").remedy
    assert finding(report, "pg_dump").detail == "needs postgresql"
    assert finding(report, "aws identity").status == "ok"
    assert "wrong" not in str(report)


def test_someone_elses_bucket_is_a_failure(hw: Headwater, as_aws: Headwater, monkeypatch: pytest.MonkeyPatch) -> None:
    hw.setup()
    hw.bucket()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "111111111111")

    report = as_aws.check()

    assert finding(report, "bucket").status == "failed"
    assert "another AWS account" in finding(report, "bucket").detail
    assert "BUCKET_NAME" in finding(report, "bucket").remedy


def test_no_credentials_say_how_to_get_some(as_aws: Headwater, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    report = as_aws.check()

    assert "no AWS credentials" in finding(report, "aws identity").detail
    assert "aws configure" in finding(report, "aws identity").remedy
    assert finding(report, "bucket").detail == "needs aws identity"
    assert finding(report, "postgresql").status == "ok"


def test_an_old_pg_dump_is_found_out(as_aws: Headwater, programs_16: Path, no_programs: Path) -> None:
    (no_programs / "pg_dump").symlink_to(programs_16 / "pg_dump")

    assert "older than the server (18)" in finding(as_aws.check(), "pg_dump").detail


def test_a_missing_pg_dump_is_found_out(as_aws: Headwater, no_programs: Path) -> None:
    assert "pg_dump was not found" in finding(as_aws.check(), "pg_dump").detail


def test_a_check_that_hangs_is_given_up(hw: Headwater, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prerequisites, "athena", lambda connections: time.sleep(60))
    started = time.monotonic()

    report = run(hw.connections, deadline=2.0)

    assert finding(report, "athena").detail == "no answer within 2 s"
    assert time.monotonic() - started < 30

"""What the tests of several stages share: running a command, another AWS account, a lake that is ready."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import pytest

from headwater import Headwater

Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def command(hw: Headwater) -> Command:
    """Runs ``headwater …`` as its own process for the project of ``hw``."""
    settings = hw.settings
    environment = {
        "HEADWATER_BUCKET_NAME": settings.bucket_name,
        "HEADWATER_DB_NAME": settings.db_name,
        "HEADWATER_ATHENA_DATABASE": settings.athena_database,
        "AWS_EC2_METADATA_DISABLED": "true",
    }

    def run(*arguments: str, stdin: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "headwater", "--project", str(settings.project), *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            env=environment | variables,
            timeout=120,
        )

    return run


@pytest.fixture
def as_account(hw: Headwater, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Headwater]:
    """The same project as another AWS account sees it: with target aws, through boto3's own credential chain."""

    def other(account: str) -> Headwater:
        stack = hw.connections.stack
        assert stack is not None
        monkeypatch.setenv("AWS_ENDPOINT_URL", stack.endpoint_url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", account)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
        return Headwater(settings=replace(hw.settings, target="aws"))

    return other

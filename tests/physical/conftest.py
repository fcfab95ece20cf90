"""The fixtures of the tests of physical backups: a cluster of their own, as such a backup copies all of one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from headwater import Headwater
from headwater.services import postgres
from headwater.stack.launcher import ensure_running, shutdown
from headwater.stages import wal

sys.path.append(str(Path(__file__).resolve().parents[1] / "faults"))  # the proxy that breaks what goes to S3


@pytest.fixture(scope="session")
def stack_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cluster of these tests' own: a physical backup copies all of it, and other tests' log would recycle theirs."""
    state = tmp_path_factory.mktemp("physical") / ".headwater"
    ensure_running(state)
    yield state
    shutdown(state, remove=True)


@pytest.fixture
def ready(hw: Headwater) -> Iterator[Headwater]:
    """A database with a table ``marks``, and a bucket."""
    hw.setup()
    hw.bucket()
    with postgres.connect(hw.connections.postgres()) as connection:
        connection.execute("CREATE TABLE marks (n int PRIMARY KEY, at timestamptz DEFAULT clock_timestamp())")
    yield hw
    wal.drop_slot(hw.connections)

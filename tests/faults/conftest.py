"""What the fault tests share: databases worth losing, and Headwater as it runs against servers of one's own."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from fault_site import NOISE, Site, address_of
from psycopg import sql

from headwater import Headwater
from headwater.services import postgres
from headwater.settings import load
from headwater.stack.binaries import installed_versions
from headwater.stack.launcher import ensure_running


@pytest.fixture(scope="session")
def databases(stack_state: Path) -> Iterator[dict[str, str]]:
    """Two databases that no test changes: ``small`` (2 MiB, one request) and ``large`` (20 MiB, three parts)."""
    stack, unique = ensure_running(stack_state), uuid.uuid4().hex[:8]
    names = {size: f"{size}_{unique}" for size in ("small", "large")}
    for size, rows in (("small", 200), ("large", 2000)):
        with postgres.connect(address_of(stack, "postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(names[size])))
        with postgres.connect(address_of(stack, names[size])) as connection:
            connection.execute(NOISE.format(rows=rows))
    yield names


@pytest.fixture
def site(
    request: pytest.FixtureRequest,
    databases: dict[str, str],
    stack_state: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Site]:
    """A bucket of its own for the database ``small``, or for the one that ``indirect`` names."""
    stack = ensure_running(stack_state)
    programs = installed_versions()[18]
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", stack.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", stack.secret_access_key)
    own = stack.postgres
    overrides: dict[str, str | int] = {
        "target": "aws",
        "bucket_name": f"faults-{uuid.uuid4().hex[:10]}",
        "db_name": databases[getattr(request, "param", "small")],
        "db_host": own.host,
        "db_port": own.port,
        "db_user": own.user,
        "db_password": own.password,
    }
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.setenv("AWS_ENDPOINT_URL", stack.endpoint_url)
    headwater = Headwater(settings=load(folder, environ={}, overrides=overrides))
    made = Site(headwater, stack, stack_state, programs, folder, monkeypatch)
    made.headwater.bucket()
    yield made
    postgres.drop_database(made.address("postgres"), f"{made.database}_restored")

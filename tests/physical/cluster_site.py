"""A cluster that tests back up, and one that they recover: marks are rows, each with a moment after it."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

from headwater import Headwater
from headwater.errors import HeadwaterError
from headwater.model import PostgresAddress
from headwater.physical_manifest import PhysicalManifest
from headwater.services import clusters, postgres
from headwater.stack import unprivileged
from headwater.stack.binaries import installed_versions
from headwater.stages import physical, wal
from headwater.stages.physical import PhysicalOptions, RecoverOptions, Target
from headwater.stages.wal import WalOptions

PROGRAMS = installed_versions()[18]
ONCE = WalOptions(once=True)


def now() -> datetime:
    return datetime.now(timezone.utc)


def back_up(hw: Headwater, *, incremental: bool = False, at: datetime | None = None) -> PhysicalManifest:
    options = PhysicalOptions(incremental=incremental, prune=False)
    return physical.create(physical.plan_create(hw.connections, at or now(), options), hw.connections).backup


def archive(hw: Headwater) -> wal.WalReport:
    return wal.archive(wal.plan_wal(hw.connections, ONCE), hw.connections)


def mark(hw: Headwater, number: int) -> datetime:
    """Write a row; the server's time just after it was committed."""
    with postgres.connect(hw.connections.postgres(), autocommit=True) as connection:
        connection.execute("INSERT INTO marks (n) VALUES (%s)", (number,))
    time.sleep(0.05)
    moment = clusters.server_clock(hw.connections.postgres())
    time.sleep(0.05)
    return moment


@contextmanager
def running(hw: Headwater, folder: Path, programs: Path = PROGRAMS) -> Iterator[PostgresAddress]:
    """A PostgreSQL on a recovered data directory, once it is open for writes."""
    for root in (folder, folder.with_name(folder.name + ".wal")):
        for path in (root, *root.rglob("*")):
            unprivileged.give(path)
    with serving(hw.connections.postgres(), folder, programs) as address:
        yield address


@contextmanager
def serving(login: PostgresAddress, folder: Path, programs: Path) -> Iterator[PostgresAddress]:
    """A PostgreSQL on a data directory, on a free port."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    log = folder.with_name(f"{folder.name}.log")
    server = [str(programs / "postgres"), "-D", str(folder), "-p", str(port), "-c", "fsync=off"]
    command = unprivileged.command(server, programs, folder)
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, cwd="/")
    try:
        address = replace(login, port=port)
        wait_until_open(address, process, log)
        yield address
    finally:
        process.terminate()
        process.wait(30)


def wait_until_open(address: PostgresAddress, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        try:
            with postgres.connect(address) as connection:
                row = connection.execute("SELECT pg_is_in_recovery()").fetchone()
                if row is not None and not row[0]:
                    return
        except HeadwaterError:
            pass
        time.sleep(0.1)


def marks(address: PostgresAddress) -> list[int]:
    with postgres.connect(address) as connection:
        return [int(row[0]) for row in connection.execute("SELECT n FROM marks ORDER BY n").fetchall()]


def recover(hw: Headwater, folder: Path, at: datetime | None) -> physical.RecoverReport:
    plan = physical.plan_recover(hw.connections, RecoverOptions(folder, Target(at)))
    return physical.recover(plan, hw.connections)


def wait_for_slot(hw: Headwater) -> None:
    """Until the server has noticed that the receiver is gone."""
    deadline = time.monotonic() + 20
    while (slot := clusters.find_slot(hw.connections.postgres(), "headwater_wal")) and slot.active:
        assert time.monotonic() < deadline
        time.sleep(0.1)

"""MiniStack with its own Athena, over the very files of a stack: what the local Athena is measured against."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3

from headwater import Headwater
from headwater.stack.launcher import environment

START_SECONDS = 60.0
_KEPT = ("Name", "StorageDescriptor", "PartitionKeys", "TableType", "Parameters")


@contextmanager
def ministack(headwater: Headwater, folder: Path) -> Iterator[Any]:
    """Start it below the folder, give it the stack's tables and (hard links to) its objects, and lend its Athena."""
    state = folder / "peer"
    for part in ("s3", "ministack"):
        shutil.copytree(headwater.settings.layout.state / part, state / part, copy_function=os.link)
    port = _free_port()
    variables = {**environment(state), "GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1", "TMPDIR": str(folder)}
    with (state / "log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "ministack"], env=variables, stdout=log, stderr=log)
    try:
        _wait(port, process, state / "log")
        _copy_tables(headwater, _client("glue", port))
        yield _client("athena", port)
    finally:
        process.terminate()
        process.wait()


def _client(service: str, port: int) -> Any:
    login = {"aws_access_key_id": "000000000000", "aws_secret_access_key": "any", "region_name": "us-east-1"}
    return boto3.client(service, endpoint_url=f"http://127.0.0.1:{port}", **login)  # type: ignore[call-overload]


def _copy_tables(headwater: Headwater, theirs: Any) -> None:
    ours, database = headwater.connections.glue, headwater.settings.athena_database
    theirs.create_database(DatabaseInput={"Name": database})
    for table in ours.get_tables(DatabaseName=database)["TableList"]:
        kept = {name: table[name] for name in _KEPT if name in table}  # type: ignore[literal-required]
        theirs.create_table(DatabaseName=database, TableInput=kept)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    sys.exit(f"MiniStack did not start: {log.read_text()[-500:]}")

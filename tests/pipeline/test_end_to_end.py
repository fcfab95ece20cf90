"""The pipeline as its users run it: the demo, the front-door scripts, and a stack that is killed after every stage."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from headwater.stack.info import read
from headwater.stack.launcher import shutdown

ROOT = Path(__file__).resolve().parent.parent.parent
SCRIPTS = {
    "setup_database.py": [],
    "connection.py": [],
    "create_bucket.py": [],
    "generate_data.py": ["--rows-per-day", "500"],
    "upload_datalake.py": [],
    "setup_athena.py": [],
    "query_athena.py": [],
    "backup_to_s3.py": [],
}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A project as a fresh checkout has it, with a stack of its own."""
    for name in ("config.py", "front_door.py", "cleanup.py", *SCRIPTS):
        shutil.copy(ROOT / name, tmp_path)
    yield tmp_path
    shutdown(tmp_path / ".headwater", remove=True)


def headwater(folder: Path, *arguments: str, expect: int = 0, **variables: str) -> subprocess.CompletedProcess[str]:
    return run(folder, [sys.executable, "-m", "headwater", *arguments], expect, variables)


def script(folder: Path, name: str, *arguments: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
    return run(folder, [sys.executable, str(folder / name), *arguments], expect, {})


def run(folder: Path, command: list[str], expect: int, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    # From another folder for the scripts' sake: they belong to the folder that they lie in.
    cwd = folder if "-m" in command else folder.parent
    environment = {**os.environ, **variables}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == expect, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def report(folder: Path, *arguments: str) -> Any:
    return json.loads(headwater(folder, *arguments, "--json").stdout)


def kill_stack(folder: Path) -> None:
    """SIGKILL for everything at once."""
    stack = read(folder / ".headwater")
    assert stack is not None
    pids = [stack.pid]
    postmaster = folder / ".headwater" / "postgres" / "postmaster.pid"
    if postmaster.exists():
        pids.append(int(postmaster.read_text().split()[0]))
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):  # generate needs no stack: the last one is dead already
            os.kill(pid, signal.SIGKILL)


def test_the_front_door_scripts_run_in_order_and_again(folder: Path) -> None:
    first = {name: script(folder, name, *arguments).stdout for name, arguments in SCRIPTS.items()}
    assert "Top spenders" in first["query_athena.py"]
    again = {name: script(folder, name, *arguments).stdout for name, arguments in SCRIPTS.items()}
    assert "0 written, 12 unchanged" in again["generate_data.py"]
    assert "12 unchanged" in again["upload_datalake.py"]
    rows = re.compile(r"\(\d+ rows?;")
    assert rows.findall(first["query_athena.py"]) == rows.findall(again["query_athena.py"])
    assert re.search(r"users +5 +0", again["setup_database.py"])
    script(folder, "cleanup.py", "--yes")
    assert not (folder / "output").exists()
    assert not (folder / ".headwater").exists()
    assert (folder / "config.py").exists()


def test_nothing_acknowledged_is_lost_when_the_stack_is_killed_after_every_stage(folder: Path) -> None:
    def stage(*arguments: str) -> Any:
        found = report(folder, *arguments)
        kill_stack(folder)
        return found

    assert stage("setup", "--rows", "2000")["rows"]["orders"] == 2000
    assert stage("check")["passed"]
    assert stage("bucket")["created"]
    stage("generate", "--rows-per-day", "300")
    assert stage("upload")["verified"] == 12
    assert [t["new_partitions"] for t in stage("catalog")["tables"]] == [6, 6]
    assert stage("bucket")["changes"] == [], "the bucket's configuration was lost"
    assert stage("upload")["uploaded"] == 0
    assert [t["new_partitions"] for t in stage("catalog")["tables"]] == [0, 0]
    backup = stage("backup", "create")["backup"]["id"]
    assert [b["manifest"]["id"] for b in stage("backup", "list")["backups"]] == [backup]
    assert stage("restore", "--to", "second")["rows"]["public.orders"] == 2000
    assert stage("ingest", "orders", "--partition-by", "created_at", "--as", "live")["rows"] == 2000
    count = headwater(folder, "query", "SELECT count(*) FROM live", "--format", "csv").stdout
    assert "2000" in count
    kill_stack(folder)
    assert headwater(folder, "clean", "--yes").returncode == 0


def test_the_demo_runs_and_runs_again_without_changing_anything_but_the_backups(folder: Path) -> None:
    first, second = report(folder, "demo"), report(folder, "demo")
    # The second backup also holds the flights, which the first run loaded after its own.
    steps = [[s for s in run["steps"] if s["name"] != "restore"] for run in (first, second)]
    rows = [[(step["name"], step["rows"], step["bytes_scanned"]) for step in run] for run in steps]
    assert rows[0] == rows[1]
    facts = {step["name"]: " ".join(step["facts"]) for step in second["steps"]}
    assert "0 written, 12 unchanged" in facts["generate"]
    assert "0 files uploaded" in facts["upload"]
    assert "366 day partitions" in facts["ingest"]
    assert "were there" in facts["flights"]
    assert [len(report(folder, "backup", "list")["backups"])] == [2]


def test_any_boto3_user_gets_the_same_answers_with_the_printed_variables(folder: Path) -> None:
    headwater(folder, "setup")
    headwater(folder, "bucket")
    headwater(folder, "generate", "--rows-per-day", "50")
    headwater(folder, "upload")
    headwater(folder, "catalog")
    variables = report(folder, "env")
    athena = boto3.client(
        "athena",
        endpoint_url=variables["AWS_ENDPOINT_URL"],
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        region_name=variables["AWS_REGION"],
    )
    started = athena.start_query_execution(
        QueryString="SELECT count(*) AS n FROM orders WHERE year = 2025 AND month = 1 AND day = 15",
        QueryExecutionContext={"Database": "saas_datalake"},
        ResultConfiguration={"OutputLocation": "s3://headwater-datalake/athena-results/"},
    )["QueryExecutionId"]
    while (execution := athena.get_query_execution(QueryExecutionId=started)["QueryExecution"])["Status"]["State"] in (
        "QUEUED",
        "RUNNING",
    ):
        pass
    assert execution["Status"]["State"] == "SUCCEEDED"
    page = athena.get_query_results(QueryExecutionId=started)["ResultSet"]
    assert [[cell["VarCharValue"] for cell in row["Data"]] for row in page["Rows"]] == [["n"], ["50"]]


def test_on_aws_without_credentials_the_remedy_is_named(folder: Path) -> None:
    done = headwater(folder, "bucket", expect=5, HEADWATER_TARGET="aws", HEADWATER_REGION="us-east-1")
    assert "no AWS credentials" in done.stderr
    assert "aws configure" in done.stderr
    assert not (folder / ".headwater").exists(), "the stack was started for an AWS target"

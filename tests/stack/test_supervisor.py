"""The stack starts quickly, survives kill -9 anywhere, and two of them live side by side."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import psycopg
import pytest
from botocore.config import Config

from headwater.stack import info
from headwater.stack.info import StackInfo
from headwater.stack.launcher import ensure_running, environment, running, shutdown


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / ".headwater"
    yield folder
    shutdown(folder, remove=True)


def s3(stack: StackInfo, account: str = "000000000000") -> object:
    return boto3.client(
        "s3",
        endpoint_url=stack.endpoint_url,
        aws_access_key_id=account,
        aws_secret_access_key="x",
        region_name="us-east-1",
        config=Config(retries={"max_attempts": 1}),
    )


def sql(stack: StackInfo, statement: str) -> list[tuple[object, ...]]:
    login = stack.postgres
    with psycopg.connect(
        host=login.host, port=login.port, user=login.user, password=login.password, dbname="postgres", autocommit=True
    ) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    wait_until_dead(pid)


def wait_until_dead(pid: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            dead = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
            # Its files and locks are its until the last of its threads is gone.
            if dead and len(list(Path(f"/proc/{pid}/task").iterdir())) == 1:
                return
        except OSError:
            return
        time.sleep(0.01)
    raise AssertionError(f"{pid} lives on")


def postmaster(state: Path) -> int:
    return int((state / "postgres" / "postmaster.pid").read_text().splitlines()[0])


def test_starts_answers_and_stops(state: Path) -> None:
    stack = ensure_running(state)
    assert ensure_running(state) == stack
    assert sql(stack, "SELECT current_setting('server_version_num')::int / 10000") == [(18,)]
    assert shutdown(state)
    assert running(state) is None
    assert not shutdown(state)


def test_addresses_stay_the_same_after_a_restart(state: Path) -> None:
    first = ensure_running(state)
    shutdown(state)
    again = ensure_running(state)
    assert (again.port, again.postgres) == (first.port, first.postgres)


def test_what_was_acknowledged_is_there_after_kill_9_of_everything(state: Path) -> None:
    stack = ensure_running(state)
    client = s3(stack)
    client.create_bucket(Bucket="kept")
    client.put_bucket_versioning(Bucket="kept", VersioningConfiguration={"Status": "Enabled"})
    client.put_bucket_tagging(Bucket="kept", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    client.put_object(Bucket="kept", Key="k", Body=b"body", Tagging="x=y", Metadata={"m": "n"})
    sql(stack, "CREATE TABLE kept AS SELECT 7 AS n")
    kill(stack.pid)
    kill(postmaster(state))
    again = ensure_running(state)
    client = s3(again)
    assert client.get_bucket_versioning(Bucket="kept")["Status"] == "Enabled"
    assert client.get_bucket_tagging(Bucket="kept")["TagSet"] == [{"Key": "a", "Value": "b"}]
    found = client.get_object(Bucket="kept", Key="k")
    assert (found["Body"].read(), found["Metadata"]) == (b"body", {"m": "n"})
    assert client.get_object_tagging(Bucket="kept", Key="k")["TagSet"] == [{"Key": "x", "Value": "y"}]
    assert sql(again, "SELECT n FROM kept") == [(7,)]


def test_the_processes_that_run_queries_end_with_the_supervisor(state: Path) -> None:
    stack = ensure_running(state)
    s3(stack).create_bucket(Bucket="results")  # type: ignore[attr-defined]
    athena = boto3.client(
        "athena",
        endpoint_url=stack.endpoint_url,
        aws_access_key_id="000000000000",
        aws_secret_access_key="x",
        region_name="us-east-1",
    )
    # It holds Python's lock in its process for years.
    hangs = r"SELECT regexp_like('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!', '^(?=a)(a+)+$')"
    athena.start_query_execution(QueryString=hangs, ResultConfiguration={"OutputLocation": "s3://results/"})
    time.sleep(0.5)
    deadline = time.monotonic() + 20
    while not (started := workers(stack.pid)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert started
    kill(stack.pid)
    while any(Path(f"/proc/{pid}/cmdline").exists() for pid in started) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(Path(f"/proc/{pid}/cmdline").exists() for pid in started)


def workers(supervisor: int) -> list[int]:
    """The descendants that have the catalog open."""
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parents[int(status.parent.name)] = int(status.read_text().rpartition(")")[2].split()[1])
    found = []
    for pid, parent in parents.items():
        if supervisor in (parent, parents.get(parent)):
            with contextlib.suppress(OSError):
                opened = [str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()]
                found += [pid] if any("catalog.sqlite" in name for name in opened) else []
    return found


def test_a_postgres_that_outlived_its_supervisor_is_adopted(state: Path) -> None:
    stack = ensure_running(state)
    survivor = postmaster(state)
    kill(stack.pid)
    again = ensure_running(state)
    assert postmaster(state) == survivor
    assert sql(again, "SELECT 1") == [(1,)]


def test_a_killed_postgres_is_started_again_before_the_next_command_goes_on(state: Path) -> None:
    stack = ensure_running(state)
    kill(postmaster(state))
    again = ensure_running(state)
    assert again.pid == stack.pid
    assert sql(again, "SELECT 1") == [(1,)]


def test_down_stops_a_postgres_whose_supervisor_was_killed(state: Path) -> None:
    stack = ensure_running(state)
    survivor = postmaster(state)
    kill(stack.pid)
    shutdown(state)
    assert not (state / "postgres" / "postmaster.pid").exists()
    assert not Path(f"/proc/{survivor}/cmdline").exists() or not Path(f"/proc/{survivor}/cmdline").read_bytes()


def test_taken_ports_are_replaced(state: Path) -> None:
    stack = ensure_running(state)
    shutdown(state)
    with socket.socket() as http, socket.socket() as database:
        for taken, port in ((http, stack.port), (database, stack.postgres.port)):
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind(("127.0.0.1", port))
            taken.listen()
        again = ensure_running(state)
        assert again.port != stack.port
        assert again.postgres.port != stack.postgres.port
        assert sql(again, "SELECT 1") == [(1,)]


def test_a_stale_pid_that_now_belongs_to_another_program_is_not_killed(state: Path) -> None:
    stack = ensure_running(state)
    kill(stack.pid)
    kill(postmaster(state))
    with subprocess.Popen(["/bin/sleep", "60"]) as other:
        lock, pid_file = state / "lock", state / "postgres" / "postmaster.pid"
        lock.write_text(str(other.pid))
        lines = pid_file.read_text().splitlines()
        pid_file.write_text("\n".join([str(other.pid), *lines[1:]]) + "\n")
        shutdown(state)
        assert other.poll() is None
        assert sql(ensure_running(state), "SELECT 1") == [(1,)]
        assert other.poll() is None
        other.kill()


def test_two_stacks_do_not_see_each_other(state: Path, tmp_path: Path) -> None:
    other_state = tmp_path / "other"
    try:
        one, two = ensure_running(state), ensure_running(other_state)
        s3(one).create_bucket(Bucket="mine")
        assert s3(two).list_buckets()["Buckets"] == []
        assert one.port != two.port
        assert one.postgres.port != two.postgres.port
    finally:
        shutdown(other_state, remove=True)


def test_commands_that_start_it_at_the_same_moment_get_the_same_stack(state: Path) -> None:
    found: list[StackInfo] = []
    threads = [threading.Thread(target=lambda: found.append(ensure_running(state))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({stack.pid for stack in found}) == 1
    assert len(found) == 4


def test_secrets_are_readable_by_their_owner_only_and_not_on_command_lines(state: Path) -> None:
    stack = ensure_running(state)
    password = stack.postgres.password
    assert password not in repr(stack)
    for path in state.glob("*"):
        if path.is_file() and password in path.read_text(errors="replace"):
            assert path.stat().st_mode & 0o077 == 0, path
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it ended while we were looking
            assert password.encode() not in process.read_bytes()


def test_a_login_without_the_password_is_refused(state: Path) -> None:
    login = ensure_running(state).postgres
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(host=login.host, port=login.port, user=login.user, password="wrong", dbname="postgres")


def test_a_bucket_of_another_account_is_taken(state: Path) -> None:
    stack = ensure_running(state)
    s3(stack, "111122223333").create_bucket(Bucket="theirs")
    client = s3(stack)
    with pytest.raises(client.exceptions.BucketAlreadyExists):
        client.create_bucket(Bucket="theirs")


def test_the_callers_variables_do_not_reach_the_stack(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_PROFILE", "AWS_SECRET_ACCESS_KEY", "PGPASSWORD", "AUTH", "HEADWATER_DB_PASSWORD"):
        monkeypatch.setenv(name, "mine")
    assert "mine" not in environment(tmp_path).values()


def test_an_unreadable_info_file_is_as_good_as_none(tmp_path: Path) -> None:
    for content in ("", "{", json.dumps({"pid": 1}), "[]"):
        (tmp_path / info.INFO_FILE).write_text(content)
        assert info.read(tmp_path) is None


def test_a_supervisor_that_is_told_to_end_stops_its_database_first(state: Path) -> None:
    stack = ensure_running(state)
    database = int((state / "postgres" / "postmaster.pid").read_text().split()[0])
    os.kill(stack.pid, signal.SIGTERM)
    wait_until_dead(stack.pid)
    assert not Path(f"/proc/{database}").exists()
    assert not (state / "postgres" / "postmaster.pid").exists()

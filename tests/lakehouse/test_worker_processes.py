"""Statements run in processes of their own: what hangs or dies there harms no other query, and can be stopped."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pytest
from athena_fixtures import SCOPE, AthenaClient, FolderStorage

from headwater.stack.lakehouse.engine import Engine
from headwater.stack.lakehouse.model import EngineSettings, Scope
from headwater.stack.lakehouse.service import Lakehouse

# Python's regular expressions need years for this, and nothing else of their process runs meanwhile.
HANGS = r"SELECT regexp_like('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!', '^(?=a)(a+)+$')"


@pytest.fixture(scope="module")
def athena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AthenaClient]:
    folder = tmp_path_factory.mktemp("processes")
    for bucket in ("data", "results"):
        (folder / "s3" / bucket).mkdir(parents=True)
    storage = FolderStorage(folder / "s3")
    settings = EngineSettings(folder / "state" / "spill", slots=2, threads=1, memory_bytes=512 * 1024**2)
    lakehouse = Lakehouse(folder / "state", storage, files=storage, settings=settings)
    lakehouse.start()
    client = AthenaClient(lakehouse, storage)
    client.run("CREATE DATABASE lake", QueryExecutionContext={"Database": "default"})
    yield client
    lakehouse.close()


def workers(state: Path) -> list[int]:
    """The processes that have a catalog below the folder open."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            opened = [str(link.readlink()) for link in (process / "fd").iterdir()]
        except OSError:
            continue
        if int(process.name) != os.getpid() and any(name.startswith(f"{state}/catalog") for name in opened):
            found.append(int(process.name))
    return found


def test_every_kind_of_statement_runs(athena: AthenaClient) -> None:
    rows = "SELECT * FROM (VALUES (1, 'a'), (2, NULL)) t(n, s)"
    athena.run(f"CREATE TABLE made WITH (external_location = 's3://data/made/') AS {rows}")
    athena.run("INSERT INTO made VALUES (3, 'c')")
    assert athena.rows("SELECT n, s FROM made ORDER BY n") == [["1", "a"], ["2", None], ["3", "c"]]
    execution = athena.run("SELECT sum(n) FROM made")
    assert execution["Statistics"]["DataScannedInBytes"] > 0
    assert athena.result(athena.run("SHOW TABLES")["QueryExecutionId"]) == [["made"]]
    athena.run("PREPARE one FROM SELECT n FROM made WHERE s = ?")
    assert athena.rows("EXECUTE one USING 'c'") == [["3"]]
    assert "made" in str(athena.result(athena.run("EXPLAIN SELECT * FROM made")["QueryExecutionId"]))


class SlowStorage(FolderStorage):
    """Takes its time before an object is there."""

    def put(self, scope: Scope, bucket: str, key: str, body: bytes | Path, content_type: str) -> None:
        time.sleep(0.05)
        super().put(scope, bucket, key, body, content_type)


def test_each_of_several_objects_stored_at_once_is_waited_for(tmp_path: Path) -> None:
    (tmp_path / "s3" / "data").mkdir(parents=True)
    storage = SlowStorage(tmp_path / "s3")
    settings = EngineSettings(tmp_path / "state" / "spill", slots=1, threads=1, memory_bytes=256 * 1024**2)
    lakehouse = Lakehouse(tmp_path / "state", storage, files=FolderStorage(tmp_path / "s3"), settings=settings)
    lakehouse.start()
    slow = AthenaClient(lakehouse, storage)
    request = {"ResultConfiguration": {"OutputLocation": "s3://data/results/"}}
    slow.run("CREATE DATABASE lake", QueryExecutionContext={"Database": "default"}, **request)
    slow.run("CREATE TABLE t (n int) LOCATION 's3://data/t/' TBLPROPERTIES ('table_type'='ICEBERG')", **request)
    slow.run("INSERT INTO t VALUES 1, 2", **request)
    # An overwrite writes the manifests of what is new and of what is gone side by side.
    slow.run("UPDATE t SET n = n + 1 WHERE n = 2", **request)
    assert slow.rows("SELECT n FROM t ORDER BY n", **request) == [["1"], ["3"]]
    lakehouse.close()


def test_failures_arrive_with_their_words(athena: AthenaClient) -> None:
    assert athena.failure("SELECT * FROM nowhere").startswith("TABLE_NOT_FOUND")
    assert athena.failure("SELECT 1 / 0") == "DIVISION_BY_ZERO: Division by zero"
    assert athena.failure("SELECT no_such(1)").startswith("FUNCTION_NOT_FOUND")
    refused = athena.wait(athena.start("SELECT * FROM x MATCH_RECOGNIZE (PATTERN (A) DEFINE A AS true)"))
    assert refused["Status"]["AthenaError"]["ErrorCategory"] == 2


def test_a_condition_of_many_parts_runs(athena: AthenaClient) -> None:
    parts = " OR ".join(f"n = {number}" for number in range(150))
    assert athena.rows(f"SELECT count(*) FROM (VALUES 1, 149, 150) t(n) WHERE {parts}") == [["2"]]


def test_a_query_that_hangs_holds_up_no_other_and_can_be_stopped(athena: AthenaClient) -> None:
    hanging = athena.start(HANGS)
    time.sleep(0.3)
    assert athena.rows("SELECT 7") == [["7"]]
    athena.call("StopQueryExecution", QueryExecutionId=hanging)
    status = athena.wait(hanging)["Status"]
    assert (status["State"], status["StateChangeReason"]) == ("CANCELLED", "Query cancelled by user")
    assert athena.rows("SELECT 8") == [["8"]]


def test_a_query_whose_process_is_killed_fails_and_the_next_one_runs(athena: AthenaClient) -> None:
    assert athena.rows("SELECT 1") == [["1"]]
    doomed = athena.start(HANGS)
    time.sleep(0.2)
    found = workers(athena.storage.root.parent / "state")
    assert found
    for process in found:
        os.kill(process, signal.SIGKILL)
    execution = athena.wait(doomed)
    assert execution["Status"]["State"] == "FAILED"
    assert "the process that ran the query ended" in execution["Status"]["StateChangeReason"]
    for answer in ("2", "3"):
        assert athena.rows(f"SELECT {answer}") == [[answer]]


def test_the_limit_of_scanned_bytes_holds(athena: AthenaClient) -> None:
    body = b"x" * 2**20 + b"\n"
    folder = athena.storage.root / "data" / "text"
    folder.mkdir()
    for number in range(12):
        (folder / f"{number}.txt").write_bytes(body)
    athena.run("CREATE EXTERNAL TABLE text (line string) LOCATION 's3://data/text/'")
    limit = {"BytesScannedCutoffPerQuery": 10_000_000}
    athena.call("CreateWorkGroup", Name="small", Configuration=limit)
    execution = athena.wait(athena.start("SELECT max(line) FROM text", WorkGroup="small"))
    status = execution["Status"]
    assert (status["State"], status["StateChangeReason"]) == ("CANCELLED", "Bytes scanned limit was exceeded")
    assert 10_000_000 < execution["Statistics"]["DataScannedInBytes"] <= 12 * len(body)


def test_queries_that_spill_at_once_do_not_mix_their_rows(tmp_path: Path) -> None:
    engine = Engine(EngineSettings(tmp_path / "spill", slots=2, threads=1, memory_bytes=40 * 1024**2))
    rows = "SELECT (i * 2654435761) % 4294967291 AS a, repeat('x', 20) || i AS b FROM range(300000) t(i) ORDER BY a"
    summed = f"SELECT count(*), sum(a), min(b), sum(length(b)) FROM (SELECT * FROM ({rows}))"

    def run(_: int) -> object:
        with engine.session() as session:
            kept = session.materialize(rows)
            return session.connection.execute(f"SELECT count(*), sum(a), min(b), sum(length(b)) FROM {kept}").fetchone()

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(run, range(4)))
    assert found == [duckdb.connect().execute(summed).fetchone()] * 4
    engine.close()


def test_an_execution_that_runs_is_answered_from_memory_as_from_the_disk(athena: AthenaClient) -> None:
    rows = "UNNEST(sequence(1, 9999)) a(x) CROSS JOIN UNNEST(sequence(1, 9999)) b(y)"
    running = athena.start(f"SELECT sum(length(CAST(x * y AS varchar))) FROM {rows}")
    target, body = "AmazonAthena.GetQueryExecution", json.dumps({"QueryExecutionId": running}).encode()
    while athena.call("GetQueryExecution", QueryExecutionId=running)["QueryExecution"]["Status"]["State"] != "RUNNING":
        time.sleep(0.002)
    known = athena.lakehouse.at_once(target, SCOPE, body)
    assert known is not None
    assert json.loads(known) == athena.call("GetQueryExecution", QueryExecutionId=running)
    assert athena.lakehouse.at_once(target, Scope("111122223333", SCOPE.region), body) is None
    athena.call("StopQueryExecution", QueryExecutionId=running)
    assert athena.wait(running)["Status"]["State"] == "CANCELLED"
    assert athena.lakehouse.at_once(target, SCOPE, body) is None
    assert athena.lakehouse.at_once(target, SCOPE, b"[]") is None

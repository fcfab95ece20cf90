"""A folder as S3, and a client that runs statements to their end: what the Athena tests share."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from headwater.stack.lakehouse.errors import NoSuchBucket
from headwater.stack.lakehouse.model import EngineSettings, Scope, StoredObject
from headwater.stack.lakehouse.service import Lakehouse

SCOPE = Scope("000000000000", "us-east-1")
OUTPUT = "s3://results/out/"


class FolderStorage:
    """``Storage`` over ``root/<bucket>/<key>``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.listed: list[str] = []

    def objects(self, scope: Scope, bucket: str, prefix: str) -> Iterator[StoredObject]:
        self.listed.append(f"{bucket}/{prefix}")
        base = self.root / bucket
        if not base.is_dir():
            raise NoSuchBucket(bucket)
        folder = base / prefix.rsplit("/", 1)[0] if "/" in prefix else base
        found = []
        for directory, _, names in os.walk(folder):
            for name in names:
                path = Path(directory) / name
                key = path.relative_to(base).as_posix()
                if key.startswith(prefix):
                    found.append((key, path))
        for key, path in sorted(found):
            status = path.stat()
            yield StoredObject(key, path, status.st_size, status.st_mtime)

    def put(self, scope: Scope, bucket: str, key: str, body: bytes | Path, content_type: str) -> None:
        base = self.root / bucket
        if not base.is_dir():
            raise NoSuchBucket(bucket)
        target = base / key
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkstemp(dir=target.parent)[1])
        if isinstance(body, Path):
            shutil.copyfile(body, temporary)
        else:
            temporary.write_bytes(body)
        temporary.rename(target)

    def delete(self, scope: Scope, bucket: str, keys: Iterable[str]) -> None:
        for key in keys:
            (self.root / bucket / key).unlink(missing_ok=True)


class AthenaClient:
    """Calls the lakehouse as the front door does, and waits for executions."""

    def __init__(self, lakehouse: Lakehouse, storage: FolderStorage) -> None:
        self.lakehouse = lakehouse
        self.storage = storage

    def call(self, operation: str, **request: Any) -> dict[str, Any]:
        status, body = self.lakehouse.call(f"AmazonAthena.{operation}", SCOPE, json.dumps(request).encode())
        answer: dict[str, Any] = json.loads(body)
        if status != 200:
            raise AssertionError(f"{answer['__type']}: {answer['message']}")
        return answer

    def refused(self, operation: str, **request: Any) -> dict[str, Any]:
        status, body = self.lakehouse.call(f"AmazonAthena.{operation}", SCOPE, json.dumps(request).encode())
        assert status != 200, body
        answer: dict[str, Any] = json.loads(body)
        return answer

    def glue(self, operation: str, **request: Any) -> dict[str, Any]:
        status, body = self.lakehouse.call(f"AWSGlue.{operation}", SCOPE, json.dumps(request).encode())
        assert status == 200, body
        answer: dict[str, Any] = json.loads(body)
        return answer

    def start(self, sql: str, **request: Any) -> str:
        request.setdefault("ResultConfiguration", {"OutputLocation": OUTPUT})
        request.setdefault("QueryExecutionContext", {"Database": "lake"})
        return str(self.call("StartQueryExecution", QueryString=sql, **request)["QueryExecutionId"])

    def wait(self, identifier: str) -> dict[str, Any]:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            execution: dict[str, Any] = self.call("GetQueryExecution", QueryExecutionId=identifier)["QueryExecution"]
            if execution["Status"]["State"] in ("SUCCEEDED", "FAILED", "CANCELLED"):
                return execution
            time.sleep(0.002)
        raise AssertionError(f"{identifier} did not end")

    def run(self, sql: str, **request: Any) -> dict[str, Any]:
        execution = self.wait(self.start(sql, **request))
        if execution["Status"]["State"] != "SUCCEEDED":
            raise AssertionError(execution["Status"]["StateChangeReason"])
        return execution

    def failure(self, sql: str, **request: Any) -> str:
        execution = self.wait(self.start(sql, **request))
        assert execution["Status"]["State"] == "FAILED", execution["Status"]
        return str(execution["Status"]["StateChangeReason"])

    def rows(self, sql: str, **request: Any) -> list[list[str | None]]:
        """The rows of a SELECT, without the header."""
        identifier = self.run(sql, **request)["QueryExecutionId"]
        return self.result(identifier)[1:]

    def result(self, identifier: str) -> list[list[str | None]]:
        answer = self.call("GetQueryResults", QueryExecutionId=identifier)
        return [[cell.get("VarCharValue") for cell in row["Data"]] for row in answer["ResultSet"]["Rows"]]

    def value(self, expression: str) -> str | None:
        """The text of one expression."""
        return self.rows(f"SELECT {expression}")[0][0]

    def stored(self, execution: dict[str, Any], suffix: str = "") -> bytes:
        location = execution["ResultConfiguration"]["OutputLocation"] + suffix
        return (self.storage.root / location.removeprefix("s3://")).read_bytes()


def make_client(folder: Path, clock: Callable[[], float] = time.time) -> AthenaClient:
    """A running lakehouse below a folder, with a bucket for data and one for results."""
    for bucket in ("data", "results"):
        (folder / "s3" / bucket).mkdir(parents=True, exist_ok=True)
    storage = FolderStorage(folder / "s3")
    settings = EngineSettings(folder / "state" / "spill", slots=2, threads=2, memory_bytes=512 * 1024**2)
    lakehouse = Lakehouse(folder / "state", storage, settings=settings, clock=clock)
    lakehouse.start()
    return AthenaClient(lakehouse, storage)

"""Results that Athena keeps for a work group: for a day, in a folder of the stack's own that no S3 client can reach."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from headwater.stack.lakehouse.model import GlueJson, Scope, Storage, StoredObject

_BUCKET = "(managed)"  # no bucket can have this name
_KEPT_SECONDS = 24 * 3600
FOLDER = "managed-query-results"
"""The folder's name in the state of Glue and Athena."""


def is_managed(configuration: GlueJson) -> bool:
    """Whether a work group's configuration, or an execution, leaves results to Athena.

    >>> is_managed({"ManagedQueryResultsConfiguration": {"Enabled": True}})
    True
    """
    return bool((configuration.get("ManagedQueryResultsConfiguration") or {}).get("Enabled"))


def result_location(execution: GlueJson) -> str:
    """Where the result of an execution goes; clients are told only if it is theirs."""
    if not is_managed(execution):
        return str(execution["ResultConfiguration"]["OutputLocation"])
    return f"s3://{_BUCKET}/{execution['QueryExecutionId']}{_suffix(execution)}"


def manifest_location(execution: GlueJson) -> str | None:
    """Where the list of the files is that an execution wrote, if it is one that writes."""
    if is_managed(execution) and not _suffix(execution):
        return f"{result_location(execution)}-manifest.csv"
    location: str | None = execution["Statistics"].get("DataManifestLocation")
    return location


def _suffix(execution: GlueJson) -> str:
    kind = execution.get("SubstatementType", "")
    if execution["StatementType"] == "DML":
        return {"": ".csv", "SELECT": ".csv", "EXPLAIN": ".txt"}.get(kind, "")
    return "" if kind == "CREATE_TABLE_AS_SELECT" else ".txt"


class ResultStorage:
    """``lakehouse.model.Storage`` for results only: tables are read from the buckets alone."""

    def __init__(self, buckets: Storage, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self._buckets = buckets
        self._folder = folder
        self._clock = clock

    def objects(self, scope: Scope, bucket: str, prefix: str) -> Iterator[StoredObject]:
        """The objects below a prefix; of managed results the one that has this key, while it is kept."""
        if bucket != _BUCKET:
            return self._buckets.objects(scope, bucket, prefix)
        path = self._folder / prefix
        try:
            status = path.stat()
        except FileNotFoundError:
            return iter(())
        kept = status.st_mtime > self._clock() - _KEPT_SECONDS
        return iter([StoredObject(prefix, path, status.st_size, status.st_mtime)] if kept else [])

    def put(self, scope: Scope, bucket: str, key: str, body: bytes | Path, content_type: str) -> None:
        """Store one result, whole or not at all."""
        if bucket != _BUCKET:
            self._buckets.put(scope, bucket, key, body, content_type)
            return
        self._folder.mkdir(exist_ok=True)
        partial = self._folder / f"{key}.tmp"
        if isinstance(body, Path):
            shutil.copyfile(body, partial)
        else:
            partial.write_bytes(body)
        partial.replace(self._folder / key)

    def delete(self, scope: Scope, bucket: str, keys: Iterable[str]) -> None:
        """Delete results."""
        if bucket != _BUCKET:
            self._buckets.delete(scope, bucket, keys)
            return
        for key in keys:
            (self._folder / key).unlink(missing_ok=True)

    def forget_old(self) -> None:
        """Remove the managed results that are kept no longer."""
        for path in self._folder.glob("*"):
            if path.stat().st_mtime <= self._clock() - _KEPT_SECONDS:
                path.unlink(missing_ok=True)

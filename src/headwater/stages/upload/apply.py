"""Uploads what the plan says, several files at a time, retries and names what fails, and verifies the whole lake."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from threading import Event

from headwater.connections import Connections
from headwater.errors import AwsError, InputError, TransferError, VerificationError
from headwater.model import OnProgress, Progress, no_progress
from headwater.services import multipart, objects
from headwater.services.objects import WriteOptions
from headwater.stages.upload.plan import WORKERS, RemoteObject, Transfer, UploadPlan, with_checksums

RETRY_SECONDS = (1.0, 4.0)
"""Waits before the second and third round for failed files; botocore has by then retried each request itself."""
NAMED = 10
OPTIONS = WriteOptions(content_type="application/vnd.apache.parquet")

Sleep = Callable[[float], None]


@dataclass(frozen=True)
class TableListing:
    """What the lake holds of one table."""

    table: str
    objects: int
    size: int


@dataclass(frozen=True)
class UploadReport:
    """What was done; ``verified`` files of output/ are in the lake with the same size and checksum."""

    bucket: str
    prefix: str
    uploaded: int
    uploaded_bytes: int
    unchanged: int
    deleted: int
    extra: tuple[str, ...]
    ignored: int
    verified: int
    tables: tuple[TableListing, ...]


def apply(
    plan: UploadPlan, connections: Connections, on_progress: OnProgress = no_progress, sleep: Sleep = time.sleep
) -> UploadReport:
    """Carry out a plan and verify the result; an interrupted one is completed by the next run.

    Raises TransferError naming the files that could not be sent, VerificationError naming those that arrived wrong.
    """
    s3 = connections.s3
    for upload in plan.unfinished:  # of a run that was killed; nobody else writes to these keys
        multipart.abort(s3, plan.bucket, upload.key, upload.upload_id)
    _send_all(plan, connections, on_progress, sleep)
    deleted = _delete(plan, connections) if plan.delete else 0
    tables = verify(plan, connections)
    return UploadReport(
        bucket=plan.bucket,
        prefix=plan.prefix,
        uploaded=len(plan.transfers),
        uploaded_bytes=plan.bytes_to_send,
        unchanged=plan.unchanged,
        deleted=deleted,
        extra=() if plan.delete else plan.extra,
        ignored=len(plan.ignored),
        verified=len(plan.local),
        tables=tables,
    )


def _send_all(plan: UploadPlan, connections: Connections, on_progress: OnProgress, sleep: Sleep) -> None:
    pending, sent = plan.transfers, 0

    def one_more() -> None:
        nonlocal sent
        sent += 1
        on_progress(Progress("upload", sent, len(plan.transfers), "files"))

    failures = _send(plan.bucket, pending, connections, one_more)
    for delay in RETRY_SECONDS:
        if not failures:
            return
        sleep(delay)
        failures = _send(plan.bucket, tuple(failures), connections, one_more)
    if failures:
        first = next(iter(failures.values()))
        raise TransferError(
            f"{len(failures)} of {len(plan.transfers)} files could not be uploaded: "
            f"{_some(transfer.key for transfer in failures)}; the first one's error: {first}",
            hint=first.hint or "run `headwater upload` again: what has arrived is not sent twice",
        )


class _GivenUp(BaseException):
    """Tells a transfer that the run was interrupted. No Exception: botocore would wrap and retry that."""


def _send(
    bucket: str, transfers: tuple[Transfer, ...], connections: Connections, one_more: Callable[[], None]
) -> dict[Transfer, AwsError]:
    """Send files; those that failed with their errors. Ctrl-C ends the transfers under way, and leaves no parts."""
    s3, stop = connections.s3, Event()
    failures: dict[Transfer, AwsError] = {}

    def check() -> None:
        if stop.is_set():
            raise _GivenUp

    def put(transfer: Transfer) -> None:
        try:
            objects.put_file(s3, bucket, transfer.key, transfer.path, OPTIONS, check)
        except OSError as error:
            raise InputError(f"cannot read {transfer.path}: {error}", hint="run `headwater generate` again") from error

    with ThreadPoolExecutor(WORKERS, thread_name_prefix="upload") as threads:
        tasks = {threads.submit(put, transfer): transfer for transfer in transfers}
        try:
            for task in as_completed(tasks):
                error = task.exception()
                if error is None:
                    one_more()
                elif isinstance(error, AwsError):
                    failures[tasks[task]] = error
                else:
                    raise error
        except BaseException:
            stop.set()
            threads.shutdown(wait=True, cancel_futures=True)
            raise
    return failures


def _delete(plan: UploadPlan, connections: Connections) -> int:
    result = objects.delete(connections.s3, plan.bucket, plan.extra)
    if result.failures:
        first = result.failures[0]
        raise TransferError(
            f"{len(result.failures)} objects could not be deleted: {_some(f.key for f in result.failures)}; "
            f"the first one's error: {first.code}: {first.message}"
        )
    return result.deleted


def verify(plan: UploadPlan, connections: Connections) -> tuple[TableListing, ...]:
    """List the whole lake and compare sizes and checksums with the local files. Raises VerificationError."""
    local = {file.key: file.fingerprint for file in plan.local}
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    remote: dict[str, RemoteObject] = {}
    start = len(plan.prefix) + 1
    for item in objects.list_objects(connections.s3, plan.bucket, f"{plan.prefix}/"):
        count = counts[item.key[start:].partition("/")[0]]
        count[0] += 1
        count[1] += item.size
        if item.key in local:
            remote[item.key] = RemoteObject(item.size, item.etag)
    remote |= dict(with_checksums(connections.s3, plan.bucket, remote, local))
    wrong = [key for key, file in local.items() if key not in remote or not remote[key].same_as(file)]
    if wrong:
        raise VerificationError(
            f"{len(wrong)} objects in s3://{plan.bucket}/{plan.prefix}/ are not the local files: {_some(wrong)}",
            hint="did output/ change meanwhile? run `headwater upload` again",
        )
    return tuple(TableListing(table, number, size) for table, (number, size) in sorted(counts.items()))


def _some(keys: Iterable[str]) -> str:
    names = list(keys)
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more

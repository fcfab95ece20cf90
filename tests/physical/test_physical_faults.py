"""SIGKILL, a broken S3 and a full disk while a cluster is copied, archived or recovered: nothing lost, or said."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import resource
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import proxy
import pytest
import zstandard
from cluster_site import archive, back_up, mark, marks, recover, running, wait_for_slot
from fault_site import NOISE
from proxy import COMPLETE, CREATE, Rule, fail

from headwater import Headwater
from headwater.errors import AwsError, BackupError
from headwater.manifest import sealed
from headwater.physical_manifest import PhysicalManifest
from headwater.services import clusters, multipart, objects, postgres, recoverable
from headwater.stages import wal
from headwater.stages.physical import PhysicalVerifyOptions
from headwater.stages.wal import WalOptions

ALWAYS = 100_000
WAL_PUT = r"PUT .*/wal/"
STEPS = {"create": CREATE, "complete": COMPLETE, "files": r"PUT .*\.files\.json", "manifest": r"PUT .*\.physical\.json"}
QUICK = ("after-complete", "before-manifest", "after-manifest")  # the rest with `make soak`
LIMIT = 4 * 1024 * 1024


def start(hw: Headwater, *arguments: str, endpoint: str = "", **options: object) -> subprocess.Popen[str]:
    """``headwater …`` as its own process, with ``target = aws``, so that the proxy can stand before S3."""
    stack = hw.connections.stack
    assert stack is not None
    own = stack.postgres
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        "AWS_ENDPOINT_URL": endpoint or stack.endpoint_url,
        "AWS_ACCESS_KEY_ID": stack.access_key_id,
        "AWS_SECRET_ACCESS_KEY": stack.secret_access_key,
        "AWS_EC2_METADATA_DISABLED": "true",
        "HEADWATER_TARGET": "aws",
        "HEADWATER_BUCKET_NAME": hw.settings.bucket_name,
        "HEADWATER_DB_NAME": hw.settings.db_name,
        "HEADWATER_DB_HOST": own.host,
        "HEADWATER_DB_PORT": str(own.port),
        "HEADWATER_DB_USER": own.user,
        "HEADWATER_DB_PASSWORD": own.password,
    }
    return subprocess.Popen(
        [sys.executable, "-m", "headwater", "--project", str(hw.settings.project), *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,  # type: ignore[call-overload]
    )


class Killer:
    """Kills the process that it is given later, once, and holds the request until that has happened."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[str] | None = None
        self.ready = threading.Event()

    def __call__(self) -> None:
        assert self.ready.wait(30)
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait(30)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(name, marks=[] if name in QUICK else pytest.mark.soak)
        for name in (f"{when}-{step}" for step in STEPS for when in ("before", "after"))
    ],
)
def test_headwater_is_killed_while_it_copies(ready: Headwater, fault: str) -> None:
    when, _, step = fault.partition("-")
    with postgres.connect(ready.connections.postgres()) as connection:  # so that the copy is an upload of parts
        connection.execute(NOISE.format(rows=1000))
    kill = Killer()
    there = proxy.call(after=kill)
    if when == "before":  # and S3 never hears of it
        there = lambda request, forward: kill()  # noqa: E731
    stack = ready.connections.stack
    assert stack is not None
    # The first upload that begins is the look at the bucket's rights.
    rule = Rule(STEPS[step], there, skip=1 if step == "create" else 0)
    with proxy.faults(stack.endpoint_url, rule) as broken:
        kill.process = start(ready, "backup", "create", "--physical", endpoint=broken.url)
        kill.ready.set()
        kill.process.communicate(timeout=60)
    assert kill.process.returncode == -signal.SIGKILL

    layout, s3 = ready.settings.layout, ready.connections.s3
    found = recoverable.load(s3, layout, clusters.identifier(ready.connections.postgres("postgres"))).backups
    if fault == "after-manifest":
        assert [item.problem for item in found.backups] == [""]
    else:
        assert found.backups == ()
        made = back_up(ready)  # and the next one succeeds
        assert [item.manifest.id for item in ready.physical.list().backups.usable] == [made.id]
    assert ready.physical.verify().passed


def receiving(hw: Headwater) -> clusters.Slot | None:
    slot = clusters.find_slot(hw.connections.postgres("postgres"), "headwater_wal")
    return slot if slot is not None and slot.active else None


def wait_until(condition: Callable[[], object], process: subprocess.Popen[str] | None = None) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        assert process is None or process.poll() is None
        time.sleep(0.05)


def test_archiving_that_is_killed_leaves_nobody_behind_and_no_gap(ready: Headwater, tmp_path: Path) -> None:
    back_up(ready)
    process = start(ready, "backup", "wal")
    wait_until(lambda: receiving(ready), process)
    mark(ready, 1)
    clusters.close_segment(ready.connections.postgres("postgres"))
    mark(ready, 2)  # in a segment that is half there
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=30)
    wait_for_slot(ready)  # the receiver ended with it: otherwise nobody else could use the slot
    mark(ready, 3)

    archive(ready)
    moment = mark(ready, 4)
    archive(ready)

    assert ready.physical.status().missing == ()
    recover(ready, tmp_path / "data", moment)
    with running(ready, tmp_path / "data") as address:
        assert marks(address) == [1, 2, 3, 4]


def broken_wal(hw: Headwater, rule: Rule, options: WalOptions, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Archiving through a proxy with a rule; runs until the options' end."""
    stack = hw.connections.stack
    assert stack is not None
    # Waiting longer between attempts would change nothing but the test's duration.
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda self, context: 0.01)

    def run() -> None:
        with proxy.faults(stack.endpoint_url, rule) as broken:
            other = Headwater(settings=hw.settings)
            other.connections.s3 = hw.connections.session.client(
                "s3", endpoint_url=broken.url, config=hw.connections.s3.meta.config
            )
            wal.archive(wal.plan_wal(other.connections, options), other.connections)

    return run


def fill(hw: Headwater, segments: int) -> None:
    """Write so many segments' worth of log."""
    address = hw.connections.postgres("postgres")
    for _ in range(segments):
        with postgres.connect(address, autocommit=True) as connection:
            connection.execute("SELECT pg_logical_emit_message(false, 'test', repeat('x', 1000))")
        clusters.close_segment(address)


@pytest.mark.soak
def test_s3_that_is_away_is_tried_again(ready: Headwater, monkeypatch: pytest.MonkeyPatch) -> None:
    archive(ready)
    fill(ready, 2)
    rule = Rule(WAL_PUT, fail(503, "SlowDown"), 8)  # more than one request tries by itself
    broken_wal(ready, rule, WalOptions(seconds=8), monkeypatch)()
    assert rule.hits > 8
    assert archive(ready).missing == ()


def test_s3_that_stays_away_ends_archiving_before_the_disk_is_full(
    ready: Headwater, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive(ready)
    fill(ready, 6)
    rule = Rule(WAL_PUT, fail(503, "SlowDown"), ALWAYS)
    limit = 3 * 16 * 1024 * 1024
    with pytest.raises(BackupError, match="S3 does not take the log") as caught:
        broken_wal(ready, rule, WalOptions(seconds=60, spool_limit=limit), monkeypatch)()
    assert "the server keeps the rest" in caught.value.hint
    wait_for_slot(ready)
    assert archive(ready).missing == ()


def test_what_s3_refuses_is_said_at_once_by_a_run_that_ends(ready: Headwater, monkeypatch: pytest.MonkeyPatch) -> None:
    archive(ready)
    rule = Rule(WAL_PUT, fail(403, "AccessDenied"), ALWAYS)
    with pytest.raises(AwsError, match="AccessDenied"):
        broken_wal(ready, rule, WalOptions(once=True), monkeypatch)()
    wait_for_slot(ready)
    assert archive(ready).missing == ()


@pytest.mark.soak
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_interrupt_ends_archiving_although_s3_does_not_answer(ready: Headwater, number: int) -> None:
    back_up(ready)
    stack, asked, over = ready.connections.stack, threading.Event(), threading.Event()
    assert stack is not None

    def stall(request: proxy.Request, forward: proxy.Forward) -> None:
        asked.set()
        over.wait(60)

    with proxy.faults(stack.endpoint_url, Rule(WAL_PUT, stall, ALWAYS)) as broken:
        process = start(ready, "backup", "wal", endpoint=broken.url)
        wait_until(lambda: receiving(ready), process)
        mark(ready, 1)
        clusters.close_segment(ready.connections.postgres("postgres"))
        assert asked.wait(30)
        process.send_signal(number)
        wait_until(lambda: not receiving(ready), process)  # it sends what is whole, and S3 does not take it
        process.send_signal(number)
        process.communicate(timeout=10)
        over.set()
    assert process.returncode == -number

    wait_for_slot(ready)
    assert archive(ready).missing == ()
    assert ready.physical.verify(PhysicalVerifyOptions("head", log=True)).passed


def test_a_slot_that_was_dropped_for_long_names_the_remedy(ready: Headwater) -> None:
    plan = wal.plan_wal(ready.connections, WalOptions(seconds=2))
    wal.archive(plan, ready.connections)
    assert list(plan.spool.glob("*.partial"))  # where the receiver goes on
    wait_for_slot(ready)
    address = ready.connections.postgres("postgres")
    clusters.drop_slot(address, plan.slot)
    for _ in range(2):
        fill(ready, 3)
        with postgres.connect(address, autocommit=True) as connection:
            connection.execute("CHECKPOINT")
    with pytest.raises(BackupError, match="has already been removed") as caught:
        archive(ready)
    assert "--drop-slot" in caught.value.hint
    assert "backup create --physical" in caught.value.hint

    wal.drop_slot(ready.connections)
    made = back_up(ready)
    archive(ready)
    mark(ready, 1)
    archive(ready)
    assert ready.physical.status().missing == ()
    assert ready.physical.status().backup == made.id


def test_a_full_disk_ends_archiving_and_recovery_with_an_error(ready: Headwater, tmp_path: Path) -> None:
    back_up(ready)
    archive(ready)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, LIMIT))

    process = start(ready, "backup", "wal", "--once", preexec_fn=limit)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 8, errors
    mark(ready, 1)
    wait_for_slot(ready)
    assert archive(ready).missing == ()

    data = tmp_path / "data"
    process = start(ready, "restore", "--at", "latest", "--data-directory", str(data), preexec_fn=limit)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 8, errors
    assert "is the disk full?" in errors
    assert [path.name for path in tmp_path.iterdir() if "data" in path.name] == []


def leave_out(hw: Headwater, made: PhysicalManifest, pattern: str) -> str:
    """Take a file out of a stored copy, and make all of our own digests fit; the file's name."""
    s3, bucket = hw.connections.s3, hw.settings.bucket_name
    whole = zstandard.ZstdDecompressor().stream_reader(objects.read_bytes(s3, bucket, made.dump.key)).read()
    raw = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(whole)) as old, tarfile.open(fileobj=raw, mode="w") as new:
        left_out = next(member.name for member in old if re.fullmatch(pattern, member.name))
        for member in old:
            if member.name != left_out:
                new.addfile(member, old.extractfile(member))
    packed = zstandard.ZstdCompressor().compress(raw.getvalue())
    etag = objects.put_bytes(s3, bucket, made.dump.key, packed)
    head = objects.head(s3, bucket, made.dump.key)
    assert head is not None
    body = json.loads(objects.read_bytes(s3, bucket, made.keys[0]))
    body["dump"] |= {
        "size": len(packed),
        "etag": etag,
        "checksum": head.crc32,
        "sha256": hashlib.sha256(packed).hexdigest(),
        "raw_size": len(raw.getvalue()),
        "raw_sha256": hashlib.sha256(raw.getvalue()).hexdigest(),
    }
    body.pop("digest")
    objects.put_bytes(s3, bucket, made.keys[0], json.dumps(sealed(body)).encode())
    return left_out


@pytest.mark.parametrize("pattern", [r"base/\d+/1259", r"pg_wal/[0-9A-F]{24}"])
def test_a_file_that_is_missing_in_the_copy_is_found(ready: Headwater, pattern: str) -> None:
    left_out = leave_out(ready, back_up(ready), pattern)

    assert ready.physical.verify(PhysicalVerifyOptions("head")).passed
    report = ready.physical.verify(PhysicalVerifyOptions("full"))
    assert not report.passed
    assert left_out in report.results[0].detail


def test_an_edited_manifest_is_no_backup(ready: Headwater) -> None:
    made = back_up(ready)
    s3, bucket = ready.connections.s3, ready.settings.bucket_name
    body = json.loads(objects.read_bytes(s3, bucket, made.keys[0]))
    objects.put_bytes(s3, bucket, made.keys[0], json.dumps(body | {"end_lsn": "0/1"}).encode())

    found = ready.physical.list().backups
    assert found.backups == ()
    assert "was changed after it was written" in found.unreadable[0]
    assert any("was changed" in problem for problem in ready.physical.status().problems)


def test_a_base_that_is_removed_meanwhile_makes_no_incremental_backup(
    ready: Headwater, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = back_up(ready)
    s3, bucket = ready.connections.s3, ready.settings.bucket_name
    plain = multipart.MultipartWriter.__enter__

    def prune_now(writer: multipart.MultipartWriter) -> multipart.MultipartWriter:
        objects.delete(s3, bucket, base.keys)
        return plain(writer)

    monkeypatch.setattr(multipart.MultipartWriter, "__enter__", prune_now)
    with pytest.raises(BackupError, match="was removed meanwhile"):
        back_up(ready, incremental=True)
    found = list(objects.list_objects(s3, bucket, "backups/"))
    assert found == []

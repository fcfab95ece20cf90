"""The upload stage: only what changed, named failures, interruptions without leftovers, the whole lake verified."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

import pytest

from headwater import Headwater
from headwater.errors import BucketError, InputError, TransferError, VerificationError
from headwater.layout import Layout
from headwater.model import Progress
from headwater.services import multipart, objects
from headwater.services.checksums import SINGLE_PUT_LIMIT, Fingerprint
from headwater.stages import upload
from headwater.stages.upload import LocalFile, RemoteObject, decide
from headwater.stages.upload.plan import with_checksums

LAYOUT = Layout("b", "datalake", "backups/postgres", Path("/project"))
KEY = "datalake/orders/year=2025/month=01/day=15/part-00000.parquet"
FILE = LocalFile(KEY, Path("f"), Fingerprint(10, "aa", "crc"))


@pytest.fixture
def lake(hw: Headwater) -> Headwater:
    """A project with a bucket and twelve small files in output/."""
    hw.bucket()
    hw.generate(rows_per_day=50)
    return hw


def keys(hw: Headwater) -> list[str]:
    return [item.key for item in objects.list_objects(hw.connections.s3, hw.settings.bucket_name)]


def large(hw: Headwater) -> Path:
    """A file that goes in parts, where upload finds it."""
    path = hw.settings.layout.output / "orders/year=2025/month=01/day=15/large.parquet"
    with path.open("wb") as file:
        file.truncate(SINGLE_PUT_LIMIT + 1)
    return path


@pytest.mark.parametrize(
    ("remote", "why"),
    [
        (None, "new"),
        (RemoteObject(10, "aa"), None),
        (RemoteObject(10, "kms", "crc"), None),
        (RemoteObject(10, "kms", "other"), "changed"),
        (RemoteObject(10, "kms"), "changed"),
        (RemoteObject(11, "aa"), "changed"),
    ],
)
def test_a_file_is_sent_unless_size_and_checksum_agree(remote: RemoteObject | None, why: str | None) -> None:
    plan = decide(LAYOUT, (FILE,), {} if remote is None else {KEY: remote})
    assert [transfer.why for transfer in plan.transfers] == ([] if why is None else [why])
    assert plan.unchanged == (why is None)


def test_only_generated_tables_have_extra_objects() -> None:
    other_day = "datalake/orders/year=2025/month=01/day=16/part-00000.parquet"
    there = (other_day, "datalake/orders/README.txt", "datalake/flights/day=1/part.parquet", "datalake/orders/")
    plan = decide(LAYOUT, (FILE,), {key: RemoteObject(1, "x") for key in there})
    assert plan.extra == (other_day,)


def test_where_the_etag_is_no_checksum_the_crc32_decides(lake: Headwater) -> None:
    # As in a bucket with KMS keys: the listing's ETags say nothing.
    lake.upload()
    s3, bucket = lake.connections.s3, lake.settings.bucket_name
    local = {file.key: file.fingerprint for file in lake.upload_plan().local}
    opaque = {key: RemoteObject(found.size, "opaque") for key, found in local.items()}
    settled = dict(with_checksums(s3, bucket, opaque, local))
    assert len(settled) == 12
    assert all(RemoteObject(there.size, "opaque", there.crc32).same_as(local[key]) for key, there in settled.items())


def test_everything_is_sent_once_and_then_only_what_changed(lake: Headwater) -> None:
    first = lake.upload()
    assert (first.uploaded, first.unchanged, first.verified) == (12, 0, 12)
    assert {(table.table, table.objects) for table in first.tables} == {("events", 6), ("orders", 6)}
    second = lake.upload()
    assert (second.uploaded, second.unchanged) == (0, 12)
    lake.generate(first="2025-01-15", last="2025-01-15", rows_per_day=60)
    assert [transfer.why for transfer in lake.upload_plan().transfers] == ["changed", "changed"]
    os.utime(next(lake.settings.layout.output.rglob("*day=16/*.parquet")))
    assert lake.upload().uploaded == 2


def test_a_file_in_parts_is_not_sent_twice_either(lake: Headwater) -> None:
    large(lake)
    assert lake.upload().uploaded == 13
    assert lake.upload().uploaded == 0


def test_objects_without_a_local_file_are_reported_and_removed_on_request(lake: Headwater) -> None:
    lake.upload()
    gone = lake.settings.layout.output / "orders/year=2025/month=03/day=06/part-00000.parquet"
    gone.unlink()
    s3, bucket = lake.connections.s3, lake.settings.bucket_name
    objects.put_bytes(s3, bucket, "datalake/orders/notes.txt", b"a person's")
    key = "datalake/orders/year=2025/month=03/day=06/part-00000.parquet"
    assert lake.upload().extra == (key,)
    report = lake.upload(delete=True)
    assert (report.deleted, report.extra) == (1, ())
    assert key not in keys(lake)
    assert "datalake/orders/notes.txt" in keys(lake)


def test_temporary_and_foreign_local_files_are_not_sent(lake: Headwater) -> None:
    output = lake.settings.layout.output
    (output / "orders/year=2025/month=01/day=15/part-00000.tmp").write_bytes(b"half")
    (output / "orders/notes.txt").write_text("mine")
    report = lake.upload()
    assert (report.uploaded, report.ignored) == (12, 1)
    assert all(key.endswith(".parquet") for key in keys(lake))


def test_the_lake_is_verified_beyond_a_page_of_the_listing(lake: Headwater) -> None:
    lake.generate(first="2024-01-01", last="2025-05-20", rows_per_day=1)  # 506 days of two tables
    report = lake.upload()
    assert report.verified == 1_012
    assert sum(table.objects for table in report.tables) == 1_012


def test_without_output_the_error_says_to_generate(hw: Headwater) -> None:
    with pytest.raises(InputError, match="does not exist") as caught:
        hw.upload()
    assert "headwater generate" in caught.value.hint
    hw.settings.layout.output.mkdir()
    with pytest.raises(InputError, match="no Parquet files"):
        hw.upload(delete=True)


def test_without_a_bucket_the_error_says_to_create_it(hw: Headwater) -> None:
    hw.generate(rows_per_day=1)
    with pytest.raises(BucketError, match="does not exist") as caught:
        hw.upload()
    assert "headwater bucket" in caught.value.hint


def test_a_bucket_of_another_account_gets_nothing(lake: Headwater, as_account: Callable[[str], Headwater]) -> None:
    with pytest.raises(BucketError, match="another AWS account"):
        as_account("111111111111").upload()
    assert keys(lake) == []


def test_files_that_cannot_be_sent_are_tried_again_and_then_named(lake: Headwater) -> None:
    plan = lake.upload_plan()
    lake.connections.s3.delete_bucket(Bucket=lake.settings.bucket_name)
    waited: list[float] = []
    with pytest.raises(TransferError, match=r"12 of 12 files .* and 2 more") as caught:
        upload.apply(plan, lake.connections, sleep=waited.append)
    assert "datalake/events/year=2025/month=01/day=15/part-00000.parquet" in str(caught.value)
    assert caught.value.exit_code == 14
    assert waited == [1.0, 4.0]


def test_a_failure_that_passes_is_not_an_error(lake: Headwater) -> None:
    plan = lake.upload_plan()
    s3, bucket = lake.connections.s3, lake.settings.bucket_name
    s3.delete_bucket(Bucket=bucket)

    def bring_back(_: float) -> None:
        s3.create_bucket(Bucket=bucket)

    assert upload.apply(plan, lake.connections, sleep=bring_back).verified == 12


def test_a_file_that_changes_after_the_plan_was_made_is_noticed(lake: Headwater) -> None:
    plan = lake.upload_plan()
    plan.transfers[0].path.write_bytes(b"something else")
    with pytest.raises(VerificationError, match="are not the local files"):
        upload.apply(plan, lake.connections)


def test_ctrl_c_leaves_no_unfinished_uploads_and_the_next_run_completes(lake: Headwater) -> None:
    large(lake)

    def ctrl_c(_: Progress) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        lake.upload(on_progress=ctrl_c)
    s3, bucket = lake.connections.s3, lake.settings.bucket_name
    assert not list(multipart.list_unfinished(s3, bucket))
    before = len(keys(lake))
    assert not any(key.endswith("large.parquet") for key in keys(lake))
    report = lake.upload()
    assert report.uploaded == 13 - before
    assert report.verified == 13


def test_the_leftovers_of_a_killed_run_are_removed_and_other_peoples_are_not(lake: Headwater) -> None:
    s3, bucket = lake.connections.s3, lake.settings.bucket_name
    for key in (KEY, "datalake/flights/day=1/x.parquet"):
        s3.create_multipart_upload(Bucket=bucket, Key=key)
    lake.upload()
    assert [left.key for left in multipart.list_unfinished(s3, bucket)] == ["datalake/flights/day=1/x.parquet"]
    assert all(left.started <= datetime.now(timezone.utc) for left in multipart.list_unfinished(s3, bucket))


def test_the_command_has_exit_codes_and_json(command: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    assert command("upload").returncode == 13
    assert command("generate", "--rows-per-day", "20").returncode == 0
    missing = command("upload")
    assert (missing.returncode, "headwater bucket" in missing.stderr) == (6, True)
    assert command("bucket").returncode == 0
    assert "12 files" in command("upload", "--dry-run").stdout
    assert json.loads(command("upload", "--json").stdout)["uploaded"] == 12

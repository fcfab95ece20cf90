"""The clean stage: exactly what was shown, nothing that Headwater did not make, and again after an interruption."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from headwater import Headwater
from headwater.errors import BucketError, Refused
from headwater.layout import Layout
from headwater.services import buckets, glue, multipart, objects
from headwater.settings import load
from headwater.stages import clean
from headwater.stages.clean import CleanOptions, Contents, Found, decide

Run = Callable[..., "subprocess.CompletedProcess[str]"]
RESULT = "athena-results/3f2504e0-4f89-11d3-9a0c-0305e82c3301.csv"


@pytest.fixture
def lake(hw: Headwater) -> Headwater:
    """A project with something of everything: files, objects, results, tables, versions, an unfinished upload."""
    hw.bucket()
    s3, bucket = hw.connections.s3, hw.settings.bucket_name
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    hw.generate(rows_per_day=10)
    hw.upload()
    hw.generate(first="2025-01-15", last="2025-01-15", rows_per_day=11)
    hw.upload()  # two objects have a second version now
    hw.catalog()
    objects.put_bytes(s3, bucket, "backups/postgres/app/2025/01/15/backup_20250115T103005Z.dump.zst", b"backup")
    s3.create_multipart_upload(Bucket=bucket, Key="datalake/orders/year=2025/month=01/day=15/part-00000.parquet")
    return hw


def versions(hw: Headwater) -> list[str]:
    return [version.key for version in objects.list_versions(hw.connections.s3, hw.settings.bucket_name)]


def run(hw: Headwater, **options: bool) -> Any:
    """Clean without removing the stack, which all tests share."""
    return hw.clean(hw.clean_plan(keep_stack=True, **options))


@pytest.mark.parametrize(
    ("key", "ours"),
    [
        ("datalake/orders/year=2025/month=01/day=15/part-00000.parquet", True),
        ("datalake/flights/origin=New York/x.parquet", True),
        ("datalake/orders/", True),
        ("datalake/orders/part-00000.parquet", False),
        ("datalake/orders/year=2025/.hidden.parquet", False),
        ("datalake/orders/year=2025/notes.txt", False),
        ("datalake2/orders/year=2025/x.parquet", False),
        ("backups/postgres/app/2025/01/15/backup_20250115T103005Z.dump.zst", True),
        ("backups/postgres/app/2025/01/15/backup_20250115T103005Z.manifest.json", True),
        ("backups/postgres/app/2025/01/15/dump.sql", False),
        ("backups/mysql/app/2025/01/15/backup_20250115T103005Z.dump.zst", False),
        (RESULT, True),
        (f"{RESULT}.metadata", True),
        ("athena-results/Unsaved/2025/01/15/3f2504e0-4f89-11d3-9a0c-0305e82c3301.txt", True),
        ("athena-results/tables/3f2504e0-4f89-11d3-9a0c-0305e82c3301/part-0", True),
        ("athena-results/report.csv", False),
        ("photos/cat.jpg", False),
    ],
)
def test_a_key_is_ours_by_place_and_shape(key: str, ours: bool) -> None:
    assert Layout("b", "datalake", "backups/postgres", Path()).is_ours(key) is ours


def test_foreign_objects_and_tables_are_named_and_stop_everything() -> None:
    many = tuple(f"photos/{number}" for number in range(10))
    with pytest.raises(Refused, match=r"1,234 objects .*photos/0.*photos/9 and 1,224 more"):
        decide("b", Found(bucket="b", foreign_objects=1_234, foreign_keys=many), CleanOptions())
    with pytest.raises(Refused, match="their_table"):
        decide("b", Found(database="d", foreign_tables=("their_table",)), CleanOptions())


def test_an_adopted_bucket_is_emptied_of_ours_but_stays() -> None:
    contents = (Contents("datalake/", 3, 10), Contents("backups/postgres/"))
    plan = decide("b", Found(bucket="b", bucket_is_ours=False, contents=contents), CleanOptions())
    assert (plan.remove_bucket, plan.contents) == (False, contents[:1])


def test_the_plan_is_exact_and_then_everything_is_gone(lake: Headwater) -> None:
    plan = lake.clean_plan(keep_stack=True)
    assert (plan.database, sorted(plan.tables)) == (lake.settings.athena_database, ["events", "orders"])
    counts = {part.prefix: (part.objects, part.unfinished) for part in plan.contents}
    assert counts["datalake/"] == (14, 1)
    assert counts["backups/postgres/"] == (1, 0)
    assert (plan.remove_bucket, plan.output_files, plan.stack) == (True, 12, None)
    assert len(versions(lake)) == sum(part.objects for part in plan.contents)
    report = lake.clean(plan)
    assert (report.bucket_removed, report.uploads, report.output_files) == (True, 1, 12)
    assert report.objects > sum(part.objects for part in plan.contents)  # the results of its own statements as well
    connections = lake.connections
    assert not glue.database_exists(connections.glue, lake.settings.athena_database)
    assert buckets.region_of(connections.s3, lake.settings.bucket_name, buckets.account_id(connections.sts)) is None
    assert not lake.settings.layout.output.exists()
    assert lake.clean_plan(keep_stack=True).is_empty


@pytest.mark.parametrize("key", ["photos/cat.jpg", "datalake/orders/notes.txt", "backups/other/dump.sql"])
def test_foreign_objects_stop_it_before_anything_is_removed(lake: Headwater, key: str) -> None:
    objects.put_bytes(lake.connections.s3, lake.settings.bucket_name, key, b"mine")
    before = versions(lake)
    with pytest.raises(Refused, match=key) as caught:
        run(lake)
    assert caught.value.exit_code == 12
    assert versions(lake) == before
    assert len(list(glue.list_tables(lake.connections.glue, lake.settings.athena_database))) == 2
    assert run(lake, everything=True).bucket_removed


def test_foreign_tables_stop_it_and_everything_takes_them_too(lake: Headwater) -> None:
    lake.query("CREATE EXTERNAL TABLE theirs (a string) STORED AS PARQUET LOCATION 's3://elsewhere/theirs/'")
    with pytest.raises(Refused, match="theirs"):
        run(lake)
    report = run(lake, everything=True)
    assert "theirs" in report.tables
    assert not glue.database_exists(lake.connections.glue, lake.settings.athena_database)


def test_a_foreign_object_that_arrives_after_the_plan_is_never_deleted(lake: Headwater) -> None:
    plan = lake.clean_plan(keep_stack=True)
    objects.put_bytes(lake.connections.s3, lake.settings.bucket_name, "photos/cat.jpg", b"mine")
    with pytest.raises(Refused, match="others have come meanwhile"):
        clean.apply(plan, lake.connections, sleep=lambda _: None)
    assert versions(lake) == ["photos/cat.jpg"]


def test_a_bucket_that_headwater_adopted_stays(hw: Headwater) -> None:
    s3, bucket = hw.connections.s3, hw.settings.bucket_name
    s3.create_bucket(Bucket=bucket)
    hw.bucket()
    hw.generate(rows_per_day=1)
    hw.upload()
    report = run(hw)
    assert (report.bucket_removed, report.objects) == (False, 12)
    assert versions(hw) == []
    s3.head_bucket(Bucket=bucket)


def test_a_bucket_of_another_account_is_refused(lake: Headwater, as_account: Callable[[str], Headwater]) -> None:
    with pytest.raises(BucketError, match="another AWS account"):
        as_account("111111111111").clean_plan()


def test_an_interrupted_clean_is_completed_by_the_next(lake: Headwater) -> None:
    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    plan = lake.clean_plan(keep_stack=True)
    with pytest.raises(KeyboardInterrupt):
        clean.apply(plan, lake.connections, interrupt)
    assert run(lake).bucket_removed
    assert not list(lake.settings.layout.output.rglob("*"))


def test_more_objects_than_a_page_or_a_batch_are_all_removed(hw: Headwater) -> None:
    hw.bucket()
    hw.generate(first="2024-01-01", last="2025-05-20", rows_per_day=1)
    hw.upload()
    assert sum(part.objects for part in hw.clean_plan(keep_stack=True).contents) == 1_012
    assert run(hw).objects == 1_012


def test_tables_without_their_bucket_can_be_removed(lake: Headwater) -> None:
    s3, bucket = lake.connections.s3, lake.settings.bucket_name
    objects.delete(s3, bucket, list(objects.list_versions(s3, bucket)))
    for upload in list(multipart.list_unfinished(s3, bucket)):
        multipart.abort(s3, bucket, upload.key, upload.upload_id)
    s3.delete_bucket(Bucket=bucket)
    assert sorted(run(lake).tables) == ["events", "orders"]
    assert not glue.database_exists(lake.connections.glue, lake.settings.athena_database)


def test_local_files_of_others_stay(hw: Headwater) -> None:
    hw.generate(rows_per_day=1)
    output = hw.settings.layout.output
    (output / "orders/notes.txt").write_text("mine")
    (output / "orders/year=2025/month=01/day=15/part-00000.tmp").write_text("half")
    assert run(hw).output_files == 13
    assert [path.name for path in output.rglob("*") if path.is_file()] == ["notes.txt"]


def test_where_no_stack_was_ever_started_none_is_started_to_clean_it(tmp_path: Path) -> None:
    project = Headwater(settings=load(tmp_path, environ={}))
    project.generate(rows_per_day=1)
    assert project.clean().output_files == 12
    assert project.clean_plan().is_empty
    assert not (tmp_path / ".headwater").exists()


def test_the_stacks_data_goes_last(tmp_path: Path) -> None:
    project = Headwater(settings=load(tmp_path, environ={}))
    project.bucket()
    plan = project.clean_plan()
    assert plan.stack == tmp_path / ".headwater"
    assert plan.stack_size > 1_000_000
    assert project.clean(plan).stack_removed
    assert not (tmp_path / ".headwater").exists()


def test_the_command_asks_for_the_buckets_name(hw: Headwater, command: Run) -> None:
    hw.bucket()
    name = hw.settings.bucket_name
    dry = command("clean", "--keep-stack", "--dry-run")
    assert f"bucket {name}" in dry.stdout
    wrong = command("clean", "--keep-stack", stdin="yes\n")
    assert (wrong.returncode, "nothing was removed" in wrong.stderr) == (12, True)
    nobody = command("clean", "--keep-stack")
    assert (nobody.returncode, "--yes" in nobody.stderr) == (12, True)
    assert command("clean", "--keep-stack", stdin=f"{name}\n").returncode == 0
    again = command("clean", "--keep-stack", "--yes", "--json")
    assert json.loads(again.stdout)["tables"] == []

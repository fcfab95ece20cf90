"""A physical backup and the archived log bring a cluster back to a moment; damage and gaps are found and named."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from cluster_site import ONCE, archive, back_up, mark, marks, now, recover, running, wait_for_slot

from headwater import Headwater
from headwater.cli.main import cli
from headwater.errors import BackupError, HeadwaterError, InputError, Refused, SettingsError, VerificationError
from headwater.physical_manifest import PHYSICAL_MANIFEST_SUFFIX
from headwater.recoverability import Window
from headwater.services import clusters, multipart, objects, postgres, recoverable, wal_archive
from headwater.services.tools import Tool
from headwater.services.wal_archive import WalStore
from headwater.stages import physical, wal
from headwater.stages.physical import PhysicalOptions, PhysicalVerifyOptions, RecoverOptions, Target
from headwater.stages.wal import WalOptions
from headwater.wal_segments import Segment, gaps, parse_segment


def test_a_cluster_comes_back_as_it_was_at_a_moment(ready: Headwater, tmp_path: Path) -> None:
    mark(ready, 1)
    made = back_up(ready)
    mark(ready, 2)
    moment = mark(ready, 3)
    mark(ready, 4)
    archived = archive(ready)
    assert archived.archived >= 1
    assert archived.missing == ()

    report = recover(ready, tmp_path / "data", moment)

    assert report.backup == made.id
    with running(ready, tmp_path / "data") as address:
        assert marks(address) == [1, 2, 3]
        with postgres.connect(address) as connection:  # and it is a server like any other
            connection.execute("INSERT INTO marks (n) VALUES (99)")
    assert marks(ready.connections.postgres()) == [1, 2, 3, 4]


def test_incremental_backups_are_combined_and_recovered_to_the_end_of_the_log(ready: Headwater, tmp_path: Path) -> None:
    full = back_up(ready)
    mark(ready, 1)
    first = back_up(ready, incremental=True)
    mark(ready, 2)
    second = back_up(ready, incremental=True)
    mark(ready, 3)
    archive(ready)

    assert (first.previous, second.previous) == (full.id, first.id)
    assert second.dump.raw_size < full.dump.raw_size
    verified = ready.physical.verify()
    assert verified.passed
    assert f"combined from {full.id}, {first.id}, {second.id}" in verified.results[0].detail
    recover(ready, tmp_path / "data", None)
    with running(ready, tmp_path / "data") as address:
        assert marks(address) == [1, 2, 3]


def test_a_backup_needs_no_archive_to_be_consistent(ready: Headwater, tmp_path: Path) -> None:
    mark(ready, 1)
    back_up(ready)
    mark(ready, 2)

    recover(ready, tmp_path / "data", None)

    with running(ready, tmp_path / "data") as address:
        assert marks(address) == [1]


def test_segments_that_are_missing_are_named(ready: Headwater, tmp_path: Path) -> None:
    made = back_up(ready)
    moments = []
    for number in (1, 2, 3):
        moments.append(mark(ready, number))
        archive(ready)
    first = made.end_segment.following()
    missing = first.following()
    layout = ready.settings.layout
    key = layout.wal_key(made.cluster, missing.name)
    assert objects.delete(ready.connections.s3, layout.bucket, [key]).deleted == 1

    with pytest.raises(BackupError, match=missing.name):
        recover(ready, tmp_path / "late", moments[2])
    status = ready.physical.status()
    assert status.missing == (missing.name,)
    store = WalStore(ready.connections.s3, layout, made.cluster)
    assert status.recoverable_until == wal_archive.read_manifest(store, first.name).until
    assert physical.list_backups(ready.connections).missing == (missing.name,)
    assert not (tmp_path / "late").exists()

    objects.delete(ready.connections.s3, layout.bucket, [layout.wal_key(made.cluster, first.name)])
    with pytest.raises(BackupError, match=first.name) as caught:
        recover(ready, tmp_path / "late", None)
    assert f"--at {made.end_lsn}" in caught.value.hint
    plan = physical.plan_recover(ready.connections, RecoverOptions(tmp_path / "own", Target(lsn=made.end_lsn)))
    assert plan.segments == ()
    (tmp_path / "file").touch()
    with pytest.raises(BackupError, match="cannot write") as caught:
        physical.recover(replace(plan, log_folder=tmp_path / "file" / "data.wal"), ready.connections)
    assert "may write to" in caught.value.hint


def test_a_moment_outside_of_what_is_stored_is_refused_before_anything_is_fetched(
    ready: Headwater, tmp_path: Path
) -> None:
    before = now() - timedelta(days=1)
    with pytest.raises(BackupError, match="there is no physical backup"):
        recover(ready, tmp_path / "data", None)
    back_up(ready)
    with pytest.raises(BackupError, match="no physical backup was complete at"):
        recover(ready, tmp_path / "data", before)
    with pytest.raises(BackupError, match="has no log after"):
        recover(ready, tmp_path / "data", now() + timedelta(seconds=1))
    archive(ready)
    with pytest.raises(BackupError, match="the archived log ends at"):
        recover(ready, tmp_path / "data", now() + timedelta(hours=1))
    with pytest.raises(InputError, match="time zone"):
        recover(ready, tmp_path / "data", datetime(2025, 1, 1))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "PG_VERSION").touch()
    with pytest.raises(Refused, match="exists already"):
        recover(ready, tmp_path / "data", None)


@pytest.mark.parametrize("damage", ["flipped", "cut", "gone"])
def test_damage_is_found_before_there_is_a_data_directory(ready: Headwater, tmp_path: Path, damage: str) -> None:
    made = back_up(ready)
    links = physical.plan_recover(ready.connections, RecoverOptions(tmp_path / "data"))
    s3, bucket = ready.connections.s3, ready.settings.bucket_name
    data = bytearray(objects.read_bytes(s3, bucket, made.dump.key))
    data[len(data) // 2] ^= 1
    objects.delete(s3, bucket, [made.dump.key])
    if damage != "gone":
        objects.put_bytes(s3, bucket, made.dump.key, bytes(data if damage == "flipped" else data[:-1000]))

    for level in ("head", "full"):
        assert not ready.physical.verify(PhysicalVerifyOptions(level, made.id)).passed
    with pytest.raises(HeadwaterError):
        physical.recover(links, ready.connections)
    assert not (tmp_path / "data").exists()
    assert not (tmp_path / "data.wal").exists()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".data")] == []


def test_a_damaged_segment_is_found(ready: Headwater, tmp_path: Path) -> None:
    made = back_up(ready)
    moment = mark(ready, 1)
    archive(ready)
    layout, s3 = ready.settings.layout, ready.connections.s3
    key = layout.wal_key(made.cluster, made.end_segment.following().name)
    head = objects.head(s3, layout.bucket, key)
    assert head is not None
    data = bytearray(objects.read_bytes(s3, layout.bucket, key))
    data[len(data) // 2] ^= 1
    objects.put_bytes(s3, layout.bucket, key, bytes(data), objects.WriteOptions(metadata=head.metadata))

    assert ready.physical.verify().passed
    report = ready.physical.verify(PhysicalVerifyOptions(log=True))
    assert not report.passed
    assert made.end_segment.following().name in report.results[0].detail
    with pytest.raises(VerificationError, match="is damaged"):
        recover(ready, tmp_path / "data", moment)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("body", ['"$REAL" "$@" | head -c 3000000; kill -9 $$', '"$REAL" "$@"; exit 1', "exit 0"])
def test_a_copy_that_went_wrong_never_becomes_a_backup(ready: Headwater, tmp_path: Path, body: str) -> None:
    plan = physical.plan_create(ready.connections, now())
    path = tmp_path / "pg_basebackup"
    path.write_text(f"#!/bin/sh\nREAL={plan.tool.path}\n{body}\n")
    path.chmod(0o755)

    with pytest.raises(BackupError):
        physical.create(replace(plan, tool=Tool(path, plan.tool.version)), ready.connections)
    found = objects.list_objects(ready.connections.s3, ready.settings.bucket_name, "backups/")
    assert list(found) == []
    assert list(multipart.list_unfinished(ready.connections.s3, ready.settings.bucket_name)) == []


def test_archiving_that_was_killed_is_taken_up_without_a_gap(ready: Headwater) -> None:
    plan = wal.plan_wal(ready.connections, WalOptions(seconds=1, switch_seconds=60))
    archive(ready)
    mark(ready, 1)
    with pytest.raises(KeyboardInterrupt):
        wal.archive(plan, ready.connections, stopped=interrupt)
    clusters.close_segment(ready.connections.postgres())
    mark(ready, 2)
    shutil.rmtree(plan.spool)  # another machine goes on: what S3 does not have, the server still has

    wait_for_slot(ready)
    assert archive(ready).missing == ()
    assert wal.archive(wal.plan_wal(ready.connections, ONCE), ready.connections).missing == ()


def interrupt() -> bool:
    raise KeyboardInterrupt


def test_only_one_receives_and_the_slot_can_be_dropped(ready: Headwater) -> None:
    done = threading.Event()
    plan = wal.plan_wal(ready.connections, WalOptions(switch_seconds=1))
    reports: list[wal.WalReport] = []
    thread = threading.Thread(target=lambda: reports.append(wal.archive(plan, ready.connections, stopped=done.is_set)))
    thread.start()
    try:
        deadline = time.monotonic() + 20
        while not (slot := clusters.find_slot(ready.connections.postgres(), plan.slot)) or not slot.active:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        with pytest.raises(BackupError, match="runs already"):
            wal.plan_wal(ready.connections)
        mark(ready, 1)
        time.sleep(1.5)
    finally:
        done.set()
        thread.join()

    assert reports[0].archived >= 1  # ended after a second, not only when 16 MiB were full
    assert wal.drop_slot(ready.connections) is True
    assert wal.drop_slot(ready.connections) is False


def test_another_cluster_never_overwrites_a_segment(ready: Headwater, tmp_path: Path) -> None:
    archived = archive(ready)
    other = tmp_path / archived.last_segment
    other.write_bytes(os.urandom(1000))

    with pytest.raises(VerificationError, match="other content"):
        wal_archive.store(WalStore(ready.connections.s3, ready.settings.layout, archived.cluster), other)


def test_status_says_what_a_disaster_would_cost(ready: Headwater) -> None:
    made = back_up(ready)
    first = ready.physical.status()
    assert (first.recoverable_until, first.slot_status) == (made.ended, "none")
    mark(ready, 1)
    archive(ready)

    address, layout = ready.connections.postgres("postgres"), ready.settings.layout
    later = now() + timedelta(minutes=10)
    status = recoverable.status(ready.connections.s3, layout, address, made.cluster, later)

    assert status.recoverable_until is not None
    assert status.recoverable_until > made.ended
    assert status.windows == (Window(made.ended, status.recoverable_until),)
    assert 600 <= (status.rpo_seconds or 0) < 660
    assert (status.slot_status, status.receiving) == ("reserved", False)


def test_pruning_keeps_what_others_build_on_and_the_log_that_they_need(ready: Headwater) -> None:
    day = now()
    old = back_up(ready, at=day - timedelta(days=90))
    archive(ready)
    base = back_up(ready, at=day - timedelta(days=60))
    kept = back_up(ready, incremental=True, at=day - timedelta(days=5))
    archive(ready)
    newest = back_up(ready, at=day)

    plan = physical.plan_prune(ready.connections, day)
    assert [(d.backup.id, d.action, d.reason) for d in plan.decisions] == [
        (newest.id, "keep", "the newest; 0 days old, within 30 days"),
        (kept.id, "keep", "5 days old, within 30 days"),
        (base.id, "keep", f"{kept.id} builds on it"),
        (old.id, "remove", "90 days old, over 30 days"),
    ]
    report = physical.prune(plan, ready.connections)

    assert report.removed == (old.id,)
    assert report.segments >= 1
    listed = physical.list_backups(ready.connections)
    assert [item.manifest.id for item in listed.backups.usable] == [newest.id, kept.id, base.id]
    assert listed.backups.orphans == ()
    assert listed.first_segment >= base.start_segment.name
    assert f"{base.id}, {kept.id}" in ready.physical.verify(PhysicalVerifyOptions("head", kept.id)).results[0].detail


def test_a_backup_whose_base_is_gone_is_listed_as_useless(ready: Headwater) -> None:
    full = back_up(ready)
    back_up(ready, incremental=True)
    s3, layout = ready.connections.s3, ready.settings.layout
    key = layout.physical_key(full.cluster, full.taken, PHYSICAL_MANIFEST_SUFFIX)
    objects.delete(s3, layout.bucket, [key])

    listed = physical.list_backups(ready.connections).backups

    assert [item.problem for item in listed.backups] == [f"it builds on {full.id}, which is gone"]
    assert {orphan.key for orphan in listed.orphans} == {full.dump.key, full.files.key}
    with pytest.raises(BackupError, match="no physical backup"):
        physical.plan_create(ready.connections, now(), PhysicalOptions(incremental=True))


def test_gaps_of_segments_cross_the_end_of_a_log_file() -> None:
    size = 16 * 1024 * 1024
    left, right = parse_segment("0000000100000000000000FE", size), parse_segment("000000010000000100000001", size)

    assert [str(gap) for gap in gaps([left, right])] == [
        "0000000100000000000000FF to 000000010000000100000000 (2 segments)"
    ]
    assert gaps([Segment(1, 5, size), Segment(2, 9, size)]) == ()  # another timeline is another story


def test_the_commands_do_the_same(ready: Headwater, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HEADWATER_BUCKET_NAME", ready.settings.bucket_name)
    monkeypatch.setenv("HEADWATER_DB_NAME", ready.settings.db_name)

    def run(*words: str) -> Result:
        return CliRunner().invoke(cli, ["--project", str(ready.settings.project), *words])

    def told(*words: str) -> Any:
        done = run(*words, "--json")
        assert done.exit_code == 0, done.exception
        return json.loads(done.stdout)

    made = told("backup", "create", "--physical")["backup"]
    moment = mark(ready, 1)
    archived = told("backup", "wal", "--once")
    listed = told("backup", "physical", "list")

    assert listed["backups"]["backups"][0]["manifest"]["id"] == made["id"]
    assert listed["last_segment"] == archived["last_segment"]
    assert told("backup", "physical", "verify")["results"][0]["id"] == made["id"]
    assert told("backup", "physical", "status")["rpo_seconds"] >= 0
    assert "  full, " in run("backup", "physical", "list").stdout
    assert f"physical backups of cluster {made['cluster']}" in run("backup", "list").stdout
    assert f"cluster {made['cluster']} can be recovered until" in run("backup", "status").stdout
    assert told("backup", "physical", "prune", "--dry-run")["decisions"][0]["reason"].startswith(
        "the newest; the newest verified"
    )
    data = str(tmp_path / "data")
    assert told("restore", "--at", moment.isoformat(), "--data-directory", data)["start"].endswith(f"-D {data}")
    assert (tmp_path / "data" / "recovery.signal").exists()
    assert told("backup", "wal", "--drop-slot") is True
    assert isinstance(run("restore", "--at", moment.isoformat()).exception, SettingsError)
    assert isinstance(run("restore", "--at", "yesterday", "--data-directory", data).exception, SettingsError)
    assert run("backup", "create", "--physical", "--table", "orders").exit_code == 2
    assert run("restore", "--timeline", "2").exit_code == 2
    for words in (["create", "--incremental", "--dry-run"], ["physical", "list"], ["physical", "status"]):
        assert made["cluster"] in run("backup", *words).stdout or made["id"] in run("backup", *words).stdout


def test_sigterm_ends_archiving_well(ready: Headwater, project: Path) -> None:
    environment = {
        "HEADWATER_BUCKET_NAME": ready.settings.bucket_name,
        "HEADWATER_DB_NAME": ready.settings.db_name,
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
    }
    command = [sys.executable, "-m", "headwater", "--project", str(project), "backup", "wal", "--json"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 30
        while not (slot := clusters.find_slot(ready.connections.postgres(), "headwater_wal")) or not slot.active:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        clusters.close_segment(ready.connections.postgres())
        time.sleep(0.5)
        process.terminate()
        output, _ = process.communicate(timeout=30)

    assert process.returncode == 0
    assert json.loads(output)["archived"] >= 1

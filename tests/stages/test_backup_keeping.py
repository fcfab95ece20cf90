"""Backups are proven, watched and kept: verification finds damage, status tells, nothing deletes the last good one."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from headwater import Headwater
from headwater.errors import BackupError, SettingsError, StaleBackup, VerificationError
from headwater.manifest import backup_id, manifest_key, verify_key
from headwater.services import lifecycle as rules_of
from headwater.services import objects, postgres, verification
from headwater.services.backups import ListedBackup
from headwater.services.codec import Compression
from headwater.services.storage import Storage
from headwater.services.verification import Verification
from headwater.stages import backup
from headwater.stages.backup import CreateOptions, VerifyOptions, Watch, watch
from headwater.stages.backup.create import size_alarms
from headwater.stages.backup.verify import parse_subset
from headwater.stages.restore import RestoreOptions
from tests.stages.conftest import Command

NOW = datetime(2025, 3, 31, 12, tzinfo=timezone.utc)
KEEP = CreateOptions(prune=False)


@pytest.fixture
def ready(hw: Headwater) -> Headwater:
    hw.setup(rows=500)
    hw.bucket()
    return hw


def make(hw: Headwater, taken: datetime, options: CreateOptions = KEEP) -> backup.BackupManifest:
    return backup.create(backup.plan_create(hw.connections, taken, options), hw.connections).backup


def damage(hw: Headwater, key: str) -> None:
    """One flipped bit, with a good checksum of its own: what only the digests in the manifest can find."""
    s3, bucket = hw.connections.s3, hw.settings.bucket_name
    data = bytearray(objects.read_bytes(s3, bucket, key))
    data[len(data) // 2] ^= 1
    objects.delete(s3, bucket, [key])
    objects.put_bytes(s3, bucket, key, bytes(data))


def test_verifications_are_recorded_and_listed(ready: Headwater) -> None:
    ready.backup_create()
    assert ready.backup_list().backups[0].last_verification is None
    assert ready.backup_verify(VerifyOptions("head")).passed
    assert ready.backup_list().backups[0].proof is None  # a head request proves that nothing can be read

    report = ready.backup_verify(VerifyOptions("restore"))

    found = ready.backup_list().backups[0]
    assert report.results[0].detail.endswith("row counts and content hashes equal the manifest's")
    assert found.proof is not None
    assert found.proof.level == "restore"
    assert [record.level for record in found.verifications] == ["head", "restore"]


@pytest.mark.parametrize("level", ["head", "full", "restore"])
def test_a_flipped_bit_is_found_at_every_level_and_remembered(ready: Headwater, level: str) -> None:
    made = ready.backup_create().backup
    damage(ready, made.dump.key)

    report = ready.backup_verify(VerifyOptions(level, made.id))

    assert not report.passed
    with pytest.raises(VerificationError):
        backup.require_passed(report)
    assert not ready.backup_status().healthy


def flip_on_disk(ready: Headwater, key: str) -> None:
    """As a disk would do it: S3's metadata stay what they were."""
    found = ready.settings.layout.state.rglob(Path(key).name)
    [file] = (path for path in found if ready.settings.bucket_name in path.parts)
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(bytes(data))


@pytest.mark.parametrize("method", ["zstd", "none"])
def test_a_bit_that_flips_under_the_same_etag_is_found_by_reading(ready: Headwater, method: str) -> None:
    made = ready.backup_create(options=CreateOptions(compression=Compression(method))).backup
    flip_on_disk(ready, made.dump.key)

    assert ready.backup_verify(VerifyOptions("head")).passed
    report = ready.backup_verify()
    assert not report.passed
    assert ready.backup_list().backups[0].proof is None

    flip_on_disk(ready, verify_key(manifest_key(made.dump.key)))
    assert ready.backup_list().backups[0].verifications == ()
    flip_on_disk(ready, manifest_key(made.dump.key))
    found = ready.backup_list()
    assert (found.backups, len(found.unreadable)) == ((), 1)  # named, and no reason to list nothing


def test_two_verifications_at_once_are_both_recorded(ready: Headwater) -> None:
    made = ready.backup_create()
    s3, bucket = ready.connections.s3, ready.settings.bucket_name
    key = verify_key(made.manifest_key)

    def record(number: int) -> None:
        verification.append(s3, bucket, key, Verification("head", NOW, True, 0.1, str(number), "etag"))

    with ThreadPoolExecutor(4) as executor:
        list(executor.map(record, range(8)))
    there = verification.parse(objects.read_bytes(s3, bucket, key))
    assert sorted(int(item.detail) for item in there) == list(range(8))


def test_subsets_cover_every_backup_once(ready: Headwater) -> None:
    for days in range(5):
        make(ready, NOW - timedelta(days=days))
    seen = [b.manifest.id for part in (1, 2, 3) for b in _subset(ready, f"{part}/3")]

    assert sorted(seen) == sorted(b.manifest.id for b in ready.backup_list().backups)
    with pytest.raises(SettingsError):
        parse_subset("4/3")


def _subset(hw: Headwater, text: str) -> tuple[ListedBackup, ...]:
    return hw.backup_verify_plan(VerifyOptions("head", subset=text)).backups


def test_the_newest_verified_backup_is_never_pruned(ready: Headwater) -> None:
    old = make(ready, NOW - timedelta(days=300))
    make(ready, NOW - timedelta(days=200))
    make(ready, NOW - timedelta(days=100))
    ready.backup_verify(VerifyOptions(backup=old.id))

    plan = backup.plan_prune(ready.connections, NOW + timedelta(days=900))

    assert [(d.action, d.reason) for d in plan.decisions] == [
        ("keep", "the newest"),
        ("remove", "1100 days old, over 30 days"),
        ("keep", "the newest verified"),
    ]
    assert len(backup.prune(plan, ready.connections).removed) == 1


def test_rules_in_the_settings_are_followed_by_create(ready: Headwater) -> None:
    ruled = Headwater(settings=replace(ready.settings, retention_days=1, retention_rules="monthly=2"))
    first = make(ruled, NOW - timedelta(days=45))
    second = make(ruled, NOW - timedelta(days=40))

    made = backup.create(backup.plan_create(ruled.connections, NOW), ruled.connections)

    assert made.pruned.removed == (first.id,)
    assert second.id in made.pruned.kept


def test_what_was_replaced_since_the_plan_is_not_deleted(ready: Headwater) -> None:
    first = make(ready, NOW - timedelta(days=90))
    make(ready, NOW)
    plan = backup.plan_prune(ready.connections, NOW)
    s3, bucket = ready.connections.s3, ready.settings.bucket_name
    key = f"{first.dump.key.partition('.')[0]}.manifest.json"
    objects.put_bytes(s3, bucket, key, objects.read_bytes(s3, bucket, key) + b"\n")

    report = backup.prune(plan, ready.connections)

    assert report.removed == ()
    assert "replaced" in report.held[0].reason
    assert objects.head(s3, bucket, first.dump.key) is not None


def test_locked_backups_are_reported_and_left_whole(ready: Headwater) -> None:
    bucket = f"{ready.settings.bucket_name}-locked"
    ready.connections.s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    locked = Headwater(settings=replace(ready.settings, bucket_name=bucket))
    today = datetime.now(timezone.utc)
    held = make(locked, today - timedelta(days=60), replace(KEEP, storage=Storage(lock_days=90)))
    free = make(locked, today - timedelta(days=50))
    make(locked, today)

    report = locked.backup_prune()

    assert report.removed == (free.id,)
    assert [(item.name, "locked (GOVERNANCE)" in item.reason) for item in report.held] == [(held.id, True)]
    assert [item.problem for item in locked.backup_list().backups] == ["", ""]
    versions = objects.list_versions(locked.connections.s3, bucket)
    assert not any(free.id in version.key for version in versions)  # in a versioned bucket: that very version is gone


@pytest.mark.soak
@pytest.mark.parametrize("versioned", [False, True], ids=["plain", "versioned"])
def test_more_than_a_thousand_backups_are_pruned(ready: Headwater, versioned: bool) -> None:
    """More than one page of a listing, more than one DeleteObjects would take: 1,100 backups, 3,300 objects."""
    s3, bucket = ready.connections.s3, ready.settings.bucket_name
    if versioned:
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    made = make(ready, datetime.now(timezone.utc))
    oldest = NOW - timedelta(days=90)

    def copy(number: int) -> None:
        taken = oldest + timedelta(minutes=number)
        place = ready.settings.layout.backup_key
        dump, roles = (place(made.database, taken, ending) for ending in (".dump.zst", ".globals.sql"))
        etag = objects.put_bytes(s3, bucket, dump, b"dump %d" % number)
        objects.put_bytes(s3, bucket, roles, b"roles")
        stored = replace(made.dump, key=dump, size=len(b"dump %d" % number), etag=etag)
        assert made.globals is not None
        other = replace(made, id=backup_id(taken), taken=taken, dump=stored, globals=replace(made.globals, key=roles))
        objects.put_bytes(s3, bucket, place(made.database, taken, ".manifest.json"), other.to_json())

    with ThreadPoolExecutor(8) as executor:
        list(executor.map(copy, range(1_100)))
    assert len(ready.backup_list().usable) == 1_101

    report = ready.backup_prune()

    assert len(report.removed) == 1_100
    assert report.held == ()
    assert [item.manifest.id for item in ready.backup_list().usable] == [made.id]
    left = {version.key for version in objects.list_versions(s3, bucket, "backups/")}
    assert left == {made.dump.key, manifest_key(made.dump.key), made.globals.key if made.globals else ""}


def test_orphans_go_after_their_grace_period(ready: Headwater) -> None:
    made = ready.backup_create().backup
    s3, bucket = ready.connections.s3, ready.settings.bucket_name
    orphan = f"{made.dump.key.rpartition('/')[0]}/backup_20200101T000000Z.dump.zst"
    objects.put_bytes(s3, bucket, orphan, b"half a dump")

    assert ready.backup_prune().orphans_removed == ()
    assert ready.backup_prune(orphan_grace=timedelta(0)).orphans_removed == (orphan,)
    assert len(ready.backup_list().usable) == 1


def test_the_status_says_what_is_wrong(ready: Headwater) -> None:
    assert ready.backup_status().problems == ("there is no backup",)
    ready.backup_create()
    assert "no backup has been verified" in ready.backup_status().problems[0]
    ready.backup_verify()
    assert ready.backup_status().healthy
    lacking = ready.backup_status(backup.Bounds(required=("logical", "physical"))).problems
    assert lacking == ("there is no usable physical backup of this cluster",)
    late = backup.status(ready.connections, datetime.now(timezone.utc) + timedelta(days=3), backup.Bounds())
    assert "3.0 days old; at most 26.0 h" in late.problems[0]
    with pytest.raises(StaleBackup) as caught:
        backup.require_healthy(late)
    assert caught.value.exit_code == 15


def test_a_sudden_drop_in_size_is_an_alarm(ready: Headwater) -> None:
    ready.setup(rows=5000)
    make(ready, NOW)
    with postgres.connect(ready.connections.postgres()) as connection:
        connection.execute("TRUNCATE events, orders")

    report = backup.create(backup.plan_create(ready.connections, NOW + timedelta(days=1), KEEP), ready.connections)

    before = ready.backup_list().backups[-1].manifest
    assert size_alarms(report.backup, [replace(before, format="directory")], 0.5) == ()  # a tar takes more room
    assert "smaller than" in report.alarms[0]
    assert any("smaller than" in problem for problem in ready.backup_status().problems)


@contextmanager
def monitor() -> Iterator[tuple[str, list[str]]]:
    """A server that notes the paths it is asked for."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/ping", seen
        finally:
            server.shutdown()
            thread.join()


def test_monitors_are_told_of_success_and_of_failure(ready: Headwater, tmp_path: Path) -> None:
    file = tmp_path / "headwater.prom"
    with monitor() as (url, seen):
        ready.backup_create(watch=Watch(file, url))
        text = file.read_text()
        ready.backup_verify(watch=Watch(file, url))
        with pytest.raises(BackupError):
            ready.backup_create(options=CreateOptions(storage=Storage(lock_days=1)), watch=Watch(file, url))

    assert seen == ["/ping/start", "/ping", "/ping/start", "/ping", "/ping/start", "/ping/fail"]
    label = f'{{database="{ready.settings.db_name}"}}'
    assert f"headwater_backup_backups{label} 1" in text
    assert f"headwater_backup_last_verified_timestamp_seconds{label}" not in text
    assert f"headwater_backup_last_verified_timestamp_seconds{label}" in file.read_text()
    assert "could not ping" in watch.ping("http://127.0.0.1:1/", "")
    with pytest.raises(SettingsError):
        ready.backup_create(watch=Watch(ping="file:///etc/passwd"))


def test_a_restore_says_which_newer_backups_it_passed_over(ready: Headwater) -> None:
    s3, bucket = ready.connections.s3, ready.settings.bucket_name
    good, edited, gone = (make(ready, NOW + timedelta(days=days)) for days in range(3))
    objects.delete(s3, bucket, [gone.dump.key])
    key = manifest_key(edited.dump.key)
    changed = objects.read_bytes(s3, bucket, key).replace(b'"partial": false', b'"partial": true')
    objects.put_bytes(s3, bucket, key, changed)

    report = ready.restore()

    assert report.backup == good.id
    assert [made.id in text for made, text in zip((edited, gone), report.passed_over, strict=True)] == [True, True]
    assert ready.restore_plan(RestoreOptions(f"{NOW:%Y-%m-%dT%H:%M}Z", to="other")).passed_over == ()


def test_the_latest_backup_is_verified_even_if_it_is_gone(ready: Headwater) -> None:
    """Not the one before it, which is in order."""
    make(ready, NOW)
    newest = make(ready, NOW + timedelta(days=1))
    objects.delete(ready.connections.s3, ready.settings.bucket_name, [newest.dump.key])

    report = ready.backup_verify()

    assert [(result.id, result.passed) for result in report.results] == [(newest.id, False)]


def test_a_verification_that_fails_is_told_as_a_failure(ready: Headwater) -> None:
    made = ready.backup_create().backup
    damage(ready, made.dump.key)
    with monitor() as (url, seen):
        assert not ready.backup_verify(VerifyOptions(backup=made.id), watch=Watch(ping=f"{url}/?token=a/b")).passed

    assert seen == ["/ping/start?token=a/b", "/ping/fail?token=a/b"]


def test_one_database_of_several_that_fails_is_told_as_a_failure(ready: Headwater, tmp_path: Path) -> None:
    """The last one that was made must not hide the one before; the metrics are of all of them."""
    file, name = tmp_path / "headwater.prom", ready.settings.db_name
    with monitor() as (url, seen):
        report = ready.backup_create_many(["gone", name], watch=Watch(file, url))

    assert [failure.database for failure in report.failed] == ["gone"]
    assert seen == ["/ping/start", "/ping/fail"]
    text = file.read_text()
    assert f'headwater_backup_backups{{database="{name}"}} 1' in text
    assert 'headwater_backup_backups{database="gone"} 0' in text
    assert text.count("# TYPE headwater_backup_backups gauge") == 1


def test_metrics_that_cannot_be_written_fail_nothing(ready: Headwater, tmp_path: Path) -> None:
    assert ready.backup_create(watch=Watch(tmp_path / "nowhere" / "headwater.prom")).backup.row_counts


def test_lifecycle_rules_join_others_and_leave_them(ready: Headwater) -> None:
    s3, bucket = ready.connections.s3, ready.settings.bucket_name
    theirs = {"ID": "theirs", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 7}}
    rules_of.put_rules(s3, bucket, [theirs])
    old = ready.backup_create().backup
    ready.backup_verify()
    new = ready.backup_create().backup

    plan = ready.backup_lifecycle_plan()
    assert [(c.action, c.ours) for c in plan.changes] == [("keep", False), ("add", True), ("add", True)]
    assert len(rules_of.rules(s3, bucket)) == 1
    ready.backup_lifecycle()

    assert not ready.backup_lifecycle_plan().changed
    assert len(rules_of.rules(s3, bucket)) == 3
    assert plan.protected == old.id  # the newest verified one, not the newest
    assert (rules_of.object_tags(s3, bucket, old.dump.key) or {})["RetentionDays"] == "protected"
    ready.backup_verify(VerifyOptions(backup=new.id))
    tags = [(rules_of.object_tags(s3, bucket, made.dump.key) or {})["RetentionDays"] for made in (old, new)]
    assert tags == ["30", "protected"]
    ready.backup_lifecycle(remove=True)
    assert [rule["ID"] for rule in rules_of.rules(s3, bucket)] == ["theirs"]
    assert (rules_of.object_tags(s3, bucket, new.dump.key) or {})["RetentionDays"] == "30"


def test_lifecycle_rules_that_others_overwrite_are_written_again(
    ready: Headwater, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3, bucket = ready.connections.s3, ready.settings.bucket_name
    theirs = {"ID": "theirs", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 7}}
    real, writes = rules_of.put_rules, []

    def race(*arguments: object) -> None:
        real(*arguments)  # type: ignore[arg-type]
        if not writes:
            real(s3, bucket, [theirs])  # another program, which knew nothing of ours
        writes.append(arguments)

    monkeypatch.setattr(rules_of, "put_rules", race)
    ready.backup_create()
    ready.backup_lifecycle()

    assert len(writes) == 2
    assert {rule["ID"] for rule in rules_of.rules(s3, bucket)} >= {"theirs"}
    assert len(rules_of.rules(s3, bucket)) == 3


def test_lifecycle_rules_written_back_a_moment_later_are_merged_again(
    ready: Headwater, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another program had read the rules before we wrote ours, and takes longer than our first look afterwards."""
    s3, bucket = ready.connections.s3, ready.settings.bucket_name
    theirs = {"ID": "theirs", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 7}}
    ready.backup_create()
    plan, real, reads = ready.backup_lifecycle_plan(), rules_of.rules, []

    def read(*arguments: object) -> list[rules_of.Rule]:
        found = real(*arguments)  # type: ignore[arg-type]
        reads.append(len(found))
        if len(reads) == 3:  # we have just seen that ours are there
            rules_of.put_rules(s3, bucket, [theirs])
        return found

    monkeypatch.setattr(rules_of, "rules", read)
    backup.apply_lifecycle(plan, ready.connections, settle=0)

    assert reads == [0, 0, 2, 1, 1, 3, 3]
    assert {rule["ID"] for rule in real(s3, bucket)} > {"theirs"}


def test_a_rule_that_comes_or_goes_while_ours_are_written_is_kept_or_reported(
    ready: Headwater, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3, bucket = ready.connections.s3, ready.settings.bucket_name
    first, second = (
        {"ID": name, "Status": "Enabled", "Filter": {"Prefix": f"{name}/"}, "Expiration": {"Days": 7}}
        for name in ("first", "second")
    )
    rules_of.put_rules(s3, bucket, [first])
    plan, real, reads = ready.backup_lifecycle_plan(), rules_of.rules, []

    def read(*arguments: object) -> list[rules_of.Rule]:
        found = real(*arguments)  # type: ignore[arg-type]
        reads.append(len(found))
        if len(reads) == 1:  # another program writes after we have read
            rules_of.put_rules(s3, bucket, [second])
        return found

    monkeypatch.setattr(rules_of, "rules", read)
    report = backup.apply_lifecycle(plan, ready.connections, settle=0)

    assert [rule["ID"] for rule in report.vanished] == ["first"]
    assert real(s3, bucket)[0]["ID"] == "second"


def test_two_databases_apply_their_lifecycle_at_once(ready: Headwater, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both read the rules before either writes them: the last one to write does not take the other one's away."""
    s3, bucket = ready.connections.s3, ready.settings.bucket_name
    theirs = {"ID": "theirs", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 7}}
    rules_of.put_rules(s3, bucket, [theirs])
    real, both_read, reads = rules_of.rules, threading.Barrier(2), threading.local()
    others = [Headwater(settings=replace(ready.settings, db_name=name)) for name in ("app", "app2")]
    plans = [other.backup_lifecycle_plan() for other in others]

    def together(*arguments: object) -> list[rules_of.Rule]:
        found = real(*arguments)  # type: ignore[arg-type]
        if not getattr(reads, "done", False):
            reads.done = True
            both_read.wait(10)
        return found

    monkeypatch.setattr(rules_of, "rules", together)
    with ThreadPoolExecutor(2) as executor:
        list(executor.map(lambda i: backup.apply_lifecycle(plans[i], others[i].connections), range(2)))

    ids = {str(rule["ID"]).rpartition("-")[0] or rule["ID"] for rule in real(s3, bucket)}
    assert ids == {
        "theirs",
        *(f"headwater-{kind}-{name}" for kind in ("expire", "unfinished") for name in ("app", "app2")),
    }


def test_neither_like_names_nor_like_projects_take_each_others_place(ready: Headwater) -> None:
    """Two names that are the same as a tag, and two projects in one bucket, one's prefix inside the other's folder."""
    make = ready.connections.settings
    names = [replace(make, db_name="a'b"), replace(make, db_name='a"b')]
    inner = replace(make, backup_prefix=f"{make.backup_prefix}/{make.db_name}")
    for settings in (*names, make, inner):
        hw = Headwater(settings=settings)
        backup.apply_lifecycle(hw.backup_lifecycle_plan(), hw.connections, settle=0)
    assert len(rules_of.rules(ready.connections.s3, make.bucket_name)) == 8

    Headwater(settings=inner).backup_create()
    found = ready.backup_list()
    assert (found.backups, found.orphans, found.unreadable) == ((), (), ())


def test_s3_expires_nothing_that_rules_may_keep(ready: Headwater) -> None:
    ruled = Headwater(settings=replace(ready.settings, retention_rules="yearly=3"))

    plan = ruled.backup_lifecycle_plan()

    assert [change.id.startswith("headwater-unfinished-") for change in plan.changes] == [True]
    assert plan.notes


def test_the_commands_say_the_same_as_json(ready: Headwater, command: Command) -> None:
    assert command("backup", "status").returncode == 15
    assert command("backup", "create", "--hashes", "--json").returncode == 0
    assert json.loads(command("backup", "verify", "--json").stdout)["passed"] is True
    status = command("backup", "status", "--json")
    assert (status.returncode, json.loads(status.stdout)["healthy"]) == (0, True)
    plan = json.loads(command("backup", "prune", "--dry-run", "--keep-last", "3", "--json").stdout)
    assert plan["decisions"][0]["action"] == "keep"
    assert "full, " in command("backup", "list").stdout
    assert command("backup", "lifecycle", "apply").returncode == 0
    damage(ready, ready.backup_list().backups[0].manifest.dump.key)
    assert command("backup", "verify", "--all").returncode == 9

"""Physical backups are kept, verified, watched, encrypted and locked by the same rules as logical ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from cluster_site import archive, back_up, mark, marks, now, running
from hypothesis import given
from hypothesis import strategies as st

from headwater import Headwater, recoverability
from headwater.errors import BackupError, StaleBackup, VerificationError
from headwater.manifest import StoredDump, backup_id
from headwater.physical_manifest import PhysicalManifest
from headwater.recoverability import Window
from headwater.retention import Policy, decide
from headwater.services import objects, recoverable, wal_archive
from headwater.services.storage import Storage
from headwater.services.wal_archive import WalStore
from headwater.stages import backup, physical, wal
from headwater.stages.backup import Bounds, Watch
from headwater.stages.physical import PhysicalOptions, PhysicalVerifyOptions, RecoverOptions, Target
from headwater.stages.physical.retention import removable_segments
from headwater.stages.wal import WalOptions
from headwater.wal_segments import Segment

NOW = datetime(2025, 3, 31, 12, tzinfo=timezone.utc)
SIZE = 16 * 1024 * 1024


def manifest(age: timedelta, previous: str | None = None) -> PhysicalManifest:
    taken = NOW - age
    name, segment = backup_id(taken), int((taken - datetime(2020, 1, 1, tzinfo=timezone.utc)).total_seconds() // 600)
    stored = StoredDump(f"b/backup_{name}.base.tar.zst", 10, "aa", 1, "AAAA", "etag", 20, "bb", "zstd")
    return PhysicalManifest(
        id=name,
        cluster="7",
        taken=taken,
        ended=taken,
        seconds=1.0,
        retention_days=30,
        dump=stored,
        files=stored,
        previous=previous,
        timeline=1,
        start_lsn=f"{segment * SIZE >> 32:X}/{segment * SIZE & 0xFFFFFFFF:X}",
        end_lsn=f"{(segment + 1) * SIZE >> 32:X}/{(segment + 1) * SIZE & 0xFFFFFFFF:X}",
        segment_size=SIZE,
        server_version="18.1",
        server_major=18,
        client_version="18.1",
        headwater_version="0",
    )


def chained(draws: list[tuple[timedelta, bool]]) -> list[PhysicalManifest]:
    """Backups of these ages; those that are incremental build on the one before, as they are made."""
    made: list[PhysicalManifest] = []
    for age, incremental in sorted(draws, key=lambda draw: draw[0], reverse=True):
        made.append(manifest(age, made[-1].id if incremental and made else None))
    return made


backups = st.lists(
    st.tuples(st.integers(0, 400 * 24).map(lambda hours: timedelta(hours=hours)), st.booleans()),
    max_size=25,
    unique_by=lambda draw: draw[0],
).map(chained)
counts = st.integers(0, 5)
policies = st.builds(
    lambda rules, minimum: Policy("cluster-7", *rules, minimum=minimum),
    st.tuples(*[counts] * 7).filter(any),
    st.integers(1, 4),
)


@given(backups, policies, st.data())
def test_what_a_kept_backup_needs_is_kept(made: list[PhysicalManifest], policy: Policy, data: st.DataObject) -> None:
    proven = data.draw(st.sets(st.sampled_from([item.id for item in made]))) if made else set()
    decisions = decide(made, policy, NOW, proven)
    kept = {decision.backup.id: decision.backup for decision in decisions if decision.action == "keep"}

    assert {item.previous for item in kept.values() if item.previous} <= set(kept)
    assert len(kept) >= min(policy.minimum, len(made))
    if proven:
        assert max(proven) in kept
    firsts = [item.start_segment.number for item in made]
    archived = {Segment(1, number, SIZE) for first in firsts for number in range(first, first + 9)}
    going = removable_segments(archived, kept.values())
    for item in kept.values():
        assert all(segment.number < item.start_segment.number for segment in going)


@pytest.mark.soak
def test_the_rules_choose_among_physical_backups(ready: Headwater) -> None:
    day = now()
    monthly = back_up(ready, at=day - timedelta(days=70))
    back_up(ready, at=day - timedelta(days=40))
    proven = back_up(ready, at=day - timedelta(days=38))
    newest = back_up(ready, at=day - timedelta(days=1))
    assert ready.physical.verify(PhysicalVerifyOptions("full", proven.id)).passed

    plan = ready.physical.prune_plan(rules="within=2 monthly=4")
    reasons = {decision.backup.id: decision.reason for decision in plan.decisions if decision.action == "keep"}

    assert reasons[proven.id].startswith("the newest verified; monthly")
    assert set(reasons) >= {monthly.id, proven.id, newest.id}
    assert ready.physical.prune(rules="within=2").kept == (newest.id, proven.id)


def test_a_locked_backup_keeps_what_it_builds_on_and_its_log(ready: Headwater) -> None:
    s3 = ready.connections.s3
    bucket = f"{ready.settings.bucket_name}-locked"
    s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    locked = Headwater(settings=replace(ready.settings, bucket_name=bucket))
    with pytest.raises(BackupError, match="no Object Lock"):
        ready.physical.create_plan(PhysicalOptions(storage=Storage(lock_days=1)))
    day = now()
    base = back_up(locked, at=day - timedelta(days=60))
    options = PhysicalOptions(incremental=True, storage=Storage("STANDARD_IA", lock_days=100), prune=False)
    plan = physical.plan_create(locked.connections, day - timedelta(days=59), options)
    held = physical.create(plan, locked.connections).backup
    newest = back_up(locked, at=day)
    head = s3.head_object(Bucket=bucket, Key=held.dump.key)
    assert (head["StorageClass"], head["ObjectLockMode"]) == ("STANDARD_IA", "GOVERNANCE")

    report = locked.physical.prune(rules="last=1")

    assert report.kept == (newest.id,)
    assert [(item.name, item.reason.partition(" until")[0]) for item in report.held] == [
        (held.id, "locked (GOVERNANCE)"),
        (base.id, f"{held.id} builds on it"),
    ]
    assert locked.physical.verify(PhysicalVerifyOptions("head", held.id)).passed


def test_a_verification_is_recorded_and_a_failed_one_makes_the_status_fail(ready: Headwater) -> None:
    made = back_up(ready)
    assert "no physical backup has been verified" in ready.physical.status().problems[0]
    ready.physical.verify(PhysicalVerifyOptions("head"))
    assert ready.physical.list().backups.newest_proven is None  # a head request proves that nothing can be read
    ready.physical.verify()
    listed = ready.physical.list().backups
    assert listed.newest_proven is not None
    assert listed.newest_proven.manifest.id == made.id
    assert ready.physical.status().problems == ()
    either = ready.backup_status()
    assert (either.problems, either.newest, len(either.clusters)) == ((), None, 1)  # the cluster's hold this database
    assert "headwater_backup_healthy" in backup.metrics(now(), either)
    assert "headwater_physical_last_success" in backup.metrics(now(), either)
    assert ready.backup_status(Bounds(required=("logical",))).problems == ("there is no logical backup",)

    s3, bucket = ready.connections.s3, ready.settings.bucket_name
    data = bytearray(objects.read_bytes(s3, bucket, made.dump.key))
    data[len(data) // 2] ^= 1
    objects.put_bytes(s3, bucket, made.dump.key, bytes(data))
    report = ready.physical.verify(PhysicalVerifyOptions(backup=made.id))
    with pytest.raises(VerificationError, match=made.id):
        physical.require_passed(report)
    assert any(made.id in problem for problem in ready.physical.status().problems)


@pytest.mark.soak
def test_a_gap_makes_the_status_fail_and_names_the_segments(ready: Headwater, tmp_path: Path) -> None:
    made = back_up(ready)
    for number in (1, 2, 3):
        mark(ready, number)
        archive(ready)
    ready.physical.verify(PhysicalVerifyOptions("full"))
    assert ready.physical.status().problems == ()
    layout, s3 = ready.settings.layout, ready.connections.s3
    lost = made.end_segment.following(2)
    objects.delete(s3, layout.bucket, [layout.wal_key(made.cluster, lost.name)])

    report = ready.backup_status()
    assert not report.healthy
    assert any(lost.name in problem for problem in report.problems)
    status = ready.physical.status()
    assert status.missing == (lost.name,)
    with pytest.raises(StaleBackup, match=lost.name):
        backup.tell_cluster(status, Watch(metrics=tmp_path / "metrics.prom"))
    text = (tmp_path / "metrics.prom").read_text()
    assert f'headwater_physical_wal_gaps{{cluster="{made.cluster}"}} 1' in text
    assert f'headwater_physical_rpo_seconds{{cluster="{made.cluster}"}} {status.rpo_seconds}' in text

    back_up(ready)  # the remedy, and then those before the gap go
    ready.physical.verify()
    ready.physical.prune(rules="last=1 within=0")
    assert ready.physical.status().problems == ()


@pytest.mark.soak
def test_a_recovery_point_that_is_too_old_makes_the_status_fail(ready: Headwater) -> None:
    made = back_up(ready)
    ready.physical.verify()
    address, layout = ready.connections.postgres("postgres"), ready.settings.layout
    found = recoverable.status(ready.connections.s3, layout, address, made.cluster, now() + timedelta(hours=1))
    assert found.windows == (Window(made.ended, made.ended),)
    assert recoverability.judged(found, timedelta(hours=2)).problems == ()
    for age, rpo in ((timedelta(minutes=30), None), (timedelta(hours=2), timedelta(minutes=5))):
        (problem,) = recoverability.judged(found, age, rpo).problems
        assert "can be recovered only until" in problem
    for slot, receiving, wrong in (("extended", False, 1), ("extended", True, 0), ("unreserved", True, 1)):
        full = replace(found, slot_status=slot, receiving=receiving, retained_bytes=3 << 30)
        problems = recoverability.judged(full, timedelta(hours=2)).problems
        assert sum("keeps 3,072 MiB of log for the slot" in problem for problem in problems) == wrong
    abandoned = replace(found, current=False)
    assert recoverability.judged(abandoned, timedelta(minutes=1)).problems == ()


@pytest.fixture
def key(tmp_path: Path) -> Callable[[], tuple[str, Path]]:
    pyrage = pytest.importorskip("pyrage")

    def make() -> tuple[str, Path]:
        identity = pyrage.x25519.Identity.generate()
        file = tmp_path / f"{str(identity.to_public())[-8:]}.key"
        file.write_text(f"{identity}\n")
        return str(identity.to_public()), file

    return make


@pytest.mark.soak
def test_what_is_encrypted_comes_back_with_the_key_only(
    ready: Headwater, tmp_path: Path, key: Callable[[], tuple[str, Path]]
) -> None:
    recipient, identity = key()
    full = ready.physical.create(options=PhysicalOptions(encrypt_to=(recipient,))).backup
    mark(ready, 1)
    made = ready.physical.create(options=PhysicalOptions(incremental=True, encrypt_to=(recipient,))).backup
    mark(ready, 2)
    ready.physical.wal(WalOptions(once=True, encrypt_to=(recipient,)))

    s3, bucket = ready.connections.s3, ready.settings.bucket_name
    assert made.dump.key.endswith(".base.tar.zst.age")
    assert objects.read_bytes(s3, bucket, full.dump.key).startswith(b"age-encryption.org/v1")
    store, name = WalStore(s3, ready.settings.layout, made.cluster), made.end_segment.following().name
    assert objects.read_bytes(s3, bucket, store.layout.wal_key(made.cluster, name)).startswith(b"age-encryption.org/v1")
    with pytest.raises(BackupError, match="is encrypted"):
        wal_archive.fetch(store, name, [])
    with pytest.raises(BackupError, match="is encrypted"):
        ready.physical.verify()
    assert ready.physical.verify(PhysicalVerifyOptions("head")).passed
    assert ready.physical.verify(PhysicalVerifyOptions(identity=identity)).passed

    options = RecoverOptions(tmp_path / "data", Target(), identity=identity)
    ready.physical.recover(options)
    with running(ready, tmp_path / "data") as address:
        assert marks(address) == [1, 2]


@pytest.mark.soak
def test_a_limited_rate_and_plain_objects_are_what_was_asked_for(ready: Headwater) -> None:
    began = datetime.now(timezone.utc)
    made = ready.physical.create(options=PhysicalOptions(limit_rate=2 * 1024 * 1024)).backup
    assert made.seconds >= made.dump.size / (2 * 1024 * 1024) * 0.9
    assert made.taken >= began.replace(microsecond=0)
    assert made.integrity["part_checksum"] == "crc32"
    assert wal.drop_slot(ready.connections) is False

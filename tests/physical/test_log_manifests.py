"""Each archived segment has a manifest: only what has one counts, and what it says is what has to be there."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import proxy
import pytest
import zstandard
from cluster_site import ONCE, archive, back_up, mark, wait_for_slot
from proxy import Rule
from test_physical_faults import Killer, fill, receiving, start, wait_until

from headwater import Headwater
from headwater.errors import BackupError, VerificationError
from headwater.physical_manifest import PhysicalManifest
from headwater.services import clusters, objects, postgres, wal_archive
from headwater.services.objects import WriteOptions
from headwater.services.wal_archive import USUAL_SIZE, WalStore
from headwater.stages import physical, wal
from headwater.stages.physical import PhysicalVerifyOptions, RecoverOptions
from headwater.wal_manifest import parse_wal
from headwater.wal_segments import parse_segment


def logged(hw: Headwater, segments: int = 1) -> tuple[PhysicalManifest, WalStore, list[str]]:
    """A backup and so many segments after it, by name."""
    made = back_up(hw)
    for number in range(segments):
        mark(hw, number)
        archive(hw)
    names = [made.end_segment.following(count).name for count in range(1, segments + 1)]
    return made, WalStore(hw.connections.s3, hw.settings.layout, made.cluster), names


def test_a_segment_that_was_replaced_by_another_whole_one_is_found(ready: Headwater, tmp_path: Path) -> None:
    made, store, (name,) = logged(ready)
    s3, bucket, key = store.s3, store.layout.bucket, store.layout.wal_key(made.cluster, name)
    other = b"x" * made.segment_size
    packed = zstandard.ZstdCompressor().compress(other)
    metadata = {"sha256": hashlib.sha256(other).hexdigest(), "stored-sha256": hashlib.sha256(packed).hexdigest()}
    objects.put_bytes(s3, bucket, key, packed, WriteOptions({}, metadata))

    for level in ("head", "full"):
        report = ready.physical.verify(PhysicalVerifyOptions(level, log=True))
        assert not report.passed
        assert name in report.results[0].detail
    with pytest.raises(VerificationError, match=f"segment {name} is damaged"):
        ready.physical.recover(RecoverOptions(tmp_path / "data"))
    assert not (tmp_path / "data").exists()


@pytest.mark.soak
def test_an_edited_manifest_of_a_segment_is_not_believed(ready: Headwater, tmp_path: Path) -> None:
    made, store, (first, second) = logged(ready, 2)
    bucket, key = store.layout.bucket, store.layout.wal_manifest_key(made.cluster, first)
    text = objects.read_bytes(store.s3, bucket, key)
    assert parse_wal(text, key).stored.raw_size == made.segment_size
    other = objects.read_bytes(store.s3, bucket, store.layout.wal_manifest_key(made.cluster, second))
    for wrong, said in ((text.replace(b"wal/", b"law/"), "was changed"), (other, "speaks of")):
        objects.put_bytes(store.s3, bucket, key, wrong)
        with pytest.raises(BackupError, match=said):
            ready.physical.recover(RecoverOptions(tmp_path / "data"))


def test_the_last_segment_is_missed_too(ready: Headwater) -> None:
    made, store, names = logged(ready, 2)
    objects.delete(store.s3, store.layout.bucket, [store.layout.wal_key(made.cluster, names[-1])])

    status = ready.physical.status()
    assert status.missing == (names[-1],)
    assert status.recoverable_until == wal_archive.read_manifest(store, names[0]).until
    report = ready.physical.verify(PhysicalVerifyOptions("head", log=True))
    assert names[-1] in report.results[0].detail


def test_a_segment_whose_manifest_a_killed_run_did_not_write_gets_it_from_the_next(ready: Headwater) -> None:
    made, store, (name,) = logged(ready)
    bucket = store.layout.bucket
    objects.delete(store.s3, bucket, [store.layout.wal_manifest_key(made.cluster, name)])
    assert ready.physical.list().last_segment < name  # not believed
    shutil.rmtree(wal.plan_wal(ready.connections, ONCE).spool)  # nobody has it but S3
    assert archive(ready).missing == ()
    assert ready.physical.verify(PhysicalVerifyOptions("full", log=True)).passed
    assert ready.physical.status().missing == ()


def test_a_damaged_segment_without_a_manifest_is_missing_until_it_is_sent_again(
    ready: Headwater, tmp_path: Path
) -> None:
    made, store, names = logged(ready, 2)
    bucket, key = store.layout.bucket, store.layout.wal_key(made.cluster, names[0])
    (tmp_path / names[0]).write_bytes(wal_archive.fetch(store, names[0], []))
    head = objects.head(store.s3, bucket, key)
    assert head is not None
    objects.delete(store.s3, bucket, [store.layout.wal_manifest_key(made.cluster, names[0])])
    objects.put_bytes(store.s3, bucket, key, b"something else", WriteOptions({}, head.metadata))

    with pytest.raises(VerificationError, match="has no manifest"):
        wal_archive.adopt(store, names[0])
    assert ready.physical.status().missing == (names[0],)
    assert wal_archive.store(store, tmp_path / names[0]) > 0
    assert ready.physical.status().missing == ()
    assert ready.physical.verify(PhysicalVerifyOptions("full", log=True)).passed


@pytest.mark.soak
def test_pruning_leaves_neither_segments_nor_their_manifests(ready: Headwater) -> None:
    _, store, _ = logged(ready, 2)
    newest = back_up(ready)
    ready.physical.verify()

    assert ready.physical.prune(rules="last=1 within=0").segments >= 2
    folder = store.layout.wal_folder(newest.cluster)
    left = {item.key.rpartition("/")[2] for item in objects.list_objects(store.s3, store.layout.bucket, folder)}
    assert all(name >= newest.start_segment.name for name in left)


@pytest.mark.soak
def test_an_unfinished_segment_that_another_machine_has_archived_does_not_hold_up(ready: Headwater) -> None:
    plan = wal.plan_wal(ready.connections, ONCE)
    _, _, (name,) = logged(ready)
    fill(ready, 4)
    end = parse_segment(archive(ready).last_segment, USUAL_SIZE).following().number * USUAL_SIZE
    wait_for_slot(ready)
    with postgres.connect(ready.connections.postgres("postgres"), autocommit=True) as connection:
        lsn = f"{end >> 32:X}/{end & 0xFFFFFFFF:X}"
        connection.execute("SELECT pg_replication_slot_advance(%s, %s)", [plan.slot, lsn])

        def forgotten() -> bool:  # once it is summarized as well
            connection.execute("CHECKPOINT")
            there = "SELECT count(*) FROM pg_ls_waldir() WHERE name = %s"
            return connection.execute(there, [name]).fetchone() == (0,)

        wait_until(forgotten)

    (plan.spool / f"{name}.partial").write_bytes(bytes(16))
    assert archive(ready).missing == ()


@pytest.mark.soak
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("which", [r"PUT .*/wal/.*\.zst", r"PUT .*/wal/.*\.json"])
def test_archiving_is_killed_around_each_of_a_segments_objects(ready: Headwater, when: str, which: str) -> None:
    made = back_up(ready)
    stack, kill = ready.connections.stack, Killer()
    assert stack is not None
    there = proxy.call(after=kill) if when == "after" else lambda request, forward: kill()
    with proxy.faults(stack.endpoint_url, Rule(which, there)) as broken:
        kill.process = start(ready, "backup", "wal", endpoint=broken.url)
        wait_until(lambda: receiving(ready), kill.process)
        kill.ready.set()
        mark(ready, 1)
        clusters.close_segment(ready.connections.postgres("postgres"))
        kill.process.communicate(timeout=60)
    wait_for_slot(ready)
    mark(ready, 2)

    assert archive(ready).missing == ()
    report = ready.physical.verify(PhysicalVerifyOptions("full", made.id, log=True))
    assert report.passed, report.results[0].detail
    listed = physical.list_backups(ready.connections)
    store = WalStore(ready.connections.s3, ready.settings.layout, made.cluster)
    found = wal_archive.list_wal(store.s3, store.layout, made.cluster, made.segment_size)
    assert (found.loose, found.lost) == ((), ())
    assert listed.segments == len(found.segments) >= 2


def test_a_damaged_history_is_named_and_stops_only_what_needs_it(ready: Headwater, tmp_path: Path) -> None:
    made = back_up(ready)
    store = WalStore(ready.connections.s3, ready.settings.layout, made.cluster)
    history = tmp_path / "00000002.history"
    history.write_text("1\t0/2800000\tno recovery target specified\n")
    wal_archive.store(store, history)
    key = store.layout.wal_key(made.cluster, history.name)
    objects.put_bytes(store.s3, store.layout.bucket, key, b"damaged")

    (problem,) = [text for text in ready.backup_status().problems if key in text]
    assert problem == f"cluster {made.cluster}'s physical backups: {ready.physical.list().backups.unreadable[0]}"
    with pytest.raises(VerificationError, match=key) as caught:
        ready.physical.recover_plan(RecoverOptions(tmp_path / "data"))
    assert "bring back the object's former version; or remove it and its .json" in caught.value.hint
    assert ready.physical.recover_plan(RecoverOptions(tmp_path / "data", timeline=1)).timeline == 1

    objects.delete(store.s3, store.layout.bucket, [key, store.layout.wal_manifest_key(made.cluster, history.name)])
    wal_archive.store(store, history)  # the remedy
    ready.physical.recover_plan(RecoverOptions(tmp_path / "data"))

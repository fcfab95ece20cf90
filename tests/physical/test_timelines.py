"""Which timeline a moment belongs to, and how targets other than a moment are reached."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from cluster_site import archive, back_up, mark, marks, recover, running

from headwater import Headwater
from headwater.errors import BackupError, InputError
from headwater.recoverability import Window
from headwater.services import postgres
from headwater.stages import physical
from headwater.stages.physical import RecoverOptions, Target
from headwater.timelines import Path as Way
from headwater.timelines import Stretch, Timelines, parse_history


@contextmanager
def promoted(hw: Headwater, folder: Path, at: datetime) -> Iterator[Headwater]:
    """The cluster recovered to a moment and running, on a new timeline, archived to where the first one was."""
    recover(hw, folder, at)
    with running(hw, folder) as address:
        project = folder.with_name(f"{folder.name}-project")
        project.mkdir()
        settings = replace(
            hw.settings,
            project=project,
            db_host=address.host,
            db_port=address.port,
            db_user=address.user,
            db_password=address.password,
        )
        other = Headwater(settings=settings)
        other.connections.stack = hw.connections.stack
        yield other


@pytest.mark.soak
def test_a_moment_is_recovered_on_the_timeline_that_the_cluster_was_on(ready: Headwater, tmp_path: Path) -> None:
    mark(ready, 1)
    made = back_up(ready)
    early = mark(ready, 2)
    archive(ready)
    abandoned = mark(ready, 3)
    archive(ready)
    with promoted(ready, tmp_path / "second", early) as second:
        late = mark(second, 10)
        archive(second)
        mark(second, 11)
        archive(second)
        status = second.physical.status()
        assert status.missing == ()
        assert status.recoverable_until is not None
        assert status.recoverable_until > late
        copied = back_up(second)
        assert (made.timeline, copied.timeline) == (1, 2)
        final = mark(second, 12)
        archive(second)

    for number, (moment, timeline, rows) in enumerate([(abandoned, 1, [1, 2, 3]), (late, 2, [1, 2, 10])]):
        folder = tmp_path / f"again{number}"
        assert recover(ready, folder, moment).timeline == timeline
        with running(ready, folder) as address:
            assert marks(address) == rows
    plan = physical.plan_recover(ready.connections, RecoverOptions(tmp_path / "no", Target(at=final)))
    assert (plan.timeline, plan.chain[-1].id) == (2, copied.id)
    # The copy of a cluster that was recovered itself holds the settings of that recovery.
    for number, target in enumerate([Target(at=final), Target(), Target(lsn=copied.end_lsn)]):
        folder = tmp_path / f"copied{number}"
        ready.physical.recover(RecoverOptions(folder, target, backup=copied.id))
        with running(ready, folder) as address:
            assert marks(address) == [1, 2, 10, 11, *([] if target.lsn else [12])]
    with pytest.raises(BackupError, match="the archived log ends at"):
        physical.plan_recover(ready.connections, RecoverOptions(tmp_path / "no", Target(at=final), timeline=1))
    with pytest.raises(BackupError, match="does not go through"):
        physical.plan_recover(ready.connections, RecoverOptions(tmp_path / "no", backup=copied.id, timeline=1))


@pytest.mark.soak
def test_a_position_a_restore_point_and_the_latest_are_targets_too(ready: Headwater, tmp_path: Path) -> None:
    mark(ready, 1)
    back_up(ready)
    mark(ready, 2)
    with postgres.connect(ready.connections.postgres("postgres"), autocommit=True) as connection:
        row = connection.execute("SELECT pg_current_wal_lsn()::text").fetchone()
        assert row is not None
        position = str(row[0])
        mark(ready, 3)
        connection.execute("SELECT pg_create_restore_point('before the release')")
    mark(ready, 4)
    archive(ready)

    for number, (target, rows) in enumerate(
        [(Target(lsn=position), [1, 2]), (Target(point="before the release"), [1, 2, 3]), (Target(), [1, 2, 3, 4])]
    ):
        folder = tmp_path / f"target{number}"
        options = RecoverOptions(folder, target)
        physical.recover(physical.plan_recover(ready.connections, options), ready.connections)
        with running(ready, folder) as address:
            assert marks(address) == rows
    with pytest.raises(BackupError, match="no physical backup was complete at log position 0/28"):
        physical.plan_recover(ready.connections, RecoverOptions(tmp_path / "no", Target(lsn="0/28")))
    with pytest.raises(BackupError, match="segments are missing"):
        physical.plan_recover(ready.connections, RecoverOptions(tmp_path / "no", Target(lsn="FF/0")))
    with pytest.raises(InputError, match="one target"):
        Target(at=datetime.now(timezone.utc), lsn="0/28")


def test_a_moment_outside_of_the_windows_is_refused_with_the_windows(ready: Headwater, tmp_path: Path) -> None:
    first = back_up(ready)
    mark(ready, 1)
    archive(ready)
    until = ready.physical.status().recoverable_until
    assert until is not None
    time.sleep(1)
    with pytest.raises(BackupError) as caught:
        recover(ready, tmp_path / "data", datetime.now(timezone.utc))
    assert str(Window(first.ended, until)) in caught.value.hint


@pytest.mark.soak
def test_every_moment_that_is_said_to_be_recoverable_is(ready: Headwater, tmp_path: Path) -> None:
    mark(ready, 1)
    made = back_up(ready)
    with pytest.raises(BackupError, match="has no log after") as caught:
        recover(ready, tmp_path / "data", made.ended)  # not known to be later than all that was committed until then
    assert f"--at {made.end_lsn} is that backup's own end" in caught.value.hint
    mark(ready, 2)
    archive(ready)
    (window,) = ready.physical.status().windows

    recover(ready, tmp_path / "first", window.begin)
    recover(ready, tmp_path / "last", window.end)
    with running(ready, tmp_path / "first") as address:
        assert marks(address) == [1]
    with running(ready, tmp_path / "last") as address:  # PostgreSQL saw a commit after it, so that it knows
        assert marks(address) == [1, 2]
    with pytest.raises(BackupError, match="the archived log ends at"):
        recover(ready, tmp_path / "data", window.end + timedelta(microseconds=1))


def test_a_span_is_shown_in_seconds_that_lie_inside() -> None:
    begin = datetime(2025, 1, 15, 10, 30, 0, 1, tzinfo=timezone.utc)
    assert str(Window(begin, begin + timedelta(seconds=9))) == "2025-01-15T10:30:01+00:00 to 2025-01-15T10:30:09+00:00"
    assert str(Window(begin, begin)) == "2025-01-15T10:30:00.000001+00:00 to 2025-01-15T10:30:00.000001+00:00"


SIZE = 16 * 1024 * 1024


def test_the_segments_of_a_path_are_those_that_postgresql_reads() -> None:
    history = parse_history("00000003.history", b"1\t0/2800000\tno target\n# a comment\n\n2\t0/5000000\tbefore\n")
    path = Timelines({3: history}).path(3)

    assert path == Way((Stretch(1, 0, 0x2800000), Stretch(2, 0x2800000, 0x5000000), Stretch(3, 0x5000000, None)))
    assert [path.segment(number, SIZE).timeline for number in (1, 2, 3, 4, 5, 6)] == [1, 2, 2, 2, 3, 3]
    assert path.holds(1, "0/2800000")
    assert not path.holds(1, "0/2800001")
    assert path.holds(3, "FF/0")
    assert Timelines({}).path(4).segment(9, SIZE).timeline == 4
    with pytest.raises(BackupError, match="cannot be read"):
        parse_history("00000002.history", b"one\tnowhere\n")

"""Verifying with level restore: PostgreSQL comes up on the backup and reads all of it, or says why not."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from cluster_site import back_up, mark
from test_physical_faults import start, wait_until

from headwater import Headwater
from headwater.errors import BackupError
from headwater.services import postgres
from headwater.stages.physical import PhysicalVerifyOptions

RESTORE = PhysicalVerifyOptions("restore")


def test_postgresql_is_started_on_a_combined_backup_and_reads_it(ready: Headwater) -> None:
    back_up(ready)
    mark(ready, 1)
    made = back_up(ready, incremental=True)

    report = ready.physical.verify(RESTORE)

    assert report.passed
    detail = report.results[0].detail
    assert f"{made.id}; PostgreSQL came to a consistent state on it at " in detail
    assert "the checksum of every page compared" in detail
    listed = ready.physical.list().backups
    assert listed.newest_proven is not None
    assert listed.newest_proven.proof is not None
    assert listed.newest_proven.proof.level == "restore"
    assert list(ready.settings.layout.state.glob("dump-*")) == []


@pytest.mark.soak
def test_a_table_whose_file_the_server_had_lost_is_found_by_reading_only(ready: Headwater, stack_state: Path) -> None:
    with postgres.connect(ready.connections.postgres(), autocommit=True) as connection:
        row = connection.execute("SELECT pg_relation_filepath('marks')").fetchone()
        assert row is not None
        connection.execute("CHECKPOINT")
    (stack_state / "postgres" / str(row[0])).unlink()
    made = back_up(ready)
    with postgres.connect(ready.connections.postgres(), autocommit=True) as connection:
        connection.execute("DROP TABLE marks")

    assert ready.physical.verify().passed  # every file is what PostgreSQL sent
    report = ready.physical.verify(RESTORE)
    assert not report.passed
    assert f"database {ready.settings.db_name} cannot be read" in report.results[0].detail
    assert f'could not open file "{row[0]}"' in report.results[0].detail
    assert any(made.id in problem for problem in ready.physical.status().problems)


def test_a_machine_without_that_postgresql_is_told_what_to_install(
    ready: Headwater, monkeypatch: pytest.MonkeyPatch
) -> None:
    back_up(ready)
    monkeypatch.setattr("headwater.services.tools.installed", lambda program, folders=(): [])
    with pytest.raises(BackupError, match="no PostgreSQL 18 server on this machine") as caught:
        ready.physical.verify_plan(RESTORE)
    assert "or use --level full" in caught.value.hint


@pytest.mark.soak
def test_a_verification_that_is_killed_leaves_no_server_and_its_folder_goes_next_time(ready: Headwater) -> None:
    back_up(ready)
    state = ready.settings.layout.state
    process = start(ready, "backup", "physical", "verify", "--level", "restore")
    wait_until(lambda: list(state.glob("dump-verify-*/data/postmaster.pid")), process)
    pid = int(next(state.glob("dump-verify-*/data/postmaster.pid")).read_text().split()[0])
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)

    wait_until(lambda: not Path(f"/proc/{pid}").exists())
    assert list(state.glob("dump-verify-*")) != []
    assert ready.physical.verify(RESTORE).passed
    assert list(state.glob("dump-verify-*")) == []

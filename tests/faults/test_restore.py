"""A restore under faults ends with the very rows of the source, or with an error and no database of that name."""

from __future__ import annotations

import os
import resource
import signal
import time
import uuid
from dataclasses import replace

import matrix
import naive
import proxy
import pytest
from fault_site import Site
from proxy import DUMP_GET, Rule
from psycopg import sql

from headwater import Headwater
from headwater.errors import BackupError, HeadwaterError
from headwater.services import postgres
from headwater.stages.backup import VerifyOptions
from headwater.stages.restore import RestoreOptions

FILE_LIMIT = 1_000_000  # bytes; the small database unpacks to four times as much


def claim(fault_id: str) -> matrix.Fault:
    """The row of the matrix."""
    return next(fault for fault in matrix.FAULTS if fault.id == fault_id)


def restored(site: Site) -> str:
    return f"{site.database}_restored"


def naive_under(site: Site, rule: Rule) -> str:
    assert naive.back_up(site.programs / "pg_dump", site.address(), site.s3(), site.bucket, site.folder)
    with proxy.faults(site.stack.endpoint_url, rule) as broken:
        said = site.naive_restore(broken.url)
    return {"believed": matrix.BELIEVED, "noticed": matrix.NOTICED, "survived": matrix.FINE}[said]


def test_a_bit_changes_in_the_download(site: Site) -> None:
    site.headwater.backup_create()
    with proxy.faults(site.stack.endpoint_url, Rule(DUMP_GET, proxy.flip_answer, 100)) as broken:
        with pytest.raises(HeadwaterError):
            site.through(broken.url).restore()
        assert broken.rules[0].hits
    assert not site.has_database(restored(site))
    assert claim("download-flip").headwater == matrix.FULL


def test_the_naive_script_under_a_bit_that_changes_in_the_download(site: Site) -> None:
    assert naive_under(site, Rule(r"GET .*naive", proxy.flip_answer, 100)) == claim("download-flip").naive


def test_the_download_breaks_once(site: Site) -> None:
    site.headwater.backup_create()
    with proxy.faults(site.stack.endpoint_url, Rule(DUMP_GET, proxy.cut_answer)) as broken:
        site.through(broken.url).restore()
        assert broken.rules[0].hits == 2  # and the rest was asked for
    assert site.has_database(restored(site))
    assert naive_under(site, Rule(r"GET .*naive", proxy.cut_answer)) == claim("download-cut").naive


def test_the_disk_of_the_spool_is_full(site: Site) -> None:
    site.headwater.backup_create()

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_LIMIT, FILE_LIMIT))

    process = site.start("restore", preexec_fn=limit)
    _, errors = process.communicate(timeout=60)

    assert process.returncode == 8, errors
    assert "is the disk full?" in errors
    assert not site.has_database(restored(site))
    assert list(site.headwater.settings.layout.state.glob("dump-*")) == []


# As long as there is a role called TROUBLE, whoever loads the rows into another database than the first meets this.
TROUBLED = """
    CREATE FUNCTION troubled() RETURNS bool LANGUAGE plpgsql AS $$ BEGIN
        IF current_database() <> {own} AND EXISTS (SELECT FROM pg_roles WHERE rolname = {trouble}) THEN {fault}; END IF;
        RETURN true;
    END $$;
    CREATE TABLE loaded (x int CHECK (x < 5000 OR troubled()));
    INSERT INTO loaded SELECT generate_series(1, 10000);
"""
FULL_DISK = "RAISE 'could not extend file \"base/1/2\": No space left on device' USING ERRCODE = 'disk_full'"


@pytest.mark.parametrize("fault", [FULL_DISK, "PERFORM pg_terminate_backend(pg_backend_pid())"])
def test_the_server_fails_amid_the_rows(site: Site, fault: str) -> None:
    """Nothing is left, nothing is held against the backup, an existing database stays, and a second run works."""
    trouble, there = f"trouble_{uuid.uuid4().hex[:8]}", f"there_{uuid.uuid4().hex[:8]}"
    own = Headwater(settings=replace(site.headwater.settings, db_name=f"troubled_{uuid.uuid4().hex[:8]}"))
    name, target = own.settings.db_name, f"{own.settings.db_name}_restored"
    with postgres.connect(site.address("postgres"), autocommit=True) as connection:
        for statement in (f"CREATE DATABASE {name}", f"CREATE DATABASE {there}", f"CREATE ROLE {trouble}"):
            connection.execute(statement.encode())
    with postgres.connect(site.address(name)) as connection:
        connection.execute(sql.SQL(TROUBLED).format(own=name, trouble=trouble, fault=sql.SQL(fault)))
    with postgres.connect(site.address(there)) as connection:
        connection.execute("CREATE TABLE loaded AS SELECT 1 AS kept")
    own.backup_create()

    for options in (RestoreOptions(), RestoreOptions(into=there, clean=True)):
        with pytest.raises(BackupError) as failed:
            own.restore(options)
        assert "server" in failed.value.hint
    with pytest.raises(BackupError):
        own.backup_verify(VerifyOptions("restore"))
    assert own.backup_list().backups[0].verifications == ()
    with postgres.connect(site.address(there), autocommit=True) as connection:
        assert connection.execute("SELECT * FROM loaded").fetchall() == [(1,)]
        left = connection.execute("SELECT datname FROM pg_database WHERE datname ~ 'troubled|headwater_verify'")
        assert left.fetchall() == [(name,)]
        connection.execute(f"DROP ROLE {trouble}".encode())
    assert own.restore().compared
    for database in (name, there, target):
        postgres.drop_database(site.address("postgres"), database)


def test_headwater_is_killed_while_pg_restore_works(site: Site) -> None:
    site.headwater.backup_create()
    marker = site.folder / "working"
    site.wrap(f'"$REAL" "$@"; touch {marker}; sleep 30', program="pg_restore")
    process = site.start("restore")
    deadline = time.monotonic() + 30
    while not marker.exists():
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=30)

    assert not site.has_database(restored(site))
    site.monkeypatch.setenv("PATH", f"{site.programs}:{os.environ['PATH']}")
    assert site.restores()

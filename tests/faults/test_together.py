"""Two commands at once, secrets, fidelity and memory: what has to hold all the time."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import proxy
import pytest
from fault_site import NOISE, Site
from proxy import DUMP_GET, MANIFEST, Rule
from psycopg import sql

from headwater import Headwater
from headwater.errors import HeadwaterError
from headwater.manifest import BackupManifest
from headwater.services import objects, postgres
from headwater.services.tools import login
from headwater.stages import backup
from headwater.stages.backup import VerifyOptions

NOW = datetime(2025, 3, 31, 12, tzinfo=timezone.utc)

OF_DATABASE = """
    ALTER DATABASE {name} SET search_path = 'a "b"', public; ALTER DATABASE {name} CONNECTION LIMIT 50;
    ALTER ROLE CURRENT_USER IN DATABASE {name} SET work_mem = '5MB'; REVOKE TEMPORARY ON DATABASE {name} FROM PUBLIC;
    GRANT CREATE ON DATABASE {name} TO pg_monitor; COMMENT ON DATABASE {name} IS 'it''s; "so"\n ON DATABASE x';
"""
FEATURES = (Path(__file__).parent / "features.sql").read_text()


def test_two_backups_in_one_second(site: Site) -> None:
    connections = [Headwater(settings=site.headwater.settings).connections for _ in range(2)]
    plans = [backup.plan_create(item, NOW) for item in connections]
    assert plans[0].key == plans[1].key  # the worst case: both believe that the place is free

    def create(number: int) -> BackupManifest | HeadwaterError:
        try:
            return backup.create(plans[number], connections[number]).backup
        except HeadwaterError as error:
            return error

    with ThreadPoolExecutor(2) as executor:
        results = list(executor.map(create, range(2)))

    made = [result for result in results if isinstance(result, BackupManifest)]
    assert len(made) == 1, results
    assert [item.manifest for item in site.headwater.backup_list().usable] == made
    assert site.unfinished() == []
    assert site.restores()


def test_a_prune_while_a_backup_waits_for_its_manifest(site: Site) -> None:
    def prune() -> None:
        site.headwater.backup_prune()

    with proxy.faults(site.stack.endpoint_url, Rule(MANIFEST, proxy.call(before=prune))) as between:
        site.through(between.url).backup_create()
        assert between.rules[0].hits == 1
    assert site.restores()


def test_a_prune_removes_the_backup_that_is_being_downloaded(site: Site) -> None:
    """Whichever wins, the restore has all rows, or there is no database."""
    keeping = Headwater(settings=replace(site.headwater.settings, retention_days=36_500)).connections
    first = backup.create(backup.plan_create(keeping, NOW), keeping).backup
    backup.create(backup.plan_create(keeping, NOW + timedelta(days=1)), keeping)

    def prune() -> None:
        removed = site.headwater.backup_prune().removed
        assert removed == (first.id,)

    for fault in (proxy.call(before=prune), proxy.call(after=prune)):
        with proxy.faults(site.stack.endpoint_url, Rule(DUMP_GET, fault)) as between:
            from headwater.stages.restore import RestoreOptions

            try:
                site.through(between.url).restore(RestoreOptions(first.id))
            except HeadwaterError:
                assert not site.has_database(f"{site.database}_restored")
            else:
                here, there = site.address(), site.address(f"{site.database}_restored")
                assert postgres.read_contents(here) == postgres.read_contents(there)
                postgres.drop_database(site.address("postgres"), there.database)
            assert between.rules[0].hits
        if not [item for item in site.headwater.backup_list().backups if item.manifest.id == first.id]:
            backup.create(backup.plan_create(keeping, NOW), keeping)


@pytest.mark.parametrize("site", ["large"], indirect=True)
def test_no_secret_is_ever_shown(site: Site) -> None:
    """At every request to S3, every process's arguments; afterwards output, files, logs and manifests."""
    secrets = [os.fsencode(site.stack.postgres.password)]
    arguments: list[bytes] = []

    def look() -> None:
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    arguments.append((entry / "cmdline").read_bytes())
                except OSError:
                    continue

    said = b""
    rule = Rule(".", proxy.call(before=look, after=look), 1_000)
    with proxy.faults(site.stack.endpoint_url, rule) as between:
        for words in (["backup", "create"], ["backup", "list", "--json"], ["restore"], ["restore"]):
            process = site.start(*words, endpoint=between.url)
            output, errors = process.communicate(timeout=60)
            said += output.encode() + errors.encode()
    assert process.returncode == 12  # the second restore: an error was looked at as well
    s3 = site.headwater.connections.s3
    stored = [objects.read_bytes(s3, site.bucket, key) for key in site.keys(".manifest.json")]
    logs = [path.read_bytes() for path in site.stack_state.glob("*.log")]
    files = [path.read_bytes() for path in site.folder.rglob("*") if path.is_file()]

    assert any(b"pg_dump" in item for item in arguments)
    for secret in secrets:
        assert not any(secret in item for item in [*arguments, said, *stored, *logs, *files])


@pytest.mark.soak
def test_no_secret_is_shown_by_the_other_commands(site: Site) -> None:
    """Directories, encryption, roles with passwords, verification, single tables, lifecycle; the age key too."""
    form = site.form("encrypted")
    assert form.identity is not None
    key = form.identity.read_bytes().strip()
    secrets = [os.fsencode(site.stack.postgres.password), key]
    arguments: list[bytes] = []
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            for entry in Path("/proc").glob("[0-9]*/cmdline"):
                with suppress(OSError):
                    arguments.append(entry.read_bytes())

    identity = ("--identity", str(form.identity))
    commands = [
        ["backup", "create", "--format", "directory", "--jobs", "2", "--globals", "passwords", "--json"],
        ["backup", "create", *form.arguments, "--globals", "passwords"],
        ["backup", "verify", "--all", *identity, "--json"],
        ["backup", "verify", "--level", "restore", *identity],
        ["backup", "verify", "--identity", "/dev/null"],
        ["restore", *identity, "--globals", "--table", "facts"],
        ["restore", *identity, "--into", f"{site.database}_restored", "--clean", "--yes"],
        ["backup", "lifecycle", "apply"],
        ["backup", "status", "--json"],
    ]
    said = b""
    watching = threading.Thread(target=look)
    watching.start()
    try:
        for words in commands:
            output, errors = site.start(*words).communicate(timeout=120)
            said += output.encode() + errors.encode()
    finally:
        done.set()
        watching.join()
    s3 = site.headwater.connections.s3
    stored = [objects.read_bytes(s3, site.bucket, name) for name in site.keys(suffix="")]
    logs = [path.read_bytes() for path in site.stack_state.glob("*.log")]
    files = [path.read_bytes() for path in site.folder.rglob("*") if path.is_file() and path != form.identity]

    assert any(b"pg_dump" in item for item in arguments)
    assert any(b"pg_restore" in item for item in arguments)
    for secret in secrets:
        assert not any(secret in item for item in [*arguments, said, *stored, *logs, *files])


def test_the_disk_of_the_spool_of_a_directory_dump_is_full(site: Site) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))

    process = site.start("backup", "create", "--format", "directory", "--jobs", "2", preexec_fn=limit)
    _, errors = process.communicate(timeout=60)

    assert process.returncode == 8, errors
    assert site.empty()
    assert site.left_running() == []
    assert list(site.headwater.settings.layout.state.glob("dump-*")) == []


def test_every_kind_of_object_comes_back(site: Site) -> None:
    name = f"features_{uuid.uuid4().hex[:8]}"
    with postgres.connect(site.address("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    with postgres.connect(site.address(name)) as connection:
        connection.execute(FEATURES)
        connection.execute(sql.SQL(OF_DATABASE).format(name=sql.Identifier(name)))
    headwater = Headwater(settings=replace(site.headwater.settings, db_name=name))

    headwater.backup_create()
    verified = headwater.backup_verify(VerifyOptions("restore"))
    assert verified.passed, verified.results
    assert "nowhere" in headwater.restore().warnings[0]  # ANALYZE asks the foreign server, which is no reason to fail

    here, there = site.address(name), site.address(f"{name}_restored")
    assert len(postgres.read_contents(here)) == 16
    assert postgres.read_contents(here) == postgres.read_contents(there)
    assert schema(site, name) == schema(site, there.database)
    query = "SELECT loid, md5(string_agg(data, '' ORDER BY pageno)) FROM pg_largeobject GROUP BY loid ORDER BY loid"
    sequences = "SELECT schemaname, sequencename, last_value FROM pg_sequences ORDER BY 1, 2"
    virtual = "SELECT sum(v), sum(doubled) FROM numbered"
    own = """SELECT setrole, setconfig, datconnlimit, shobj_description(d.oid, 'pg_database'),
            ARRAY(SELECT one::text FROM unnest(datacl) AS one ORDER BY 1)
        FROM pg_database AS d JOIN pg_db_role_setting ON setdatabase = d.oid WHERE datname = current_database()
        ORDER BY 1"""
    assert len(ask(site, name, own)) == 2
    assert ask(site, name, own) == ask(site, there.database, own)
    for question in (query, sequences, virtual):
        assert ask(site, name, question) == ask(site, there.database, question)
    assert len(ask(site, name, query)) == 2


def ask(site: Site, database: str, question: str) -> list[tuple[object, ...]]:
    with postgres.connect(site.address(database)) as connection:
        return connection.execute(question.encode()).fetchall()


def schema(site: Site, database: str) -> str:
    """pg_dump's own description of everything but rows, without the random words that newer versions put in."""
    command = [str(site.programs / "pg_dump"), "--schema-only"]
    done = subprocess.run(command, env=dict(login(site.address(database))), capture_output=True, text=True, check=True)
    return re.sub(r"(?m)^\\(un)?restrict .*$", "", done.stdout)


@pytest.mark.soak
def test_ten_times_the_data_need_no_more_memory(site: Site) -> None:
    peaks = {}
    for rows in (3_000, 30_000):
        name = f"memory_{rows}_{uuid.uuid4().hex[:6]}"
        with postgres.connect(site.address("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        with postgres.connect(site.address(name)) as connection:
            connection.execute(NOISE.format(rows=rows))
        site.headwater = Headwater(settings=replace(site.headwater.settings, db_name=name))
        peaks[rows] = [peak_mib(site, "backup", "create"), peak_mib(site, "restore")]
        for database in (name, f"{name}_restored"):
            postgres.drop_database(site.address("postgres"), database)

    for small, large in zip(*peaks.values(), strict=True):
        assert large < small * 1.25 + 10, peaks
        assert large < 150, peaks


def peak_mib(site: Site, *words: str) -> float:
    """The most memory that the command held, in MiB, as the kernel keeps it (not ru_maxrss: it begins with ours)."""
    process, peak = site.start(*words), 0
    while process.poll() is None:
        status = Path(f"/proc/{process.pid}/status").read_text()
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        peak = max(peak, int(found[1]) if found else 0)
        time.sleep(0.02)
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    return peak / 1024

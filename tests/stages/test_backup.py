"""A backup is made whole or not at all, is listed and pruned by its manifest, and restores to the same rows."""

from __future__ import annotations

import hashlib
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from headwater import Headwater
from headwater.errors import (
    AwsError,
    BackupError,
    BucketError,
    HeadwaterError,
    PostgresError,
    Refused,
    VerificationError,
)
from headwater.manifest import DUMP_SUFFIX, BackupManifest, backup_id, manifest_key
from headwater.model import Progress
from headwater.services import multipart, objects, postgres
from headwater.services.restoring import unfinished_name
from headwater.services.tools import Tool
from headwater.settings import load
from headwater.stack.binaries import installed_versions
from headwater.stages import backup
from headwater.stages.restore import RestoreOptions, apply

NOW = datetime(2025, 3, 31, 12, tzinfo=timezone.utc)


@pytest.fixture
def ready(hw: Headwater) -> Headwater:
    """A database with rows that are not empty in any way, and a bucket."""
    hw.setup(rows=3000)
    hw.bucket()
    with postgres.connect(hw.connections.postgres()) as connection:
        connection.execute('CREATE SCHEMA "Odd schema"')
        connection.execute('CREATE TABLE "Odd schema"."a.b""c" (x text, y bytea, z numeric, g int[])')
        connection.execute(
            """INSERT INTO "Odd schema"."a.b""c" VALUES ('', '\\x00ff', 'NaN', '{1,NULL}'), (NULL, NULL, NULL, NULL)"""
        )
    return hw


def keys(hw: Headwater, suffix: str = "") -> list[str]:
    found = objects.list_objects(hw.connections.s3, hw.settings.bucket_name, hw.settings.backup_prefix)
    return [item.key for item in found if item.key.endswith(suffix)]


def nothing_left(hw: Headwater) -> bool:
    unfinished = multipart.list_unfinished(hw.connections.s3, hw.settings.bucket_name)
    return keys(hw) == [] and list(unfinished) == []


def database_exists(hw: Headwater, name: str) -> bool:
    with postgres.connect(hw.connections.postgres("postgres")) as connection:
        return postgres.database_exists(connection, name)


def restored(hw: Headwater) -> str:
    return f"{hw.settings.db_name}_restored"


def script(tmp_path: Path, real: Path, body: str) -> Tool:
    """A program that behaves as pg_dump or pg_restore would in some bad moment; ``$REAL`` is the real one."""
    path = tmp_path / real.name
    path.write_text(f'#!/bin/sh\nREAL={real}\nif [ "$1" = --version ]; then exec "$REAL" --version; fi\n{body}\n')
    path.chmod(0o755)
    return Tool(path, (18, 4))


def test_a_backup_restores_to_the_same_rows(ready: Headwater) -> None:
    made = ready.backup_create()
    report = ready.restore()

    assert report.database == restored(ready)
    assert report.compared
    assert report.rows == made.backup.row_counts
    assert report.rows['"Odd schema"."a.b""c"'] == 2
    comparison = ready.compare(ready.settings.db_name, restored(ready))
    assert comparison.equal
    assert len(comparison.tables) == 4


def test_comparison_finds_one_changed_value(ready: Headwater) -> None:
    ready.backup_create()
    ready.restore()
    with postgres.connect(ready.connections.postgres(restored(ready))) as connection:
        connection.execute("UPDATE orders SET amount = amount + 0.01 WHERE id = 17")
        connection.execute("DROP TABLE events")

    comparison = ready.compare(ready.settings.db_name, restored(ready))

    assert [table.table for table in comparison.tables if not table.equal] == ["public.events", "public.orders"]


def test_the_manifest_says_what_s3_has(ready: Headwater) -> None:
    made = ready.backup_create()
    dump = made.backup.dump
    s3, bucket = ready.connections.s3, ready.settings.bucket_name

    found = objects.head(s3, bucket, dump.key)
    assert found is not None
    assert (found.size, found.etag, found.crc32) == (dump.size, dump.etag, dump.checksum)
    tags = {tag["Key"]: tag["Value"] for tag in s3.get_object_tagging(Bucket=bucket, Key=dump.key)["TagSet"]}
    assert tags == {"RetentionDays": "30", "BackupType": "logical", "Database": ready.settings.db_name}
    day = made.backup.taken.strftime("%Y/%m/%d")
    prefix = f"backups/postgres/{ready.settings.db_name}/{day}/backup_{made.backup.id}"
    assert dump.key == f"{prefix}.dump.zst"
    assert made.manifest_key == f"{prefix}.manifest.json"
    assert [item.manifest for item in ready.backup_list().backups] == [made.backup]
    assert all(ready.settings.layout.is_ours(key) for key in keys(ready))


def test_two_backups_in_one_second_both_count(ready: Headwater) -> None:
    first = backup.create(backup.plan_create(ready.connections, NOW), ready.connections)
    second = backup.create(backup.plan_create(ready.connections, NOW), ready.connections)

    assert (first.backup.id, second.backup.id) == ("20250331T120000Z", "20250331T120001Z")


def test_a_killed_pg_dump_leaves_nothing(ready: Headwater) -> None:
    ready.setup(rows=30_000)  # more than pg_dump can leave in the pipe and be done

    def kill_pg_dump(step: Progress) -> None:
        for process in children("pg_dump"):
            os.kill(process, signal.SIGKILL)

    with pytest.raises(BackupError, match="killed by signal 9") as caught:
        ready.backup_create(kill_pg_dump)
    assert caught.value.exit_code == 8
    assert nothing_left(ready)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('"$REAL" "$@"; echo "pg_dump: error: connection lost" >&2; exit 1', "exit code 1: pg_dump: error: connection"),
        ('"$REAL" "$@" | head -c 200000; kill -TERM $$', "killed by signal 15"),
        ("echo not a dump", "not an archive"),
        ("exit 1", "exit code 1"),
    ],
)
def test_a_dump_that_went_wrong_never_becomes_an_object(
    ready: Headwater, tmp_path: Path, body: str, message: str
) -> None:
    plan = ready.backup_plan()
    plan = replace(plan, tool=script(tmp_path, plan.tool.path, body))

    with pytest.raises(BackupError, match=message):
        backup.create(plan, ready.connections)
    assert nothing_left(ready)
    assert ready.backup_list().backups == ()


def test_a_flood_on_stderr_neither_stops_nor_spoils_the_backup(ready: Headwater, tmp_path: Path) -> None:
    plan = ready.backup_plan()
    flood = 'i=0; while [ $i -lt 3000 ]; do echo "pg_dump: warning: $i xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" >&2'
    plan = replace(plan, tool=script(tmp_path, plan.tool.path, f'{flood}; i=$((i+1)); done; exec "$REAL" "$@"'))

    made = backup.create(plan, ready.connections).backup

    assert "warning: 2999" in made.warnings[-1]
    assert len(str(made.warnings)) < 100_000


def test_an_interruption_leaves_nothing(ready: Headwater) -> None:
    def interrupt(step: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ready.backup_create(interrupt)
    assert nothing_left(ready)
    assert children("pg_dump") == []


def test_ctrl_c_ends_the_command_with_130_and_leaves_nothing(ready: Headwater, project: Path, tmp_path: Path) -> None:
    """The real command and a real SIGINT, while pg_dump (slowed down after its first half) is still at work."""
    stack = ready.connections.stack
    assert stack is not None
    slow = script(tmp_path, ready.backup_plan().tool.path, '"$REAL" "$@" | head -c 300000; sleep 60')
    address = ready.connections.postgres()
    environment = {
        "PATH": f"{slow.path.parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "AWS_ENDPOINT_URL": stack.endpoint_url,
        "AWS_ACCESS_KEY_ID": stack.access_key_id,
        "AWS_SECRET_ACCESS_KEY": stack.secret_access_key,
        "HEADWATER_TARGET": "aws",
        "HEADWATER_BUCKET_NAME": ready.settings.bucket_name,
        "HEADWATER_DB_NAME": address.database,
        "HEADWATER_DB_HOST": address.host,
        "HEADWATER_DB_PORT": str(address.port),
        "HEADWATER_DB_USER": address.user,
        "HEADWATER_DB_PASSWORD": address.password or "",
    }
    command = [sys.executable, "-m", "headwater", "backup", "create"]
    with subprocess.Popen(command, cwd=project, env=environment, stderr=subprocess.PIPE, text=True) as process:
        wait_for(lambda: children("sleep", of=None, argument="60") != [])
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)

    assert process.returncode == 130, errors
    assert nothing_left(ready)


def test_the_password_is_never_in_the_arguments_or_the_manifest(ready: Headwater) -> None:
    ready.setup(rows=30_000)  # pg_dump still runs when the first block arrives
    password = ready.connections.postgres().password
    assert password
    seen: list[str] = []

    def look(step: Progress) -> None:
        seen.extend(Path(f"/proc/{process}/cmdline").read_text() for process in children("pg_dump"))

    made = ready.backup_create(look)

    assert any("--format=custom" in arguments for arguments in seen)
    assert not any(password in arguments for arguments in seen)
    assert password.encode() not in made.backup.to_json()


def test_without_a_bucket_or_a_server_nothing_begins(hw: Headwater, project: Path) -> None:
    hw.setup()
    with pytest.raises(BucketError, match="does not exist"):
        hw.backup_create()
    with pytest.raises(PostgresError, match="cannot connect"):
        Headwater(
            settings=load(
                project,
                environ={},
                overrides={"db_host": "127.0.0.1", "db_port": 1, "db_user": "u", "db_password": "p"},
            )
        ).backup_create()


def as_aws(hw: Headwater, monkeypatch: pytest.MonkeyPatch) -> Headwater:
    """The same services, reached as AWS and a server of one's own are: without the stack's client programs."""
    stack = hw.connections.stack
    assert stack is not None
    monkeypatch.setenv("AWS_ENDPOINT_URL", stack.endpoint_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", stack.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", stack.secret_access_key)
    own = stack.postgres
    login = {"db_host": own.host, "db_port": own.port, "db_user": own.user, "db_password": own.password}
    return Headwater(settings=replace(hw.settings, target="aws", **login))


def test_a_pg_dump_that_is_old_or_missing_is_an_error_before_anything_is_sent(
    ready: Headwater, programs_16: Path, no_programs: Path
) -> None:
    with pytest.raises(BackupError, match="pg_dump was not found"):
        ready.backup_create()
    (no_programs / "pg_dump").symlink_to(programs_16 / "pg_dump")
    with pytest.raises(BackupError, match=r"older than the server \(18\)"):
        ready.backup_create()
    assert nothing_left(ready)


def test_without_credentials_nothing_is_dumped(ready: Headwater, monkeypatch: pytest.MonkeyPatch) -> None:
    own = as_aws(ready, monkeypatch)
    monkeypatch.setenv("PATH", f"{installed_versions()[18]}:{os.environ['PATH']}")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    with pytest.raises(AwsError, match="no AWS credentials") as caught:
        own.backup_create()
    assert caught.value.exit_code == 5


def test_a_role_that_is_gone_is_named_and_can_be_left_out(ready: Headwater) -> None:
    role = f"role_{ready.settings.db_name}"
    with postgres.connect(ready.connections.postgres()) as connection:
        connection.execute(f"CREATE ROLE {role}; ALTER TABLE events OWNER TO {role}".encode())
    ready.backup_create()
    with postgres.connect(ready.connections.postgres()) as connection:
        connection.execute(f"REASSIGN OWNED BY {role} TO CURRENT_USER; DROP ROLE {role}".encode())

    with pytest.raises(BackupError, match=role) as caught:
        ready.restore()
    assert "--no-owner" in caught.value.hint
    assert ready.restore(RestoreOptions(owner=False)).compared


def test_a_database_with_a_locale_of_its_own_comes_back_with_it(hw: Headwater) -> None:
    name = hw.settings.db_name
    with postgres.connect(hw.connections.postgres("postgres"), autocommit=True) as connection:
        connection.execute(
            f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'"
            " LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'".encode()
        )
    hw.bucket()
    hw.backup_create()
    hw.restore()

    with postgres.connect(hw.connections.postgres("postgres")) as connection:
        rows = connection.execute(
            "SELECT DISTINCT encoding, datlocprovider, datlocale, datcollate, datctype FROM pg_database"
            " WHERE datname IN (%s, %s)",
            (name, restored(hw)),
        ).fetchall()
    assert len(rows) == 1
    assert rows[0][1:3] == ("b", "C.UTF-8")


def test_prune_removes_what_is_expired_and_never_the_newest(ready: Headwater) -> None:
    keeping = Headwater(settings=replace(ready.settings, retention_days=36_500)).connections
    for days in (90, 60, 10):
        backup.create(backup.plan_create(keeping, NOW - timedelta(days=days)), keeping)
    plan = backup.plan_prune(ready.connections, NOW + timedelta(days=400))

    assert (plan.decisions[0].action, plan.decisions[0].reason) == ("keep", "the newest")
    report = backup.prune(plan, ready.connections)

    assert len(report.kept) == 1
    assert report.freed_bytes > 0
    assert keys(ready) == [
        f"backups/postgres/{ready.settings.db_name}/2025/03/21/backup_20250321T120000Z{suffix}"
        for suffix in (".dump.zst", ".globals.sql", ".manifest.json")
    ]
    assert backup.plan_prune(ready.connections, NOW + timedelta(days=800)).removed == ()


def test_create_prunes_what_has_expired(ready: Headwater) -> None:
    backup.create(backup.plan_create(ready.connections, NOW - timedelta(days=90)), ready.connections)

    made = backup.create(backup.plan_create(ready.connections, NOW), ready.connections)

    assert made.pruned.removed == (backup_id(NOW - timedelta(days=90)),)
    assert [item.manifest.id for item in ready.backup_list().backups] == [made.backup.id]


def test_a_database_whose_name_begins_alike_is_another_one(ready: Headwater, project: Path) -> None:
    longer = Headwater(
        settings=load(
            project,
            environ={},
            overrides={"bucket_name": ready.settings.bucket_name, "db_name": f"{ready.settings.db_name}2"},
        )
    )
    longer.setup()
    old = backup.plan_create(longer.connections, NOW - timedelta(days=90))
    backup.create(old, longer.connections)
    backup.create(backup.plan_create(longer.connections, NOW - timedelta(days=80)), longer.connections)

    made = ready.backup_create()

    assert made.pruned.removed == ()
    assert [item.manifest.id for item in ready.backup_list().backups] == [made.backup.id]


def test_orphans_and_unreadable_manifests_are_shown_and_never_pruned(ready: Headwater) -> None:
    made = ready.backup_create()
    s3, bucket, folder = ready.connections.s3, ready.settings.bucket_name, made.backup.dump.key.rpartition("/")[0]
    orphan, edited = f"{folder}/backup_20200101T000000Z{DUMP_SUFFIX}", f"{folder}/backup_20200102T000000Z.manifest.json"
    objects.put_bytes(s3, bucket, orphan, b"half a dump")
    objects.put_bytes(s3, bucket, edited, b"{}")

    found = ready.backup_list()

    assert found.orphans == (orphan,)
    assert [edited in reason for reason in found.unreadable] == [True]
    assert ready.backup_prune().removed == ()
    assert {orphan, edited} <= set(keys(ready))


def test_a_backup_whose_dump_is_gone_does_not_count_as_the_newest(ready: Headwater) -> None:
    first = backup.create(backup.plan_create(ready.connections, NOW), ready.connections).backup
    second = backup.create(backup.plan_create(ready.connections, NOW + timedelta(days=1)), ready.connections).backup
    objects.delete(ready.connections.s3, ready.settings.bucket_name, [second.dump.key])

    assert "is gone" in ready.backup_list().backups[0].problem
    plan = backup.plan_prune(ready.connections, NOW + timedelta(days=900))
    assert [(d.backup.id, d.action) for d in plan.decisions] == [(first.id, "keep")]
    assert ready.restore_plan().backup.id == first.id


def test_restore_never_touches_an_existing_database(ready: Headwater) -> None:
    ready.backup_create()

    with pytest.raises(Refused, match="exists already") as caught:
        ready.restore(RestoreOptions(to=ready.settings.db_name))
    assert caught.value.exit_code == 12
    assert ready.check().passed


def test_restore_of_an_unknown_backup_lists_what_there_is(ready: Headwater) -> None:
    with pytest.raises(BackupError, match="there is no backup of"):
        ready.restore()
    made = ready.backup_create().backup
    with pytest.raises(BackupError, match="there is no backup nope") as caught:
        ready.restore(RestoreOptions("nope"))
    assert made.id in caught.value.hint


@pytest.mark.parametrize("damage", ["flipped", "cut", "gone", "swapped"])
def test_a_damaged_backup_is_found_out_before_a_database_is_made(ready: Headwater, damage: str) -> None:
    made = ready.backup_create().backup
    plan = ready.restore_plan()
    s3, bucket = ready.connections.s3, ready.settings.bucket_name
    data = bytearray(objects.read_bytes(s3, bucket, made.dump.key))
    data[len(data) // 2] ^= 1
    replacement = {"flipped": bytes(data), "cut": bytes(data[:-1000]), "swapped": b"other"}
    objects.delete(s3, bucket, [made.dump.key])
    if damage != "gone":
        objects.put_bytes(s3, bucket, made.dump.key, replacement[damage])

    with pytest.raises(BackupError):
        ready.restore(RestoreOptions(made.id))  # at the latest by size or checksum
    with pytest.raises(HeadwaterError):
        apply(plan, ready.connections)  # damaged after that check: by every byte
    assert not database_exists(ready, restored(ready))


def test_a_failed_pg_restore_leaves_no_database(ready: Headwater, tmp_path: Path) -> None:
    ready.backup_create()
    plan = ready.restore_plan()
    broken = script(tmp_path, plan.tool.path, '"$REAL" "$@"; echo "pg_restore: error: no more space" >&2; exit 1')

    with pytest.raises(BackupError, match="exit code 1: pg_restore: error: no more space"):
        apply(replace(plan, tool=broken), ready.connections)
    assert not database_exists(ready, restored(ready))
    assert list(ready.settings.layout.state.glob("dump-*")) == []


def test_restored_rows_that_differ_from_the_manifest_are_not_kept(ready: Headwater) -> None:
    ready.backup_create()
    plan = ready.restore_plan()
    counts = {**(plan.backup.row_counts or {}), "public.orders": 1}

    with pytest.raises(VerificationError, match=r"public\.orders: 3000 of 1"):
        apply(replace(plan, backup=replace(plan.backup, row_counts=counts)), ready.connections)
    assert not database_exists(ready, restored(ready))


def test_an_interrupted_restore_leaves_no_database(ready: Headwater) -> None:
    ready.backup_create()

    def interrupt(step: Progress) -> None:
        if step.stage == "restore":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ready.restore(on_progress=interrupt)
    assert not database_exists(ready, restored(ready))


def test_an_interruption_while_its_database_is_made_leaves_none(
    ready: Headwater, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready.backup_create()
    real = postgres.create_empty_database

    def made_nevertheless(*arguments: Any) -> None:
        real(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(postgres, "create_empty_database", made_nevertheless)
    with pytest.raises(KeyboardInterrupt):
        ready.restore()
    assert not database_exists(ready, unfinished_name(restored(ready)))


def test_somebody_elses_database_is_not_taken_for_what_a_restore_left(ready: Headwater) -> None:
    ready.backup_create()
    name = unfinished_name(restored(ready))
    postgres.create_database(ready.connections.postgres("postgres"), name)
    with postgres.connect(ready.connections.postgres(name)) as connection:
        connection.execute("CREATE TABLE precious (x int)")

    with pytest.raises(Refused, match="was not left by a restore"):
        ready.restore()
    assert database_exists(ready, name)


def test_names_in_no_known_encoding_are_counted_and_restored(ready: Headwater) -> None:
    maintenance = ready.connections.postgres("postgres")
    locale = postgres.DatabaseLocale("SQL_ASCII", "C", "C", "libc", None)
    other = Headwater(settings=replace(ready.settings, db_name=f"{ready.settings.db_name}_bytes"))
    postgres.create_empty_database(maintenance, other.settings.db_name, locale)
    with postgres.connect(other.connections.postgres()) as connection:
        connection.execute("SET client_encoding = 'LATIN1'")
        connection.execute('CREATE TABLE "t\xe4b" AS SELECT 1')

    assert other.backup_create().backup.row_counts == {'public."t\xe4b"': 1}
    assert other.restore().hashes_compared
    with postgres.connect(maintenance) as connection:  # as libc's, which the cluster's own databases are not
        query = "SELECT datlocprovider, datcollate, encoding FROM pg_database WHERE datname LIKE %s"
        assert connection.execute(query, (f"{other.settings.db_name}%",)).fetchall() == [("c", "C", 0)] * 2


def test_what_a_killed_verification_left_goes_with_the_next(ready: Headwater) -> None:
    ready.backup_create()
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        host = hashlib.sha256(platform.node().encode()).hexdigest()[:8]
        database = f"headwater_verify_{host}_20250101t000000z_{ended.pid}"
    folder = ready.settings.layout.state / f"dump-verify-x1-{ended.pid}"
    folder.mkdir()
    postgres.create_database(ready.connections.postgres("postgres"), database)

    assert ready.backup_verify(backup.VerifyOptions("restore")).passed
    assert not folder.exists()
    assert not database_exists(ready, database)


def test_the_manifest_of_a_dump_lies_beside_it(ready: Headwater) -> None:
    made: BackupManifest = ready.backup_create().backup

    assert made.globals is not None
    assert set(keys(ready)) == {made.dump.key, made.globals.key, manifest_key(made.dump.key)}


def children(name: str, of: int | None = os.getpid(), argument: str = "") -> list[int]:
    """Processes called ``name``: children of this process, or anybody's that have ``argument``."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = (entry / "cmdline").read_bytes().split(b"\0")
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue
        matches = Path(os.fsdecode(command[0])).name == name and (not argument or argument.encode() in command)
        if matches and of in (None, parent):
            found.append(int(entry.name))
    return found


def wait_for(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.05)

"""Every form of a backup restores to the same rows: parallel, compressed otherwise, encrypted, in part, with roles."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
import time
from dataclasses import replace
from pathlib import Path

import pyrage
import pytest

from headwater import Headwater
from headwater.errors import BackupError, HeadwaterError, Refused, SettingsError, VerificationError
from headwater.manifest import BackupManifest
from headwater.services import codec, objects, postgres
from headwater.services.codec import Compression
from headwater.services.storage import Storage
from headwater.stages.backup import CreateOptions, Selection, VerifyOptions, directory, require_all, require_passed
from headwater.stages.restore import RestoreOptions, apply


@pytest.fixture
def ready(hw: Headwater) -> Headwater:
    hw.setup(rows=3000)
    hw.bucket()
    return hw


@pytest.fixture
def identity(tmp_path: Path) -> tuple[Path, str]:
    """A file with an age key, and its public part."""
    made = pyrage.x25519.Identity.generate()
    file = tmp_path / "key.txt"
    file.write_text(f"# created by a test\n{made}\n")
    return file, str(made.to_public())


def restored(hw: Headwater) -> str:
    return f"{hw.settings.db_name}_restored"


def stored(hw: Headwater, key: str) -> bytes:
    return objects.read_bytes(hw.connections.s3, hw.settings.bucket_name, key)


@pytest.mark.parametrize(
    "options",
    [
        CreateOptions(compression=Compression("gzip", 6)),
        CreateOptions(compression=Compression("none")),
        CreateOptions(compression=Compression("zstd", 3, 0)),
        CreateOptions(format="directory", jobs=2),
        CreateOptions(format="directory", compression=Compression("gzip", 1)),
    ],
    ids=["gzip", "plain", "zstd", "directory", "directory-gzip"],
)
def test_every_format_verifies_and_restores_to_the_same_rows(ready: Headwater, options: CreateOptions) -> None:
    made = ready.backup_create(options=options).backup
    assert made.dump.key.endswith(options.suffix)
    for level in ("head", "full", "restore"):
        assert ready.backup_verify(VerifyOptions(level)).passed

    report = ready.restore()

    assert report.rows == made.row_counts
    assert ready.compare(ready.settings.db_name, restored(ready)).equal


def test_a_directory_is_a_tar_that_pg_restore_reads_without_us(
    ready: Headwater, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory, "PART", 64 * 1024)  # so that files come in several parts
    plain = CreateOptions(format="directory", jobs=2, compression=Compression("none"))
    made = ready.backup_create(options=plain).backup
    with tarfile.open(fileobj=io.BytesIO(stored(ready, made.dump.key))) as tar:
        tar.extractall(tmp_path / "out", filter="data")
    parts = sorted((tmp_path / "out").glob("*.part-*"))
    assert parts
    for part in parts:
        with (tmp_path / "out" / part.name.partition(".part-")[0]).open("ab") as whole:
            whole.write(part.read_bytes())
        part.unlink()
    tool = ready.backup_plan().tool.path.with_name("pg_restore")

    subprocess.run([tool, "--file=/dev/null", tmp_path / "out"], check=True)
    assert ready.restore().compared
    assert list(ready.settings.layout.state.glob("dump-*")) == []


def test_a_full_spool_stops_pg_dump_until_there_is_room(ready: Headwater, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory, "SPOOL_LIMIT", 1)
    monkeypatch.setattr(directory, "PART", 4096)

    assert ready.backup_create(options=CreateOptions(format="directory", jobs=2)).backup.row_counts is not None
    assert ready.restore().compared


KILLED = {
    "while_it_writes": (
        "def stop(self): os.kill(os.getpid(), signal.SIGKILL)\ndirectory.DirectoryDump._waiting = stop\n"
    ),
    "while_its_workers_are_stopped": (
        "def stop(self, waiting):\n"
        "    pid = self._dump.pid\n"
        "    if len(Path(f'/proc/{pid}/task/{pid}/children').read_text().split()) == 2:\n"
        "        self._dump.signal(signal.SIGSTOP)\n        os.kill(os.getpid(), signal.SIGKILL)\n"
        "directory.DirectoryDump._hold_back = stop\n"
    ),
}


@pytest.mark.parametrize("when", KILLED)
def test_a_killed_directory_backup_leaves_no_pg_dump_and_its_spool_is_removed_by_the_next(
    ready: Headwater, when: str
) -> None:
    code = (
        "import os, signal, sys\nfrom headwater import Headwater\n"
        "from headwater.stages.backup import CreateOptions, directory\n"
        "from headwater.settings import load\nfrom pathlib import Path\ndirectory.PAUSE = 0\n"
        f"{KILLED[when]}"
        "named = {'bucket_name': sys.argv[2], 'db_name': sys.argv[3]}\n"
        "hw = Headwater(settings=load(Path(sys.argv[1]), environ={}, overrides=named))\n"
        "hw.backup_create(options=CreateOptions(format='directory', jobs=2))"
    )
    settings = ready.settings
    killed = subprocess.Popen(
        [sys.executable, "-c", code, str(settings.project), settings.bucket_name, settings.db_name]
    )
    assert killed.wait(60) == -9
    time.sleep(0.5)
    left = f"-{settings.db_name}-{killed.pid}"
    commands = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]

    assert not any(left.encode() in command for command in commands)
    ready.backup_create(options=CreateOptions(format="directory"))
    assert not any(left in path.name for path in settings.layout.state.glob("dump-*"))


def test_an_encrypted_backup_needs_its_key(ready: Headwater, identity: tuple[Path, str], tmp_path: Path) -> None:
    file, recipient = identity
    made = ready.backup_create(options=CreateOptions(encrypt_to=(recipient,))).backup
    assert made.globals is not None
    assert stored(ready, made.dump.key).startswith(b"age-encryption.org/v1")
    assert stored(ready, made.globals.key).startswith(b"age-encryption.org/v1")
    assert recipient.encode() not in made.to_json()

    with pytest.raises(BackupError, match="is encrypted"):
        ready.restore()
    with pytest.raises(BackupError, match="is encrypted"):
        ready.backup_verify()
    other = tmp_path / "other.txt"
    other.write_text(str(pyrage.x25519.Identity.generate()))
    with pytest.raises(BackupError, match="another identity"):
        ready.restore(RestoreOptions(identity=other))
    for level in ("full", "restore"):
        with pytest.raises(BackupError, match="another identity"):
            ready.backup_verify(VerifyOptions(level, identity=other))
    assert ready.backup_list().backups[0].verifications == ()  # a wrong key says nothing about the backup

    assert ready.backup_verify(VerifyOptions(identity=file)).passed
    assert ready.restore(RestoreOptions(identity=file, roles=True)).compared
    assert ready.compare(ready.settings.db_name, restored(ready)).equal

    damage_header(ready, made)
    for key in (file, other):  # that it is damaged is found out with any
        with pytest.raises(VerificationError):
            require_passed(ready.backup_verify(VerifyOptions(identity=key)))


def damage_header(ready: Headwater, made: BackupManifest) -> None:
    """Change one letter of the recipient's stanza on the storage's disk: S3 and its checksums do not notice."""
    places = ready.settings.layout.state.rglob(made.dump.key.rpartition("/")[2])
    [found] = (path for path in places if ready.settings.bucket_name in path.parts)
    data = bytearray(found.read_bytes())
    data[60] = ord("B") if data[60] == ord("A") else ord("A")
    found.write_bytes(data)


def test_encryption_streams_and_finds_changed_bytes() -> None:
    key = pyrage.x25519.Identity.generate()
    data = [os.urandom(100_000) for _ in range(40)]
    sealed = b"".join(codec.encrypted(data, [key.to_public()]))
    assert b"".join(codec.decrypted([sealed[:7], sealed[7:]], [key])) == b"".join(data)

    with pytest.raises(HeadwaterError):
        list(codec.decrypted([sealed[:-1]], [key]))
    with pytest.raises(HeadwaterError):
        list(codec.decrypted([sealed[:5000], bytes([sealed[5000] ^ 1]), sealed[5001:]], [key]))


@pytest.mark.parametrize("method", ["zstd", "gzip"])
def test_a_stream_that_is_cut_or_goes_on_is_damaged(method: str) -> None:
    whole = b"".join(codec.compressed([b"abc" * 10_000], Compression(method, 1, 0)))
    assert b"".join(codec.decompressed([whole], method)) == b"abc" * 10_000
    for wrong in ([whole[:-1]], [whole, b"x"], [whole + b"x"], [b"\0" + whole[1:]]):
        with pytest.raises(HeadwaterError):
            list(codec.decompressed(wrong, method))


def test_a_backup_of_some_tables_never_stands_for_the_whole(ready: Headwater) -> None:
    whole = ready.backup_create().backup
    partial = ready.backup_create(options=CreateOptions(selection=Selection(tables=("public.users",)))).backup
    assert partial.partial
    assert partial.row_counts is None
    assert [d.reason.partition(";")[0] for d in ready.backup_prune_plan().decisions][1] == "the newest"

    assert ready.restore_plan().backup.id == whole.id
    assert set(ready.restore(RestoreOptions(partial.id)).rows) == {"public.users"}


def test_a_backup_of_a_table_without_its_schema_can_be_restored(ready: Headwater) -> None:
    with postgres.connect(ready.connections.postgres()) as connection:
        connection.execute('CREATE SCHEMA "a b"; CREATE TABLE "a b"."c d" (x int PRIMARY KEY)')
        connection.execute('CREATE SCHEMA "a"; CREATE TABLE "a"."b c" (x int PRIMARY KEY)')
    chosen = Selection(tables=('"a b"."c d"', "public.users"))
    partial = ready.backup_create(options=CreateOptions(selection=chosen)).backup

    assert ready.backup_verify(VerifyOptions("restore", partial.id)).passed
    assert set(ready.restore(RestoreOptions(partial.id)).rows) == {'"a b"."c d"', "public.users"}


def test_roles_come_back_without_their_passwords(ready: Headwater) -> None:
    role = f"role_{ready.settings.db_name}"
    with postgres.connect(ready.connections.postgres()) as connection:
        connection.execute(
            f"CREATE ROLE {role} LOGIN PASSWORD 'secret word'; ALTER TABLE events OWNER TO {role}".encode()
        )
    made = ready.backup_create().backup
    assert made.globals is not None
    script = stored(ready, made.globals.key).decode()
    assert f"CREATE ROLE {role};" in script
    assert "PASSWORD" not in script
    with_passwords = ready.backup_create(options=CreateOptions(globals="passwords")).backup
    assert with_passwords.globals is not None
    assert "SCRAM-SHA-256" in stored(ready, with_passwords.globals.key).decode()
    with postgres.connect(ready.connections.postgres()) as connection:
        connection.execute(f"REASSIGN OWNED BY {role} TO CURRENT_USER; DROP ROLE {role}".encode())

    report = ready.restore(RestoreOptions(made.id, roles=True))

    assert role in report.roles
    with postgres.connect(ready.connections.postgres(restored(ready))) as connection:
        owner = connection.execute("SELECT tableowner FROM pg_tables WHERE tablename = 'events'").fetchone()
        assert owner == (role,)
        connection.execute(f"DROP OWNED BY {role}; DROP ROLE {role}".encode())


def test_the_manifest_says_what_a_server_has_to_offer(ready: Headwater) -> None:
    with postgres.connect(ready.connections.postgres()) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS plpgsql")
    made = ready.backup_create(options=CreateOptions(hashes=True)).backup

    assert "plpgsql" in made.extensions
    assert made.content_hashes is not None
    assert set(made.content_hashes) == set(made.row_counts or {})
    assert made.flags[:2] == ("--format=custom", "--compress=0")
    assert made.integrity["part_checksum"] == "crc32"
    assert set(made.durations) == {"dump", "count", "upload"}
    assert json.loads(made.to_json())["schema_version"] == 2


def test_content_hashes_find_what_row_counts_cannot(ready: Headwater) -> None:
    ready.backup_create(options=CreateOptions(hashes=True))
    plan = ready.restore_plan()
    changed = {**(plan.backup.content_hashes or {}), "public.orders": "1"}

    assert ready.restore().hashes_compared
    with pytest.raises(HeadwaterError, match=r"public\.orders: 3000 rows, but not the same content"):
        apply(replace(plan, to="other", backup=replace(plan.backup, content_hashes=changed)), ready.connections)


def test_several_databases_are_backed_up_in_one_run(ready: Headwater) -> None:
    second = f"{ready.settings.db_name}_b"
    with postgres.connect(ready.connections.postgres("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {second}".encode())

    both = [ready.settings.db_name, second]
    report = ready.backup_create_many([both[0], "no_such_database", "a/b", "cluster-1", *both])

    assert [made.backup.database for made in report.made] == both
    failed = [(failure.database, failure.exit_code) for failure in report.failed]
    assert failed == [("no_such_database", 4), ("a/b", 3), ("cluster-1", 3)]
    assert report.failed[0].hint == "run `headwater setup` to create it"
    with pytest.raises(BackupError, match="3 of 5 failed"):
        require_all(report)
    assert [plan.database for plan in ready.backup_plans(both)] == both


def test_a_bandwidth_limit_is_kept(ready: Headwater) -> None:
    size = ready.backup_create().backup.dump.size
    began = time.monotonic()
    ready.backup_create(options=CreateOptions(limit_rate=size // 2))

    assert time.monotonic() - began > 1.5


def test_storage_class_and_lock_reach_the_object(ready: Headwater) -> None:
    s3 = ready.connections.s3
    bucket = f"{ready.settings.bucket_name}-locked"
    s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    locked = Headwater(settings=replace(ready.settings, bucket_name=bucket))

    made = locked.backup_create(options=CreateOptions(storage=Storage("STANDARD_IA", lock_days=3))).backup

    head = s3.head_object(Bucket=bucket, Key=made.dump.key)
    assert head["StorageClass"] == "STANDARD_IA"
    assert head["ObjectLockMode"] == "GOVERNANCE"
    with pytest.raises(BackupError, match="no Object Lock"):
        ready.backup_create(options=CreateOptions(storage=Storage(lock_days=3)))


@pytest.mark.parametrize(
    "make",
    [
        lambda: CreateOptions(jobs=2),
        lambda: CreateOptions(format="plain"),
        lambda: CreateOptions(globals="all"),
        lambda: Storage(lock_mode="COMPLIANCE"),  # would lock nothing
        lambda: codec.parse_compression("lz4"),
        lambda: codec.parse_compression("zstd:99"),
        lambda: codec.age_recipients(["age1nonsense"]),
    ],
)
def test_options_that_make_no_sense_are_refused(make: object) -> None:
    with pytest.raises(SettingsError):
        make()  # type: ignore[operator]


def test_restoring_into_an_existing_database_has_to_be_said_aloud(ready: Headwater) -> None:
    ready.backup_create()
    target = restored(ready)
    with pytest.raises(BackupError, match="no database"):
        ready.restore(RestoreOptions(into=target))
    ready.restore()
    with postgres.connect(ready.connections.postgres(target)) as connection:
        connection.execute("UPDATE orders SET amount = 0; CREATE TABLE mine (x int)")

    with pytest.raises(Refused, match="not empty"):
        ready.restore(RestoreOptions(into=target))
    assert ready.restore(RestoreOptions(into=target, clean=True)).compared
    tables = {t.table: t.equal for t in ready.compare(ready.settings.db_name, target).tables}
    assert tables == {"public.events": True, "public.mine": False, "public.orders": True, "public.users": True}


def test_a_failed_restore_into_a_database_leaves_it_as_it_was(ready: Headwater) -> None:
    ready.backup_create()
    target = restored(ready)
    ready.restore()
    with postgres.connect(ready.connections.postgres(target)) as connection:
        connection.execute("UPDATE orders SET amount = 1; CREATE VIEW needs_it AS SELECT * FROM orders")

    with pytest.raises(BackupError, match="is as it was"):  # the view depends on what would be dropped
        ready.restore(RestoreOptions(into=target, clean=True))
    with postgres.connect(ready.connections.postgres(target)) as connection:
        assert connection.execute("SELECT count(*) FROM orders WHERE amount = 1").fetchone() == (3000,)


def test_single_tables_can_be_restored(ready: Headwater) -> None:
    ready.backup_create()

    assert set(ready.restore(RestoreOptions(tables=("public.orders",))).rows) == {"public.orders"}
    with pytest.raises(BackupError, match="has no table"):
        ready.restore(RestoreOptions(to="other", tables=("public.nothing",)))
    for empty in (RestoreOptions(to=""), RestoreOptions(into="", clean=True)):  # an unset variable of a shell
        with pytest.raises(SettingsError, match="cannot be a database's name"):
            ready.restore_plan(empty)


def test_an_interrupted_download_goes_on_where_it_was(ready: Headwater) -> None:
    made = ready.backup_create().backup
    data = stored(ready, made.dump.key)
    folder = ready.settings.layout.state / "downloads"
    folder.mkdir(exist_ok=True)
    kept = folder / f"{made.database}-{made.id}.part"

    kept.write_bytes(data[: len(data) // 2])
    assert ready.restore(RestoreOptions(to=f"{made.database}_one")).compared
    kept.write_bytes(b"x" * (len(data) // 2))  # not this backup's: everything is read again
    assert ready.restore(RestoreOptions(to=f"{made.database}_two")).compared
    assert not kept.exists()


def test_a_time_means_the_newest_backup_until_then(ready: Headwater) -> None:
    made = ready.backup_create().backup

    assert ready.restore_plan(RestoreOptions(made.taken.isoformat())).backup.id == made.id
    with pytest.raises(BackupError, match="taken up to"):
        ready.restore_plan(RestoreOptions("2001-01-01T00:00Z"))
    assert ready.restore_plan(RestoreOptions(made.id[:-1])).backup.id == made.id  # the only one that begins so
    with pytest.raises(BackupError, match="is not a time"):
        ready.restore_plan(RestoreOptions("2025-13-01T00:00Z"))
    with pytest.raises(BackupError, match="no time zone"):
        ready.restore_plan(RestoreOptions("2001-01-01 00:00"))

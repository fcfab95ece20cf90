"""A server that is older than the newest programs: PostgreSQL 16, whose own pg_verifybackup checks as well."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from cluster_site import ONCE, archive, back_up, mark, marks, recover, running, serving

from headwater import Headwater
from headwater.errors import BackupError, SettingsError
from headwater.services import clusters, postgres
from headwater.stack import unprivileged
from headwater.stack.binaries import installed_versions
from headwater.stages.physical import PhysicalOptions, PhysicalVerifyOptions

PROGRAMS_16 = installed_versions()[16]


@pytest.fixture
def older(hw: Headwater, tmp_path: Path) -> Iterator[Headwater]:
    """The project with a server 16 of its own, its bucket, and a table ``marks``."""
    hw.bucket()
    data, password = tmp_path / "server16", secrets.token_hex(8)
    secret = tmp_path / "password"
    secret.write_text(password)
    data.mkdir()
    for path in (data, secret):
        unprivileged.give(path)
    words = [str(PROGRAMS_16 / "initdb"), "-D", str(data), "-U", "postgres", "--pwfile", str(secret), "--no-sync"]
    command = unprivileged.command([*words, "-A", "scram-sha-256", "--no-locale"], PROGRAMS_16, data, secret)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/")
    with (data / "postgresql.conf").open("a") as file:
        file.write("listen_addresses = '127.0.0.1'\nunix_socket_directories = ''\n")
    login = replace(hw.connections.postgres("postgres"), user="postgres", password=password)
    with serving(login, data, PROGRAMS_16) as address:
        settings = replace(
            hw.settings, db_host=address.host, db_port=address.port, db_user=address.user, db_password=address.password
        )
        made = Headwater(settings=settings)
        with postgres.connect(address, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{settings.db_name}"'.encode())
        with postgres.connect(made.connections.postgres()) as connection:
            connection.execute("CREATE TABLE marks (n int PRIMARY KEY)")
        yield made


def test_a_server_16_comes_back_as_it_was_at_a_moment(older: Headwater, tmp_path: Path) -> None:
    mark(older, 1)
    made = back_up(older)
    moment = mark(older, 2)
    mark(older, 3)
    assert archive(older).missing == ()
    assert made.server_major == 16
    assert made.cluster.isdecimal()  # although the database's encoding is SQL_ASCII
    with pytest.raises(SettingsError, match="incremental backups need PostgreSQL 17"):
        older.physical.create_plan(PhysicalOptions(incremental=True))
    assert older.physical.verify().passed
    tried = older.physical.verify(PhysicalVerifyOptions("restore", log=True))
    assert tried.passed
    assert "tables of 3 databases were read" in tried.results[0].detail
    assert "checksum of every page" not in tried.results[0].detail  # it has none

    recover(older, tmp_path / "data", moment)

    with running(older, tmp_path / "data", PROGRAMS_16) as address:
        assert marks(address) == [1, 2]


@pytest.mark.soak
def test_what_a_server_lacks_is_named_and_no_slot_is_left(older: Headwater, tmp_path: Path) -> None:
    address = older.connections.postgres("postgres")
    with postgres.connect(address, autocommit=True) as connection:
        connection.execute("CREATE ROLE keeper LOGIN REPLICATION PASSWORD 'keeper'")
        settings = replace(older.settings, db_user="keeper", db_password="keeper")
        with pytest.raises(BackupError, match="keeper may not end segments") as caught:
            Headwater(settings=settings).physical.wal(ONCE)
        assert 'GRANT EXECUTE ON FUNCTION pg_switch_wal() TO "keeper"' in caught.value.hint

        hba = tmp_path / "server16" / "pg_hba.conf"
        kept = hba.read_text()
        hba.write_text("\n".join(line for line in kept.splitlines() if "replication" not in line) + "\n")
        connection.execute("SELECT pg_reload_conf()")
        for work in (older.physical.create, lambda: older.physical.wal(ONCE)):
            with pytest.raises(BackupError, match=r"no pg_hba\.conf entry for replication") as caught:
                work()
            assert 'host replication "postgres" ADDRESS scram-sha-256' in caught.value.hint
        assert clusters.find_slot(address, "headwater_wal") is None
        assert older.connections.s3.list_objects_v2(Bucket=older.settings.bucket_name)["KeyCount"] == 0
        hba.write_text(kept)

        for number in range(10):
            connection.execute("SELECT pg_create_physical_replication_slot(%s)", [f"other{number}"])
        with pytest.raises(BackupError, match="all 10 of the server's max_replication_slots are in use"):
            older.physical.wal_plan(ONCE)


@pytest.mark.soak
def test_a_server_without_a_sender_left_is_told_to_have_more(older: Headwater) -> None:
    address = older.connections.postgres("postgres")
    login = {"host": address.host, "port": address.port, "user": address.user, "password": address.password}
    with ExitStack() as stack:
        for _ in range(10):
            stack.enter_context(closing(psycopg.connect(**login, replication="true")))
        for plan in (older.physical.create_plan, older.physical.wal_plan):
            with pytest.raises(BackupError, match="10 of the server's 10 max_wal_senders") as caught:
                plan()
            assert "set max_wal_senders higher" in caught.value.hint
    assert clusters.find_slot(address, "headwater_wal") is None

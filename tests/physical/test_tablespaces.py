"""A cluster with tablespaces of its own is copied, also incrementally, and recovered with them in new places."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster_site import archive, back_up, mark, marks, running

from headwater import Headwater
from headwater.errors import BackupError, Refused
from headwater.services import postgres
from headwater.stack import unprivileged
from headwater.stages import physical
from headwater.stages.physical import PhysicalVerifyOptions, RecoverOptions, Target, tablespaces


@pytest.fixture
def spread(ready: Headwater) -> Iterator[Headwater]:
    """``ready``, with the table ``marks`` in a tablespace of its own, and an empty tablespace."""
    with tempfile.TemporaryDirectory(prefix="headwater-tablespaces-") as name:
        unprivileged.give(Path(name))
        maintenance = ready.connections.postgres("postgres")
        places = {"fast": Path(name) / "on a fast disk", "unused": Path(name) / "unused"}
        with postgres.connect(maintenance, autocommit=True) as connection:
            for space, path in places.items():
                path.mkdir()
                unprivileged.give(path)
                connection.execute(f"CREATE TABLESPACE {space} LOCATION '{path}'".encode())
        try:
            with postgres.connect(ready.connections.postgres(), autocommit=True) as connection:
                connection.execute("ALTER TABLE marks SET TABLESPACE fast")
            yield ready
        finally:
            with postgres.connect(ready.connections.postgres(), autocommit=True) as connection:
                connection.execute("DROP TABLE marks")
            with postgres.connect(maintenance, autocommit=True) as connection:
                for space in places:
                    connection.execute(f"DROP TABLESPACE {space}".encode())


@pytest.mark.soak
def test_tablespaces_are_recovered_into_new_places(spread: Headwater, tmp_path: Path) -> None:
    mark(spread, 1)
    back_up(spread)
    mark(spread, 2)
    made = back_up(spread, incremental=True)
    mark(spread, 3)
    archive(spread)
    assert list(spread.settings.layout.state.glob("dump-*")) == []
    assert spread.physical.verify().passed
    assert spread.physical.verify(PhysicalVerifyOptions("restore")).passed
    with postgres.connect(spread.connections.postgres(), autocommit=True) as connection:
        rows = connection.execute("SELECT spcname, pg_tablespace_location(oid) FROM pg_tablespace").fetchall()
    before = {str(name): str(path) for name, path in rows}

    elsewhere = tmp_path / "elsewhere"
    options = RecoverOptions(tmp_path / "data", Target(), tablespaces={before["fast"]: elsewhere})
    report = spread.physical.recover(options)

    assert report.backup == made.id
    assert sorted(report.tablespaces.values()) == sorted(
        [elsewhere, *(path for path in report.tablespaces.values() if path.parent.name == "data.tablespaces")]
    )
    for root in report.tablespaces.values():
        for path in (root, *root.rglob("*")):
            unprivileged.give(path)
    with running(spread, tmp_path / "data") as address:
        assert marks(address) == [1, 2, 3]
        with postgres.connect(address) as connection:
            row = connection.execute(
                "SELECT pg_tablespace_location(oid) FROM pg_tablespace WHERE spcname = 'fast'"
            ).fetchone()
            assert row == (str(elsewhere),)
            connection.execute("INSERT INTO marks (n) VALUES (4)")
    assert marks(spread.connections.postgres()) == [1, 2, 3]

    with pytest.raises(Refused, match="exists already"):
        physical.plan_recover(
            spread.connections, RecoverOptions(tmp_path / "again", tablespaces={before["fast"]: elsewhere})
        )
    with pytest.raises(BackupError, match="has no tablespace at /nowhere"):
        spread.physical.recover(RecoverOptions(tmp_path / "again", tablespaces={"/nowhere": tmp_path / "new"}))
    assert not (tmp_path / "again").exists()


def test_a_map_with_odd_names_is_read_as_postgresql_writes_it(tmp_path: Path) -> None:
    (tmp_path / "tablespace_map").write_text("16385 /a b\n16386 /line\\\nend\\\\slash\n")
    assert tablespaces.locations(tmp_path) == {"16385": "/a b", "16386": "/line\nend\\slash"}
    for oid in ("16385", "16386"):
        (tmp_path / "pg_tblspc" / oid).mkdir(parents=True)
    tablespaces.place(tmp_path, {"/a b": tmp_path / "odd\nname\\"}, tmp_path / "usual")
    assert tablespaces.locations(tmp_path) == {
        "16385": str(tmp_path / "odd\nname\\"),
        "16386": str(tmp_path / "usual" / "16386"),
    }

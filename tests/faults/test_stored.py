"""Damage to what is stored is found at the level that claims it, and at every deeper one; nothing is ever restored."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import matrix
import naive
import pytest
from fault_site import Site
from matrix import Fault

from headwater.errors import HeadwaterError
from headwater.manifest import BackupManifest, sealed
from headwater.services import objects
from headwater.services.backups import choose
from headwater.stages import backup
from headwater.stages.backup import VerifyOptions
from headwater.stages.restore import RestoreOptions

NOW = datetime(2025, 3, 31, 12, tzinfo=timezone.utc)


def read(site: Site, key: str) -> bytes:
    return objects.read_bytes(site.headwater.connections.s3, site.bucket, key)


def write(site: Site, key: str, data: bytes) -> None:
    objects.put_bytes(site.headwater.connections.s3, site.bucket, key, data)


def remove(site: Site, key: str) -> None:
    objects.delete(site.headwater.connections.s3, site.bucket, [key])


def flip(data: bytes) -> bytes:
    changed = bytearray(data)
    changed[len(changed) // 2] ^= 1
    return bytes(changed)


def rot(site: Site, key: str) -> None:
    """Change a bit in the file below the S3 server, which does not hear of it."""
    files = (site.stack_state / "s3").rglob(Path(key).name)
    (file,) = (path for path in files if path.is_file() and site.bucket in path.parts)
    file.write_bytes(flip(file.read_bytes()))


def edit(site: Site, key: str, change: Callable[[dict[str, Any]], object], *, forged: bool = False) -> None:
    """Change the manifest; ``forged``: by somebody who makes its digest anew."""
    body = json.loads(read(site, key))
    change(body)
    write(site, key, json.dumps(sealed(body) if forged else body).encode())


def another_sha256(body: dict[str, Any]) -> None:
    body["dump"]["sha256"] = "0" * 64


def another_row_count(body: dict[str, Any]) -> None:
    body["row_counts"]["public.facts"] = 1


def another_row_count_without_digest(body: dict[str, Any]) -> None:
    another_row_count(body)
    del body["digest"]


def swap(site: Site, left: str, right: str) -> None:
    here, there = read(site, left), read(site, right)
    write(site, left, there)
    write(site, right, here)


def damage(site: Site, fault: str, made: BackupManifest, manifest: str, other: str) -> None:
    """Do to the backup ``made`` what the fault says; ``other`` is the key of another dump."""
    key = made.dump.key
    actions: dict[str, Callable[[], None]] = {
        "truncated": lambda: write(site, key, read(site, key)[: made.dump.size // 2]),
        "gone": lambda: remove(site, key),
        "flipped": lambda: write(site, key, flip(read(site, key))),
        "rotten": lambda: rot(site, key),
        "swapped": lambda: swap(site, key, other),
        "manifest-gone": lambda: remove(site, manifest),
        "manifest-cut": lambda: write(site, manifest, read(site, manifest)[:300]),
        "manifest-digest": lambda: edit(site, manifest, another_sha256),
        "manifest-size": lambda: edit(site, manifest, lambda b: b["dump"].update(size=made.dump.size + 1), forged=True),
        "manifest-rows": lambda: edit(site, manifest, another_row_count),
        "manifest-unsealed": lambda: edit(site, manifest, another_row_count_without_digest),
        "manifest-forged": lambda: edit(site, manifest, another_sha256, forged=True),
        "manifest-forged-rows": lambda: edit(site, manifest, another_row_count, forged=True),
        "manifest-other": lambda: edit(site, manifest, lambda b: b.update(database="another"), forged=True),
    }
    actions[fault]()


def levels(site: Site, made: BackupManifest, identity: Path | None = None) -> list[str]:
    """The levels at which the backup is found to be no good."""
    usable = [item.manifest.id for item in site.headwater.backup_list().usable]
    found = [] if made.id in usable else [matrix.LISTED]
    for level in (matrix.HEAD, matrix.FULL, matrix.RESTORED):
        try:
            passed = site.headwater.backup_verify(VerifyOptions(level, made.id, identity=identity)).passed
        except HeadwaterError:  # it is not even one to verify
            passed = False
        found += [] if passed else [level]
    return found


# Of the other forms, the rest runs with `make soak`.
QUICK = (("directory", "rotten"), ("encrypted", "flipped"))


@pytest.mark.parametrize(
    ("fault", "form"),
    [
        pytest.param(
            fault,
            form,
            id=f"{form}-{fault.id}",
            marks=[] if form == "custom" or (form, fault.id) in QUICK else pytest.mark.soak,
        )
        for form in matrix.FORMS
        for fault in matrix.of("stored")
    ],
)
def test_what_is_stored_is_damaged(site: Site, fault: Fault, form: str) -> None:
    connections, wanted = site.headwater.connections, site.form(form)
    keeping = replace(connections.settings, retention_days=36_500)
    site.headwater.connections.settings = keeping
    first = backup.create(backup.plan_create(connections, NOW, wanted.options), connections)
    if fault.id == "swapped":
        time.sleep(1)  # an archive of the same rows made in the same second is the same archive
    second = backup.create(backup.plan_create(connections, NOW + timedelta(days=1), wanted.options), connections)

    damage(site, fault.id, second.backup, second.manifest_key, first.backup.dump.key)

    expected = matrix.LEVELS[matrix.LEVELS.index(fault.headwater) :]
    assert set(expected) <= set(levels(site, second.backup, wanted.identity))
    with pytest.raises(HeadwaterError):
        site.headwater.restore(RestoreOptions(second.backup.id, identity=wanted.identity))
    assert not site.has_database(f"{site.database}_restored")
    if fault.headwater == matrix.LISTED:  # then nothing chooses it either
        usable = [item.manifest.id for item in site.headwater.backup_list().usable]
        assert second.backup.id not in usable
        assert choose(site.headwater.backup_list(), "latest").manifest.id == first.backup.id


@pytest.mark.parametrize("fault", [f for f in matrix.of("stored") if f.naive], ids=lambda fault: fault.id)
def test_the_naive_script_restores_it(site: Site, fault: Fault) -> None:
    assert naive.back_up(site.programs / "pg_dump", site.address(), site.s3(), site.bucket, site.folder)
    data = read(site, naive.KEY)
    actions: dict[str, Callable[[], None]] = {
        "truncated": lambda: write(site, naive.KEY, data[: len(data) // 2]),
        "gone": lambda: remove(site, naive.KEY),
        "flipped": lambda: write(site, naive.KEY, flip(data)),
        "rotten": lambda: rot(site, naive.KEY),
        "swapped": lambda: write(site, naive.KEY, other_database(site)),
    }
    actions[fault.id]()
    said = site.naive_restore()
    assert {"believed": matrix.BELIEVED, "noticed": matrix.NOTICED, "survived": matrix.FINE}[said] == fault.naive


def other_database(site: Site) -> bytes:
    """What the same script makes of the database postgres."""
    folder = site.folder / "other"
    folder.mkdir()
    naive.back_up(site.programs / "pg_dump", site.address("postgres"), site.s3(), site.bucket, folder)
    return read(site, naive.KEY)

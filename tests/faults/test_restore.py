"""A restore under faults ends with the very rows of the source, or with an error and no database of that name."""

from __future__ import annotations

import os
import resource
import signal
import time

import matrix
import naive
import proxy
import pytest
from fault_site import Site
from proxy import DUMP_GET, Rule

from headwater.errors import HeadwaterError

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
    assert list(site.headwater.settings.layout.state.glob("restore-*")) == []


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

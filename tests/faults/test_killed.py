"""SIGKILL of Headwater at every step of a backup: what is left is never taken for one, and the next one succeeds."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time

import matrix
import proxy
import pytest
from fault_site import Site
from matrix import Fault
from proxy import COMPLETE, CREATE, MANIFEST, Rule

STEPS = {
    "create": CREATE,
    "part-1": proxy.part(1),
    "part-2": proxy.part(2),
    "part-3": proxy.part(3),
    "complete": COMPLETE,
    "manifest": MANIFEST,
}
# The rest runs with `make soak`: they differ in what is left in the unfinished upload.
QUICK = {
    "custom": ("before-complete", "before-manifest", "after-manifest"),
    "directory": ("after-part-2",),
    "encrypted": ("after-manifest",),
}


class Killer:
    """Kills the process that it is given later, once, and holds the request until that has happened."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[str] | None = None
        self.ready = threading.Event()

    def __call__(self) -> None:
        assert self.ready.wait(30)
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait(30)


@pytest.mark.parametrize("site", ["large"], indirect=True)
@pytest.mark.parametrize(
    ("fault", "form"),
    [
        pytest.param(fault, form, id=f"{form}-{fault.id}", marks=[] if fault.id in QUICK[form] else pytest.mark.soak)
        for form in matrix.FORMS
        for fault in matrix.of("killed")
    ],
)
def test_headwater_is_killed(site: Site, fault: Fault, form: str) -> None:
    made = site.form(form)
    when, _, step = fault.id.partition("-")
    kill = Killer()
    fault_there = proxy.call(before=kill) if when == "before" else proxy.call(after=kill)
    if when == "before":  # and S3 never hears of it
        fault_there = lambda request, forward: kill()  # noqa: E731
    with proxy.faults(site.stack.endpoint_url, Rule(STEPS[step], fault_there)) as broken:
        kill.process = site.start("backup", "create", *made.arguments, endpoint=broken.url)
        kill.ready.set()
        kill.process.communicate(timeout=60)
    assert kill.process.returncode == -signal.SIGKILL
    deadline = time.monotonic() + 5
    while site.left_running() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert site.left_running() == []

    found = site.headwater.backup_list()
    if fault.headwater == matrix.COMMITTED:
        assert [item.problem for item in found.backups] == [""]
        assert site.restores(made.identity)
        return
    assert found.backups == ()
    left_dump = fault.id in ("after-complete", "before-manifest")
    assert len(found.orphans) == (1 if left_dump else 0)
    site.headwater.backup_create()
    assert len(site.headwater.backup_list().backups) == 1
    assert site.restores()

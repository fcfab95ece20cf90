"""Backing up, verifying and restoring a database of about 1 GB, against PostgreSQL's own tools on the same machine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from bench.timing import best, note, ratio
from headwater import Headwater
from headwater.services import postgres, tools
from headwater.settings import load

ROWS = 4_000_000  # orders, and twice as many events: an archive of 1.03 GB
QUICK = "BENCH_BACKUP_ROWS"  # fewer, to try this file out: ratios then measure how programs start
ROUNDS = 3


def main() -> None:
    """Make the database, let all candidates take turns, print the ratios."""
    rows = int(os.environ.get(QUICK, ROWS))
    with tempfile.TemporaryDirectory(prefix="headwater-bench-") as name:
        hw = Headwater(settings=load(Path(name), environ={}, overrides={"bucket_name": "bench"}))
        try:
            hw.setup(rows=rows)
            hw.bucket()
            with postgres.connect(hw.connections.postgres(), autocommit=True) as connection:
                connection.execute("VACUUM ANALYZE")
                connection.execute("CHECKPOINT")
            _measure(Site(hw, Path(name)))
        finally:
            hw.connections.stop_stack(remove=True)


class Site:
    """The programs, the login and the files of one run."""

    def __init__(self, hw: Headwater, folder: Path) -> None:
        self.hw, self.folder = hw, folder
        self.pg_dump = tools.find("pg_dump", 18, hw.connections.postgres_tools).path
        self.environment = dict(tools.login(hw.connections.postgres()))
        self.count = 0

    def shell(self, text: str) -> Callable[[], object]:
        """A candidate that is a pipeline of PostgreSQL's programs."""
        bash = ["bash", "-o", "pipefail", "-c", text.replace("PG/", f"{self.pg_dump.parent}/")]
        return lambda: subprocess.run(bash, check=True, env=self.environment, stdout=subprocess.DEVNULL)

    def headwater(self, *arguments: str) -> list[str]:
        """A command of ours."""
        return [sys.executable, "-m", "headwater", "--project", str(self.folder), *arguments, "--json"]

    def run(self, *arguments: str) -> Callable[[], object]:
        """A candidate that is a command of ours."""
        environment = {**os.environ, "HEADWATER_BUCKET_NAME": "bench"}
        command = self.headwater(*arguments)
        return lambda: subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)

    def fresh(self, restore: Callable[[str], Callable[[], object]]) -> Callable[[], object]:
        """A restore into a database of another name each time."""

        def once() -> None:
            self.count += 1
            restore(f"restored_{self.count}")()

        return once


def _measure(site: Site) -> None:
    file = site.folder / "local.dump"
    create = ("backup", "create", "--no-prune")
    site.shell(f"PG/pg_dump -Fc -Z0 --file={file}")()
    times = best(
        {
            "pg_dump | zstd -1": site.shell("PG/pg_dump -Fc -Z0 | zstd -q -1 > /dev/null"),
            "create": site.run(*create),
            "verify full": site.run("backup", "verify"),
            "pg_dump -Fc": site.shell("PG/pg_dump -Fc > /dev/null"),
            "pg_dump | gzip": site.shell("PG/pg_dump | gzip > /dev/null"),
            "create directory, 2 jobs": site.run(*create, "--format", "directory", "--jobs", "2"),
        },
        ROUNDS,
    )
    site.run(*create)()  # the newest one is what is restored below
    restores = best(
        {
            "restore": site.fresh(lambda name: site.run("restore", "--to", name, "--jobs", "2")),
            "pg_restore -j2": site.fresh(
                lambda name: site.shell(
                    f"PG/createdb {name} && PG/pg_restore -j2 -d {name} {file} && PG/psql -qc ANALYZE {name}"
                )
            ),
        },
        rounds=2,
    )
    _print(times | restores, file.stat().st_size, _peak(site, create))


def _print(times: dict[str, float], size: int, peak: float) -> None:
    note(f"archive {size / 1e6:,.0f} MB; " + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in times.items()))
    made, plain = times["create"], times["pg_dump | zstd -1"]
    ratio("create: time / pg_dump -Fc -Z0 | zstd -1 > /dev/null", made / plain, "<= 1.1")
    ratio("create: times faster than pg_dump -Fc", times["pg_dump -Fc"] / made, ">= 1.7")
    ratio("create: times faster than pg_dump | gzip", times["pg_dump | gzip"] / made, ">= 1.7")
    ratio("directory format, 2 jobs: times faster than create", made / times["create directory, 2 jobs"], ">= 1.2")
    ratio("verify full: time / create", times["verify full"] / made, "<= 0.5")
    ratio("restore, 2 jobs: time / pg_restore -j2 + ANALYZE", times["restore"] / times["pg_restore -j2"], "<= 1.1")
    ratio("create: peak memory, MB", peak, "<= 150")


def _peak(site: Site, command: tuple[str, ...]) -> float:
    """Megabytes that one more run had resident at most; from /proc, as getrusage counts what we had at the fork."""
    environment = {**os.environ, "HEADWATER_BUCKET_NAME": "bench"}
    process = subprocess.Popen(site.headwater(*command), env=environment, stdout=subprocess.DEVNULL)
    peak = 0
    while process.poll() is None:
        with suppress(OSError):
            found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text())
            peak = max(peak, int(found[1]) if found else 0)
        time.sleep(0.02)
    assert process.returncode == 0
    return peak * 1024 / 1e6


if __name__ == "__main__":
    main()

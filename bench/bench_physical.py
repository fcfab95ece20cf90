"""Copying, verifying and recovering a cluster of about 1 GB, against PostgreSQL's own tools on the same machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench.timing import best, note, ratio
from headwater import Headwater
from headwater.services import postgres, tools
from headwater.settings import load

ROWS = 1_600_000  # orders, and twice as many events: about 1 GB
QUICK = "BENCH_PHYSICAL_ROWS"  # fewer, to try this file out: ratios then measure how programs start
ROUNDS = 3


def main() -> None:
    """Make the cluster, let all candidates take turns, print the ratios."""
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
    """The programs, the login and the folders of one run."""

    def __init__(self, hw: Headwater, folder: Path) -> None:
        self.hw, self.folder = hw, folder
        self.programs = tools.find("pg_basebackup", 18, hw.connections.postgres_tools).path.parent
        self.environment = dict(tools.login(hw.connections.postgres("postgres")))

    def shell(self, text: str) -> Callable[[], object]:
        """A candidate that is a pipeline of PostgreSQL's programs, in an empty folder ``out``."""
        bash = ["bash", "-o", "pipefail", "-c", text.replace("PG/", f"{self.programs}/")]

        def run() -> None:
            shutil.rmtree(self.folder / "out", ignore_errors=True)
            (self.folder / "out").mkdir(mode=0o700)
            subprocess.run(bash, check=True, env=self.environment, stdout=subprocess.DEVNULL, cwd=self.folder / "out")

        return run

    def run(self, *arguments: str) -> Callable[[], object]:
        """A candidate that is a command of ours; what it made in ``recovered`` goes before."""
        environment = {**os.environ, "HEADWATER_BUCKET_NAME": "bench"}
        command = [sys.executable, "-m", "headwater", "--project", str(self.folder), *arguments, "--json"]

        def run() -> None:
            for name in ("recovered", "recovered.wal"):
                shutil.rmtree(self.folder / name, ignore_errors=True)
            subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)

        return run


def _measure(site: Site) -> None:
    create = ("backup", "create", "--physical", "--no-prune")
    copy = "PG/pg_basebackup -D - -Ft -X fetch --checkpoint=fast"
    file = site.folder / "base.tar.zst"
    site.shell(f"{copy} | zstd -q -1 > {file}")()
    times = best(
        {
            "pg_basebackup | zstd -1": site.shell(f"{copy} | zstd -q -1 > /dev/null"),
            "create": site.run(*create),
            "verify full": site.run("backup", "physical", "verify"),
            "zstd -d | tar x": site.shell(f"zstd -q -d < {file} | tar x"),
            "restore": site.run("restore", "--at", "latest", "--data-directory", str(site.folder / "recovered")),
        },
        ROUNDS,
    )
    # Once: it takes as long as all of the others in a round, and is far from its target on either side.
    times |= best({"pg_basebackup | gzip": site.shell(f"{copy} | gzip > /dev/null")}, 1)
    taken = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in times.items())
    copied = site.hw.physical.list().backups.backups[0].manifest.dump
    note(f"cluster {copied.raw_size / 1e6:,.0f} MB, {file.stat().st_size / 1e6:,.0f} MB compressed; {taken}")
    made = times["create"]
    ratio("create: time / pg_basebackup -Ft | zstd -1 > /dev/null", made / times["pg_basebackup | zstd -1"], "<= 1.1")
    ratio("create: times faster than pg_basebackup -Ft | gzip", times["pg_basebackup | gzip"] / made, ">= 1.7")
    ratio("verify full (every file compared): time / create", times["verify full"] / made, "<= 1.0")
    ratio(
        "restore (every file compared): time / zstd -d | tar x", times["restore"] / times["zstd -d | tar x"], "<= 2.0"
    )


if __name__ == "__main__":
    main()

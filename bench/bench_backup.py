"""Backing up, verifying and restoring a database of about 1 GB, against PostgreSQL's own tools on the same machine."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from itertools import count
from pathlib import Path

from bench.project import Site, filled
from bench.timing import best, note, ratio

ROWS = 4_000_000  # orders, and twice as many events: an archive of 1.03 GB
QUICK = "BENCH_BACKUP_ROWS"  # fewer, to try this file out: ratios then measure how programs start
ROUNDS = 3


def main() -> None:
    """Make the database, let all candidates take turns, print the ratios."""
    with filled(ROWS, QUICK) as site:
        _measure(site)


def _measure(site: Site) -> None:
    file = site.folder / "local.dump"
    create = ("backup", "create", "--no-prune")
    site.shell(f"PG/pg_dump -Fc -Z0 --file={file}")
    times = best(
        {
            "pg_dump | zstd -1": lambda: site.shell("PG/pg_dump -Fc -Z0 | zstd -q -1 > /dev/null"),
            "create": lambda: site.run(*create),
            "verify full": lambda: site.run("backup", "verify"),
            "pg_dump -Fc": lambda: site.shell("PG/pg_dump -Fc > /dev/null"),
            "pg_dump | gzip": lambda: site.shell("PG/pg_dump | gzip > /dev/null"),
            "create directory, 2 jobs": lambda: site.run(*create, "--format", "directory", "--jobs", "2"),
        },
        ROUNDS,
    )
    site.run(*create)  # the newest one is what is restored below
    names = (f"restored_{number}" for number in count())
    theirs = "PG/createdb {0} && PG/pg_restore -j2 -d {0} {1} && PG/psql -qc ANALYZE {0}"
    restores = best(
        {
            "restore": lambda: site.run("restore", "--to", next(names), "--jobs", "2"),
            "pg_restore -j2": lambda: site.shell(theirs.format(next(names), file)),
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
    process = site.start(*command)
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

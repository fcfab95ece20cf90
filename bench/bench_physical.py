"""Copying, verifying and recovering a cluster of about 1 GB, against PostgreSQL's own tools on the same machine."""

from __future__ import annotations

import shutil
from pathlib import Path

from bench.project import Site, filled
from bench.timing import best, note, ratio

ROWS = 1_600_000  # orders, and twice as many events: about 1 GB
QUICK = "BENCH_PHYSICAL_ROWS"  # fewer, to try this file out: ratios then measure how programs start
ROUNDS = 3


def main() -> None:
    """Make the cluster, let all candidates take turns, print the ratios."""
    with filled(ROWS, QUICK) as site:
        _measure(site)


def _measure(site: Site) -> None:
    create = ("backup", "create", "--physical", "--no-prune")
    copy = "PG/pg_basebackup -D - -Ft -X fetch --checkpoint=fast"
    file, recovered = site.folder / "base.tar.zst", site.folder / "recovered"
    site.shell(f"{copy} | zstd -q -1 > {file}")

    def extract() -> None:
        site.shell(f"zstd -q -d < {file} | tar x", _empty(site.folder / "out"))

    def restore() -> None:
        shutil.rmtree(recovered.with_name("recovered.wal"), ignore_errors=True)
        site.run("restore", "--at", "latest", "--data-directory", str(_empty(recovered)))

    times = best(
        {
            "pg_basebackup | zstd -1": lambda: site.shell(f"{copy} | zstd -q -1 > /dev/null"),
            "create": lambda: site.run(*create),
            "verify full": lambda: site.run("backup", "physical", "verify"),
            "zstd -d | tar x": extract,
            "restore": restore,
        },
        ROUNDS,
    )
    # Once: it takes as long as all of the others in a round, and is far from its target on either side.
    times |= best({"pg_basebackup | gzip": lambda: site.shell(f"{copy} | gzip > /dev/null")}, 1)
    taken = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in times.items())
    copied = site.headwater.physical.list().backups.backups[0].manifest.dump
    note(f"cluster {copied.raw_size / 1e6:,.0f} MB, {file.stat().st_size / 1e6:,.0f} MB compressed; {taken}")
    made = times["create"]
    ratio("create: time / pg_basebackup -Ft | zstd -1 > /dev/null", made / times["pg_basebackup | zstd -1"], "<= 1.1")
    ratio("create: times faster than pg_basebackup -Ft | gzip", times["pg_basebackup | gzip"] / made, ">= 1.7")
    ratio("verify full (every file compared): time / create", times["verify full"] / made, "<= 1.0")
    ratio(
        "restore (every file compared): time / zstd -d | tar x", times["restore"] / times["zstd -d | tar x"], "<= 2.0"
    )


def _empty(folder: Path) -> Path:
    """The folder without what the last round left in it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    return folder


if __name__ == "__main__":
    main()

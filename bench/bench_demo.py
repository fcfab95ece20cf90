"""How long the whole demo takes in a folder of its own, once installed."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time

from bench.timing import note, ratio


def main() -> None:
    """Run it twice: from nothing, and again."""
    command = [sys.executable, "-m", "headwater"]
    with tempfile.TemporaryDirectory(prefix="headwater-bench-") as folder:
        try:
            for run in ("first", "second"):
                began = time.perf_counter()
                subprocess.run([*command, "demo", "--json"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
                seconds = time.perf_counter() - began
                note(f"{run} run: {seconds:.1f} s")
                ratio(f"demo, {run} run / 60 s", seconds / 60, "<= 1.0")
        finally:
            subprocess.run([*command, "clean", "--yes"], cwd=folder, check=True, stdout=subprocess.DEVNULL)

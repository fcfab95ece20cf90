"""How quickly the command line starts, against importing the library it is made with."""

from __future__ import annotations

import sys
from pathlib import Path

from bench.timing import best, note, process, ratio


def main() -> None:
    """Print the ratio; that no command imports a heavy package for its help is a test (tests/cli/test_main.py)."""
    headwater = str(Path(sys.executable).with_name("headwater"))
    times = best(
        {
            "headwater --help": process(headwater, "--help"),
            "import click": process(sys.executable, "-c", "import click"),
            "nothing": process(sys.executable, "-c", "pass"),
        },
        rounds=15,
    )
    note(", ".join(f"{name} {seconds * 1000:.0f} ms" for name, seconds in times.items()))
    ratio("headwater --help / python -c 'import click'", times["headwater --help"] / times["import click"], "<= 1.5")

"""Times things fairly: alternating, several rounds, the best of each, because noise only ever adds."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Mapping


def best(candidates: Mapping[str, Callable[[], object]], rounds: int = 5) -> dict[str, float]:
    """Seconds of the best round of each candidate; the candidates take turns within a round."""
    times = {name: float("inf") for name in candidates}
    for _ in range(rounds):
        for name, run in candidates.items():
            began = time.perf_counter()
            run()
            times[name] = min(times[name], time.perf_counter() - began)
    return times


def process(*command: str) -> Callable[[], object]:
    """A candidate that runs a command and insists that it succeeds."""
    return lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)


def ratio(name: str, value: float, target: str) -> None:
    """Print one result line: the ratio, and what it is aimed at."""
    sys.stdout.write(f"{name:<66} {value:>8.2f}   target {target}\n")


def note(text: str) -> None:
    """Print a line of explanation."""
    sys.stdout.write(f"{text}\n")

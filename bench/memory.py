"""What a process and those that it started weigh together, shared memory counted once (Linux)."""

from __future__ import annotations

from pathlib import Path

MEBI = 1024


def family(pid: int) -> dict[int, str]:
    """The process and its descendants, with the first word of each's command line."""
    children: dict[int, list[int]] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(status.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(status.parent.name))
    found, waiting = {}, [pid]
    while waiting:
        one = waiting.pop()
        found[one] = Path(f"/proc/{one}/cmdline").read_text().split("\0")[0].rpartition("/")[2]
        waiting += children.get(one, [])
    return found


def weight(pid: int) -> int:
    """MiB: its own memory, and its share of what it shares."""
    return _kilobytes(Path(f"/proc/{pid}/smaps_rollup"), "Pss:") // MEBI


def peak(pid: int) -> int:
    """MiB that it ever had resident."""
    return _kilobytes(Path(f"/proc/{pid}/status"), "VmHWM:") // MEBI


def _kilobytes(file: Path, name: str) -> int:
    return int(next(line for line in file.read_text().splitlines() if line.startswith(name)).split()[1])

"""How quickly the stack starts, what it weighs when idle, and how fast its S3 takes and gives an object."""

from __future__ import annotations

import os
import time
from pathlib import Path

from bench.memory import family, weight
from bench.project import project
from bench.timing import best, note, ratio
from headwater.connections import Connections

OBJECT = 128 * 1024 * 1024


def main() -> None:
    """Start twice, weigh, then move one object through S3 and the same bytes through a file."""
    with project() as headwater:
        connections = headwater.connections
        note(f"cold start (initdb included): {_start(connections):.2f} s")
        connections.stop_stack()
        warm = _start(connections)
        ratio("warm start, seconds", warm, "< 3")
        stack = connections.stack
        assert stack is not None
        _weigh(stack.pid)
        _objects(connections, connections.settings.layout.project)


def _start(connections: Connections) -> float:
    began = time.perf_counter()
    _ = connections.stack
    return time.perf_counter() - began


def _weigh(pid: int) -> None:
    """The processes of the idle stack, once the one that runs queries is warm."""
    time.sleep(3)
    ours = {one: name for one, name in family(pid).items() if not name.startswith("postgres")}
    database = [one for one in family(pid) if one not in ours]
    weights = [weight(one) for one in ours]
    note(f"idle stack: {sum(weights)} MiB in {len(ours)} Python processes ({' + '.join(map(str, weights))}),")
    note(f"PostgreSQL {sum(map(weight, database))} MiB in {len(database)} processes")


def _objects(connections: Connections, folder: Path) -> None:
    body = os.urandom(OBJECT)
    s3 = connections.s3
    s3.create_bucket(Bucket="bench")

    def to_file() -> None:
        with (folder / "file").open("wb") as file:
            file.write(body)
            os.fsync(file.fileno())

    def down() -> bytes:
        return s3.get_object(Bucket="bench", Key="k")["Body"].read()

    times = best(
        {
            "up": lambda: s3.put_object(Bucket="bench", Key="k", Body=body),
            "up CRC64NVME": lambda: s3.put_object(Bucket="bench", Key="k", Body=body, ChecksumAlgorithm="CRC64NVME"),
            "down": down,
            "file": to_file,
        },
        rounds=3,
    )
    for name in ("up", "up CRC64NVME", "down"):
        note(f"S3 {name}: {OBJECT / times[name] / 2**20:.0f} MiB/s")
        ratio(f"S3 {name} / writing and syncing a file", times[name] / times["file"], "reported")

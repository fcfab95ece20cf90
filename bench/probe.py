"""Times small S3 requests from a process of its own: a busy measuring process must not look like a slow server."""

from __future__ import annotations

import json
import select
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3

from bench.timing import note, ratio

PAUSE_SECONDS = 0.01
Latencies = dict[str, list[float]]


def main() -> None:
    """Time requests to the endpoint and bucket of the arguments until standard input ends, then print the seconds."""
    endpoint, bucket = sys.argv[1:]
    s3 = boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id="000000000000",
        aws_secret_access_key="any",  # noqa: S106 - it is not checked
        region_name="us-east-1",
    )
    kinds: dict[str, Callable[[], object]] = {
        "PUT": lambda: s3.put_object(Bucket=bucket, Key="probe", Body=b"x" * 1000),
        "GET": lambda: _read(s3, bucket),
        "HEAD": lambda: s3.head_object(Bucket=bucket, Key="probe"),
    }
    for run in kinds.values():
        run()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    found: Latencies = {kind: [] for kind in kinds}
    while not select.select([sys.stdin], [], [], 0)[0]:
        for kind, run in kinds.items():
            began = time.perf_counter()
            run()
            found[kind].append(time.perf_counter() - began)
            time.sleep(PAUSE_SECONDS)
    sys.stdout.write(json.dumps(found))


def _read(s3: Any, bucket: str) -> bytes:
    body: bytes = s3.get_object(Bucket=bucket, Key="probe")["Body"].read()
    return body


@contextmanager
def probing(endpoint: str, bucket: str) -> Iterator[Latencies]:
    """Probe while the block runs; the dictionary is filled when it has ended."""
    command = [sys.executable, "-m", "bench.probe", endpoint, bucket]
    root = Path(__file__).resolve().parent.parent
    found: Latencies = {}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield found
        finally:
            process.stdin.close()
            found.update(json.loads(process.stdout.read()))


def report(alone: Latencies, beside: Latencies, what: str) -> None:
    """Print the medians and the slowest twentieths, and how many times slower each became."""
    for kind, before in alone.items():
        after = beside[kind]
        for name, pick in (("median", statistics.median), ("p95", _p95)):
            note(f"{kind} {name}: {pick(before) * 1000:.1f} ms alone, {pick(after) * 1000:.1f} ms beside {what}")
            ratio(f"S3 {kind} beside {what} / alone ({name})", pick(after) / pick(before), "<= 3")


def _p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]


if __name__ == "__main__":
    main()

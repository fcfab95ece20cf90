"""Reads from PostgreSQL's backup_manifest which part of the log a backup needs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import IO

from headwater.errors import BackupError


@dataclass(frozen=True)
class LogRange:
    """The log from ``start`` to ``end`` of one timeline: what makes the copied files consistent."""

    timeline: int
    start: str
    end: str


def log_range(file: IO[bytes], cluster: str) -> LogRange:
    """The range in a backup_manifest. Raises BackupError if it has none, several, or is another cluster's.

    >>> text = b'{"System-Identifier": 7, "WAL-Ranges": [{"Timeline": 1, "Start-LSN": "0/28", "End-LSN": "0/120"}]}'
    >>> log_range(io.BytesIO(text), "7")                                                      # doctest: +SKIP
    LogRange(timeline=1, start='0/28', end='0/120')
    """
    try:
        body = json.load(file)
        # PostgreSQL 17 began to write the identifier.
        if str(body.get("System-Identifier", cluster)) != cluster:
            raise BackupError(f"pg_basebackup copied cluster {body['System-Identifier']}, asked for was {cluster}")
        ranges = [LogRange(int(r["Timeline"]), str(r["Start-LSN"]), str(r["End-LSN"])) for r in body["WAL-Ranges"]]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BackupError(f"pg_basebackup's manifest cannot be read: {error}") from error
    if len(ranges) != 1:
        raise BackupError(
            f"the backup spans {len(ranges)} timelines: the server was promoted meanwhile", hint="make another one"
        )
    return ranges[0]

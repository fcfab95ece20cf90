"""Where things are: S3 keys and local folders, decided here and nowhere else."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

ATHENA_RESULTS_PREFIX = "athena-results"
OUTPUT_FOLDER = "output"
STATE_FOLDER = ".headwater"
CLUSTER = "cluster-"  # what the folder of a cluster's backups begins with
PACKED, MANIFEST = ".zst", ".json"  # a segment of its log, and what says what that has to be


@dataclass(frozen=True)
class Layout:
    """The places of one project, below one bucket and one folder."""

    bucket: str
    datalake_prefix: str
    backup_prefix: str
    project: Path

    @property
    def output(self) -> Path:
        """The folder that ``headwater generate`` writes to."""
        return self.project / OUTPUT_FOLDER

    @property
    def state(self) -> Path:
        """The embedded stack's folder."""
        return self.project / STATE_FOLDER

    @property
    def athena_results(self) -> str:
        """Where Athena writes results, as an S3 URI with a trailing slash."""
        return f"s3://{self.bucket}/{ATHENA_RESULTS_PREFIX}/"

    def table_prefix(self, table: str) -> str:
        """The key prefix of a lake table, with a trailing slash."""
        return f"{self.datalake_prefix}/{table}/"

    def table_location(self, table: str) -> str:
        """The S3 URI of a lake table, with a trailing slash."""
        return f"s3://{self.bucket}/{self.table_prefix(table)}"

    def ingest_run_prefix(self, table: str, run: str) -> str:
        """The key prefix of one ingest run's files, with a trailing slash; partitions are Hive directories below it."""
        return f"{self.table_prefix(table)}run={run}/"

    def ingest_manifest_key(self, table: str, run: str) -> str:
        """The key of the manifest that commits an ingest run. The underscore hides it from query engines."""
        return f"{self.ingest_run_prefix(table, run)}_manifest.json"

    def backup_folder(self, database: str) -> str:
        """The key prefix of all backups of one database. The slash keeps ``app`` apart from ``app2``."""
        return f"{self.backup_prefix}/{database}/"

    def backup_key(self, database: str, taken: datetime, suffix: str) -> str:
        """The key of a backup taken at ``taken`` (UTC); ``suffix`` is for example ``.dump.zst``.

        >>> layout = Layout("b", "datalake", "backups/postgres", Path("."))
        >>> layout.backup_key("app", datetime(2025, 1, 15, 10, 30, 5), ".dump.zst")
        'backups/postgres/app/2025/01/15/backup_20250115T103005Z.dump.zst'
        """
        return f"{self.backup_folder(database)}{taken:%Y/%m/%d}/backup_{taken:%Y%m%dT%H%M%SZ}{suffix}"

    def cluster_folder(self, cluster: str) -> str:
        """The key prefix of all physical backups of the cluster with this system identifier."""
        return self.backup_folder(f"{CLUSTER}{cluster}")

    def physical_key(self, cluster: str, taken: datetime, suffix: str) -> str:
        """The key of a physical backup taken at ``taken`` (UTC); ``suffix`` is for example ``.base.tar.zst``."""
        return self.backup_key(f"{CLUSTER}{cluster}", taken, suffix)

    def wal_folder(self, cluster: str) -> str:
        """The key prefix of a cluster's write-ahead log."""
        return f"{self.cluster_folder(cluster)}wal/"

    def wal_key(self, cluster: str, name: str) -> str:
        """The key of one segment, in a folder for its timeline.

        >>> layout = Layout("b", "datalake", "backups/postgres", Path("."))
        >>> layout.wal_key("7", "000000010000000000000002")
        'backups/postgres/cluster-7/wal/00000001/000000010000000000000002.zst'
        """
        return f"{self.wal_folder(cluster)}{name[:8]}/{name}{PACKED}"

    def wal_manifest_key(self, cluster: str, name: str) -> str:
        """The key of the manifest of one segment, beside it."""
        return f"{self.wal_folder(cluster)}{name[:8]}/{name}{MANIFEST}"

    def is_ours(self, key: str) -> bool:
        """Whether a key is one that Headwater, or Athena on its behalf, writes: by its place and its shape.

        >>> layout = Layout("b", "datalake", "backups/postgres", Path("."))
        >>> layout.is_ours("datalake/orders/year=2025/month=01/day=15/part-00000.parquet")
        True
        >>> layout.is_ours("datalake/orders/notes.txt"), layout.is_ours("photos/cat.jpg")
        (False, False)
        """
        for prefix, shape in (
            (self.datalake_prefix, f"{_LAKE_FILE}|{_INGEST_MANIFEST}"),
            (self.backup_prefix, f"{_BACKUP}|{_WAL}"),
            (ATHENA_RESULTS_PREFIX, _ATHENA_RESULT),
        ):
            if key.startswith(f"{prefix}/"):
                # The S3 console makes empty objects like "datalake/orders/" to show a folder.
                return key.endswith("/") or re.fullmatch(shape, key[len(prefix) + 1 :]) is not None
        return False


_LAKE_FILE = r"[A-Za-z0-9_.-]+/([A-Za-z0-9_-]+=[^/]*/)+[^/._][^/]*\.parquet"
_INGEST_MANIFEST = r"[A-Za-z0-9_.-]+/run=[^/]*/_manifest\.json"
_BACKUP = r"[^/]+/\d{4}/\d{2}/\d{2}/backup_\d{8}T\d{6}Z[^/]*"
_WAL = r"cluster-\d+/wal/[0-9A-F]{8}/[0-9A-F]{8}([0-9A-F]{16}|\.history)\.(zst|json)"
# Athena names results after the execution, also inside its own folders: tables/<id>/…, Unsaved/2025/01/15/<id>.csv
_ATHENA_RESULT = r"(.*/)?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}[^/]*(/.*)?"


def is_lake_file(path: str) -> bool:
    """Whether a path below the lake's prefix or ``output/`` is a table's Parquet file in a Hive partition.

    >>> is_lake_file("orders/year=2025/month=01/day=15/part-00000.parquet"), is_lake_file("orders/notes.txt")
    (True, False)
    """
    return re.fullmatch(_LAKE_FILE, path) is not None


def day_partition(day: date) -> str:
    """The Hive directory of one day, zero-padded so that it sorts.

    >>> day_partition(date(2025, 1, 5))
    'year=2025/month=01/day=05'
    """
    return f"year={day.year:04d}/month={day.month:02d}/day={day.day:02d}"

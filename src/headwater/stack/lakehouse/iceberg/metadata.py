"""An Iceberg table's metadata as tables: ``$snapshots``, ``$history``, ``$files``, ``$manifests`` and ``$refs``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timezone
from types import MappingProxyType

from pyiceberg.table import Table

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.iceberg.scan import read_current
from headwater.stack.lakehouse.iceberg.tables import IcebergTables
from headwater.stack.lakehouse.model import GlueJson
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.information import Row, inline_query
from headwater.stack.lakehouse.sql.query import OutputColumn, Query

_ZONED = t.Type("timestamptz", (3,), zone="UTC")


def _snapshots(table: Table) -> Iterator[Row]:
    for snapshot in table.metadata.snapshots:
        summary = dict(snapshot.summary.additional_properties) if snapshot.summary else {}
        operation = snapshot.summary.operation.value if snapshot.summary else None
        head = (_moment(snapshot.timestamp_ms), snapshot.snapshot_id, snapshot.parent_snapshot_id, operation)
        yield (*head, snapshot.manifest_list, json.dumps(summary))


def _history(table: Table) -> Iterator[Row]:
    current = table.metadata.current_snapshot_id
    parents = {s.snapshot_id: s.parent_snapshot_id for s in table.metadata.snapshots}
    ancestors = set()
    while current is not None:
        ancestors.add(current)
        current = parents.get(current)
    for entry in table.metadata.snapshot_log:
        is_ancestor = "true" if entry.snapshot_id in ancestors else "false"
        yield _moment(entry.timestamp_ms), entry.snapshot_id, parents.get(entry.snapshot_id), is_ancestor


def _files(table: Table) -> Iterator[Row]:
    for task in read_current(table).tasks():
        file = task.file
        yield 0, file.file_path, file.file_format.value, file.record_count, file.file_size_in_bytes


def _manifests(table: Table) -> Iterator[Row]:
    snapshot = table.current_snapshot()
    for manifest in snapshot.manifests(table.io) if snapshot else ():
        head = (manifest.manifest_path, manifest.manifest_length, manifest.partition_spec_id)
        counts = (manifest.added_files_count, manifest.existing_files_count, manifest.deleted_files_count)
        yield (*head, manifest.added_snapshot_id, *counts)


def _refs(table: Table) -> Iterator[Row]:
    for name, reference in table.metadata.refs.items():
        yield name, reference.snapshot_ref_type.value.upper(), reference.snapshot_id


def _moment(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, timezone.utc).strftime("%Y-%m-%d %H:%M:%S.%f")


_TABLES: Mapping[str, tuple[Callable[[Table], Iterator[Row]], Mapping[str, t.Type]]] = MappingProxyType(
    {
        "snapshots": (
            _snapshots,
            {
                **{"committed_at": _ZONED, "snapshot_id": t.BIGINT, "parent_id": t.BIGINT, "operation": t.VARCHAR},
                **{"manifest_list": t.VARCHAR, "summary": t.map_of(t.VARCHAR, t.VARCHAR)},
            },
        ),
        "history": (
            _history,
            {
                **{"made_current_at": _ZONED, "snapshot_id": t.BIGINT, "parent_id": t.BIGINT},
                "is_current_ancestor": t.BOOLEAN,
            },
        ),
        "files": (
            _files,
            {
                **{"content": t.INTEGER, "file_path": t.VARCHAR, "file_format": t.VARCHAR},
                **{"record_count": t.BIGINT, "file_size_in_bytes": t.BIGINT},
            },
        ),
        "manifests": (
            _manifests,
            {
                **{"path": t.VARCHAR, "length": t.BIGINT, "partition_spec_id": t.INTEGER},
                **{"added_snapshot_id": t.BIGINT, "added_data_files_count": t.INTEGER},
                **{"existing_data_files_count": t.INTEGER, "deleted_data_files_count": t.INTEGER},
            },
        ),
        "refs": (_refs, {"name": t.VARCHAR, "type": t.VARCHAR, "snapshot_id": t.BIGINT}),
    }
)


def metadata_rows(tables: IcebergTables, glue: GlueJson, suffix: str) -> Query | None:
    """The rows of one metadata table. Raises ``Unsupported`` for those that are not here."""
    if suffix not in _TABLES:
        raise Unsupported(f'the metadata table "{glue["Name"]}${suffix}"')
    rows, columns = _TABLES[suffix]
    outputs = tuple(OutputColumn(name, kind) for name, kind in columns.items())
    return inline_query(outputs, list(rows(tables.open(glue))))

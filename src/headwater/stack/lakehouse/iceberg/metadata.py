"""An Iceberg table's metadata as tables: ``$snapshots``, ``$history``, ``$files``, ``$manifests``, ``$refs`` …"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from types import MappingProxyType

from pyiceberg.manifest import ManifestFile
from pyiceberg.table import Table
from pyiceberg.transforms import IdentityTransform

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.iceberg.partitions import bound, partition_table
from headwater.stack.lakehouse.iceberg.scan import read_current
from headwater.stack.lakehouse.iceberg.tables import IcebergTables
from headwater.stack.lakehouse.model import GlueJson
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.information import Row, inline_query
from headwater.stack.lakehouse.sql.query import OutputColumn, Query

_ZONED = t.Type("timestamptz", (3,), zone="UTC")
_COUNTS = t.map_of(t.INTEGER, t.BIGINT)
_SUMMARY = t.row_of(
    *(("contains_null", t.BOOLEAN), ("contains_nan", t.BOOLEAN), ("lower_bound", t.VARCHAR), ("upper_bound", t.VARCHAR))
)


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
        yield (
            *(0, file.file_path, file.file_format.value, file.record_count, file.file_size_in_bytes),
            *(_json(file.column_sizes), _json(file.value_counts), _json(file.null_value_counts)),
            *(_json(file.nan_value_counts), _shown(table, file.lower_bounds), _shown(table, file.upper_bounds)),
            *(None, _json(file.split_offsets), _json(file.equality_ids)),
        )


def _json(value: Mapping[int, int] | Sequence[int] | None) -> str | None:
    if value is None:
        return None
    return json.dumps(dict(value) if isinstance(value, Mapping) else list(value))


def _shown(table: Table, bounds: Mapping[int, bytes] | None) -> str | None:
    """Least and greatest values as text, of the columns that the table still has."""
    if bounds is None:
        return None
    kinds = {number: table.schema().find_type(number) for number in bounds if number in table.schema().field_ids}
    texts = {n: IdentityTransform().to_human_string(kind, bound(kind, bounds[n])) for n, kind in kinds.items()}
    return json.dumps(texts)


def _manifests(table: Table) -> Iterator[Row]:
    snapshot = table.current_snapshot()
    for manifest in snapshot.manifests(table.io) if snapshot else ():
        head = (manifest.manifest_path, manifest.manifest_length, manifest.partition_spec_id)
        counts = (
            *(manifest.added_files_count, manifest.added_rows_count, manifest.existing_files_count),
            *(manifest.existing_rows_count, manifest.deleted_files_count, manifest.deleted_rows_count),
        )
        yield (*head, manifest.added_snapshot_id, *counts, _summaries(table, manifest))


def _summaries(table: Table, manifest: ManifestFile) -> str:
    """What each partition field holds within a manifest."""
    fields = table.specs()[manifest.partition_spec_id].fields
    found = []
    for field, summary in zip(fields, manifest.partitions or (), strict=False):
        kind = field.transform.result_type(table.schema().find_type(field.source_id))
        ends = (summary.lower_bound, summary.upper_bound)
        texts = [None if e is None else field.transform.to_human_string(kind, bound(kind, e)) for e in ends]
        values = (summary.contains_null, summary.contains_nan, *texts)
        found.append({f"f{place}": value for place, value in enumerate(values)})
    return json.dumps(found)


def _refs(table: Table) -> Iterator[Row]:
    for name, ref in table.metadata.refs.items():
        kept = (ref.max_ref_age_ms, ref.min_snapshots_to_keep, ref.max_snapshot_age_ms)
        yield (name, ref.snapshot_ref_type.value.upper(), ref.snapshot_id, *kept)


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
                **{"record_count": t.BIGINT, "file_size_in_bytes": t.BIGINT, "column_sizes": _COUNTS},
                **dict.fromkeys(("value_counts", "null_value_counts", "nan_value_counts"), _COUNTS),
                **dict.fromkeys(("lower_bounds", "upper_bounds"), t.map_of(t.INTEGER, t.VARCHAR)),
                **{"key_metadata": t.VARBINARY, "split_offsets": t.array(t.BIGINT)},
                "equality_ids": t.array(t.INTEGER),
            },
        ),
        "manifests": (
            _manifests,
            {
                **{"path": t.VARCHAR, "length": t.BIGINT, "partition_spec_id": t.INTEGER},
                **{"added_snapshot_id": t.BIGINT, "added_data_files_count": t.INTEGER, "added_rows_count": t.BIGINT},
                **{"existing_data_files_count": t.INTEGER, "existing_rows_count": t.BIGINT},
                **{"deleted_data_files_count": t.INTEGER, "deleted_rows_count": t.BIGINT},
                "partitions": t.array(_SUMMARY),
            },
        ),
        "refs": (
            _refs,
            {
                **{"name": t.VARCHAR, "type": t.VARCHAR, "snapshot_id": t.BIGINT},
                **{"max_reference_age_in_ms": t.BIGINT, "min_snapshots_to_keep": t.INTEGER},
                "max_snapshot_age_in_ms": t.BIGINT,
            },
        ),
    }
)


def metadata_rows(tables: IcebergTables, glue: GlueJson, suffix: str) -> Query | None:
    """The rows of one metadata table. Raises ``Unsupported`` for those that are not here."""
    if suffix == "partitions":
        return inline_query(*partition_table(tables.open(glue)))
    if suffix not in _TABLES:
        raise Unsupported(f'the metadata table "{glue["Name"]}${suffix}"')
    rows, columns = _TABLES[suffix]
    outputs = tuple(OutputColumn(name, kind) for name, kind in columns.items())
    return inline_query(outputs, list(rows(tables.open(glue))))

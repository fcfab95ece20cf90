"""The Glue edge for tables that Headwater replaces: columns, location and all partitions change over in batches.

Athena's ALTER TABLE moves one partition per statement, seconds each on AWS; Glue moves a hundred in one call.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from headwater.errors import AwsError
from headwater.model import LakeColumn
from headwater.services import glue as glue_reader
from headwater.services.aws import aws_errors

if TYPE_CHECKING:
    from mypy_boto3_glue import GlueClient

T = TypeVar("T")

# https://docs.aws.amazon.com/glue/latest/dg/aws-glue-api-catalog-partitions.html
CREATE_BATCH = UPDATE_BATCH = 100
DELETE_BATCH = 25

_PARQUET = {
    "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
    "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
    "SerdeInfo": {
        "SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
        "Parameters": {"serialization.format": "1"},
    },
}


@dataclass(frozen=True)
class ParquetTable:
    """A table as it shall be; ``partitions`` are ``{key values: S3 URI}``."""

    database: str
    name: str
    columns: tuple[LakeColumn, ...]
    partition_keys: tuple[LakeColumn, ...]
    location: str
    parameters: Mapping[str, str]
    partitions: Mapping[tuple[str, ...], str]


def publish(glue: GlueClient, table: ParquetTable) -> None:
    """Make the catalog show this table and exactly these partitions.

    Each partition changes over at once: a query sees its old files or its new ones, never both. Raises AwsError.
    """
    there = glue_reader.get_table(glue, table.database, table.name)
    if there is not None and there.partition_keys != table.partition_keys:
        # The catalog cannot change a table's keys; with other keys, none of its partitions would fit anyway.
        with aws_errors(f"delete the Glue table {table.database}.{table.name}"):
            glue.delete_table(DatabaseName=table.database, Name=table.name)
        there = None
    with aws_errors(f"write the Glue table {table.database}.{table.name}"):
        if there is None:
            glue.create_table(DatabaseName=table.database, TableInput=_table_input(table))
        else:
            glue.update_table(DatabaseName=table.database, TableInput=_table_input(table))
    existing = set(glue_reader.list_partitions(glue, table.database, table.name))
    with aws_errors(f"write the partitions of the Glue table {table.database}.{table.name}"):
        _change_partitions(glue, table, existing)


def _change_partitions(glue: GlueClient, table: ParquetTable, existing: set[tuple[str, ...]]) -> None:
    target: Any = {"DatabaseName": table.database, "TableName": table.name}
    for batch in _batches((values for values in table.partitions if values in existing), UPDATE_BATCH):
        entries: Any = [{"PartitionValueList": list(v), "PartitionInput": _partition_input(table, v)} for v in batch]
        _check(glue.batch_update_partition(**target, Entries=entries), table)
    for batch in _batches((values for values in table.partitions if values not in existing), CREATE_BATCH):
        inputs = [_partition_input(table, values) for values in batch]
        _check(glue.batch_create_partition(**target, PartitionInputList=inputs), table)
    for batch in _batches((values for values in existing if values not in table.partitions), DELETE_BATCH):
        gone: Any = [{"Values": list(values)} for values in batch]
        _check(glue.batch_delete_partition(**target, PartitionsToDelete=gone), table)


def _table_input(table: ParquetTable) -> Any:
    return {
        "Name": table.name,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {"EXTERNAL": "TRUE", "classification": "parquet", **table.parameters},
        "PartitionKeys": _columns(table.partition_keys),
        "StorageDescriptor": {"Columns": _columns(table.columns), "Location": table.location, **_PARQUET},
    }


def _partition_input(table: ParquetTable, values: tuple[str, ...]) -> Any:
    return {
        "Values": list(values),
        "StorageDescriptor": {"Columns": _columns(table.columns), "Location": table.partitions[values], **_PARQUET},
    }


def _columns(columns: Sequence[LakeColumn]) -> list[dict[str, str]]:
    return [{"Name": column.name, "Type": column.type} for column in columns]


def _batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch


def _check(answer: Any, table: ParquetTable) -> None:
    """Glue answers 200 even if it declined some of a batch."""
    errors = answer.get("Errors", [])
    if errors:
        detail = errors[0].get("ErrorDetail", {})
        raise AwsError(
            f"Glue declined {len(errors)} partitions of {table.database}.{table.name}:"
            f" {detail.get('ErrorCode', '')}: {detail.get('ErrorMessage', '')}",
            hint="run it again: it converges",
        )

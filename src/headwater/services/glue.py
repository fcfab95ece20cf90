"""The Glue edge: what the catalog knows of databases, tables and partitions. Athena makes the changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from headwater.model import LakeColumn
from headwater.services.aws import aws_errors, error_code

if TYPE_CHECKING:
    from mypy_boto3_glue import GlueClient


@dataclass(frozen=True)
class GlueTable:
    """A table as the catalog describes it; ``location`` is an S3 URI as it was given."""

    name: str
    type: str
    columns: tuple[LakeColumn, ...]
    partition_keys: tuple[LakeColumn, ...]
    location: str
    serde: str
    parameters: Mapping[str, str]

    @property
    def is_projected(self) -> bool:
        """Whether Athena computes its partitions instead of looking them up."""
        return self.parameters.get("projection.enabled", "").lower() == "true"


def database_exists(glue: GlueClient, name: str) -> bool:
    """Whether the catalog has this database."""
    with aws_errors(f"look up the Glue database {name}"):
        try:
            glue.get_database(Name=name)
        except ClientError as error:
            if error_code(error) == "EntityNotFoundException":
                return False
            raise
    return True


def get_table(glue: GlueClient, database: str, name: str) -> GlueTable | None:
    """A table; None if there is no such table or no such database."""
    with aws_errors(f"look up the Glue table {database}.{name}"):
        try:
            return _table(glue.get_table(DatabaseName=database, Name=name)["Table"])
        except ClientError as error:
            if error_code(error) == "EntityNotFoundException":
                return None
            raise


def list_tables(glue: GlueClient, database: str) -> Iterator[GlueTable]:
    """Every table and view of a database; none if there is no such database."""
    with aws_errors(f"list the tables of the Glue database {database}"):
        try:
            for page in glue.get_paginator("get_tables").paginate(DatabaseName=database):
                for described in page["TableList"]:
                    yield _table(described)
        except ClientError as error:
            if error_code(error) != "EntityNotFoundException":
                raise


def list_partitions(glue: GlueClient, database: str, table: str) -> Iterator[tuple[str, ...]]:
    """The values of every registered partition, in the order of the partition keys; none if there is no such table."""
    with aws_errors(f"list the partitions of the Glue table {database}.{table}"):
        try:
            pages = glue.get_paginator("get_partitions").paginate(
                DatabaseName=database, TableName=table, ExcludeColumnSchema=True
            )
            for page in pages:
                for partition in page["Partitions"]:
                    yield tuple(partition["Values"])
        except ClientError as error:
            if error_code(error) != "EntityNotFoundException":
                raise


def delete_table(glue: GlueClient, database: str, name: str) -> None:
    """Remove a table from the catalog without Athena, which needs a bucket; one that is gone is fine."""
    with aws_errors(f"remove the Glue table {database}.{name}"):
        try:
            glue.delete_table(DatabaseName=database, Name=name)
        except ClientError as error:
            if error_code(error) != "EntityNotFoundException":
                raise


def delete_database(glue: GlueClient, name: str) -> None:
    """Remove a database, with whatever tables it has, from the catalog without Athena; one that is gone is fine."""
    with aws_errors(f"remove the Glue database {name}"):
        try:
            glue.delete_database(Name=name)
        except ClientError as error:
            if error_code(error) != "EntityNotFoundException":
                raise


def _table(described: Any) -> GlueTable:
    storage = described.get("StorageDescriptor", {})
    return GlueTable(
        name=described["Name"],
        type=described.get("TableType", ""),
        columns=_columns(storage.get("Columns", [])),
        partition_keys=_columns(described.get("PartitionKeys", [])),
        location=storage.get("Location", ""),
        serde=storage.get("SerdeInfo", {}).get("SerializationLibrary", ""),
        parameters=dict(described.get("Parameters", {})),
    )


def _columns(described: list[Any]) -> tuple[LakeColumn, ...]:
    return tuple(LakeColumn(column["Name"], column.get("Type", "string")) for column in described)

"""What Hive DDL statements say, as frozen values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from headwater.stack.lakehouse.model import Column


def words(statement: object) -> str:
    """A statement's kind as words, for a message that refuses it.

    >>> words(RenameTable(TableName("a"), TableName("b")))
    'RENAME TABLE'
    """
    return re.sub("(?<=[a-z])(?=[A-Z])", " ", type(statement).__name__).upper()


@dataclass(frozen=True)
class TableName:
    """A table, in lower case; ``database`` is ``None`` when the statement leaves it to the context.

    ``catalog`` is one that a user registered, ``None`` for the account's own by its usual name.
    """

    name: str
    database: str | None = None
    catalog: str | None = None

    def __str__(self) -> str:
        return f"{self.database}.{self.name}" if self.database else self.name


@dataclass(frozen=True)
class PartitionSpec:
    """``PARTITION (year=2025, month='01') LOCATION '…'``: values as text, by key."""

    values: Mapping[str, str]
    location: str | None = None


@dataclass(frozen=True)
class PartitionCondition:
    """``year >= 2024`` in ``DROP PARTITION``; ``op`` is one of ``= != < <= > >=``."""

    key: str
    op: str
    value: str


@dataclass(frozen=True)
class Format:
    """How a table's files are read: what ROW FORMAT and STORED AS come down to."""

    serde: str
    input_format: str
    output_format: str
    serde_properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class CreateDatabase:
    """``CREATE DATABASE``."""

    name: str
    if_not_exists: bool = False
    comment: str | None = None
    location: str | None = None
    properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class DropDatabase:
    """``DROP DATABASE``."""

    name: str
    if_exists: bool = False
    cascade: bool = False


@dataclass(frozen=True)
class ChangeDatabase:
    """``ALTER DATABASE … SET DBPROPERTIES (…)``."""

    name: str
    properties: Mapping[str, str]


@dataclass(frozen=True)
class CreateTable:
    """``CREATE [EXTERNAL] TABLE``. ``transforms`` are the Iceberg partition transforms as written (``day(ts)``)."""

    table: TableName
    columns: tuple[Column, ...]
    partition_keys: tuple[Column, ...]
    format: Format
    location: str | None
    external: bool = True
    if_not_exists: bool = False
    comment: str | None = None
    bucket_columns: tuple[str, ...] = ()
    buckets: int | None = None
    properties: Mapping[str, str] = field(default_factory=dict)
    transforms: tuple[str, ...] = ()

    @property
    def iceberg(self) -> bool:
        """Whether TBLPROPERTIES ask for an Iceberg table."""
        return self.properties.get("table_type", "").lower() == "iceberg"


@dataclass(frozen=True)
class CreateView:
    """``CREATE [OR REPLACE] VIEW``: ``query`` is the text after AS.

    ``before`` has a blank for each character before it, and the line ends, so that errors have their places.
    """

    view: TableName
    query: str
    or_replace: bool = False
    before: str = ""


@dataclass(frozen=True)
class DropTable:
    """``DROP TABLE``, or ``DROP VIEW`` if ``view``."""

    table: TableName
    if_exists: bool = False
    view: bool = False


@dataclass(frozen=True)
class RepairTable:
    """``MSCK REPAIR TABLE``."""

    table: TableName


@dataclass(frozen=True)
class AddPartitions:
    """``ALTER TABLE … ADD PARTITION``."""

    table: TableName
    partitions: tuple[PartitionSpec, ...]
    if_not_exists: bool = False


@dataclass(frozen=True)
class DropPartitions:
    """``ALTER TABLE … DROP PARTITION``: each spec is a conjunction of conditions."""

    table: TableName
    specs: tuple[tuple[PartitionCondition, ...], ...]
    if_exists: bool = False


@dataclass(frozen=True)
class RenamePartition:
    """``ALTER TABLE … PARTITION (…) RENAME TO PARTITION (…)``."""

    table: TableName
    old: PartitionSpec
    new: PartitionSpec


@dataclass(frozen=True)
class SetLocation:
    """``ALTER TABLE … [PARTITION (…)] SET LOCATION``."""

    table: TableName
    location: str
    partition: PartitionSpec | None = None


@dataclass(frozen=True)
class SetProperties:
    """``ALTER TABLE … SET TBLPROPERTIES``."""

    table: TableName
    properties: Mapping[str, str]


@dataclass(frozen=True)
class UnsetProperties:
    """``ALTER TABLE … UNSET TBLPROPERTIES``."""

    table: TableName
    names: tuple[str, ...]


@dataclass(frozen=True)
class AddColumns:
    """``ALTER TABLE … ADD COLUMNS``."""

    table: TableName
    columns: tuple[Column, ...]
    partition: PartitionSpec | None = None


@dataclass(frozen=True)
class ReplaceColumns:
    """``ALTER TABLE … REPLACE COLUMNS``."""

    table: TableName
    columns: tuple[Column, ...]
    partition: PartitionSpec | None = None


@dataclass(frozen=True)
class ChangeColumn:
    """``ALTER TABLE … CHANGE [COLUMN] old new type``; ``after`` is a column, or ``""`` for FIRST."""

    table: TableName
    old: str
    column: Column
    after: str | None = None


@dataclass(frozen=True)
class DropColumn:
    """``ALTER TABLE … DROP COLUMN``, which Athena has for Iceberg tables."""

    table: TableName
    column: str


@dataclass(frozen=True)
class RenameTable:
    """``ALTER TABLE … RENAME TO``, which Athena has for Iceberg tables."""

    table: TableName
    name: TableName


@dataclass(frozen=True)
class ShowDatabases:
    """``SHOW DATABASES``."""

    pattern: str | None = None


@dataclass(frozen=True)
class ShowTables:
    """``SHOW TABLES``, or ``SHOW VIEWS`` if ``views``."""

    database: str | None = None
    pattern: str | None = None
    views: bool = False
    catalog: str | None = None


@dataclass(frozen=True)
class ShowPartitions:
    """``SHOW PARTITIONS``."""

    table: TableName
    partition: PartitionSpec | None = None


@dataclass(frozen=True)
class ShowCreateTable:
    """``SHOW CREATE TABLE``, or ``SHOW CREATE VIEW`` if ``view``."""

    table: TableName
    view: bool = False


@dataclass(frozen=True)
class ShowColumns:
    """``SHOW COLUMNS``."""

    table: TableName


@dataclass(frozen=True)
class ShowProperties:
    """``SHOW TBLPROPERTIES``."""

    table: TableName
    name: str | None = None


@dataclass(frozen=True)
class Describe:
    """``DESCRIBE``; ``style`` is plain, extended or formatted."""

    table: TableName
    style: str = "plain"
    column: str | None = None
    partition: PartitionSpec | None = None


Statement = (
    CreateDatabase
    | DropDatabase
    | ChangeDatabase
    | CreateTable
    | CreateView
    | DropTable
    | RepairTable
    | AddPartitions
    | DropPartitions
    | RenamePartition
    | SetLocation
    | SetProperties
    | UnsetProperties
    | AddColumns
    | ReplaceColumns
    | ChangeColumn
    | DropColumn
    | RenameTable
    | ShowDatabases
    | ShowTables
    | ShowPartitions
    | ShowCreateTable
    | ShowColumns
    | ShowProperties
    | Describe
)

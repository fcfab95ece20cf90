"""An Iceberg table in the catalog: opened from its metadata file, changed by another one, never by two at once."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pyiceberg.catalog import MetastoreCatalog
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.partitioning import PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.serializers import FromInputFile, ToOutputFile
from pyiceberg.table import CommitTableResponse, Table
from pyiceberg.table.locations import load_location_provider
from pyiceberg.table.metadata import TableMetadata, new_table_metadata
from pyiceberg.table.sorting import UNSORTED_SORT_ORDER
from pyiceberg.table.update import TableRequirement, TableUpdate, update_table_metadata
from pyiceberg.types import NestedField

from headwater.stack.lakehouse.catalog.store import Catalog
from headwater.stack.lakehouse.catalog.tables import table_input
from headwater.stack.lakehouse.errors import ApiError, QueryFailed
from headwater.stack.lakehouse.iceberg.storage import StorageFiles
from headwater.stack.lakehouse.iceberg.types import to_hive
from headwater.stack.lakehouse.model import GlueJson, Scope, Storage

COMMIT_ATTEMPTS = 20
_LOCATION = "metadata_location"


@dataclass(frozen=True)
class IcebergTables:
    """The Iceberg tables of one account and region."""

    catalog: Catalog
    storage: Storage
    scope: Scope

    @property
    def files(self) -> StorageFiles:
        """The objects that tables are made of."""
        return StorageFiles(self.storage, self.scope)

    def open(self, glue: GlueJson) -> Table:
        """The table that a Glue ``Table`` points to. Raises ``QueryFailed`` if its metadata is gone."""
        location = (glue.get("Parameters") or {}).get(_LOCATION)
        name = (str(glue["DatabaseName"]), str(glue["Name"]))
        try:
            if location is None:
                raise FileNotFoundError
            metadata = FromInputFile.table_metadata(self.files.new_input(location))
        except FileNotFoundError as error:
            raise QueryFailed(f"ICEBERG_MISSING_METADATA: Metadata not found for table {'.'.join(name)}") from error
        commits: Any = Commits(self, str(glue["VersionId"]))
        return Table(name, metadata, location, self.files, commits)

    def create(self, database: str, table: GlueJson, schema: Schema, spec: PartitionSpec, **properties: str) -> None:
        """A new, empty table; ``table`` has its name and location. Raises ``ApiError`` if the name is taken."""
        staged = self.stage(database, table, schema, spec, **properties)
        self.publish(database, table, staged.metadata)

    def stage(self, database: str, table: GlueJson, schema: Schema, spec: PartitionSpec, **properties: str) -> Table:
        """A table that nobody sees before its first commit."""
        location = str(table["StorageDescriptor"]["Location"])
        all_properties = {"format-version": "2", **properties}
        metadata = new_table_metadata(schema, spec, UNSORTED_SORT_ORDER, location, all_properties)
        commits: Any = Creation(self, table)
        return Table((database, str(table["Name"])), metadata, _metadata_file(metadata, 0), self.files, commits)

    def publish(self, database: str, table: GlueJson, metadata: TableMetadata) -> str:
        """Make a staged table known. Raises ``ApiError`` if the name is taken. Returns where its metadata is."""
        place = self._store(metadata, 0)
        try:
            self.catalog.create_table(self.scope, database, _described(table, metadata, place, None))
        except ApiError:
            self.files.delete(place)
            raise
        return place

    def commit(self, table: Table, metadata: TableMetadata, version: str) -> str:
        """Make other metadata the table's; ``version`` is the Glue version that was read. Returns where it is.

        Raises pyiceberg's ``CommitFailedException`` if somebody changed the table since: it tries again on that.
        """
        database, name = table.name()[-2:]
        number = MetastoreCatalog._parse_metadata_version(table.metadata_location) + 1
        place = self._store(metadata, number)
        try:
            current = self.catalog.get_table(self.scope, database, name)
            changed = _described(table_input(current), metadata, place, table.metadata_location)
            self.catalog.update_table(self.scope, database, changed, version_id=version, skip_archive=True)
        except ApiError as error:
            self.files.delete(place)
            raise CommitFailedException(error.message) from error
        return place

    def _store(self, metadata: TableMetadata, number: int) -> str:
        place = _metadata_file(metadata, number)
        ToOutputFile.table_metadata(metadata, self.files.new_output(place), overwrite=False)
        return place


@dataclass
class Commits:
    """What pyiceberg asks of a catalog when a transaction ends."""

    tables: IcebergTables
    version: str

    def commit_table(
        self, table: Table, requirements: Iterable[TableRequirement], updates: tuple[TableUpdate, ...]
    ) -> CommitTableResponse:
        """Apply the updates to the metadata that was read, and publish the result."""
        for requirement in requirements:
            requirement.validate(table.metadata)
        metadata = update_table_metadata(table.metadata, updates, metadata_location=table.metadata_location)
        place = self.tables.commit(table, metadata, self.version)
        database, name = table.name()[-2:]
        self.version = str(self.tables.catalog.get_table(self.tables.scope, database, name)["VersionId"])
        return CommitTableResponse.model_validate({"metadata": metadata, "metadata-location": place})

    def load_table(self, identifier: tuple[str, ...]) -> Table:
        """The table as it is now. Commits that follow are based on it."""
        database, name = identifier[-2:]
        try:
            glue = self.tables.catalog.get_table(self.tables.scope, database, name)
        except ApiError as error:  # dropped or renamed
            raise commit_error(name) from error
        self.version = str(glue["VersionId"])
        return self.tables.open(glue)

    def supports_server_side_planning(self) -> bool:
        """Scans are planned here."""
        return False

    def _delete_old_metadata(self, *_: object) -> None:
        """Old metadata files stay until VACUUM."""


@dataclass
class Creation:
    """What pyiceberg asks of a catalog when the first transaction on a staged table ends."""

    tables: IcebergTables
    glue: GlueJson

    def commit_table(self, table: Table, _: object, updates: tuple[TableUpdate, ...]) -> CommitTableResponse:
        """Publish the table with its first rows."""
        metadata = update_table_metadata(table.metadata, updates)
        place = self.tables.publish(table.name()[0], self.glue, metadata)
        return CommitTableResponse.model_validate({"metadata": metadata, "metadata-location": place})

    def _delete_old_metadata(self, *_: object) -> None:
        """There is none."""


def _metadata_file(metadata: TableMetadata, number: int) -> str:
    provider = load_location_provider(metadata.location, metadata.properties)
    return provider.new_table_metadata_file_location(number)


def commit_error(name: str) -> QueryFailed:
    """Athena's word for a write that others overtook too often, or whose rows they changed."""
    return QueryFailed(f"ICEBERG_COMMIT_ERROR: Failed to commit the transaction during write: {name} was changed")


def new_identifier() -> uuid.UUID:
    """For the names of files and snapshots."""
    return uuid.uuid4()


def _described(table: GlueJson, metadata: TableMetadata, place: str, previous: str | None) -> GlueJson:
    """The Glue table with what the metadata says: its columns as Athena shows them, and where the metadata is."""
    parameters = {**(table.get("Parameters") or {}), "table_type": "ICEBERG", _LOCATION: place}
    if previous is not None:
        parameters["previous_metadata_location"] = previous
    descriptor = {**(table.get("StorageDescriptor") or {}), "Columns": _columns(metadata)}
    return {**table, "TableType": "EXTERNAL_TABLE", "Parameters": parameters, "StorageDescriptor": descriptor}


def _columns(metadata: TableMetadata) -> list[GlueJson]:
    """The current columns, and after them those that the table had once: AWS keeps them in Glue, marked."""
    current = metadata.schema()
    fields = {field.name.lower(): (field, True) for field in current.fields}
    for schema in metadata.schemas:
        for field in schema.fields:
            fields.setdefault(field.name.lower(), (field, False))
    return [_column(field, is_current) for field, is_current in fields.values()]


def _column(field: NestedField, is_current: bool) -> GlueJson:
    return {
        "Name": field.name.lower(),
        "Type": to_hive(field.field_type),
        **({"Comment": field.doc} if field.doc else {}),
        "Parameters": {
            "iceberg.field.id": str(field.field_id),
            "iceberg.field.optional": str(not field.required).lower(),
            "iceberg.field.current": str(is_current).lower(),
        },
    }

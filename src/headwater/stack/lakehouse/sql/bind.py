"""Table names to Glue tables: the only tables that a query can see are those in the catalog."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from headwater.stack.lakehouse.errors import ApiError, Unsupported
from headwater.stack.lakehouse.model import GlueJson, Scope, Table
from headwater.stack.lakehouse.sql.context import Moment, Snapshot
from headwater.stack.lakehouse.sql.failures import Position, SqlError
from headwater.stack.lakehouse.sql.information import SCHEMA, Databases, Source, information_query
from headwater.stack.lakehouse.sql.query import Query

CATALOG = "awsdatacatalog"


class TableCatalog(Databases, Protocol):
    """What binding needs of the Glue catalog."""

    def get_database(self, scope: Scope, name: str) -> GlueJson:
        """The database, or ``ApiError`` EntityNotFoundException."""
        ...

    def get_table(self, scope: Scope, database: str, name: str) -> GlueJson:
        """The table, or ``ApiError`` EntityNotFoundException."""
        ...


OpenSnapshot = Callable[[GlueJson, Moment], Snapshot]
"""Opens an Iceberg table at a moment."""
MetadataRows = Callable[[GlueJson, str], Query | None]
"""The rows of ``table$snapshots`` and its like; ``None`` for a suffix that is none."""
CatalogTrouble = Callable[[str], str | None]
"""Why a catalog of a name cannot be read; ``None`` for another name of the one that can."""


@dataclass(frozen=True)
class CatalogTables:
    """The tables of one account and region, with the query's default database."""

    catalog: TableCatalog
    scope: Scope
    database: str
    iceberg: OpenSnapshot | None = None
    metadata: MetadataRows | None = None
    trouble: CatalogTrouble | None = None

    def table(self, parts: Sequence[str], position: Position) -> Table:
        """The table that ``t``, ``db.t`` or ``awsdatacatalog.db.t`` means. Raises ``SqlError``."""
        *qualifier, name = parts
        self._check_catalog(qualifier, position)
        database = qualifier[-1] if qualifier else self.database
        if "$" in name:
            raise Unsupported(f'the metadata table "{name}"')
        return Table.from_glue(self._get(database, name, position))

    def snapshot(self, table: Table, at: Moment, position: Position) -> Snapshot | None:
        """What the query sees of an Iceberg table. Raises ``SqlError`` for a version of another table."""
        if str(table.parameters.get("table_type", "")).upper() != "ICEBERG":
            if at is not None:
                raise SqlError("NOT_SUPPORTED", "This connector does not support versioned tables", position)
            return None
        if self.iceberg is None:
            raise Unsupported(f"the Iceberg table {table.database}.{table.name}")
        return self.iceberg(table.glue, at)

    def rows(self, parts: Sequence[str], position: Position) -> Query | None:
        """The rows of a table of information_schema, or ``None`` for any other table."""
        *qualifier, name = parts
        if "$" in name and self.metadata is not None:
            return self._metadata_rows([*qualifier, name.partition("$")[0]], name.partition("$")[2], position)
        if (qualifier[-1] if qualifier else self.database) != SCHEMA:
            return None
        self._check_catalog(qualifier, position)
        found = information_query(name, Source(self.catalog, self.scope))
        if found is None:
            raise SqlError("TABLE_NOT_FOUND", f"Table '{CATALOG}.{SCHEMA}.{name}' does not exist", position)
        return found

    def _metadata_rows(self, parts: Sequence[str], suffix: str, position: Position) -> Query | None:
        table = self.table(parts, position)
        if self.metadata is None or str(table.parameters.get("table_type", "")).upper() != "ICEBERG":
            return None
        return self.metadata(table.glue, suffix)

    def within(self, database: str) -> CatalogTables:
        """The same catalog with another current database."""
        return replace(self, database=database.lower())

    def _check_catalog(self, qualifier: Sequence[str], position: Position) -> None:
        if len(qualifier) < 2 or qualifier[0] == CATALOG:
            return
        unknown = f"CATALOG_NOT_FOUND: Catalog '{qualifier[0]}' does not exist"
        trouble = unknown if self.trouble is None else self.trouble(qualifier[0])
        if trouble is not None:
            code, _, message = trouble.partition(": ")
            raise SqlError(code, message, position)

    def _get(self, database: str, name: str, position: Position) -> GlueJson:
        try:
            return self.catalog.get_table(self.scope, database, name)
        except ApiError as error:
            if error.code != "EntityNotFoundException":
                raise
        try:
            # Athena has a database of this name even before anything is in it.
            if database != "default":
                self.catalog.get_database(self.scope, database)
        except ApiError as error:
            if error.code != "EntityNotFoundException":
                raise
            raise SqlError("SCHEMA_NOT_FOUND", f"Schema '{database}' does not exist", position) from error
        raise SqlError("TABLE_NOT_FOUND", f"Table '{CATALOG}.{database}.{name}' does not exist", position)

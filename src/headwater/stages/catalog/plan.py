"""Decides the statements that make the catalog right, and refuses to go on over tables that are something else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from headwater.connections import Connections
from headwater.domain import LAKE_TABLES
from headwater.errors import Refused
from headwater.layout import Layout
from headwater.model import LakeColumn, LakeTable
from headwater.services import buckets, glue, hive_ddl, objects
from headwater.services.glue import GlueTable

Mode = Literal["repair", "projection"]
"""How Athena learns of partitions: registered by MSCK REPAIR TABLE, or computed from the table's properties."""

FIRST_YEAR, LAST_YEAR = 2020, 2035
"""The years that projection covers at least; more where the lake has more."""


@dataclass(frozen=True)
class Found:
    """What is there of one table: its entry in the catalog, and the years that the lake has."""

    entry: GlueTable | None
    years: tuple[int, ...] = ()


@dataclass(frozen=True)
class PlannedTable:
    """One table: whether it exists, how its partitions are found, and the statements for it in their order."""

    name: str
    location: str
    exists: bool
    mode: Mode
    statements: tuple[str, ...]


@dataclass(frozen=True)
class CatalogPlan:
    """The statements, in order: first ``statements``, then each table's."""

    database: str
    statements: tuple[str, ...]
    tables: tuple[PlannedTable, ...]


def plan(connections: Connections, mode: Mode | None = None) -> CatalogPlan:
    """Look at catalog and lake, change nothing, and say what ``apply`` would do.

    ``mode`` None keeps each table as it is, and repairs new ones. Raises Refused if a table is something else,
    BucketError without a bucket of mine.
    """
    settings = connections.settings
    buckets.require(connections.s3, connections.sts, settings.bucket_name)
    found = {
        table.name: Found(
            glue.get_table(connections.glue, settings.athena_database, table.name), _years(connections, table.name)
        )
        for table in LAKE_TABLES
    }
    return decide(settings.athena_database, settings.layout, found, mode)


def _years(connections: Connections, table: str) -> tuple[int, ...]:
    layout = connections.settings.layout
    folders = objects.list_folders(connections.s3, layout.bucket, layout.table_prefix(table))
    matches = (re.search(r"/year=(\d{4})/$", folder) for folder in folders)
    return tuple(sorted(int(match[1]) for match in matches if match))


def decide(database: str, layout: Layout, found: Mapping[str, Found], mode: Mode | None = None) -> CatalogPlan:
    """The plan for this catalog and lake. Pure. Raises Refused before anything is changed."""
    for table in LAKE_TABLES:
        entry = found[table.name].entry
        wrong = [] if entry is None else disagreements(entry, table, layout.table_location(table.name))
        if wrong:
            raise Refused(
                f"table {database}.{table.name} exists, but is not this lake's: {'; '.join(wrong)}",
                hint=f"drop it (headwater query 'DROP TABLE {table.name}'; its files stay), "
                "or change ATHENA_DATABASE in config.py",
            )
    tables = tuple(_table(table, layout.table_location(table.name), found[table.name], mode) for table in LAKE_TABLES)
    return CatalogPlan(database, (hive_ddl.create_database(database),), tables)


def _table(table: LakeTable, location: str, found: Found, mode: Mode | None) -> PlannedTable:
    is_projected = found.entry is not None and found.entry.is_projected
    mode = mode or ("projection" if is_projected else "repair")
    properties = projection(location, found) if mode == "projection" else {}
    statements = []
    if found.entry is None:
        statements.append(hive_ddl.create_table(table, location, properties))
    else:
        # The table's files and name stay the same either way, so that switching is a matter of properties.
        there = found.entry.parameters
        wanted = properties or ({"projection.enabled": "false"} if is_projected else {})
        changed = {key: value for key, value in wanted.items() if there.get(key) != value}
        if changed:
            statements.append(hive_ddl.set_properties(table.name, changed))
    if mode == "repair":
        statements.append(hive_ddl.repair_table(table.name))
    return PlannedTable(table.name, location, found.entry is not None, mode, tuple(statements))


def projection(location: str, found: Found) -> dict[str, str]:
    """The properties that let Athena compute the partitions; a range that is already wider stays.

    https://docs.aws.amazon.com/athena/latest/ug/partition-projection-setting-up.html
    """
    there = found.entry.parameters.get("projection.year.range", "") if found.entry is not None else ""
    known = [int(year) for year in re.findall(r"\d{4}", there)]
    years = [*found.years, *known, FIRST_YEAR, LAST_YEAR]
    return {
        "projection.enabled": "true",
        "projection.year.type": "integer",
        "projection.year.range": f"{min(years)},{max(years)}",
        "projection.month.type": "integer",
        "projection.month.range": "1,12",
        "projection.month.digits": "2",
        "projection.day.type": "integer",
        "projection.day.range": "1,31",
        "projection.day.digits": "2",
        "storage.location.template": location + "year=${year}/month=${month}/day=${day}/",
    }


def disagreements(entry: GlueTable, table: LakeTable, location: str) -> list[str]:
    """How a table in the catalog differs from the one that the lake needs; empty if it does not."""
    wrong = []
    if entry.type == "VIRTUAL_VIEW":
        return ["it is a view"]
    if entry.location.rstrip("/") != location.rstrip("/"):
        wrong.append(f"its location is {entry.location}, not {location}")
    if "parquet" not in entry.serde.lower():
        wrong.append(f"it is not Parquet ({entry.serde})")
    wrong += _differences("column", entry.columns, table.columns)
    wrong += _differences("partition key", entry.partition_keys, table.partition_keys)
    return wrong


def _differences(kind: str, there: tuple[LakeColumn, ...], wanted: tuple[LakeColumn, ...]) -> list[str]:
    has = {column.name.lower(): _type(column.type) for column in there}
    wants = {column.name: _type(column.type) for column in wanted}
    wrong = [f"{kind} {name} is missing" for name in wants if name not in has]
    wrong += [f"{kind} {name} is not ours" for name in has if name not in wants]
    wrong += [
        f"{kind} {name} is {has[name]}, not {type_}" for name, type_ in wants.items() if has.get(name, type_) != type_
    ]
    if not wrong and kind == "partition key" and list(has) != list(wants):
        wrong.append(f"the partition keys are in the order {', '.join(has)}")
    return wrong


def _type(written: str) -> str:
    """A Hive type in one spelling: ``decimal(10, 2)`` and ``integer`` are ``decimal(10,2)`` and ``int``."""
    plain = re.sub(r"\s+", "", written.lower())
    return {"integer": "int"}.get(plain, plain)

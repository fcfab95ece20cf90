"""Partition pruning, second half: which of the candidate partitions satisfy a scan's conditions, decided exactly."""

# ruff: noqa: S608 - writing SQL is what this module is for; values and names in it are quoted or fixed
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Protocol

import duckdb
import pyarrow as pa

from headwater.stack.lakehouse.catalog.projection import is_projected, projected
from headwater.stack.lakehouse.errors import QueryFailed
from headwater.stack.lakehouse.model import GlueJson, KeyFilter, Partition, Scope, Table
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.context import Scan
from headwater.stack.lakehouse.sql.expression import quote_name

NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"


class PartitionCatalog(Protocol):
    """What pruning needs of the Glue catalog."""

    def partitions(
        self, scope: Scope, database: str, table: str, filters: Sequence[KeyFilter] = ()
    ) -> Iterator[Partition]:
        """The registered partitions that pass the filters."""
        ...

    def get_table(self, scope: Scope, database: str, name: str) -> GlueJson:
        """The table."""
        ...


def surviving(
    scan: Scan, catalog: PartitionCatalog, scope: Scope, now: datetime, connection: duckdb.DuckDBPyConnection
) -> list[Partition]:
    """The partitions that the scan has to read; a table without keys is one partition at its own location."""
    table = scan.table
    if not table.partition_keys:
        return [Partition((), table.location)]
    filters = [f for predicate in scan.predicates for f in predicate.filters]
    candidates = list(_candidates(table, catalog, scope, filters, now))
    for predicate in scan.predicates:
        if not candidates:
            break
        candidates = _kept(candidates, predicate.sql, scan, connection)
    return candidates


def _candidates(
    table: Table, catalog: PartitionCatalog, scope: Scope, filters: Sequence[KeyFilter], now: datetime
) -> Iterator[Partition]:
    if is_projected(table):
        return iter(projected(table, filters, now))
    return catalog.partitions(scope, table.database, table.name, filters)


def _kept(
    candidates: list[Partition], condition: str, scan: Scan, connection: duckdb.DuckDBPyConnection
) -> list[Partition]:
    keys = [key.name.lower() for key in scan.table.partition_keys]
    columns: dict[str, Any] = {"i": pa.array(range(len(candidates)), pa.int64())}
    for index in range(len(keys)):
        values = [p.values[index] for p in candidates]
        columns[f"v{index}"] = pa.array([None if v == NULL_PARTITION else v for v in values], pa.string())
    typed = ", ".join(f"{key_value(f'v{i}', scan.key_types[k])} AS {quote_name(k)}" for i, k in enumerate(keys))
    sql = f"SELECT i FROM (SELECT i, {typed} FROM hw_candidates) AS k WHERE {condition} ORDER BY i"
    connection.register("hw_candidates", pa.table(columns))
    try:
        return [candidates[i] for (i,) in connection.execute(sql).fetchall()]
    except duckdb.ConversionException as error:
        raise invalid_value(scan.table, [p.values for p in candidates], scan.key_types) from error
    except duckdb.Error:
        # The condition itself fails on some value: reading the partitions will say so in Trino's terms.
        return candidates
    finally:
        connection.unregister("hw_candidates")


def key_value(sql: str, kind: t.Type) -> str:
    """A partition value's text as the key's type."""
    if kind.name == "char":
        return f"rpad({sql}, {kind.params[0]}, ' ')"
    return sql if t.is_text(kind) else f"CAST({sql} AS {t.to_duckdb(kind)})"


_BITS = {"tinyint": 7, "smallint": 15, "integer": 31, "bigint": 63}
_READERS: dict[str, Callable[[str], object]] = {
    "double": float,
    "real": float,
    "date": datetime.fromisoformat,
}


def check_values(name: str, kind: t.Type, values: Iterable[str]) -> None:
    """Refuse the values of a partition key that are none of its type. Raises ``QueryFailed``."""
    bad = next((text for text in values if text != NULL_PARTITION and not _reads(kind, text)), None)
    if bad is not None:
        message = f"Invalid partition value '{bad}' for {str(kind).upper()} partition key: {name}"
        raise QueryFailed(f"HIVE_INVALID_PARTITION_VALUE: {message}")


def _reads(kind: t.Type, text: str) -> bool:
    try:
        if kind.name in _BITS:
            return -(1 << _BITS[kind.name]) <= int(text) < 1 << _BITS[kind.name]
        _READERS.get(kind.name, str)(text)
    except ValueError:
        return False
    # Longer text is not cut, unlike that of files.
    return not (t.is_text(kind) and kind.params) or len(text.rstrip(" ")) <= kind.params[0]


def invalid_value(table: Table, values: Sequence[tuple[str, ...]], kinds: dict[str, t.Type]) -> QueryFailed:
    """Athena's refusal of a partition whose directory name is not a value of the key's type."""
    try:
        for i, key in enumerate(table.partition_keys):
            check_values(key.name, kinds[key.name.lower()], {row[i] for row in values if i < len(row)})
    except QueryFailed as failure:
        return failure
    return QueryFailed(f"HIVE_INVALID_PARTITION_VALUE: Invalid partition value in table {table.database}.{table.name}")

"""Partition projection: partitions that exist because a table's properties say so, not because they were registered.

The rules are those of https://docs.aws.amazon.com/athena/latest/ug/partition-projection-supported-types.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import product
from math import prod

from headwater.stack.lakehouse.catalog.filters import matches
from headwater.stack.lakehouse.catalog.series import Series, date_series, enum_series, integer_series
from headwater.stack.lakehouse.errors import QueryFailed
from headwater.stack.lakehouse.model import KeyFilter, Partition, Table

MAX_PARTITIONS = 1_000_000
"""As many partitions as Athena reads in one scan; a query that projects more is refused before it starts."""

_PLACEHOLDER = re.compile(r"\$\{([^}]*)\}")


def is_projected(table: Table) -> bool:
    """Whether the table's partitions come from its properties instead of the catalog."""
    return table.parameters.get("projection.enabled", "").strip().lower() == "true" and bool(table.partition_keys)


def projected(table: Table, filters: Sequence[KeyFilter], now: datetime) -> Iterator[Partition]:
    """The partitions that the properties describe and the filters admit, in the order of the keys' series.

    Nothing outside the filters' ranges is enumerated. Raises ``QueryFailed`` for invalid properties, for an injected
    key without an equality, and for more than ``MAX_PARTITIONS``.
    """
    keys = [key.name for key in table.partition_keys]
    admitted = [
        _values(table, key.name, key.type, [item for item in filters if item.key.lower() == key.name.lower()], now)
        for key in table.partition_keys
    ]
    if prod(len(values) for values in admitted) > MAX_PARTITIONS:
        raise _too_many(table)
    template = _template(table, keys)
    for values in product(*admitted):
        yield Partition(values, _location(table, template, keys, values))


def _values(table: Table, key: str, kind: str, filters: Sequence[KeyFilter], now: datetime) -> list[str]:
    if _type(table, key) == "injected":
        return _injected(key, kind, filters)
    series = _series(table, key, kind, now)
    named = next((item.values for item in filters if item.op in ("=", "in")), None)
    if named is not None:
        found = {series.index(text) for text in named}
        candidates = [series.value(index) for index in sorted(index for index in found if index is not None)]
    else:
        first, last = series.bounds(filters)
        if last - first > MAX_PARTITIONS:
            raise _too_many(table)
        # An interval finer than the date format shows gives the same text several times.
        candidates = list(dict.fromkeys(series.value(index) for index in range(first, last)))
    return [value for value in candidates if all(matches(item, value, kind) for item in filters)]


def _injected(key: str, kind: str, filters: Sequence[KeyFilter]) -> list[str]:
    named = next((item.values for item in filters if item.op in ("=", "in")), None)
    if named is None:
        raise QueryFailed(
            f"CONSTRAINT_VIOLATION: For the injected projected partition column {key}, the WHERE clause must contain"
            " only static equality conditions, and at least one such condition must be present."
        )
    return [v for v in dict.fromkeys(named) if all(matches(item, v, kind) for item in filters)]


def _series(table: Table, key: str, kind: str, now: datetime) -> Series:
    def read(name: str) -> str | None:
        return table.parameters.get(f"projection.{key}.{name}")

    try:
        projection = _type(table, key)
        if projection == "enum":
            return enum_series(read("values"), kind)
        if projection == "integer":
            return integer_series(read("range"), read("interval"), read("digits"), kind)
        if projection == "date":
            properties = (read("range"), read("format"), read("interval"), read("interval.unit"))
            return date_series(properties, kind, now)
    except ValueError as error:
        raise _invalid(table, f"projection.{key}: {error}") from error
    raise _invalid(table, f"projection.{key}.type must be enum, integer, date or injected, not {projection!r}")


def _type(table: Table, key: str) -> str:
    kind = table.parameters.get(f"projection.{key}.type")
    if kind is None:
        raise QueryFailed(
            f"HIVE_METASTORE_ERROR: Table {table.database}.{table.name} is configured for partition projection, but"
            f" the following partition columns are missing projection configuration: [{key}]"
        )
    return kind.strip().lower()


def projected_location(table: Table, values: Sequence[str]) -> str:
    """Where the partition of these values is."""
    keys = [key.name for key in table.partition_keys]
    return _location(table, _template(table, keys), keys, values)


def _template(table: Table, keys: Sequence[str]) -> str | None:
    template = table.parameters.get("storage.location.template")
    if template is None:
        return None
    named = {name.lower() for name in _PLACEHOLDER.findall(template)}
    missing = [key for key in keys if key.lower() not in named]
    if missing:
        raise _invalid(table, f"storage.location.template has no placeholder for {', '.join(missing)}")
    unknown = sorted(named - {key.lower() for key in keys})
    if unknown:
        raise _invalid(table, f"storage.location.template names {', '.join(unknown)}, which is no partition column")
    return template


def _location(table: Table, template: str | None, keys: Sequence[str], values: Sequence[str]) -> str:
    if template is None:
        # Not escaped, unlike the directories of registered partitions.
        path = "/".join(f"{key}={value}" for key, value in zip(keys, values, strict=True))
        return f"{table.location.rstrip('/')}/{path}/"
    by_name = {key.lower(): value for key, value in zip(keys, values, strict=True)}
    location = _PLACEHOLDER.sub(lambda match: by_name[match.group(1).lower()], template)
    return location if location.endswith("/") else location + "/"


def _invalid(table: Table, reason: str) -> QueryFailed:
    return QueryFailed(f"INVALID_TABLE_PROPERTY: Table {table.database}.{table.name}: {reason}")


def _too_many(table: Table) -> QueryFailed:
    return QueryFailed(
        f"HIVE_EXCEEDED_PARTITION_LIMIT: Query over table '{table.database}.{table.name}' can potentially read more"
        f" than {MAX_PARTITIONS} partitions: add a condition on its partition columns"
    )

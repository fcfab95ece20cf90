"""Names: reads ``schema.table`` as people write it, and turns PostgreSQL's names into ones that Athena takes."""

from __future__ import annotations

import re
from collections.abc import Iterable

from headwater.errors import SettingsError

_PART = r'(?:"((?:[^"]|"")+)"|([^".]+))'


def parse_table(text: str) -> tuple[str | None, str]:
    """``(schema or None, table)``. Names are taken as they are; quotes are needed around a dot only.

    >>> parse_table("flights"), parse_table("sales.Orders"), parse_table('public."odd.name"')
    ((None, 'flights'), ('sales', 'Orders'), ('public', 'odd.name'))
    """
    match = re.fullmatch(rf"(?:{_PART}\.)?{_PART}", text.strip())
    if not match:
        raise SettingsError(f"{text!r} is not a table's name", hint="write table or schema.table")
    quoted_schema, schema, quoted_table, table = match.groups()
    first = quoted_schema.replace('""', '"') if quoted_schema else schema
    return first, quoted_table.replace('""', '"') if quoted_table else table


def lake_name(name: str) -> str:
    """A name in lower case, with everything but letters, digits and underscores replaced.

    >>> lake_name("Order Total €"), lake_name("2nd")
    ('order_total__', '_2nd')
    """
    safe = re.sub(r"[^a-z0-9_]", "_", name.lower())
    return f"_{safe}" if safe[0].isdigit() else safe


def lake_names(names: Iterable[str]) -> dict[str, str]:
    """``{name: lake name}``. Raises SettingsError if two become the same.

    >>> lake_names(["Id", "created at"])
    {'Id': 'id', 'created at': 'created_at'}
    """
    taken: dict[str, str] = {}
    for name in names:
        safe = lake_name(name)
        if safe in taken:
            raise SettingsError(
                f"columns {taken[safe]!r} and {name!r} would both be {safe} in the lake, where case does not count",
                hint="make a view that renames one of them, and ingest the view",
            )
        taken[safe] = name
    return {name: safe for safe, name in taken.items()}


def day_keys(partition_by: str, columns: Iterable[str]) -> tuple[str, str, str]:
    """The partition keys: year, month, day; with the column's name before them if the table has such columns itself.

    >>> day_keys("time_hour", ["carrier"]), day_keys("time_hour", ["year", "carrier"])
    (('year', 'month', 'day'), ('time_hour_year', 'time_hour_month', 'time_hour_day'))
    """
    taken = set(columns)
    for prefix in ("", f"{partition_by}_", f"partition_{partition_by}_"):
        keys = (f"{prefix}year", f"{prefix}month", f"{prefix}day")
        if not taken.intersection(keys):
            return keys
    raise SettingsError(f"every name for the partition keys of {partition_by} is a column's already")

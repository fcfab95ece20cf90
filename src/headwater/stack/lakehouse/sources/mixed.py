"""Columns that some files have in a narrower type: conditions on them must not be checked while a file is read.

DuckDB rounds the value of such a condition to the file's own type, and finds ``0.1`` as a double where the file has
``0.1`` as a float (seen with DuckDB 1.5.5). Whole numbers are not rounded.
"""

# ruff: noqa: S608 - writing SQL is what this module is for; the list of files is quoted
from __future__ import annotations

from collections.abc import Sequence

from headwater.stack.lakehouse.sources.model import Reader
from headwater.stack.lakehouse.sql import types as t


def mixed_names(files: str, count: int, kinds: Sequence[t.Type], reader: Reader) -> frozenset[str]:
    """The names, in lower case, of fields that a list of Parquet files holds in several types; only if it matters."""
    if count < 2 or not any(is_rounded(kind) for kind in kinds):
        return frozenset()
    sql = f"SELECT lower(name) FROM parquet_schema({files}) GROUP BY ALL HAVING count(DISTINCT duckdb_type) > 1"
    return frozenset(name for (name,) in reader.connection.execute(sql).fetchall())


def is_rounded(kind: t.Type) -> bool:
    """Whether values of a type, or of a part of it, may be rounded to a narrower one."""
    return kind.name in ("double", "decimal") or any(is_rounded(item) for item in kind.items)


def unfiltered(column: str) -> str:
    """The column, such that conditions on it are checked on its values in the wider type."""
    return f"ifnull({column}, NULL)"

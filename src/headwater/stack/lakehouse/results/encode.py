"""Rows as Athena's CSV writes them, encoded by DuckDB itself so that a million rows cost seconds, not minutes."""

# ruff: noqa: S608 - writing SQL is what this module is for; values and names in it are quoted or fixed
from __future__ import annotations

from collections.abc import Sequence

from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.datazones import moment_text
from headwater.stack.lakehouse.sql.expression import Zoned
from headwater.stack.lakehouse.sql.query import OutputColumn
from headwater.stack.lakehouse.sql.text import display_text, separated

# The text of these types never holds a quote.
_BARE = (
    "tinyint",
    "smallint",
    "integer",
    "bigint",
    "decimal",
    "real",
    "double",
    "boolean",
    "date",
    "timestamp",
    "varbinary",
)


def csv_query(sql: str, columns: Sequence[OutputColumn]) -> str:
    """A query with one column ``line``: each row as a CSV line with its line end.

    Every value is quoted; NULL is empty and unquoted, which is how a reader tells it from ``""``.
    """
    values = separated([_value(i, column) for i, column in enumerate(columns)], ",")
    return f"SELECT {values} || chr(10) AS line FROM ({sql}) AS q"


def _value(place: int, column: OutputColumn) -> str:
    kind = _shown(column.type)
    moment = Zoned(f"q.i{place}", f"q.z{place}")
    text = moment_text(moment, kind) if column.zoned else display_text(f"q.c{place}", kind)
    if column.type.name not in _BARE:
        text = f"replace({text}, '\"', '\"\"')"
    return f"coalesce('\"' || {text} || '\"', '')"


def _shown(kind: t.Type) -> t.Type:
    """Athena's results show at least milliseconds of timestamps."""
    if kind.name in ("timestamp", "timestamptz") and t.precision_of(kind) < 3:
        return t.Type(kind.name, (3,), zone=kind.zone)
    return kind


def csv_header(names: Sequence[str]) -> bytes:
    """The first line of the file.

    >>> csv_header(["id", 'a"b'])
    b'"id","a""b"\\n'
    """
    return (",".join('"' + name.replace('"', '""') + '"' for name in names) + "\n").encode()

"""Views as Athena keeps them in Glue: JSON in base64 inside an SQL comment, the encoding of Presto and Trino."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from headwater.stack.lakehouse.catalog.tables import table_input
from headwater.stack.lakehouse.errors import ApiError, QueryFailed, Unsupported
from headwater.stack.lakehouse.hive.ast import CreateView
from headwater.stack.lakehouse.hive.context import DdlContext, DdlResult, database_not_found
from headwater.stack.lakehouse.model import Column, GlueJson
from headwater.stack.lakehouse.sql.layout import kept_text

_PREFIX = "/* Presto View: "
_SUFFIX = " */"
_CATALOG = "awsdatacatalog"
_QUOTED = re.compile(r'"((?:[^"]|"")*)"\s+')
_TAILS = ("with time zone", "day to second", "year to month")


@dataclass(frozen=True)
class View:
    """A view: its query, the catalog and database that unqualified names mean, and its columns with Trino types."""

    sql: str
    schema: str
    columns: tuple[Column, ...]
    catalog: str = _CATALOG


def encode_view(view: View) -> str:
    """The ``ViewOriginalText`` of a view.

    >>> encode_view(View("SELECT 1 a", "default", (Column("a", "integer"),)))[:30]
    '/* Presto View: eyJvcmlnaW5hbF'
    """
    definition = {
        "originalSql": view.sql,
        "catalog": view.catalog,
        "schema": view.schema,
        "columns": [{"name": column.name, "type": column.type} for column in view.columns],
    }
    return f"{_PREFIX}{base64.b64encode(json.dumps(definition).encode()).decode()}{_SUFFIX}"


def decode_view(text: str) -> View:
    """The view that a ``ViewOriginalText`` holds. Raises ``QueryFailed`` if it is not of this encoding."""
    try:
        encoded = text.strip().removeprefix(_PREFIX.strip()).removesuffix(_SUFFIX.strip()).strip()
        definition = json.loads(base64.b64decode(encoded, validate=True))
        columns = tuple(Column(column["name"], column["type"]) for column in definition.get("columns") or ())
        return View(
            definition["originalSql"],
            definition.get("schema") or "default",
            columns,
            definition.get("catalog") or _CATALOG,
        )
    except (binascii.Error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise QueryFailed("INVALID_VIEW: the view was not written by Athena, Presto or Trino") from error


def create_view(statement: CreateView, context: DdlContext) -> DdlResult:
    """``CREATE [OR REPLACE] VIEW``: the columns' types come from the SELECT engine."""
    if context.view_columns is None:
        raise Unsupported("CREATE VIEW")
    database, name = context.database_of(statement.view), statement.view.name
    full_name = f"awsdatacatalog.{database}.{name}"
    columns = tuple(context.view_columns(statement.before + statement.query, context.database, full_name))
    stored = _view_input(name, View(kept_text(statement.query), context.database, columns), context.clock())
    try:
        context.catalog.create_table(context.scope, database, stored)
    except ApiError as error:
        if error.code != "AlreadyExistsException":
            raise database_not_found(database) from error
        _replace(statement, stored, database, context)
    return DdlResult()


def _replace(statement: CreateView, stored: GlueJson, database: str, context: DdlContext) -> None:
    name = statement.view.name
    existing = context.catalog.get_table(context.scope, database, name)
    if existing.get("TableType") != "VIRTUAL_VIEW":
        raise QueryFailed(f"line 1:1: Table 'awsdatacatalog.{database}.{name}' already exists and is not a view")
    if not statement.or_replace:
        raise QueryFailed(f"line 1:1: View already exists: 'awsdatacatalog.{database}.{name}'")
    context.catalog.update_table(context.scope, database, {**table_input(existing), **stored})


def _view_input(name: str, view: View, now: float) -> GlueJson:
    return {
        "Name": name,
        "TableType": "VIRTUAL_VIEW",
        "ViewOriginalText": encode_view(view),
        "ViewExpandedText": "/* Presto View */",
        "Parameters": {"presto_view": "true", "comment": "Presto View", "transient_lastDdlTime": str(int(now))},
        "PartitionKeys": [],
        "StorageDescriptor": {
            "Columns": [{"Name": column.name, "Type": hive_type_of(column.type)} for column in view.columns],
            "Location": "",
            "SerdeInfo": {},
        },
    }


def hive_type_of(trino_type: str) -> str:
    """The Hive type in which the catalog shows a view's column of a Trino type.

    >>> hive_type_of('array(row("A b" integer, b varchar))'), hive_type_of("timestamp(3)")
    ('array<struct<a b:int,b:string>>', 'timestamp')
    """
    text = trino_type.strip()
    name, _, inside = text.partition("(")
    name = name.strip().lower()
    arguments = _split(inside[: inside.rfind(")")]) if inside else []
    if name == "array" and arguments:
        return f"array<{hive_type_of(arguments[0])}>"
    if name == "map" and len(arguments) == 2:
        return f"map<{hive_type_of(arguments[0])},{hive_type_of(arguments[1])}>"
    if name == "row":
        fields = [_field(place, argument.strip()) for place, argument in enumerate(arguments)]
        return f"struct<{','.join(f'{field}:{hive_type_of(kind)}' for field, kind in fields)}>"
    if name in ("decimal", "char") or (name == "varchar" and arguments):
        return text.replace(" ", "").lower()
    simple = {"integer": "int", "real": "float", "varchar": "string", "varbinary": "binary"}
    known = ("tinyint", "smallint", "bigint", "boolean", "double", "date", "timestamp")
    if name.startswith("timestamp"):
        return "timestamp"
    return simple.get(name) or (name if name in known else "string")


def _field(place: int, text: str) -> tuple[str, str]:
    """Name and type of a row's field; one without a name is called as results call it."""
    quoted = _QUOTED.match(text)
    if quoted is not None:
        return quoted[1].replace('""', '"').lower(), text[quoted.end() :]
    name, _, kind = text.partition(" ")
    if not kind or "(" in name or kind in _TAILS:
        return f"field{place}", text
    return name, kind


def _split(text: str) -> Sequence[str]:
    """The arguments between commas that stand in no inner parentheses."""
    parts, depth, start = [], 0, 0
    for place, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if char == "," and depth == 0:
            parts.append(text[start:place])
            start = place + 1
    return [*parts, text[start:]]

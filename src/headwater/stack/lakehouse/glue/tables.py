"""Glue's operations on tables and their versions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import partial

from headwater.stack.lakehouse.catalog.patterns import table_pattern
from headwater.stack.lakehouse.catalog.store import Catalog
from headwater.stack.lakehouse.errors import invalid_input, not_found
from headwater.stack.lakehouse.glue.failures import failure_of
from headwater.stack.lakehouse.glue.indexes import requested_indexes
from headwater.stack.lakehouse.glue.ordering import ordered_table
from headwater.stack.lakehouse.glue.paging import page
from headwater.stack.lakehouse.glue.validation import (
    attributes,
    flag,
    foreign_only,
    items,
    optional_text,
    page_size,
    table_input,
    text,
)
from headwater.stack.lakehouse.model import GlueJson, Scope

_PAGE = 100


def create_table(catalog: Catalog, scope: Scope, request: GlueJson) -> GlueJson:
    """``CreateTable``."""
    _refuse(request, "OpenTableFormatInput", "TransactionId")
    catalog.create_table(scope, text(request, "DatabaseName"), table_input(request), requested_indexes(request))
    return {}


def get_table(catalog: Catalog, scope: Scope, request: GlueJson) -> GlueJson:
    """``GetTable``."""
    _refuse(request, "QueryAsOfTime", "TransactionId")
    return {"Table": ordered_table(catalog.get_table(scope, text(request, "DatabaseName"), text(request, "Name")))}


def _refuse(request: GlueJson, *members: str) -> None:
    for member in members:
        if request.get(member) is not None:
            raise invalid_input(f"{member} is not supported by Headwater's local Glue.")


def get_tables(catalog: Catalog, scope: Scope, request: GlueJson) -> GlueJson:
    """``GetTables``: ``Expression`` is a regular expression on the whole name."""
    _refuse(request, "QueryAsOfTime", "TransactionId")
    tables = [] if foreign_only(request) else catalog.tables(scope, text(request, "DatabaseName"))
    expression = optional_text(request, "Expression")
    if expression:
        matching = _regex(expression)
        tables = [table for table in tables if matching.fullmatch(table["Name"])]
    shown, token = page(tables, request.get("NextToken"), page_size(request, _PAGE), lambda item: (item["Name"],))
    wanted = attributes(request, {"NAME": "Name", "TABLE_TYPE": "TableType"}, ("DatabaseName", "CatalogId"))
    return {"TableList": [wanted(ordered_table(table)) for table in shown]} | ({"NextToken": token} if token else {})


def _regex(expression: str) -> re.Pattern[str]:
    try:
        return table_pattern(expression)
    except re.error as error:
        raise invalid_input(f"Expression {expression!r} is not a valid pattern: {error}") from error


def update_table(catalog: Catalog, scope: Scope, request: GlueJson) -> GlueJson:
    """``UpdateTable``: with ``VersionId`` only if nobody updated the table since."""
    _refuse(request, "UpdateOpenTableFormatInput", "ViewUpdateAction", "TransactionId")
    catalog.update_table(
        scope,
        text(request, "DatabaseName"),
        table_input(request),
        version_id=optional_text(request, "VersionId"),
        skip_archive=flag(request, "SkipArchive"),
    )
    return {}


def delete_table(catalog: Catalog, scope: Scope, request: GlueJson) -> GlueJson:
    """``DeleteTable``: its partitions go too."""
    catalog.delete_table(scope, text(request, "DatabaseName"), text(request, "Name"))
    return {}


def batch_delete_table(catalog: Catalog, scope: Scope, request: GlueJson) -> GlueJson:
    """``BatchDeleteTable``: up to 100; what fails is listed in ``Errors``."""
    database = text(request, "DatabaseName")
    names = [str(name) for name in items(request, "TablesToDelete", 100)]
    return {"Errors": _each(names, "TableName", lambda name: catalog.delete_table(scope, database, name))}


def get_table_version(catalog: Catalog, scope: Scope, request: GlueJson) -> GlueJson:
    """``GetTableVersion``: the current one unless ``VersionId`` is given."""
    database, name = text(request, "DatabaseName"), text(request, "TableName")
    versions = catalog.table_versions(scope, database, name)
    wanted = optional_text(request, "VersionId") or versions[0]["VersionId"]
    for version in versions:
        if version["VersionId"] == wanted:
            return {"TableVersion": version}
    raise not_found(f"Version {wanted} of table {name.lower()} not found.")


def get_table_versions(catalog: Catalog, scope: Scope, request: GlueJson) -> GlueJson:
    """``GetTableVersions``: newest first."""
    versions = catalog.table_versions(scope, text(request, "DatabaseName"), text(request, "TableName"))
    # Versions count up and pages go down: the key turns the order round.
    shown, token = page(
        versions,
        request.get("NextToken"),
        page_size(request, _PAGE),
        lambda item: (f"{10**12 - int(item['VersionId']):013}",),
    )
    return {"TableVersions": shown} | ({"NextToken": token} if token else {})


def delete_table_version(catalog: Catalog, scope: Scope, request: GlueJson) -> GlueJson:
    """``DeleteTableVersion``."""
    names = (text(request, "DatabaseName"), text(request, "TableName"), text(request, "VersionId"))
    catalog.delete_table_version(scope, *names)
    return {}


def batch_delete_table_version(catalog: Catalog, scope: Scope, request: GlueJson) -> GlueJson:
    """``BatchDeleteTableVersion``: up to 100; what fails is listed in ``Errors``."""
    database, name = text(request, "DatabaseName"), text(request, "TableName")
    versions = [str(version) for version in items(request, "VersionIds", 100)]
    failed = _each(versions, "VersionId", lambda version: catalog.delete_table_version(scope, database, name, version))
    return {"Errors": [{"TableName": name, **error} for error in failed]}


def _each(names: Iterable[str], label: str, delete: Callable[[str], None]) -> list[GlueJson]:
    """Do it for each name, and return Glue's error details of those that failed."""
    failed: list[GlueJson] = []
    for name in names:
        detail = failure_of(partial(delete, name))
        if detail is not None:
            failed.append({label: name, "ErrorDetail": detail})
    return failed

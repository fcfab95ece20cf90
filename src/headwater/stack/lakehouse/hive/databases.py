"""Carries out CREATE, DROP and SHOW of databases."""

from __future__ import annotations

import re

from headwater.stack.lakehouse.errors import ApiError, QueryFailed
from headwater.stack.lakehouse.hive.ast import ChangeDatabase, CreateDatabase, DropDatabase, ShowDatabases, ShowTables
from headwater.stack.lakehouse.hive.context import DdlContext, DdlResult, database_not_found, task_failed
from headwater.stack.lakehouse.hive.tables import check_location
from headwater.stack.lakehouse.model import Column, GlueJson

_INPUT = ("Name", "Description", "LocationUri", "CreateTableDefaultPermissions")


def create_database(statement: CreateDatabase, context: DdlContext) -> DdlResult:
    """``CREATE DATABASE``."""
    database: GlueJson = {"Name": statement.name, "Parameters": dict(statement.properties)}
    if statement.comment is not None:
        database["Description"] = statement.comment
    if statement.location is not None:
        check_location(statement.location)
        database["LocationUri"] = statement.location
    try:
        context.catalog.create_database(context.scope, database)
    except ApiError as error:
        if not statement.if_not_exists:
            raise task_failed(f"Database {statement.name} already exists") from error
    return DdlResult()


def drop_database(statement: DropDatabase, context: DdlContext) -> DdlResult:
    """``DROP DATABASE``: only an empty one, unless CASCADE."""
    try:
        tables = context.catalog.tables(context.scope, statement.name)
    except ApiError as error:
        if statement.if_exists:
            return DdlResult()
        raise database_not_found(statement.name) from error
    if tables and not statement.cascade:
        raise task_failed(
            f"InvalidOperationException(message:Database {statement.name} is not empty. One or more tables exist.)"
        )
    context.catalog.delete_database(context.scope, statement.name)
    return DdlResult()


def change_database(statement: ChangeDatabase, context: DdlContext) -> DdlResult:
    """``ALTER DATABASE … SET DBPROPERTIES``: named ones are set, the others stay."""
    try:
        found = context.catalog.get_database(context.scope, statement.name)
    except ApiError as error:
        raise database_not_found(statement.name) from error
    properties = {**(found.get("Parameters") or {}), **statement.properties}
    changed: GlueJson = {name: value for name, value in found.items() if name in _INPUT}
    context.catalog.update_database(context.scope, statement.name, {**changed, "Parameters": properties})
    return DdlResult()


def show_databases(statement: ShowDatabases, context: DdlContext) -> DdlResult:
    """``SHOW DATABASES``."""
    names = [str(database["Name"]) for database in context.catalog.databases(context.scope)]
    matching = name_pattern(statement.pattern)
    rows = [(name,) for name in names if matching.fullmatch(name)]
    return DdlResult((Column("database_name", "string"),), rows)


def show_tables(statement: ShowTables, context: DdlContext) -> DdlResult:
    """``SHOW TABLES`` (views among them) and ``SHOW VIEWS``."""
    database = statement.database or context.database.lower()
    context.prepare(database)
    try:
        tables = context.catalog.tables(context.scope, database)
    except ApiError as error:
        raise database_not_found(database) from error
    matching = name_pattern(statement.pattern)
    rows = [
        (str(table["Name"]),)
        for table in tables
        if matching.fullmatch(table["Name"]) and (not statement.views or table.get("TableType") == "VIRTUAL_VIEW")
    ]
    if statement.views:
        return DdlResult((Column("views", "string"),), rows)
    return DdlResult((Column("tab_name", "string"),), rows)


def name_pattern(pattern: str | None) -> re.Pattern[str]:
    """Hive's pattern as a regular expression: ``*`` is any text, ``|`` a choice; ``.*`` is taken as it stands.

    >>> bool(name_pattern("sales*|.*lake").fullmatch("datalake"))
    True
    """
    if pattern is None:
        return re.compile(".*", re.DOTALL)
    try:
        return re.compile(re.sub(r"(?<!\.)\*", ".*", pattern), re.IGNORECASE | re.DOTALL)
    except re.error as error:
        raise QueryFailed(f"FAILED: SemanticException Invalid pattern {pattern!r}: {error}") from error

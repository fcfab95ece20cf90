"""Glue's operations on databases."""

from __future__ import annotations

from headwater.stack.lakehouse.catalog.store import Catalog
from headwater.stack.lakehouse.glue.paging import page
from headwater.stack.lakehouse.glue.tags import database_arn
from headwater.stack.lakehouse.glue.validation import page_size, structure, text
from headwater.stack.lakehouse.model import GlueJson, Scope

_PAGE = 100


def create_database(catalog: Catalog, scope: Scope, request: GlueJson) -> GlueJson:
    """``CreateDatabase``."""
    given = structure(request, "DatabaseInput")
    text(given, "Name")
    catalog.create_database(scope, given)
    tags = {str(name): str(value) for name, value in (request.get("Tags") or {}).items()}
    catalog.tag(scope, database_arn(scope, given["Name"]), tags)
    return {}


def get_database(catalog: Catalog, scope: Scope, request: GlueJson) -> GlueJson:
    """``GetDatabase``."""
    return {"Database": catalog.get_database(scope, text(request, "Name"))}


def get_databases(catalog: Catalog, scope: Scope, request: GlueJson) -> GlueJson:
    """``GetDatabases``: 100 a page."""
    shown, token = page(
        catalog.databases(scope), request.get("NextToken"), page_size(request, _PAGE), lambda item: (item["Name"],)
    )
    return {"DatabaseList": shown} | ({"NextToken": token} if token else {})


def update_database(catalog: Catalog, scope: Scope, request: GlueJson) -> GlueJson:
    """``UpdateDatabase``."""
    given = structure(request, "DatabaseInput")
    text(given, "Name")
    catalog.update_database(scope, text(request, "Name"), given)
    return {}


def delete_database(catalog: Catalog, scope: Scope, request: GlueJson) -> GlueJson:
    """``DeleteDatabase``: its tables go too."""
    catalog.delete_database(scope, text(request, "Name"))
    return {}

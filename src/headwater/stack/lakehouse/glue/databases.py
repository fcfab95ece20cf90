"""Glue's operations on databases."""

from __future__ import annotations

from headwater.stack.lakehouse.catalog.store import Catalog
from headwater.stack.lakehouse.glue.paging import page
from headwater.stack.lakehouse.glue.tags import checked_tags, database_arn
from headwater.stack.lakehouse.glue.validation import attributes, foreign_only, page_size, structure, text
from headwater.stack.lakehouse.model import GlueJson, Scope

_PAGE = 100


def create_database(catalog: Catalog, scope: Scope, request: GlueJson) -> GlueJson:
    """``CreateDatabase``."""
    given = structure(request, "DatabaseInput")
    text(given, "Name")
    tags = checked_tags(request.get("Tags") or {})
    catalog.create_database(scope, given)
    catalog.tag(scope, database_arn(scope, given["Name"]), tags)
    return {}


def get_database(catalog: Catalog, scope: Scope, request: GlueJson) -> GlueJson:
    """``GetDatabase``."""
    return {"Database": catalog.get_database(scope, text(request, "Name"))}


def get_databases(catalog: Catalog, scope: Scope, request: GlueJson) -> GlueJson:
    """``GetDatabases``: 100 a page."""
    found = [] if foreign_only(request) else catalog.databases(scope)
    shown, token = page(found, request.get("NextToken"), page_size(request, _PAGE), lambda item: (item["Name"],))
    wanted = attributes(request, {"NAME": "Name", "TARGET_DATABASE": "TargetDatabase"}, ("CatalogId",))
    return {"DatabaseList": [wanted(item) for item in shown]} | ({"NextToken": token} if token else {})


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

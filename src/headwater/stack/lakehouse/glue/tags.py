"""Glue's operations on tags."""

from __future__ import annotations

from headwater.stack.lakehouse.catalog.store import Catalog
from headwater.stack.lakehouse.glue.validation import invalid as invalid_member
from headwater.stack.lakehouse.glue.validation import items, structure
from headwater.stack.lakehouse.model import GlueJson, Scope


def get_tags(catalog: Catalog, scope: Scope, request: GlueJson) -> GlueJson:
    """``GetTags``."""
    return {"Tags": catalog.tags(scope, _arn(request))}


def tag_resource(catalog: Catalog, scope: Scope, request: GlueJson) -> GlueJson:
    """``TagResource``."""
    given = structure(request, "TagsToAdd")
    catalog.tag(scope, _arn(request), {str(name): str(value) for name, value in given.items()})
    return {}


def untag_resource(catalog: Catalog, scope: Scope, request: GlueJson) -> GlueJson:
    """``UntagResource``."""
    catalog.untag(scope, _arn(request), [str(name) for name in items(request, "TagsToRemove", 50)])
    return {}


def _arn(request: GlueJson) -> str:
    arn = request.get("ResourceArn")
    if not isinstance(arn, str) or not arn.startswith("arn:"):
        raise invalid_member("ResourceArn", arn, "Member must be an ARN")
    return arn

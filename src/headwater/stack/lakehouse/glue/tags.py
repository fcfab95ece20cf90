"""Glue's operations on tags of databases and tables."""

from __future__ import annotations

import re
from collections.abc import Mapping

from headwater.stack.lakehouse.catalog.store import Catalog
from headwater.stack.lakehouse.errors import invalid_input, not_found
from headwater.stack.lakehouse.glue.validation import invalid as invalid_member
from headwater.stack.lakehouse.glue.validation import items, structure
from headwater.stack.lakehouse.model import GlueJson, Scope

_MOST = 50
_ARN = re.compile(r"arn:aws[\w-]*:glue:([\w-]*):(\d*):(\w+)/([^/]+)(?:/(.+))?")


def get_tags(catalog: Catalog, scope: Scope, request: GlueJson) -> GlueJson:
    """``GetTags``."""
    return {"Tags": catalog.tags(scope, _arn(catalog, scope, request))}


def tag_resource(catalog: Catalog, scope: Scope, request: GlueJson) -> GlueJson:
    """``TagResource``."""
    arn, given = _arn(catalog, scope, request), checked_tags(structure(request, "TagsToAdd"))
    checked_tags(catalog.tags(scope, arn) | given)
    catalog.tag(scope, arn, given)
    return {}


def untag_resource(catalog: Catalog, scope: Scope, request: GlueJson) -> GlueJson:
    """``UntagResource``."""
    catalog.untag(scope, _arn(catalog, scope, request), [str(name) for name in items(request, "TagsToRemove", 50)])
    return {}


def checked_tags(tags: Mapping[str, object]) -> dict[str, str]:
    """Tags that a resource can have. Raises ``InvalidInputException``.

    >>> checked_tags({"team": "lake"})
    {'team': 'lake'}
    """
    if len(tags) > _MOST:
        raise invalid_input(f"A resource has at most {_MOST} tags, not {len(tags)}.")
    reserved = next((name for name in tags if not name or name.lower().startswith("aws:")), None)
    if reserved is not None:
        raise invalid_input(f"Tag key '{reserved}' is not valid: it has a character at least and no prefix aws:.")
    return {name: str(value) for name, value in tags.items()}


def database_arn(scope: Scope, name: str) -> str:
    """The ARN of a database."""
    return f"arn:aws:glue:{scope.region}:{scope.account}:database/{name.lower()}"


def _arn(catalog: Catalog, scope: Scope, request: GlueJson) -> str:
    arn = request.get("ResourceArn")
    found = _ARN.fullmatch(arn) if isinstance(arn, str) else None
    if found is None:
        raise invalid_member("ResourceArn", arn, "Member must be an ARN of Glue")
    region, account, kind, first, second = found.groups()
    if (region, account) != (scope.region, scope.account):
        raise not_found(f"{found[0]} does not belong to account {scope.account} in {scope.region}.")
    if kind == "database":
        catalog.get_database(scope, first)
    elif kind == "table" and second:
        catalog.get_table(scope, first, second)
    else:
        raise not_found(f"{kind} {first} not found.")
    return found[0].lower()

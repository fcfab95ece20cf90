"""Tags of work groups and data catalogs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from headwater.stack.lakehouse.athena.executions import AthenaStore
from headwater.stack.lakehouse.athena.paging import listed
from headwater.stack.lakehouse.errors import ApiError, invalid_request
from headwater.stack.lakehouse.model import GlueJson, Scope

_KIND = "tags"
_MOST = 50
_ARN = re.compile(r"arn:aws[\w-]*:athena:[\w-]+:\d{12}:(workgroup|datacatalog)/.+")


class Tags:
    """The operations on tags, kept by the ARN of what they are on."""

    def __init__(self, store: AthenaStore) -> None:
        self._store = store

    def operations(self) -> Mapping[str, Callable[[Scope, GlueJson], GlueJson]]:
        """The operations of this family."""
        return {"TagResource": self._tag, "UntagResource": self._untag, "ListTagsForResource": self._list}

    def put(self, scope: Scope, arn: str, tags: Mapping[str, str]) -> None:
        """Add or replace tags."""

        def added(known: GlueJson | None) -> GlueJson:
            found: GlueJson = {**(known or {}), **tags}
            if len(found) > _MOST:
                raise invalid_request(f"{arn} would have {len(found)} tags; a resource has at most {_MOST}")
            return found

        self._store.change_document(_KIND, scope, arn, added)

    def forget(self, scope: Scope, arn: str) -> None:
        """Remove all tags of what is no more."""
        self._store.delete_document(_KIND, scope, arn)

    def _tags(self, scope: Scope, arn: str) -> dict[str, str]:
        return self._store.document(_KIND, scope, arn) or {}

    def _tag(self, scope: Scope, request: GlueJson) -> GlueJson:
        self.put(scope, self._arn(scope, request), requested_tags(request))
        return {}

    def _untag(self, scope: Scope, request: GlueJson) -> GlueJson:
        arn = self._arn(scope, request)
        gone = request.get("TagKeys") or []
        self._store.change_document(
            _KIND, scope, arn, lambda known: {key: value for key, value in (known or {}).items() if key not in gone}
        )
        return {}

    def _list(self, scope: Scope, request: GlueJson) -> GlueJson:
        found = sorted(self._tags(scope, self._arn(scope, request)).items())
        return listed("Tags", [{"Key": key, "Value": value} for key, value in found], request, 75)

    def _arn(self, scope: Scope, request: GlueJson) -> str:
        arn = str(request.get("ResourceARN") or "")
        if not _ARN.fullmatch(arn):
            raise invalid_request(f"Invalid ResourceARN: {arn}")
        kind, _, name = arn.rsplit(":", 1)[-1].partition("/")
        if kind == "workgroup":
            known = {"Name": name} if name == "primary" else self._store.document("work-group", scope, name)
            own = work_group_arn(scope, name)
        else:
            known = self._store.document("data-catalog", scope, name.lower())
            own = data_catalog_arn(scope, known["Name"] if known else name)
        if known is None or arn.lower() != own.lower():
            what = "WorkGroup" if kind == "workgroup" else "DataCatalog"
            raise ApiError("ResourceNotFoundException", f"{what} {name} is not found.", ResourceName=arn)
        return own


def requested_tags(request: GlueJson) -> dict[str, str]:
    """The tags of a request, by key. Raises ``InvalidRequestException`` for what Athena takes for none.

    >>> requested_tags({"Tags": [{"Key": "team", "Value": "lake"}]})
    {'team': 'lake'}
    """
    given = request.get("Tags") or []
    tags = {str(tag.get("Key") or ""): str(tag.get("Value") or "") for tag in given}
    if len(tags) < len(given):
        raise invalid_request("Tag keys must be unique")
    if len(tags) > _MOST:
        raise invalid_request(f"{len(tags)} tags are given; a resource has at most {_MOST}")
    reserved = next((key for key in tags if not key or key.lower().startswith("aws:")), None)
    if reserved is not None:
        raise invalid_request(f"Invalid tag key '{reserved}': a key has a character at least and no prefix aws:")
    return tags


def work_group_arn(scope: Scope, name: str) -> str:
    """The ARN of a work group.

    >>> work_group_arn(Scope("000000000000", "us-east-1"), "primary")
    'arn:aws:athena:us-east-1:000000000000:workgroup/primary'
    """
    return f"arn:aws:athena:{scope.region}:{scope.account}:workgroup/{name}"


def data_catalog_arn(scope: Scope, name: str) -> str:
    """The ARN of a data catalog."""
    return f"arn:aws:athena:{scope.region}:{scope.account}:datacatalog/{name}"

"""Pages of the short lists that Athena keeps (named queries, work groups …): right while items come or go."""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from headwater.stack.lakehouse.errors import invalid_request
from headwater.stack.lakehouse.model import GlueJson

_NAMES = ("Name", "CatalogName", "StatementName", "Key", "SelectedEngineVersion")


def listed(key: str, items: Sequence[Any], request: GlueJson, most: int, first: int = 0) -> GlueJson:
    """The page that a request asks for, by name, with ``NextToken`` if there are more: it names the last item shown.

    The ``first`` items come before all others.

    >>> page = listed("Names", ["a", "b", "c"], {"MaxResults": 2}, 50)
    >>> page["Names"], listed("Names", ["a", "ba", "c"], {"NextToken": page["NextToken"]}, 50)
    (['a', 'b'], {'Names': ['ba', 'c']})
    """
    ordered = sorted(((place >= first, _name(item)), place) for place, item in enumerate(items))
    places = [place for place, _ in ordered]
    start = bisect_right(places, _decoded(request["NextToken"])) if request.get("NextToken") else 0
    limit = min(int(request.get("MaxResults") or most), most)
    answer: GlueJson = {key: [items[place] for _, place in ordered[start : start + limit]]}
    if start + limit < len(ordered):
        answer["NextToken"] = _encoded(places[start + limit - 1])
    return answer


def _name(item: Any) -> str:
    return item if isinstance(item, str) else str(next(item[name] for name in _NAMES if name in item))


def _encoded(place: tuple[bool, str]) -> str:
    behind, name = place
    return base64.urlsafe_b64encode(f"{int(behind)}{name}".encode()).decode()


def _decoded(token: str) -> tuple[bool, str]:
    try:
        text = base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        text = ""
    if text[:1] not in ("0", "1"):
        raise invalid_request("Invalid token", "INVALID_NEXT_TOKEN")
    return text[0] == "1", text[1:]

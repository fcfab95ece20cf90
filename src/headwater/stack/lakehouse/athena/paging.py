"""Pages of the short lists that Athena keeps (named queries, work groups …): a token is where the next page starts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from headwater.stack.lakehouse.errors import invalid_request
from headwater.stack.lakehouse.model import GlueJson


def listed(key: str, items: Sequence[Any], request: GlueJson, most: int) -> GlueJson:
    """The page that a request asks for, with ``NextToken`` if there are more.

    >>> listed("Names", ["a", "b", "c"], {"MaxResults": 2}, 50)
    {'Names': ['a', 'b'], 'NextToken': '2'}
    """
    try:
        start = int(request.get("NextToken") or 0)
    except ValueError:
        raise invalid_request("Invalid token", "INVALID_NEXT_TOKEN") from None
    limit = min(int(request.get("MaxResults") or most), most)
    if limit < 1:
        raise invalid_request("MaxResults must be at least 1")
    answer: GlueJson = {key: list(items[start : start + limit])}
    if start + limit < len(items):
        answer["NextToken"] = str(start + limit)
    return answer

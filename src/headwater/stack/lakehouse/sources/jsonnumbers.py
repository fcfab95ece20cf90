"""Numbers of JSON lines as they are written there, for columns of text: DuckDB would write 10.00 as 10.0."""

from __future__ import annotations

import json
import re
from typing import Any

_PATH = re.compile(r'\$(?:\."(?P<key>.*)"|\[(?P<index>\d+)\])', re.DOTALL)


def number_text(document: str, path: str) -> str | None:
    r"""The digits of the number that a path of DuckDB's leads to, in an object or an array.

    >>> number_text('{"a":[1],"b":10.00}', '$."b"'), number_text("[1e2]", "$[0]")
    ('10.00', '1e2')
    """
    found = _PATH.fullmatch(path)
    value: Any = json.loads(document, parse_float=str, parse_int=str)
    if found is None:
        return None
    if found["index"] is not None:
        return str(value[int(found["index"])])
    return str(value[found["key"].replace('\\"', '"')])

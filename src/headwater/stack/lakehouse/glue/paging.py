"""Opaque page tokens: they name the last item that a page showed, so that pages stay right while items come and go."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from headwater.stack.lakehouse.errors import invalid_input

Item = TypeVar("Item")


def encode_token(last: Sequence[str]) -> str:
    """A token for "after this item".

    >>> decode_token(encode_token(["2025", "01"]))
    ('2025', '01')
    """
    return base64.urlsafe_b64encode(json.dumps(list(last)).encode()).decode()


def decode_token(token: object) -> tuple[str, ...] | None:
    """The item that a token names; ``None`` for no token. Raises ``InvalidInputException``."""
    if token is None or token == "":
        return None
    try:
        found: Any = json.loads(base64.b64decode(str(token), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError) as error:
        raise invalid_input("NextToken is not valid.") from error
    if not isinstance(found, list) or not all(isinstance(part, str) for part in found):
        raise invalid_input("NextToken is not valid.")
    return tuple(found)


def page(
    items: Sequence[Item], token: object, size: int, key: Callable[[Item], tuple[str, ...]]
) -> tuple[list[Item], str | None]:
    """The items after the token's, at most ``size``, and the next token. ``items`` are ordered by ``key``."""
    after = decode_token(token)
    left = [item for item in items if after is None or key(item) > after]
    shown = left[:size]
    return shown, encode_token(key(shown[-1])) if len(left) > size else None

"""URL and UUID functions (https://trino.io/docs/current/functions/url.html)."""

from __future__ import annotations

from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.expression import Expr
from headwater.stack.lakehouse.sql.functions.model import Call, Function, family

_u = family("URL")
_id = family("UUID")
_PARTS = ("protocol", "host", "path", "query", "fragment")


def _encode(call: Call) -> Expr:
    """A character takes twelve at most: four bytes of three."""
    length = call.arguments[0].type.params
    return Expr(f"hw_url_encode({call.arguments[0]})", t.bounded(length[0] * 12) if length else t.VARCHAR)


FUNCTIONS: tuple[Function, ...] = (
    *(_u(f"url_extract_{part}(S) -> S", f"hw_url_{part}({{0}})") for part in _PARTS),
    _u("url_extract_port(varchar) -> bigint", "hw_url_port({0})"),
    _u("url_extract_parameter(S, varchar) -> S", "hw_url_parameter({0}, {1})"),
    _u("url_encode(varchar) -> varchar", _encode),
    _u("url_decode(S) -> S", "hw_url_decode({0})"),
    _id("uuid() -> uuid", "uuid()"),
)

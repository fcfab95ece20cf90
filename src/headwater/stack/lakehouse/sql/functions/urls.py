"""URL and UUID functions (https://trino.io/docs/current/functions/url.html)."""

from __future__ import annotations

from headwater.stack.lakehouse.sql.functions.model import Function, family

_u = family("URL")
_id = family("UUID")
_PARTS = ("protocol", "host", "path", "query", "fragment")

FUNCTIONS: tuple[Function, ...] = (
    *(_u(f"url_extract_{part}(varchar) -> varchar", f"hw_url_{part}({{0}})") for part in _PARTS),
    _u("url_extract_port(varchar) -> bigint", "hw_url_port({0})"),
    _u("url_extract_parameter(varchar, varchar) -> varchar", "hw_url_parameter({0}, {1})"),
    _u("url_encode(varchar) -> varchar", "hw_url_encode({0})"),
    _u("url_decode(varchar) -> varchar", "hw_url_decode({0})"),
    _id("uuid() -> uuid", "uuid()"),
)

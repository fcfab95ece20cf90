"""URL functions by the rules of java.net.URI: what is no URL gives NULL, a part that it lacks the empty text."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import quote_plus, unquote, unquote_plus

from headwater.stack.lakehouse.sql.routines.model import Routine, RoutineFailed

_URI = re.compile(r"(?:([A-Za-z][A-Za-z0-9+.-]*):)?(?://([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?", re.DOTALL)
_ILLEGAL = re.compile(r"""[\x00-\x20\x7f"<>\\^`{|}]|%(?![0-9A-Fa-f]{2})""")
_AUTHORITY = re.compile(r"(?:[^@]*@)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]*)(?::(\d*))?")
_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


def _parts(url: str) -> tuple[str, str, int, str, str, str] | None:
    found = _URI.fullmatch(url)
    if found is None or _ILLEGAL.search(url):
        return None
    scheme, authority, path, query, fragment = (part or "" for part in found.groups())
    if scheme and not authority and not path:
        return None
    if scheme and found[2] is None and not path.startswith("/"):
        # mailto:somebody@example.com: a URI without parts.
        return scheme, "", -1, "", "", fragment
    named = _AUTHORITY.fullmatch(authority)
    host, port = (named[1], int(named[2]) if named[2] else -1) if named else ("", -1)
    return scheme, host, port, path, query, fragment


def _part(index: int) -> Callable[[str], str | None]:
    def extract(url: str) -> str | None:
        parts = _parts(url)
        return None if parts is None else unquote(str(parts[index]))

    return extract


def _port(url: str) -> int | None:
    parts = _parts(url)
    return None if parts is None or parts[2] < 0 else parts[2]


def _parameter(url: str, name: str) -> str | None:
    """The first value of the name, ``''`` for a name without one."""
    parts = _parts(url)
    for pair in parts[4].split("&") if parts else ():
        key, _, value = pair.partition("=")
        if unquote(key) == name:
            return unquote(value)
    return None


def _encode(text: str) -> str:
    return quote_plus(text, safe="*").replace("~", "%7E")


def _decode(text: str) -> str:
    if _ESCAPE.search(text):
        raise RoutineFailed("URLDecoder: Illegal hex characters in escape (%) pattern")
    return unquote_plus(text)


ROUTINES = (
    Routine("hw_url_protocol", _part(0), ["VARCHAR"], "VARCHAR"),
    Routine("hw_url_host", _part(1), ["VARCHAR"], "VARCHAR"),
    Routine("hw_url_path", _part(3), ["VARCHAR"], "VARCHAR"),
    Routine("hw_url_query", _part(4), ["VARCHAR"], "VARCHAR"),
    Routine("hw_url_fragment", _part(5), ["VARCHAR"], "VARCHAR"),
    Routine("hw_url_port", _port, ["VARCHAR"], "BIGINT"),
    Routine("hw_url_parameter", _parameter, ["VARCHAR", "VARCHAR"], "VARCHAR"),
    Routine("hw_url_encode", _encode, ["VARCHAR"], "VARCHAR"),
    Routine("hw_url_decode", _decode, ["VARCHAR"], "VARCHAR"),
)

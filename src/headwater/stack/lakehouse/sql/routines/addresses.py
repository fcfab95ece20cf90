"""IP addresses: sixteen bytes inside, as Trino keeps them, IPv4 mapped into IPv6; text outside."""

from __future__ import annotations

from ipaddress import AddressValueError, IPv4Address, IPv6Address

from headwater.stack.lakehouse.sql.routines.model import Routine, RoutineFailed

_MAPPED = b"\0" * 10 + b"\xff\xff"


def _bytes_of(text: str) -> bytes | None:
    for kind, prefix in ((IPv4Address, _MAPPED), (IPv6Address, b"")):
        try:
            return prefix + kind(text).packed
        except AddressValueError:  # noqa: PERF203 - two kinds, and no other way to ask
            continue
    return None


def address(text: str) -> bytes:
    """The bytes of an address.

    >>> address("10.0.0.1").hex()
    '00000000000000000000ffff0a000001'
    """
    found = _bytes_of(text)
    if found is None:
        raise RoutineFailed(f"Cannot cast value to IPADDRESS: {text}", "INVALID_CAST_ARGUMENT")
    return found


def address_of_bytes(value: bytes) -> bytes:
    """An address from its four or sixteen bytes."""
    if len(value) == 4:
        return _MAPPED + value
    if len(value) != 16:
        raise RoutineFailed(f"Invalid IP address binary length: {len(value)}", "INVALID_CAST_ARGUMENT")
    return value


def address_text(value: bytes) -> str:
    """``10.0.0.1`` or ``2001:db8::1``."""
    return str(IPv4Address(value[12:])) if value.startswith(_MAPPED) else str(IPv6Address(value))


ROUTINES = (
    Routine("hw_ip", address, ["VARCHAR"], "BLOB"),
    Routine("hw_try_ip", _bytes_of, ["VARCHAR"], "BLOB"),
    Routine("hw_ip_bytes", address_of_bytes, ["BLOB"], "BLOB"),
    Routine("hw_ip_text", address_text, ["BLOB"], "VARCHAR"),
)

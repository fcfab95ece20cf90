"""Binary functions (https://trino.io/docs/current/functions/binary.html)."""

from __future__ import annotations

from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.expression import fail
from headwater.stack.lakehouse.sql.failures import SqlError
from headwater.stack.lakehouse.sql.functions.model import Call, Function, family

_b = family("binary")


def _concat(call: Call) -> str:
    if len(call.arguments) < 2:
        raise SqlError("INVALID_FUNCTION_ARGUMENT", "There must be two or more concatenation arguments")
    return f"({' || '.join(a.sql for a in call.arguments)})"


_HMACS = ("md5", "sha1", "sha256", "sha512")
_SUBSTRINGS = ("substr", "substring")
_FROM_TEXT = ("from_base32", "from_base64", "from_base64url", "from_hex")
# Bytes that are no UTF-8 become U+FFFD, where DuckDB fails.
_FROM_UTF8 = "coalesce(TRY(decode({0})), hw_from_utf8({0}, chr(65533)))"


def _not_null(routine: str, kind: str) -> str:
    """DuckDB takes a NaN of a routine for NULL."""
    return f"CASE WHEN {{0}} IS NOT NULL THEN coalesce({routine}, CAST('nan' AS {kind})) END"


def _from_utf8_by_code(call: Call) -> str:
    """The replacement as a code point."""
    data, point = call.arguments
    message = "'INVALID_FUNCTION_ARGUMENT: Invalid replacement character'"
    valid = f"{point} BETWEEN 0 AND 1114111 AND {point} NOT BETWEEN 55296 AND 57343"
    character = f"CASE WHEN {valid} THEN chr(CAST({point} AS INTEGER)) ELSE {fail(message, t.VARCHAR)} END"
    return f"CASE WHEN {point} IS NOT NULL THEN hw_from_utf8({data}, {character}) END"


FUNCTIONS: tuple[Function, ...] = (
    _b("concat(varbinary, varbinary...) -> varbinary", _concat),
    _b("crc32(varbinary) -> bigint", "hw_crc32({0})"),
    _b("from_base32(varchar) -> varbinary", "hw_from_base32({0})"),
    _b("from_base64(varchar) -> varbinary", "hw_from_base64({0})"),
    _b("from_base64url(varchar) -> varbinary", "hw_from_base64url({0})"),
    _b("from_big_endian_32(varbinary) -> integer", "hw_from_big_endian_32({0})"),
    _b("from_big_endian_64(varbinary) -> bigint", "hw_from_big_endian_64({0})"),
    _b("from_hex(varchar) -> varbinary", "hw_from_hex({0})"),
    _b("from_ieee754_32(varbinary) -> real", _not_null("hw_from_ieee754_32({0})", "FLOAT")),
    _b("from_ieee754_64(varbinary) -> double", _not_null("hw_from_ieee754_64({0})", "DOUBLE")),
    _b("from_utf8(varbinary) -> varchar", _FROM_UTF8),
    _b("from_utf8(varbinary, varchar) -> varchar", "hw_from_utf8({0}, {1})"),
    _b("from_utf8(varbinary, bigint) -> varchar", _from_utf8_by_code),
    *(_b(f"{name}(varbinary) -> varbinary", f"hw_{name}({_FROM_UTF8})") for name in _FROM_TEXT),
    *(_b(f"hmac_{name}(varbinary, varbinary) -> varbinary", f"hw_hmac_{name}({{0}}, {{1}})") for name in _HMACS),
    _b("length(varbinary) -> bigint", "octet_length({0})"),
    _b("lpad(varbinary, bigint, varbinary) -> varbinary", "hw_lpad_bytes({0}, {1}, {2})"),
    _b("md5(varbinary) -> varbinary", "unhex(md5({0}))"),
    _b("murmur3(varbinary) -> varbinary", "hw_murmur3({0})"),
    _b("reverse(varbinary) -> varbinary", "hw_reverse_bytes({0})"),
    _b("rpad(varbinary, bigint, varbinary) -> varbinary", "hw_rpad_bytes({0}, {1}, {2})"),
    _b("sha1(varbinary) -> varbinary", "unhex(sha1({0}))"),
    _b("sha256(varbinary) -> varbinary", "unhex(sha256({0}))"),
    _b("sha512(varbinary) -> varbinary", "hw_sha512({0})"),
    _b("spooky_hash_v2_32(varbinary) -> varbinary", "hw_spooky_32({0})"),
    _b("spooky_hash_v2_64(varbinary) -> varbinary", "hw_spooky_64({0})"),
    *(
        _b(f"{name}(varbinary, bigint) -> varbinary", "hw_substr_bytes({0}, {1}, octet_length({0}))")
        for name in _SUBSTRINGS
    ),
    *(_b(f"{name}(varbinary, bigint, bigint) -> varbinary", "hw_substr_bytes({all})") for name in _SUBSTRINGS),
    _b("to_base32(varbinary) -> varchar", "hw_to_base32({0})"),
    _b("to_base64(varbinary) -> varchar", "base64({0})"),
    _b("to_base64url(varbinary) -> varchar", "hw_to_base64url({0})"),
    _b("to_big_endian_32(integer) -> varbinary", "hw_to_big_endian_32({0})"),
    _b("to_big_endian_64(bigint) -> varbinary", "hw_to_big_endian_64({0})"),
    _b("to_hex(varbinary) -> varchar", "hex({0})"),
    _b("to_ieee754_32(real) -> varbinary", "hw_to_ieee754_32({0})"),
    _b("to_ieee754_64(double) -> varbinary", "hw_to_ieee754_64({0})"),
    *(_b(f"to_utf8({kind}) -> varbinary", "encode({0})") for kind in ("varchar", "char")),
    _b("xxhash64(varbinary) -> varbinary", "hw_xxhash64({0})"),
)

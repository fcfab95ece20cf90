"""Text as Hive takes it for a column's value: a bad value is NULL, and what counts as bad is as in Java."""

from __future__ import annotations

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.expression import quote_text

_WHOLE = "[+-]?[0-9]+"
# A fraction is cut off, and digits may be missing on either side of the point.
_CUT = r"[+-]?[0-9]*\.[0-9]*"
_DECIMAL = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"
_FLOATING = rf"[+-]?(NaN|Infinity)|{_DECIMAL}[fFdD]?"


def hive_value(sql: str, kind: t.Type, formats: str = "") -> str:
    """Text as a column's value, by the rules of LazySimpleSerDe. ``formats`` are the SerDe's ``timestamp.formats``."""
    if kind.name in t.INTEGERS:
        name = t.to_duckdb(kind)
        whole = f"WHEN regexp_full_match({sql}, {quote_text(_WHOLE)}) THEN TRY_CAST({sql} AS {name})"
        digits = f"regexp_replace(regexp_replace({sql}, '\\..*', ''), '^([+-]?)$', '\\10')"
        return f"CASE {whole} WHEN regexp_full_match({sql}, {quote_text(_CUT)}) THEN TRY_CAST({digits} AS {name}) END"
    if kind.name == "boolean":
        return f"CASE lower({sql}) WHEN 'true' THEN true WHEN 'false' THEN false END"
    if kind.name == "varbinary":
        # What is no base64 is taken as it stands.
        return f"coalesce(TRY(from_base64({sql})), encode({sql}))"
    return _common(sql, kind, formats)


def group_value(sql: str, kind: t.Type) -> str:
    """The text of a regular expression's group as a column's value: Java's ``parse…`` functions read it."""
    if kind.name in t.INTEGERS:
        whole = f"regexp_full_match({sql}, {quote_text(_WHOLE)})"
        return f"CASE WHEN {whole} THEN TRY_CAST({sql} AS {t.to_duckdb(kind)}) END"
    if kind.name == "boolean":
        return f"lower({sql}) = 'true'"
    if kind.name == "varbinary":
        raise Unsupported(f"type {kind} in a text file that a regular expression takes apart")
    return _common(sql, kind, "")


def text_value(sql: str, kind: t.Type) -> str:
    """Text cut to a column's length; ``char`` is filled up with spaces."""
    if kind.name == "char":
        return f"rpad(left({sql}, {kind.params[0]}), {kind.params[0]}, ' ')"
    return f"left({sql}, {kind.params[0]})" if kind.params else sql


def hive_date(sql: str) -> str:
    """The date that a text begins with; what follows a space does not matter, and 2024-02-30 is 2024-03-01."""
    return f"hw_hive_date(trim({sql}))"


def iso_timestamp(sql: str) -> str:
    """The moment of a text without a zone, with a T between date and time as well, and then also without seconds."""
    whole = f"regexp_replace(trim({sql}), '[Tt]([0-9]{{2}}:[0-9]{{2}})$', ' \\1:00')"
    return f"hw_hive_timestamp(regexp_replace({whole}, '[Tt]', ' '))"


def formatted(sql: str, formats: str) -> str:
    """The timestamp that a text is by one of a SerDe's formats, or NULL."""
    return f"hw_round_timestamp(hw_formatted_timestamp({sql}, {quote_text(formats)}), 1000)"


def _common(sql: str, kind: t.Type, formats: str) -> str:
    if t.is_text(kind):
        return text_value(sql, kind)
    if kind.name in (*t.APPROXIMATE, "decimal"):
        number = f"trim({sql})"
        if kind.name == "decimal":
            read, pattern = number, _DECIMAL
        else:
            read, pattern = f"regexp_replace({number}, '[fFdD]$', '')", _FLOATING
        return f"CASE WHEN regexp_full_match({number}, '{pattern}') THEN TRY_CAST({read} AS {t.to_duckdb(kind)}) END"
    if kind.name == "date":
        return hive_date(sql)
    if kind.name == "timestamp":
        plain = f"hw_hive_timestamp(trim({sql}))"
        return plain if not formats else f"coalesce({formatted(sql, formats)}, {plain})"
    raise Unsupported(f"type {kind} in a text file")

"""Regular expressions that RE2 cannot run: look-around, back-references, patterns that each row brings along."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from functools import lru_cache

from headwater.stack.lakehouse.sql.routines.javaregex import python_pattern
from headwater.stack.lakehouse.sql.routines.model import Routine, RoutineFailed

_ATOMIC = re.compile(r"(?<!\\)[*+?}]\+|\(\?>")
_REPLACED = re.compile(r"\\(.)|\$\{(\w+)\}|\$(\d+)|(\$|\\)", re.DOTALL)
_WEIGHTLESS = re.compile(r"\\[bBAz]|(\\.)|(?<!\[)\^", re.DOTALL)


@lru_cache(maxsize=256)
def compiled(pattern: str) -> re.Pattern[str]:
    """A Java pattern; its classes are those of ASCII, but letters match without regard to case in all of Unicode."""
    if sys.version_info < (3, 11) and _ATOMIC.search(pattern):
        message = f"the regular expression {pattern} is not supported by Headwater's local Athena on Python 3.10"
        raise RoutineFailed(message, "NOT_SUPPORTED")
    try:
        return re.compile(python_pattern(pattern), 0 if "(?" in pattern else re.ASCII)
    except (re.error, ValueError) as error:
        if isinstance(error, RoutineFailed):
            raise
        raise RoutineFailed(f"Invalid regular expression: {pattern} ({error})") from error


def has_anchors(pattern: str) -> bool:
    """Whether a match depends on what stands around it.

    >>> has_anchors("^a"), has_anchors(r"a\\b"), has_anchors("[^a]")
    (True, True, False)
    """
    return any(found[1] is None for found in _WEIGHTLESS.finditer(pattern))


@lru_cache(maxsize=256)
def may_be_empty(pattern: str) -> bool:
    """Whether a pattern that RE2 runs may match without a character; Trino counts those matches where RE2 does not.

    >>> may_be_empty("[a-z]*"), may_be_empty(r"\\b"), may_be_empty("a+")
    (True, True, False)
    """
    try:
        return compiled(_WEIGHTLESS.sub(lambda found: found[1] or "", pattern)).fullmatch("") is not None
    except RoutineFailed:
        return True


def _matches(text: str, pattern: str, start: int = 0) -> Iterator[re.Match[str]]:
    """One after the other; behind an empty match the search goes on with the next character, unlike ``finditer``."""
    expression = compiled(pattern)
    while start <= len(text):
        found = expression.search(text, start)
        if found is None:
            return
        yield found
        start = found.end() + (found.end() == found.start())


def _like(text: str, pattern: str) -> bool:
    return compiled(pattern).search(text) is not None


def _group(expression: re.Pattern[str], group: int) -> int:
    if not 0 <= group <= expression.groups:
        raise RoutineFailed(f"Pattern has {expression.groups} groups. Cannot access group {group}")
    return group


def _extract(text: str, pattern: str, group: int) -> str | None:
    expression = compiled(pattern)
    group = _group(expression, group)
    found = expression.search(text)
    return None if found is None else found.group(group)


def _extract_all(text: str, pattern: str, group: int) -> list[str | None]:
    group = _group(compiled(pattern), group)
    return [found.group(group) for found in _matches(text, pattern)]


def _groups(text: str, pattern: str) -> list[list[str | None]]:
    return [list(found.groups()) for found in _matches(text, pattern)]


def _numbered(found: re.Match[str], digits: str) -> str | None:
    """``$123`` is group 123 if there is one, or group 12 before a 3, or group 1 before 23."""
    groups = found.re.groups
    if int(digits[0]) > groups:
        return None
    size = max(size for size in range(1, len(digits) + 1) if int(digits[:size]) <= groups)
    return (found.group(int(digits[:size])) or "") + digits[size:]


def _replace(text: str, pattern: str, replacement: str) -> str:
    names = compiled(pattern).groupindex

    def filled(found: re.Match[str]) -> str:
        def one(mark: re.Match[str]) -> str:
            if mark[1] is not None:
                return mark[1]
            if mark[2] is not None and mark[2] in names:
                return found.group(mark[2]) or ""
            made = _numbered(found, mark[3]) if mark[3] is not None else None
            if made is None:
                raise RoutineFailed(f"Illegal replacement sequence: {replacement}")
            return made

        return _REPLACED.sub(one, replacement)

    return _joined(text, [(found, filled(found)) for found in _matches(text, pattern)])


def _joined(text: str, replaced: list[tuple[re.Match[str], str]]) -> str:
    parts, last = [], 0
    for found, made in replaced:
        parts += [text[last : found.start()], made]
        last = found.end()
    return "".join(parts) + text[last:]


def _split(text: str, pattern: str) -> list[str]:
    """The text between the matches; unlike ``re.split`` without the groups."""
    parts, last = [], 0
    for found in _matches(text, pattern):
        parts.append(text[last : found.start()])
        last = found.end()
    return [*parts, text[last:]]


def _fields(text: str, pattern: str) -> list[str | None] | None:
    """The groups of a whole line."""
    found = compiled(pattern).fullmatch(text)
    return None if found is None else list(found.groups())


def _count(text: str, pattern: str) -> int:
    return sum(1 for _ in _matches(text, pattern))


def _position(text: str, pattern: str, start: int, occurrence: int) -> int:
    if start < 1 or occurrence < 1:
        raise RoutineFailed(f"{'start position' if start < 1 else 'occurrence'} cannot be smaller than 1")
    if start > len(text):
        return -1
    for number, found in enumerate(_matches(text, pattern, start - 1), 1):
        if number == occurrence:
            return found.start() + 1
    return -1


_TEXTS = ["VARCHAR", "VARCHAR"]
ROUTINES = (
    Routine("hw_regexp_like", _like, _TEXTS, "BOOLEAN"),
    Routine("hw_regexp_extract", _extract, [*_TEXTS, "BIGINT"], "VARCHAR"),
    Routine("hw_regexp_extract_all", _extract_all, [*_TEXTS, "BIGINT"], "VARCHAR[]"),
    Routine("hw_regexp_groups", _groups, _TEXTS, "VARCHAR[][]"),
    Routine("hw_regexp_replace", _replace, [*_TEXTS, "VARCHAR"], "VARCHAR"),
    Routine("hw_regexp_fields", _fields, _TEXTS, "VARCHAR[]"),
    Routine("hw_regexp_split", _split, _TEXTS, "VARCHAR[]"),
    Routine("hw_regexp_count", _count, _TEXTS, "BIGINT"),
    Routine("hw_regexp_position", _position, [*_TEXTS, "BIGINT", "BIGINT"], "INTEGER"),
)

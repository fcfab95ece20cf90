"""The named parts of a line by a Grok pattern, by the rules of the library that Athena's GrokSerDe uses."""

from __future__ import annotations

import re
from functools import lru_cache

from headwater.stack.lakehouse.sources.grokwords import WORDS
from headwater.stack.lakehouse.sql.routines.model import NOT_SUPPORTED, RoutineFailed
from headwater.stack.lakehouse.sql.routines.patterns import compiled

_REFERENCE = re.compile(
    r"%\{(?P<name>(?P<pattern>[A-z0-9]+)(?::(?P<part>[A-z0-9_:;/\s.]+))?)(?:=(?P<definition>(?:[^{}]+|\.+)+))?\}",
    re.ASCII,
)
_DEFINITION = re.compile(r"([A-z0-9_]+)\s+(.*)", re.ASCII)
_MOST_STEPS = 1000


def grok_fields(line: str, pattern: str, custom: str, whole: str) -> list[str | None] | None:
    """The named parts in the pattern's order; NULL if it does not match.

    ``whole`` is ``true`` to have NULL for a part that is not in the line, as if it were not in the pattern otherwise.

    >>> grok_fields("GET /a 5", "%{WORD:verb} %{NOTSPACE:path}(?: %{HEX:n})?", "HEX [0-9a-f]+", "true")
    ['GET', '/a', '5']
    """
    expression, names = grok_expression(pattern, custom)
    found = expression.search(line) if line.strip() else None
    if found is None:
        return None
    parts: dict[str, str | None] = {}
    for group, name in names:
        if found[group] is not None or whole == "true":
            parts[name] = _unquoted(found[group])
    return list(parts.values())


def part_names(pattern: str, custom: str) -> list[str]:
    """What the parts are called."""
    return list(dict.fromkeys(name for _, name in grok_expression(pattern, custom)[1]))


@lru_cache(maxsize=64)
def grok_expression(pattern: str, custom: str) -> tuple[re.Pattern[str], tuple[tuple[str, str], ...]]:
    """The regular expression, and its named groups with the names that they stand for. Raises ``RoutineFailed``."""
    known = dict(WORDS)
    known.update((name, meaning) for name, meaning in map(_defined, custom.splitlines()) if name)
    text, names = pattern, dict[str, str]()
    for step in range(_MOST_STEPS):
        reference = _REFERENCE.search(text)
        if reference is None:
            break
        written = reference["name"]
        if reference["definition"] is not None:
            known[reference["pattern"]] = reference["definition"]
            written += f"={reference['definition']}"
        if reference["pattern"] not in known:
            message = f"Grok compilation failure: Pattern {reference['pattern']} is not defined."
            raise RoutineFailed(message, "HIVE_INVALID_METADATA")
        meant = known[reference["pattern"]]
        if reference["part"] is not None:
            names[f"name{step}"] = reference["part"]
            meant = f"(?<name{step}>{meant})"
        text = text.replace(f"%{{{written}}}", meant)
    else:
        message = f"Grok compilation failure: Deep recursion pattern compilation of {pattern}"
        raise RoutineFailed(message, "HIVE_INVALID_METADATA")
    expression = compiled(text)
    groups = tuple((group, names.get(group, group)) for group in expression.groupindex)
    if any(":" in name or ";" in name for _, name in groups):
        raise RoutineFailed(
            f"the types in the Grok pattern {pattern} are not supported by the local Athena", NOT_SUPPORTED
        )
    return expression, tuple(pair for pair in groups if pair[1] != "UNWANTED")


def _defined(line: str) -> tuple[str, str]:
    found = _DEFINITION.fullmatch(line)
    return (found[1], found[2]) if found is not None else ("", "")


def _unquoted(text: str | None) -> str | None:
    if text is not None and text[:1] in ("'", '"') and text[-1:] == text[:1]:
        return text[1:-1]
    return text

"""The fields of one line of delimited text with an escape character, as LazySimpleSerDe takes them."""

from __future__ import annotations

_CONTROL = {"n": "\n", "r": "\r"}


def escaped_fields(line: str, delimiter: str, escape: str, null: str) -> list[str | None]:
    r"""An escaped character is itself, but ``\n`` and ``\r`` are line ends; an escape at a field's end stays.

    >>> escaped_fields(r"a\,b,\N,c\\", ",", "\\", r"\N")
    ['a,b', None, 'c\\']
    """
    if escape not in line:
        return [None if field == null else field for field in line.split(delimiter)]
    fields: list[str] = []
    start = place = 0
    while place < len(line):
        if line[place] == delimiter:
            fields.append(line[start:place])
            start = place + 1
        elif line[place] == escape:
            place += 1
        place += 1
    return [None if field == null else _plain(field, escape) for field in [*fields, line[start:]]]


def _plain(field: str, escape: str) -> str:
    found, place = [], 0
    while place < len(field):
        if field[place] == escape and place + 1 < len(field):
            place += 1
            found.append(_CONTROL.get(field[place], field[place]))
        else:
            found.append(field[place])
        place += 1
    return "".join(found)

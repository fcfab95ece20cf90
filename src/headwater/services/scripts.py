"""Takes SQL scripts apart that PostgreSQL's own programs wrote: its statements, and what one of them names."""

from __future__ import annotations

import re
from collections.abc import Iterator

# A quoted text ends at a quote that is not doubled: with backslashes in it too, because those programs double them.
_PIECES = re.compile(r"""^\\[^\n]*|--[^\n]*|'(?:[^']|'')*'|"(?:[^"]|"")*"|;|[^-'";\n]+|.""", re.DOTALL | re.MULTILINE)
_WORDS = re.compile(r""""(?:[^"]|"")*"|[^\s"(),.;]+|[(),.;]""")


def statements(script: str) -> Iterator[str]:
    """The SQL statements of a script: no comments, no commands of psql, no settings.

    >>> list(statements("-- x\\nCREATE ROLE a;\\nCOMMENT ON ROLE a IS 'b;\\nc';\\n"))
    ['CREATE ROLE a;', "COMMENT ON ROLE a IS 'b;\\nc';"]
    """
    pending = ""
    for piece in _PIECES.findall(script):
        if piece.startswith(("--", "\\")):
            continue
        pending = (pending + piece).lstrip()
        if piece == ";":
            if not pending.startswith(("SET ", "SELECT ")):
                yield pending
            pending = ""


def named_after(keyword: str, statement: str) -> tuple[str, str] | None:
    """Schema and name of what stands behind a reserved word, such as the table that a foreign key ``REFERENCES``.

    >>> named_after("REFERENCES", 'ALTER TABLE a.b ADD CONSTRAINT "REFERENCES" FOREIGN KEY (c) REFERENCES "D d".e(f);')
    ('D d', 'e')
    """
    words = _WORDS.findall(statement)
    if keyword not in words:  # a name that is so would be quoted
        return None
    at = words.index(keyword)
    schema, dot, name = (*words[at + 1 : at + 4], "", "", "")[:3]
    return (_plain(schema), _plain(name)) if dot == "." else None


def _plain(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name

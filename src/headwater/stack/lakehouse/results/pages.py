"""Pages of a stored result: a token holds the byte where the next page starts, so page 900 costs as much as page 1."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from headwater.stack.lakehouse.errors import invalid_request

Row = list[str | None]


@dataclass(frozen=True)
class Page:
    """Some rows, and the offset behind them (``None`` at the end)."""

    rows: list[Row]
    next_offset: int | None


def csv_page(path: Path, offset: int, limit: int) -> Page:
    """Up to ``limit`` rows of a result CSV from a byte offset."""
    rows: list[Row] = []
    with path.open("rb") as file:
        file.seek(offset)
        for line in _records(file):
            if len(rows) == limit:
                return Page(rows, offset)
            rows.append(parse_record(line.decode()))
            offset += len(line)
    return Page(rows, None)


def text_page(path: Path, offset: int, limit: int) -> Page:
    """Up to ``limit`` lines of a DDL result: each line is one value."""
    rows: list[Row] = []
    with path.open("rb") as file:
        file.seek(offset)
        for line in file:
            if len(rows) == limit:
                return Page(rows, offset)
            rows.append([line.decode().rstrip("\n")])
            offset += len(line)
    return Page(rows, None)


def _records(lines: Iterator[bytes]) -> Iterator[bytes]:
    """A record may hold line ends inside quotes: it is whole when its quotes are even."""
    pending = b""
    for line in lines:
        pending += line
        if pending.count(b'"') % 2 == 0:
            yield pending
            pending = b""


def parse_record(line: str) -> Row:
    """The values of one record; NULL is the empty unquoted one.

    >>> parse_record('"a","",,"x"')
    ['a', '', None, 'x']
    """
    values: Row = []
    text = line[:-1] if line.endswith("\n") else line
    position = 0
    while True:
        if position < len(text) and text[position] == '"':
            value, position = _quoted(text, position + 1)
            values.append(value)
        else:
            end = text.find(",", position)
            position = len(text) if end < 0 else end
            values.append(None)
        if position >= len(text):
            return values
        position += 1


def _quoted(text: str, start: int) -> tuple[str, int]:
    position = start
    while True:
        end = text.index('"', position)
        if text[end + 1 : end + 2] != '"':
            return text[start:end].replace('""', '"'), end + 1
        position = end + 2


def encode_token(execution: str, offset: int) -> str:
    """An opaque ``NextToken``."""
    return base64.urlsafe_b64encode(f"{execution}:{offset}".encode()).decode()


def decode_token(token: str, execution: str) -> int:
    """The offset of a token. Raises ``InvalidRequestException`` for one of another execution."""
    try:
        owner, _, offset = base64.urlsafe_b64decode(token).decode().partition(":")
        if owner == execution:
            return int(offset)
    except (binascii.Error, ValueError):
        pass
    raise invalid_request("Invalid token", "INVALID_NEXT_TOKEN") from None

"""Facts of Trino's documentation and of its engine's behaviour, one table of them for each family in ``facts/``.

A line is an expression or a query, a tab, and the expected text: columns are separated by commas, rows by ``|``, NULL
is ``\\N``. An expectation that begins with ``!`` is the beginning of the error; ``~`` accepts any value.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from athena_fixtures import AthenaClient

TABLES = sorted((Path(__file__).parent / "facts").glob("*.tsv"))


Fact = tuple[str, str]
TOGETHER = 30
QUERIES = ("SELECT", "WITH", "VALUES", "TABLE")


def facts(table: Path) -> list[Fact]:
    """The texts of a table with what is expected of them."""
    lines = table.read_text(encoding="utf-8").splitlines()
    pairs = [line.split("\t") for line in lines if line.strip() and not line.startswith("#")]
    return [(text, expected) for text, expected in pairs]


def is_query(text: str) -> bool:
    return text.split(maxsplit=1)[0].upper() in QUERIES


def outcome(athena: AthenaClient, text: str) -> str:
    """The rows as the tables write them, or the error behind a ``!``."""
    try:
        rows = athena.rows(text if is_query(text) else f"SELECT {text}")
    except AssertionError as failure:
        return f"!{failure}"
    return "|".join(",".join("\\N" if cell is None else cell for cell in row) for row in rows)


def holds(got: str, expected: str) -> bool:
    if expected.startswith("!"):
        return got.startswith(expected)
    return got == expected or (expected == "~" and not got.startswith("!"))


def hold_together(athena: AthenaClient, some: list[Fact]) -> bool:
    """Whether expressions have their values in one SELECT, which takes a tenth of the time."""
    try:
        rows = athena.rows("SELECT " + ", ".join(f"({text})" for text, _ in some))
    except AssertionError:
        return False
    cells = ["\\N" if cell is None else cell for cell in rows[0]] if len(rows) == 1 else []
    return len(cells) == len(some) and all(
        holds(cell, expected) for cell, (_, expected) in zip(cells, some, strict=True)
    )


@pytest.mark.parametrize("table", TABLES, ids=[table.stem for table in TABLES])
def test_the_facts_of_a_family_hold(athena: AthenaClient, table: Path) -> None:
    every = facts(table)
    values = [fact for fact in every if not is_query(fact[0]) and not fact[1].startswith("!")]
    alone = [fact for fact in every if fact not in values]
    for start in range(0, len(values), TOGETHER):
        some = values[start : start + TOGETHER]
        if not hold_together(athena, some):
            alone.extend(some)
    wrong = []
    for text, expected in alone:
        got = outcome(athena, text)
        if not holds(got, expected):
            wrong.append(f"{text}\n    gives    {got}\n    expected {expected}")
    assert not wrong, "\n".join(wrong)

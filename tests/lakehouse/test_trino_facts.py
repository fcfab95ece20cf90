"""Facts of Trino's documentation and of its engine's behaviour, one table of them for each family in ``facts/``.

A line is an expression or a query, a tab, and the expected text: columns are separated by commas, rows by ``|``, NULL
is ``\\N``. An expectation that begins with ``!`` is the beginning of the error; ``~`` accepts any value.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from athena_fixtures import AthenaClient, make_client

TABLES = sorted((Path(__file__).parent / "facts").glob("*.tsv"))


@pytest.fixture(scope="module")
def athena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AthenaClient]:
    """One engine for all tables."""
    client = make_client(tmp_path_factory.mktemp("facts"))
    yield client
    client.lakehouse.close()


def outcome(athena: AthenaClient, text: str) -> str:
    """The rows as the tables write them, or the error behind a ``!``."""
    query = text if text.split(maxsplit=1)[0].upper() in ("SELECT", "WITH", "VALUES", "TABLE") else f"SELECT {text}"
    try:
        rows = athena.rows(query)
    except AssertionError as failure:
        return f"!{failure}"
    return "|".join(",".join("\\N" if cell is None else cell for cell in row) for row in rows)


@pytest.mark.parametrize("table", TABLES, ids=[table.stem for table in TABLES])
def test_the_facts_of_a_family_hold(athena: AthenaClient, table: Path) -> None:
    wrong = []
    for line in table.read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        text, expected = line.split("\t")
        got = outcome(athena, text)
        holds = got.startswith(expected) if expected.startswith("!") else expected in (got, "~")
        if not holds or (expected == "~" and got.startswith("!")):
            wrong.append(f"{text}\n    gives    {got}\n    expected {expected}")
    assert not wrong, "\n".join(wrong)

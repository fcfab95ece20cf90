"""The tables of docs/local-athena.md, made from the registries of the local Athena so that they cannot fall behind."""

from __future__ import annotations

import re
import tempfile
from collections import defaultdict
from pathlib import Path

from headwater.stack.lakehouse.hive.execute import STATEMENTS
from headwater.stack.lakehouse.service import Lakehouse
from headwater.stack.lakehouse.sql.functions.registry import FAMILIES

PAGE = Path(__file__).resolve().parent.parent / "docs" / "local-athena.md"


def local_athena() -> str:
    """The page with each table written again between its two marks."""
    text = PAGE.read_text()
    tables = {"functions": _functions(), "statements": _statements(), **_operations()}
    for name, table in tables.items():
        between = re.compile(rf"(<!-- {name}: .*?-->\n).*?(<!-- end of {name} -->)", re.DOTALL)
        if not between.search(text):
            raise ValueError(f"{PAGE.name} has no place for {name}")
        text = between.sub(lambda found, table=table: f"{found[1]}\n{table}\n\n{found[2]}", text)  # type: ignore[misc]
    return text


def _functions() -> str:
    families: dict[str, dict[str, None]] = defaultdict(dict)
    for functions in FAMILIES:
        for function in functions:
            if not function.name.startswith("$"):
                families[function.family][function.name] = None
    rows = (
        f"| {family} | {', '.join(f'`{name}`' for name in sorted(families[family]))} |" for family in sorted(families)
    )
    return "\n".join(["| family | functions |", "|---|---|", *rows])


def _statements() -> str:
    names = sorted(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind.__name__).lower() for kind in STATEMENTS)
    return "Data definition: " + ", ".join(names) + "."


def _operations() -> dict[str, str]:
    with tempfile.TemporaryDirectory() as folder:
        lakehouse = Lakehouse(Path(folder), storage=None)  # type: ignore[arg-type]  # only asked what it answers
        try:
            found = lakehouse.operations
        finally:
            lakehouse.close()
    return {f"operations of {name}": ", ".join(f"`{o}`" for o in operations) for name, operations in found.items()}

"""The tables of docs/local-athena.md, made from the registries of the local Athena so that they cannot fall behind."""

from __future__ import annotations

import re
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import get_args

from headwater.stack.lakehouse.athena.statement import DeallocateStatement, ExplainStatement, PrepareStatement
from headwater.stack.lakehouse.hive.execute import STATEMENTS
from headwater.stack.lakehouse.iceberg.ddl import STATEMENTS as ICEBERG
from headwater.stack.lakehouse.service import Lakehouse
from headwater.stack.lakehouse.sql.functions.registry import FAMILIES
from headwater.stack.lakehouse.sql.jsonsyntax import PARSERS
from headwater.stack.lakehouse.writes.ast import Change, CreateTableAs, Insert, Unload

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
    families["json"].update(dict.fromkeys(name.lower() for name in PARSERS if name != "JSON_TABLE"))
    for functions in FAMILIES:
        for function in functions:
            if not function.name.startswith("$"):
                families[function.family][function.name] = None
    rows = (
        f"| {family} | {', '.join(f'`{name}`' for name in sorted(families[family]))} |" for family in sorted(families)
    )
    return "\n".join(["| family | functions |", "|---|---|", *rows])


def _statements() -> str:
    kinds = {
        "Data definition": list(STATEMENTS),
        "Writing": [CreateTableAs, Insert, Unload],
        "Changing Iceberg tables": [*get_args(Change), *(kind for kind in ICEBERG if kind not in STATEMENTS)],
        "Commands": [ExplainStatement, PrepareStatement, DeallocateStatement],
    }
    return "\n\n".join(f"{title}: {', '.join(sorted(map(_words, found)))}." for title, found in kinds.items())


def _words(kind: type) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind.__name__.removesuffix("Statement")).lower()


def _operations() -> dict[str, str]:
    with tempfile.TemporaryDirectory() as folder:
        lakehouse = Lakehouse(Path(folder), storage=None)  # type: ignore[arg-type]  # only asked what it answers
        try:
            found = lakehouse.operations
        finally:
            lakehouse.close()
    return {f"operations of {name}": ", ".join(f"`{o}`" for o in operations) for name, operations in found.items()}

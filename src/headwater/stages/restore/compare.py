"""Compares two databases table by table: row counts, and a hash of what the rows say in whatever order they lie."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from headwater.connections import Connections
from headwater.services import postgres


@dataclass(frozen=True)
class TableComparison:
    """One table on both sides; None where it is missing."""

    table: str
    left: postgres.TableContent | None
    right: postgres.TableContent | None

    @property
    def equal(self) -> bool:
        """Whether both sides have it with the same rows."""
        return self.left is not None and self.left == self.right


@dataclass(frozen=True)
class Comparison:
    """Two databases of the same server, compared."""

    left: str
    right: str
    tables: tuple[TableComparison, ...]

    @property
    def equal(self) -> bool:
        """Whether all tables are equal."""
        return all(table.equal for table in self.tables)


def compare(connections: Connections, left: str, right: str) -> Comparison:
    """Read both databases whole, each in one snapshot, and compare. Raises PostgresError.

    >>> compare(connections, "app", "app_restored").equal                                     # doctest: +SKIP
    True
    """
    addresses = (connections.postgres(left), connections.postgres(right))
    with ThreadPoolExecutor(2, "headwater-compare") as executor:
        here, there = executor.map(postgres.read_contents, addresses)
    names = sorted({*here, *there})
    return Comparison(left, right, tuple(TableComparison(name, here.get(name), there.get(name)) for name in names))

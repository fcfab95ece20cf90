"""Says what a partial backup needs and does not have: pg_dump --table leaves types, functions and other tables out.

pg_dump itself is asked, twice, without rows and in the backup's own snapshot: what all of the database would be, and
what the part is. What depends on what is then in the list.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from headwater.connections import Connections
from headwater.errors import BackupError
from headwater.model import PostgresAddress
from headwater.services import programs, restoring, toc, tools
from headwater.services.dangling import dispensable, shown, unmet
from headwater.services.spool import spooled
from headwater.services.tools import login
from headwater.stages.backup.plan import CreatePlan

_LOCK_WAIT = "--lock-wait-timeout=5s"


@dataclass(frozen=True)
class Lacks:
    """What of the backup needs what that it does not have, by pg_restore's names; and what is to be said of it."""

    needs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def lacks_of(plan: CreatePlan, connections: Connections, snapshot: str) -> Lacks:
    """Look at it; nothing, if all is dumped. That it could not be found out is a warning. Raises PostgresError."""
    if not plan.options.partial:
        return Lacks()
    try:
        with spooled(connections.settings.layout.state, "parts") as folder:
            whole = _contents(plan, connections, snapshot, (), folder)
            part = _contents(plan, connections, snapshot, plan.options.selection.flags, folder)
            needs = toc.lacking(whole, part)
            unmatched = _unmatched(plan, connections.postgres(plan.database))
    except BackupError as error:
        return Lacks({}, (f"what this part of the database needs of the rest could not be found out: {error}",))
    return Lacks(needs, (*unmatched, *_told(needs)))


def _contents(
    plan: CreatePlan, connections: Connections, snapshot: str, selection: tuple[str, ...], folder: Path
) -> tuple[toc.Entry, ...]:
    file = folder / "contents.dump"
    flags = ("--format=custom", "--schema-only", "--no-password", _LOCK_WAIT, f"--snapshot={snapshot}", *selection)
    address = connections.postgres(plan.database)
    programs.run([str(plan.tool.path), *flags, f"--file={file}"], login(address))
    reader = tools.find("pg_restore", plan.tool.major, connections.postgres_tools)
    return toc.parse(restoring.table_of_contents(reader, file, "--verbose"))


def _unmatched(plan: CreatePlan, address: PostgresAddress) -> tuple[str, ...]:
    """A warning for each pattern of what to leave out that nothing is like: a misspelt one leaves out nothing."""
    chosen, found = plan.options.selection, []
    patterns = [
        *(("--exclude-table", "--table", pattern) for pattern in chosen.exclude_tables),
        *(("--exclude-table-data", "--table", pattern) for pattern in chosen.exclude_table_data),
        *(("--exclude-schema", "--schema", pattern) for pattern in chosen.exclude_schemas),
    ]
    for option, like, pattern in patterns:
        flags = ("--schema-only", "--strict-names", "--no-password", _LOCK_WAIT, "--file=/dev/null")
        try:
            programs.run([str(plan.tool.path), *flags, f"{like}={pattern}"], login(address))
        except BackupError as error:
            if "no matching" in str(error):
                found.append(f"{option} {pattern}: nothing is called so")
    return tuple(found)


def _told(needs: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    """The needs as warnings: what a restore cannot do without, and what it can."""
    if lacked := unmet(needs):
        yield (
            f"this backup lacks what it needs: {shown(lacked)}; it can only be restored into a database that has these"
            " (--into)"
        )
    if left := dispensable(needs):
        yield f"what leads to tables that this backup lacks, a restore leaves out: {shown(left)}"

"""Runs pg_restore: into a database, or through its decoder to nowhere; and compares what came out with the manifest."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, TypeVar

from psycopg.conninfo import make_conninfo

from headwater.errors import BackupError, HeadwaterError, Refused
from headwater.manifest import BackupManifest, SourceDatabase
from headwater.model import PostgresAddress
from headwater.services import postgres, toc
from headwater.services.postgres import TableContent
from headwater.services.programs import Program, bound_to_us
from headwater.services.read_ahead import closing_stream
from headwater.services.toc import Entry
from headwater.services.tools import Tool, login

Checked = TypeVar("Checked")
SAID_KEPT = 64 * 1024
UNFINISHED = "headwater is restoring this, or was: it may be dropped"
_SERVERS_FAULTS = {
    "No space left on device|could not extend file": "the server's disk is full: make room there",
    "extension .* is not available": "install the extension on the server",
    "out of shared memory": "raise max_locks_per_transaction on the server",
    "terminating connection|server closed the connection|connection to server|the database system is"
    "|no connection to the server|server process": "is the server still up? Its log says more",
}


class ServerFault(BackupError):
    """pg_restore failed for a reason that says nothing about the backup."""


@dataclass(frozen=True)
class Load:
    """One archive, the database that it goes into, and how: ``flags`` are pg_restore's own."""

    tool: Tool
    archive: Path
    address: PostgresAddress
    flags: tuple[str, ...] = ()

    def entries(self) -> tuple[Entry, ...]:
        """All that the archive has. Raises BackupError."""
        return toc.parse(table_of_contents(self.tool, self.archive, "--verbose"))


def fill(load: Load, entries: Iterable[Entry], check: Callable[[], Checked]) -> Checked:
    """Restore these entries, stopping at the first error, and ``check`` what is there; then the event triggers.

    In a single transaction, these are only the last of it. Raises BackupError with what pg_restore said.
    """
    rest, triggers = toc.event_triggers_apart(entries)
    if "--single-transaction" in load.flags:
        rest, triggers = (*rest, *triggers), ()
    _load(load, rest)
    checked = check()
    if triggers:
        _load(load, triggers)
    return checked


def script(load: Load, entries: Iterable[Entry]) -> str:
    """What pg_restore would say to a server for these entries, as with ``--create``. Raises BackupError."""
    wanted = _written(load, entries)
    arguments = [str(load.tool.path), "--create", f"--use-list={wanted}", "--file=-", str(load.archive)]
    with Program(arguments) as program:
        said = program.output()
        program.finish()
    return said.decode("utf-8", "replace")


def _written(load: Load, entries: Iterable[Entry]) -> Path:
    wanted = load.archive.parent / "wanted.list"
    wanted.write_text(toc.listing(entries))
    return wanted


def _load(load: Load, entries: Iterable[Entry]) -> None:
    wanted = _written(load, entries)
    connection = f"--dbname={make_conninfo(dbname=load.address.database)}"  # any name as it is; login by environment
    flags = ("--exit-on-error", "--no-password", connection, *load.flags, f"--use-list={wanted}")
    _run([str(load.tool.path), *flags, str(load.archive)], dict(login(load.address)), lambda process: None)


def make_missing_schemas(load: Load, entries: Iterable[Entry]) -> None:
    """Make the schemas that objects of a partial archive are in and that it does not have: ``pg_dump --table`` leaves
    them out. Raises BackupError, PostgresError.
    """
    order = tuple(entries)
    known = {entry.text.rpartition(" ")[0] for entry in order if entry.kind == "SCHEMA"}  # "- name"
    inside: dict[str, set[int]] = {}
    for entry in order:
        words = entry.text.split(" ")
        # In the list, a name with a blank cannot be told from two: pg_restore itself says what is in which schema.
        for schema in (" ".join(words[:count]) for count in range(1, len(words) - 1)):
            if schema == "-" or f"- {schema}" in known:
                break
            if schema not in inside:
                listing = table_of_contents(load.tool, load.archive, f"--schema={schema}")
                inside[schema] = {other.number for other in toc.parse(listing)}
            if entry.number in inside[schema]:
                break
    for schema, numbers in inside.items():
        if numbers:
            postgres.create_schema(load.address, schema)


def decode(tool: Tool, archive: Path | Iterable[bytes]) -> None:
    """Let pg_restore read all of an archive, from a file or a stream, without a database. Raises BackupError.

    ``--list`` would read the table of contents only: a truncated archive passes that, and fails this.
    """

    def feed(process: subprocess.Popen[bytes]) -> None:
        if isinstance(archive, Path) or process.stdin is None:
            return
        with closing_stream(archive):
            try:
                for block in archive:
                    process.stdin.write(block)
                process.stdin.close()
            except BrokenPipeError:
                process.wait()  # it gave up, and its exit code says so
                for _ in archive:  # the digests still say more: whose fault it is
                    pass

    where = [str(archive)] if isinstance(archive, Path) else []
    _run([str(tool.path), "--file=/dev/null", *where], None, feed, piped=not where)


def table_of_contents(tool: Tool, archive: Path, *flags: str) -> str:
    """What pg_restore lists of an archive; with ``--verbose`` all of it, each entry with what it needs.

    Raises BackupError.
    """
    with Program([str(tool.path), "--list", *flags, str(archive)]) as program:
        listing = program.output()
        program.finish()
    return listing.decode("utf-8", "replace")


def tables_called(tool: Tool, archive: Path, schema: str, table: str) -> frozenset[int]:
    """The numbers of an archive's entries for a table of exactly this name, as pg_restore finds it: in the list, a name
    with a blank cannot be told from two. Raises BackupError.
    """
    named = table_of_contents(tool, archive, f"--schema={schema}", f"--table={table}")
    return frozenset(entry.number for entry in toc.parse(named) if entry.kind in ("TABLE", "FOREIGN TABLE"))


def _run(
    arguments: list[str],
    environment: dict[str, str] | None,
    feed: Callable[[subprocess.Popen[bytes]], None],
    *,
    piped: bool = False,
) -> None:
    with TemporaryFile() as complaints:  # a file never fills up like a pipe would
        try:
            process = subprocess.Popen(
                arguments,
                stdin=subprocess.PIPE if piped else subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=complaints,
                env=environment,
                bufsize=0 if not piped else -1,
                start_new_session=True,
                pipesize=1024 * 1024 if piped else -1,
            )
        except OSError as error:
            raise BackupError(f"cannot start {arguments[0]}: {error}") from error
        try:
            with bound_to_us(process.pid):
                feed(process)
                code = process.wait()
        except BaseException:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # its parallel workers too
            if process.stdin is not None:
                with suppress(OSError):
                    process.stdin.close()
            process.wait()
            raise
        said = _said(complaints)
    if code != 0:
        raise _failed(code, said)


def _said(complaints: IO[bytes]) -> str:
    complaints.seek(0)
    return complaints.read(SAID_KEPT).decode("utf-8", "replace")


def _failed(code: int, said: str) -> BackupError:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if "error:" in line] or lines[-1:]
    how = f"was killed by signal {-code}" if code < 0 else f"failed with exit code {code}"
    failure = f"pg_restore {how}: {'; '.join(errors[:3])}"
    for pattern, remedy in _SERVERS_FAULTS.items():
        if re.search(pattern, said):
            return ServerFault(failure, hint=remedy)
    hint = ""
    if "role" in said and "does not exist" in said:
        hint = "restore the roles first with --globals, or give --no-owner"
    elif "unrecognized configuration parameter" in said:
        hint = "the backup was made by a newer pg_dump than this server: restore it into a server of that version"
    return BackupError(failure, hint=hint)


@contextmanager
def new_database(maintenance: PostgresAddress, name: str, source: SourceDatabase) -> Iterator[None]:
    """An empty database like the source, ``name`` only when the block ended well; gone if it fails, Ctrl-C included.

    Inside the block it is called ``unfinished_name(name)``. Raises Refused if somebody else has one of that name.
    """
    unfinished = unfinished_name(name)
    _require_left_behind(maintenance, unfinished)
    postgres.drop_idle_database(maintenance, unfinished)  # what a killed restore left behind
    with scratch_database(maintenance, unfinished, source, rename_to=name):
        postgres.comment_on_database(maintenance, unfinished, UNFINISHED)
        yield
        if postgres.database_comment(maintenance, unfinished) == UNFINISHED:  # the source had none
            postgres.comment_on_database(maintenance, unfinished, None)


def _require_left_behind(maintenance: PostgresAddress, name: str) -> None:
    if postgres.database_comment(maintenance, name) == UNFINISHED:
        return
    with postgres.connect(maintenance) as connection:
        if not postgres.database_exists(connection, name):
            return
    with postgres.connect(replace(maintenance, database=name)) as connection:
        if postgres.user_tables(connection):
            raise Refused(f"database {name} was not left by a restore", hint="rename it, or choose another --to NAME")


@contextmanager
def scratch_database(
    maintenance: PostgresAddress, name: str, source: SourceDatabase, rename_to: str | None = None
) -> Iterator[None]:
    """An empty database like the source that is gone afterwards, unless the block ends well and there is a new name."""
    locale = postgres.DatabaseLocale(
        source.encoding, source.collate, source.ctype, source.locale_provider, source.locale
    )
    try:
        postgres.create_empty_database(maintenance, name, locale)
    except KeyboardInterrupt:  # it may be there nevertheless
        with suppress(HeadwaterError):
            postgres.drop_idle_database(maintenance, name)
        raise
    try:
        yield
        if rename_to is not None:
            postgres.rename_database(maintenance, name, rename_to)
    except BaseException:
        with suppress(HeadwaterError):  # what failed first says more
            postgres.drop_database(maintenance, name)
        raise
    if rename_to is None:
        postgres.drop_database(maintenance, name)


def unfinished_name(name: str) -> str:
    """What the database is called until its rows have been compared: a kill -9 must not leave half of one as ``name``.

    >>> unfinished_name("app_restored")
    'app_restored (restoring)'
    """
    ending = " (restoring)"
    return name.encode()[: 63 - len(ending)].decode(errors="ignore") + ending


def contents_like(manifest: BackupManifest, address: PostgresAddress) -> dict[str, TableContent]:
    """What a restored database holds, read as deep as the manifest can be compared with. Raises PostgresError."""
    if manifest.content_hashes is not None:
        return postgres.read_contents(address)
    with postgres.connect(address, autocommit=True) as connection:
        return {name: TableContent(rows, 0) for name, rows in postgres.count_all_tables(connection).items()}


def differences(manifest: BackupManifest, contents: Mapping[str, TableContent]) -> tuple[str, ...]:
    """In words, each table that is not as the manifest says; empty if all are, or if it says nothing."""
    expected = manifest.row_counts
    if expected is None:
        return ()
    found = []
    for name in sorted({*expected, *contents}):
        rows = contents[name].rows if name in contents else "missing"
        if expected.get(name) != rows:
            found.append(f"{name}: {rows} of {expected.get(name, 'none')}")
        elif manifest.content_hashes and manifest.content_hashes.get(name) != str(contents[name].hash):
            found.append(f"{name}: {rows} rows, but not the same content")
    return tuple(found)

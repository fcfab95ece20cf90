"""Starts PostgreSQL on a rebuilt data directory that nobody else uses, and reads all that is in it.

Files that are what was sent can still be files that no server comes up on: only a server can tell.
"""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from headwater.connections import Connections
from headwater.errors import BackupError, PostgresError, VerificationError
from headwater.model import OnProgress, PostgresAddress, Progress
from headwater.physical_manifest import PhysicalManifest
from headwater.services import postgres, tools
from headwater.services.programs import Program, bound_to_us, run
from headwater.stages.physical.tablespaces import place

PORT = 5432  # only the name of a socket in a folder of its own
LONGEST_RECOVERY = 3600.0
LONGEST_SOCKET = 90  # bytes of a socket's folder; the system's limit is about 107 for the whole name
LOOK_SECONDS = 0.05
# What a server needs at least as much of as the one that wrote the log, from pg_control.
_LIMITS = {
    "max_connections": "max_connections",
    "max_worker_processes": "max_worker_processes",
    "max_wal_senders": "max_wal_senders",
    "max_prepared_xacts": "max_prepared_transactions",
    "max_locks_per_xact": "max_locks_per_transaction",
}
# What is missing on this machine, and not in the backup.
_OUR_FAULT = re.compile(
    "could not access file|could not load library|must be (pre)?loaded|shared_preload_libraries|No space left"
    "|is incompatible with operating system|shared memory|semaphores|Too many open files|resource manager with ID"
)


@dataclass(frozen=True)
class Trial:
    """What came up: where the log ended, how many databases and tables were read, whether pages had checksums."""

    lsn: str
    databases: int
    tables: int
    read_bytes: int
    checksums: bool

    def __str__(self) -> str:
        pages = ", the checksum of every page compared" if self.checksums else ""
        return (
            f"PostgreSQL came to a consistent state on it at {self.lsn}; {self.tables} tables of {self.databases}"
            f" databases were read to their ends ({self.read_bytes:,} bytes){pages}"
        )


def find_programs(manifest: PhysicalManifest, connections: Connections) -> Path:
    """The folder with a server of the backup's major version. Raises BackupError with the remedy."""
    for tool in tools.installed("postgres", connections.postgres_tools):
        if tool.major == manifest.server_major:
            return tool.path.parent
    major = manifest.server_major
    raise BackupError(
        f"there is no PostgreSQL {major} server on this machine to try physical backup {manifest.id} with",
        hint=f"install PostgreSQL {major} (Debian: `apt install postgresql-{major}`), or use --level full",
    )


def try_out(folder: Path, manifest: PhysicalManifest, connections: Connections, on_progress: OnProgress) -> Trial:
    """Recover the data directory ``folder`` to the backup's own end, and read it. It is changed by that.

    Raises VerificationError for what is wrong with the backup, BackupError for what this machine lacks.
    """
    programs = find_programs(manifest, connections)
    place(folder, {}, folder.with_name(f"{folder.name}.tablespaces"))
    with _server(folder, programs, manifest, connections) as address:
        lsn, databases = _look(address)
        tables, read = 0, 0
        for done, database in enumerate(databases, 1):
            tables += _count(replace(address, database=database))
            read += _read(programs, replace(address, database=database), manifest)
            on_progress(Progress("read", done, len(databases), "databases", database))
    return Trial(lsn, len(databases), tables, read, _check_pages(folder, programs, manifest, connections))


@contextmanager
def _server(
    folder: Path, programs: Path, manifest: PhysicalManifest, connections: Connections
) -> Iterator[PostgresAddress]:
    """A server on the directory that only we can reach, once it has recovered; the login of a superuser."""
    with TemporaryDirectory(prefix="headwater-") as name:
        if len(name.encode()) > LONGEST_SOCKET:
            raise BackupError(f"{name} is too long a name for a socket's folder", hint="set TMPDIR to a shorter one")
        arguments = [str(programs / "postgres"), "-D", str(folder)]
        for setting, value in _settings(folder, Path(name), programs, manifest).items():
            arguments += ["-c", f"{setting}={value}"]
        connections.give_to_server(folder.parent)
        connections.give_to_server(Path(name))
        command = connections.server_command(arguments, programs, folder)
        with Program(command) as server, bound_to_us(server.pid):
            _wait(server, folder, manifest)
            login = connections.postgres("postgres")
            address = PostgresAddress(name, PORT, login.user, None, "postgres")
            try:
                yield _superuser(address)
                server.stop()
            except PostgresError as error:
                raise _judged(manifest, str(error)) from error
            finally:
                server.signal(signal.SIGQUIT)  # unless it has ended: its processes end with it, and take no leave
                server.wait()


def _settings(folder: Path, private: Path, programs: Path, manifest: PhysicalManifest) -> dict[str, str]:
    """All that the server is told: nothing of the original's configuration, which may lie elsewhere, is used."""
    (folder / "recovery.signal").touch(mode=0o600)
    (folder / "standby.signal").unlink(missing_ok=True)
    (folder / "postgresql.auto.conf").write_text("")  # ports, archiving and targets of the original
    files = {"config_file": "", "hba_file": "local all all trust\n", "ident_file": ""}  # in a folder that is private
    for name, text in files.items():
        (private / name).write_text(text)
    control = _control(folder, programs, manifest)
    return {
        **{name: str(private / name) for name in files},
        **{ours: control[theirs] for theirs, ours in _LIMITS.items() if theirs in control},
        "listen_addresses": "",
        "unix_socket_directories": str(private),
        "port": str(PORT),
        "shared_buffers": "64MB",
        "fsync": "off",  # it is thrown away
        "autovacuum": "off",
        "hot_standby": "off",
        "restore_command": "exit 1",  # its own log has to be enough
        "recovery_target": "immediate",
        "recovery_target_timeline": "current",
        "recovery_target_action": "promote",
        "log_min_messages": "warning",
        "lc_messages": "C",
    }


def _control(folder: Path, programs: Path, manifest: PhysicalManifest) -> dict[str, str]:
    """The limits in pg_control, by pg_controldata's words for them. Raises VerificationError."""
    try:
        with Program([str(programs / "pg_controldata"), str(folder)], {"LC_ALL": "C"}) as program:
            text = program.output().decode("utf-8", "replace")
            program.finish()
    except BackupError as error:
        raise _judged(manifest, str(error)) from error
    found = re.findall(r"^(\w+) setting:\s+(\d+)$", text, re.MULTILINE)
    pages = re.findall(r"^Data page checksum version:\s+(\d+)$", text, re.MULTILINE)
    return {**dict(found), "checksums": pages[0] if pages else "0"}


def _wait(server: Program, folder: Path, manifest: PhysicalManifest) -> None:
    """Until the server takes connections, as its pid file says (PostgreSQL's miscadmin.h, LOCK_FILE_LINE_*)."""
    deadline, file = time.monotonic() + LONGEST_RECOVERY, folder / "postmaster.pid"
    while time.monotonic() < deadline:
        if server.ended:
            server.wait()
            raise _judged(manifest, _said(server))
        lines = file.read_text().splitlines() if file.exists() else []
        if len(lines) > 7 and lines[7].strip() == "ready":
            return
        time.sleep(LOOK_SECONDS)
    raise _judged(manifest, f"it did not end its recovery within {LONGEST_RECOVERY:.0f} seconds: {_said(server)}")


def _said(program: Program) -> str:
    """What it complained about: the server's errors, or the last that it wrote."""
    lines = [line.strip() for line in program.lines()]
    return "; ".join([line for line in lines if re.search("FATAL|PANIC|ERROR|HINT", line)][:4] or lines[-3:])


def _judged(manifest: PhysicalManifest, said: str) -> BackupError | VerificationError:
    """Whose fault it is that PostgreSQL does not come up, or cannot read something."""
    if _OUR_FAULT.search(said):
        return BackupError(
            f"physical backup {manifest.id} cannot be tried on this machine: {said}",
            hint="give this machine what the original has (libraries, locales, space), or use --level full",
        )
    return VerificationError(f"physical backup {manifest.id} does not come up: {said}")


def _superuser(address: PostgresAddress) -> PostgresAddress:
    """The login of somebody who may read everything. Raises PostgresError."""
    with postgres.connect(address) as connection:
        row = connection.execute(
            "SELECT rolname FROM pg_roles WHERE rolsuper AND rolcanlogin ORDER BY rolname <> current_user, oid LIMIT 1"
        ).fetchone()
    return replace(address, user=str(row[0])) if row else address


def _look(address: PostgresAddress) -> tuple[str, tuple[str, ...]]:
    """Where the log ends, and the databases that can be connected to. Raises PostgresError."""
    with postgres.connect(address) as connection:
        row = connection.execute("SELECT pg_current_wal_lsn()::text").fetchone()
        names = connection.execute(
            "SELECT datname FROM pg_database WHERE datallowconn AND datconnlimit <> -2 AND datname <> 'template0'"
            " ORDER BY datname"
        ).fetchall()
    return str(row[0]) if row else "", tuple(str(name[0]) for name in names)


def _count(address: PostgresAddress) -> int:
    with postgres.connect(address) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace"
            " WHERE c.relkind = 'r' AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'"
        ).fetchone()
    return int(row[0]) if row else 0


def _read(programs: Path, address: PostgresAddress, manifest: PhysicalManifest) -> int:
    """Let pg_dump read every row of a database; how many bytes it wrote. Raises VerificationError, BackupError."""
    read = 0
    with Program([str(programs / "pg_dump"), "--no-password"], tools.login(address)) as program:
        for block in program.blocks():
            read += len(block)
        if program.wait() != 0:
            raise _judged(manifest, f"database {address.database} cannot be read: {_said(program)}")
    return read


def _check_pages(folder: Path, programs: Path, manifest: PhysicalManifest, connections: Connections) -> bool:
    """Compare the checksum of every page, of indexes too, where the cluster has any; whether it has."""
    program = programs / "pg_checksums"
    if _control(folder, programs, manifest)["checksums"] == "0" or not program.exists():
        return False
    try:
        run(connections.server_command([str(program), "--check", "-D", str(folder)], programs, folder))
    except BackupError as error:
        raise _judged(manifest, str(error)) from error
    return True

